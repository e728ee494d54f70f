//! `ovs-datapath`: what the datapath really does: its ports, and the flows it has in use (`dpctl/*`, `dpif/show`).
//!
//! A datapath flow has no priority; flows do not overlap; one with an empty action list drops. Flows unused for ten
//! seconds disappear (`max-idle`, vswitchd.conf.db(5)), so they are sampled while it happens.

use crate::source::{Cadence, Each, How, Parsed, RawItem, Recipe, Snapshot, SourceDef};
use crate::sources::shared::text::usable;

mod flow;
mod matching;
mod model;
mod ports;

#[cfg(test)]
mod tests;

pub use model::{Datapath, DpFlow, DpPort, OvsDatapath, PortNumbers};

/// A command without elements.
const fn command(item: &'static str, argv: &'static [&'static str], bytes_max: usize) -> Recipe {
    Recipe { item, each: Each::Once, how: How::Command(argv), bytes_max, timeout_ms: 5_000 }
}

impl Snapshot for OvsDatapath {
    const DEF: SourceDef = SourceDef {
        id: "ovs-datapath",
        about: "Open vSwitch datapath: port numbers, flows in use and what they do",
        cadence: Cadence::Periodic,
        recipes: &[
            command("dpctl-show", &["ovs-appctl", "dpctl/show"], 1 << 20),
            command("dpif-show", &["ovs-appctl", "dpif/show"], 1 << 20),
            command("dump-flows", &["ovs-appctl", "dpctl/dump-flows"], 8 << 20),
        ],
    };

    fn parse(items: &[RawItem<'_>]) -> Parsed<Self> {
        let mut parsed = Parsed::default();
        for item in items {
            match item.item {
                "dpctl-show" => ports::dpctl_show(&usable(item, &mut parsed), item, &mut parsed),
                "dpif-show" => ports::dpif_show(&usable(item, &mut parsed), item, &mut parsed),
                "dump-flows" => flow::dump(&usable(item, &mut parsed), item, &mut parsed),
                _ => {}
            }
        }
        parsed
    }
}
