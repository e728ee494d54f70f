//! What a replay is given, and what it answers.

use crate::sources::ovs::conntrack::{CtEntry, OvsConntrack};
use crate::sources::ovs::datapath::OvsDatapath;
use crate::sources::ovs::fdb::OvsFdb;
use crate::sources::ovs::openflow::{Flow, OvsOpenflow};
use crate::sources::ovs::ovsdb::Ovsdb;

/// The dumps a replay is made of; all but the rules may be missing, and what they would say is then not known.
#[derive(Debug, Clone, Copy)]
pub struct Dumps<'a> {
    /// Rules, ports and groups.
    pub openflow: &'a OvsOpenflow,
    /// VLANs and bonds of ports, patch peers.
    pub ovsdb: Option<&'a Ovsdb>,
    /// Patch peers, when OVSDB is missing.
    pub datapath: Option<&'a OvsDatapath>,
    /// Learned addresses.
    pub fdb: Option<&'a OvsFdb>,
    /// Connections.
    pub conntrack: Option<&'a OvsConntrack>,
}

/// The way of a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replay<'a> {
    /// Rules in the order met, over all bridges.
    pub chain: Vec<&'a Flow>,
    /// What conntrack was asked on the way.
    pub tracked: Vec<CtLookup<'a>>,
    /// What became of it.
    pub decision: ForwardingDecision<'a>,
    /// Nothing on its way depended on something unknown: chain and ports are all of them.
    pub complete: bool,
}

/// One lookup in the conntrack dump.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CtLookup<'a> {
    /// Zone; `None` when it could not be computed.
    pub zone: Option<u16>,
    /// The connection, if there is one.
    pub entry: Option<&'a CtEntry>,
    /// `+trk+new`: the flags that certainly are set.
    pub state: String,
    /// Every flag is known.
    pub certain: bool,
}

/// What became of a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ForwardingDecision<'a> {
    /// Certainly nothing sends it on.
    Dropped(End<'a>),
    /// It leaves here; a bridge's switching may have chosen several ports.
    Forwarded(Vec<Exit>),
    /// It depends on something that is not known.
    CannotTell {
        /// What the tables would have to say for that.
        why: String,
        /// Rules that may decide, the first few.
        candidates: Vec<&'a Flow>,
    },
}

/// Where a packet ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End<'a> {
    /// Name of the bridge it was in then.
    pub bridge: String,
    /// Number of the OpenFlow table it was in then.
    pub table: u8,
    /// The rule that ends it; `None` when no rule of the table matched.
    pub rule: Option<&'a Flow>,
    /// How.
    pub cause: Cause,
}

/// Why a packet ends at a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The rule drops it, or has nothing that sends it on.
    Rule,
    /// No rule of the table matched.
    Miss,
    /// It would leave by the port it came in at.
    InputPort,
    /// It would leave by a port that is not there or does not forward.
    NoPort,
    /// The bridge's switching: its VLAN is not carried at the port it came in at.
    Vlan,
    /// The bridge's switching: its destination was learned at the port it came in at, or no other port carries its VLAN.
    Switching,
    /// The bridge's switching: a reserved address (IEEE 802.1Q, 8.6.3).
    Reserved,
    /// Its time to live ran out.
    Ttl,
}

/// Where a packet leaves.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Exit {
    /// Name of the bridge it was in then.
    pub bridge: String,
    /// Port as OVSDB names it (a bond by its own name), `CONTROLLER`, or `NORMAL` where nothing says which.
    pub port: String,
}
