//! Bridges with their rules, groups and ports.

use std::collections::BTreeMap;

use serde::Serialize;

use super::matching::FlowMatch;
use crate::Mac;
use crate::sources::shared::OfPort;

/// Rules and ports by bridge name.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct OvsOpenflow {
    /// The bridges.
    pub bridges: BTreeMap<String, BridgeFlows>,
}

/// One bridge.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct BridgeFlows {
    /// Its rules in the dump's order.
    pub flows: Vec<Flow>,
    /// The dump is whole: it was not cut and every line was understood. Only then does "no rule matches" mean anything.
    pub complete: bool,
    /// Its ports.
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
    /// MAC.
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
    /// Bridge.
    pub bridge: String,
    /// Line in the dump, counted from 1.
    pub line: usize,
    /// Cookie, as whoever wrote the rule chose it.
    pub cookie: u64,
    /// Milliseconds since it was written.
    pub duration_ms: u64,
    /// Table.
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
    /// What it matches.
    pub matches: FlowMatch,
    /// Actions as printed.
    pub actions: String,
    /// The whole line, trimmed.
    pub raw: String,
}

/// One group.
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
