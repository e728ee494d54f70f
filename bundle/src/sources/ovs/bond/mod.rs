//! `ovs-bond`: what ovs-vswitchd says of its bonds: `bond/show` and `lacp/show`, ovs-vswitchd(8).
//!
//! The active member and the LACP state exist only in the running daemon. Versions before 2.15 say `slave` where newer
//! ones say `member`; both are read, and capital letters do not matter.

use crate::source::{Cadence, Each, How, Parsed, RawItem, Recipe, Snapshot, SourceDef};
use crate::sources::shared::text::usable;
pub use model::{Bond, BondMode, Lacp, LacpInfo, LacpMember, LacpParty, LacpStatus, Member, OvsBond};

mod lacp;
mod model;
mod show;
mod words;

#[cfg(test)]
mod tests;

impl Snapshot for OvsBond {
    const DEF: SourceDef = SourceDef {
        id: "ovs-bond",
        about: "Open vSwitch bonds: members, active member, LACP state",
        cadence: Cadence::Periodic,
        recipes: &[
            Recipe {
                item: "bond-show",
                each: Each::Once,
                how: How::Command(&["ovs-appctl", "bond/show"]),
                bytes_max: 1 << 20,
                timeout_ms: 5_000,
            },
            Recipe {
                item: "lacp-show",
                each: Each::Once,
                how: How::Command(&["ovs-appctl", "lacp/show"]),
                bytes_max: 1 << 20,
                timeout_ms: 5_000,
            },
        ],
    };

    fn parse(items: &[RawItem<'_>]) -> Parsed<Self> {
        let mut parsed = Parsed::default();
        for item in items {
            match item.item {
                "bond-show" => show::read(&usable(item, &mut parsed), item, &mut parsed),
                "lacp-show" => lacp::read(&usable(item, &mut parsed), item, &mut parsed),
                _ => {}
            }
        }
        parsed
    }
}
