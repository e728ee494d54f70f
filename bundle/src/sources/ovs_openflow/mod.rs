//! `ovs-openflow`: the OpenFlow rules, groups and ports of every bridge (`ovs-ofctl dump-flows`, `dump-groups`, `show`).
//!
//! These are the rules somebody wrote; which of them a packet meets is found by [`crate::replay`], and whether one was met
//! lately by comparing `n_packets` of two dumps.

use std::collections::BTreeMap;

use serde::Serialize;

use super::shared::OfPort;
use super::shared::text::usable;
use crate::Mac;
use crate::source::{Cadence, Each, How, Parsed, RawItem, Recipe, Snapshot, SourceDef};

mod flow;
mod groups;
mod matching;
mod ports;

#[cfg(test)]
mod tests;

pub use flow::Flow;
pub use groups::{Group, GroupKind};
pub use matching::FlowMatch;

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

/// All versions, so that whatever the bridge speaks is spoken.
const VERSIONS: &str = "OpenFlow10,OpenFlow11,OpenFlow12,OpenFlow13,OpenFlow14,OpenFlow15";

impl Snapshot for OvsOpenflow {
    const DEF: SourceDef = SourceDef {
        id: "ovs-openflow",
        about: "OpenFlow rules, groups and ports of every Open vSwitch bridge",
        cadence: Cadence::Periodic,
        recipes: &[
            Recipe {
                item: "dump-flows",
                each: Each::OvsBridge,
                how: How::Command(&["ovs-ofctl", "-O", VERSIONS, "dump-flows", "{}"]),
                bytes_max: 8 << 20,
                timeout_ms: 5_000,
            },
            Recipe {
                item: "show",
                each: Each::OvsBridge,
                how: How::Command(&["ovs-ofctl", "-O", VERSIONS, "show", "{}"]),
                bytes_max: 1 << 20,
                timeout_ms: 5_000,
            },
            Recipe {
                item: "dump-groups",
                each: Each::OvsBridge,
                how: How::Command(&["ovs-ofctl", "-O", VERSIONS, "dump-groups", "{}"]),
                bytes_max: 1 << 20,
                timeout_ms: 5_000,
            },
        ],
    };

    fn parse(items: &[RawItem<'_>]) -> Parsed<Self> {
        let mut parsed = Parsed::default();
        for item in items {
            match item.item {
                "dump-flows" => flow::dump(&usable(item, &mut parsed), item, &mut parsed),
                "dump-groups" => groups::dump(&usable(item, &mut parsed), item, &mut parsed),
                "show" => ports::show(&usable(item, &mut parsed), item, &mut parsed),
                _ => {}
            }
        }
        parsed
    }
}
