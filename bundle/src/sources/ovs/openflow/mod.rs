//! `ovs-openflow`: the OpenFlow rules, groups and ports of every bridge (`ovs-ofctl dump-flows`, `dump-groups`, `show`).
//!
//! These are the rules somebody wrote; which of them a packet meets is found by [`crate::replay`], and whether one was met
//! lately by comparing `n_packets` of two dumps.

use crate::source::{Cadence, Each, How, Parsed, RawItem, Recipe, Snapshot, SourceDef};
use crate::sources::ovs::ovsdb::BRIDGES;
use crate::sources::shared::text::usable;

mod flow;
mod groups;
mod matching;
mod model;
mod ports;

#[cfg(test)]
mod tests;

pub use matching::FlowMatch;
pub use model::{BridgeFlows, Flow, Group, GroupKind, OfPortDesc, OvsOpenflow};

/// All versions, so that whatever the bridge speaks is spoken.
pub(super) const VERSIONS: &str = "OpenFlow10,OpenFlow11,OpenFlow12,OpenFlow13,OpenFlow14,OpenFlow15";

impl Snapshot for OvsOpenflow {
    const DEF: SourceDef = SourceDef {
        id: "ovs-openflow",
        about: "OpenFlow rules, groups and ports of every Open vSwitch bridge",
        cadence: Cadence::Periodic,
        recipes: &[
            Recipe {
                item: "dump-flows",
                each: Each::Of(&BRIDGES),
                how: How::Command(&["ovs-ofctl", "-O", VERSIONS, "dump-flows", "{}"]),
                bytes_max: 8 << 20,
                timeout_ms: 5_000,
            },
            Recipe {
                item: "show",
                each: Each::Of(&BRIDGES),
                how: How::Command(&["ovs-ofctl", "-O", VERSIONS, "show", "{}"]),
                bytes_max: 1 << 20,
                timeout_ms: 5_000,
            },
            Recipe {
                item: "dump-groups",
                each: Each::Of(&BRIDGES),
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
