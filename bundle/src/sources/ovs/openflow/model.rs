//! Bridges with their rules, groups and ports.

use std::collections::BTreeMap;

use serde::Serialize;

use super::matching::FlowMatch;
use crate::Mac;
use crate::sources::shared::OfPort;

/// Rules and ports by bridge name.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct OvsOpenflow {
    /// By name.
    pub bridges: BTreeMap<String, BridgeFlows>,
}

/// What was dumped of one bridge.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct BridgeFlows {
    /// Its rules in the dump's order.
    pub flows: Vec<Flow>,
    /// The dump is whole: it was not cut and every line was understood. Only then does "no rule matches" mean anything.
    pub complete: bool,
    /// As `ovs-ofctl show` lists them.
    pub ports: Vec<OfPortDesc>,
    /// Its groups; `None` when they were not dumped.
    pub groups: Option<Vec<Group>>,
}

/// One port of `ovs-ofctl show`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OfPortDesc {
    /// OpenFlow port number.
    pub number: OfPort,
    /// Interface.
    pub name: String,
    /// Hardware address (`addr:`).
    pub mac: Option<Mac>,
    /// `PORT_DOWN`, `NO_FLOOD`, `NO_FWD`, …; empty for 0.
    pub config: Vec<String>,
    /// `LINK_DOWN`, `LIVE`, …; empty for 0.
    pub state: Vec<String>,
}

impl OvsOpenflow {
    /// The rules of a bridge.
    pub fn flows(&self, bridge: &str) -> &[Flow] {
        self.bridges.get(bridge).map(|bridge| bridge.flows.as_slice()).unwrap_or_default()
    }

    /// The OpenFlow number of an interface.
    pub fn port(&self, bridge: &str, iface: &str) -> Option<OfPort> {
        self.bridges.get(bridge)?.ports.iter().find(|port| port.name == iface).map(|port| port.number)
    }
}

/// One OpenFlow rule.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Flow {
    /// Name of the bridge it stands in.
    pub bridge: String,
    /// Line in the dump, counted from 1.
    pub line: usize,
    /// Cookie, as whoever wrote the rule chose it.
    pub cookie: u64,
    /// Milliseconds since it was written.
    pub duration_ms: u64,
    /// Number of the OpenFlow table it stands in.
    pub table: u8,
    /// Packets that met it.
    pub n_packets: u64,
    /// Bytes that met it.
    pub n_bytes: u64,
    /// Priority; the highest that matches decides.
    pub priority: u16,
    /// Seconds since a packet met it, when printed.
    pub idle_age_s: Option<u64>,
    /// Removed after that many seconds without a packet.
    pub idle_timeout_s: Option<u64>,
    /// Removed after that many seconds.
    pub hard_timeout_s: Option<u64>,
    /// Fields that a packet must have.
    pub matches: FlowMatch,
    /// Actions as printed.
    pub actions: String,
    /// The whole line, trimmed.
    pub raw: String,
}

/// A list of buckets that several rules share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Group {
    /// Its number.
    pub id: u32,
    /// How its buckets are used.
    pub kind: GroupKind,
    /// The actions of each bucket as printed.
    pub buckets: Vec<String>,
}

/// How a group uses its buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupKind {
    /// Each bucket gets a copy.
    All,
    /// There is one bucket.
    Indirect,
    /// One bucket is chosen: by a hash (`select`) or by what is alive (`fast_failover`).
    Other,
}
