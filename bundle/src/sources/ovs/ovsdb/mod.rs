//! `ovsdb`: the Open vSwitch configuration and status database, vswitchd.conf.db(5).
//!
//! One read-only dump. It names bridges, ports, bonds, VLANs, and through `external_ids:attached-mac` the guest behind
//! each tap. The statistics in it change all the time, so it is recorded at the start and the end only.

use crate::source::{
    Cadence, Each, Elements, How, Parsed, RawItem, Recipe, Snapshot, SourceDef, is_interface,
};
use crate::sources::shared::text;
pub use model::{Bridge, Interface, Map, Mirror, Ovsdb, Port};

mod cell;
mod model;
mod tables;

#[cfg(test)]
mod tests;

/// Bridges of Open vSwitch.
pub(crate) const BRIDGES: Elements = Elements {
    id: "bridge",
    listed_by: "ovsdb",
    names: |items| Ovsdb::parse(items).value.bridges.into_iter().map(|bridge| bridge.name).collect(),
    is_name: is_interface,
};

impl Snapshot for Ovsdb {
    const DEF: SourceDef = SourceDef {
        id: "ovsdb",
        about: "Open vSwitch database: bridges, ports, bonds, VLANs, guests' MACs",
        cadence: Cadence::StartEnd,
        recipes: &[Recipe {
            item: "dump",
            each: Each::Once,
            how: How::Command(&["ovsdb-client", "dump", "--format=json", "{db}", "Open_vSwitch"]),
            bytes_max: 16 << 20,
            timeout_ms: 5_000,
        }],
    };

    fn parse(items: &[RawItem<'_>]) -> Parsed<Self> {
        let mut parsed = Parsed::default();
        for item in items.iter().filter(|item| item.item == "dump") {
            let dump = text::usable(item, &mut parsed);
            let tables = tables::read(&dump, item, &mut parsed);
            parsed.value = tables.join(item, &mut parsed);
        }
        parsed
    }
}
