//! The rule that drops such packets, as one of them met it in the dumps.

use netcap_bundle::Nanos;
use netcap_bundle::sources::ovs::openflow::Flow;

use super::binding::Binding;

/// The OpenFlow rule that drops such packets.
#[derive(Debug, Clone)]
pub(crate) struct RuleDrop {
    /// Bridge of the rule: another than the port's behind a patch port.
    pub bridge: String,
    /// Table, priority, match and actions.
    pub rule: String,
    pub cookie: u64,
    /// The line of the dump.
    pub line: String,
    pub file: String,
    /// When it was dumped.
    pub at: Nanos,
    /// Its counter at the first and the last dump it was in.
    pub packets: (u64, u64),
    /// When these were taken.
    pub times: (Nanos, Nanos),
    /// No other rule may decide instead.
    pub certain: bool,
    /// It sends them to ports that are not there.
    pub nowhere: bool,
    /// The rules met before it, in short, and the file each is in: bridges have one each.
    pub chain: Vec<(String, String)>,
    /// What conntrack was asked on the way.
    pub tracked: Vec<TrackedAs>,
    /// It ends what rules above it do not let pass because of the sender's address.
    pub binding: Option<Binding>,
    /// Their connection is known in another conntrack zone than the one that was asked.
    pub other_zone: Option<OtherZone>,
    pub(super) flow: Flow,
}

/// Fields that say what kind of packet it is, where it came in or how it is tracked, and not what it is for.
const PLAIN: [&str; 13] = [
    "ip", "ipv6", "tcp", "udp", "icmp", "icmp6", "dl_type", "in_port", "dl_vlan", "vlan_tci", "metadata",
    "ct_state", "ct_zone",
];

impl RuleDrop {
    /// Its counter since it was met in an earlier dump, if that was the same rule.
    pub(super) fn counts_since(&mut self, before: Option<&Self>) {
        let Some(before) = before.filter(|before| before.flow.same_rule(&self.flow)) else { return };
        let reset = before.flow.n_packets > self.flow.n_packets;
        if !reset {
            (self.packets.0, self.times.0) = (before.packets.0, before.times.0);
        }
        self.other_zone.clone_from(&before.other_zone);
    }

    /// It takes what no rule above it let pass, or what is not tracked: it singles out no address and no service.
    pub(crate) fn is_for_the_rest(&self) -> bool {
        let mut names = self.flow.matches.fields.iter().map(|(name, _)| name.as_str());
        names.all(|name| PLAIN.contains(&name) || name.starts_with("reg"))
    }
}

/// One lookup in conntrack.
#[derive(Debug, Clone)]
pub(crate) struct TrackedAs {
    /// Zone, when it could be computed.
    pub zone: Option<u16>,
    /// Flags that certainly are set.
    pub state: String,
    /// The connection's own line, if there is one.
    pub line: Option<String>,
    /// The dump's file.
    pub file: String,
    /// When it was dumped.
    pub at: Nanos,
}

/// A rule of the dump, in short, and its file.
pub(crate) type RuleLine = (String, String);

/// The zones of a connection whose packets a rule drops because conntrack does not know them.
#[derive(Debug, Clone)]
pub(crate) struct OtherZone {
    /// The zone that was asked, and has no such connection.
    pub asked: u16,
    /// The zone that has it.
    pub known: u16,
    /// The connection's line there.
    pub entry: String,
    /// No answer was ever tracked there.
    pub half_open: bool,
    /// When the dump was taken.
    pub at: Nanos,
    /// The dump.
    pub file: String,
    /// When the rules were dumped.
    pub rules_at: Nanos,
    /// The rule that asks.
    pub asks: Option<RuleLine>,
    /// The rule that tracks what comes in at the port of the other side, in the zone that has it.
    pub commits: Option<RuleLine>,
    /// The port of the other side.
    pub peer: Option<String>,
}
