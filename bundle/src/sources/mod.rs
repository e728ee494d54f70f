//! One file (or folder) for each source of host state: what is recorded, what it means, how it is read.

use crate::source::{Snapshot, SourceDef};

pub mod counters;
pub mod disk;
pub mod host;
pub mod libvirt;
pub mod links;
pub mod linux_bridge;
pub mod neighbours;
pub mod ovs_bond;
pub mod ovs_conntrack;
pub mod ovs_datapath;
pub mod ovs_fdb;
pub mod ovs_openflow;
pub mod ovsdb;
pub mod shared;
pub mod sysctl;

/// Every source, alphabetical by id. The recorder, the command line and the manual derive from this list.
pub const ALL: &[&SourceDef] = &[
    &counters::Counters::DEF,
    &disk::Disk::DEF,
    &host::Host::DEF,
    &libvirt::Libvirt::DEF,
    &links::Links::DEF,
    &linux_bridge::LinuxBridge::DEF,
    &neighbours::Neighbours::DEF,
    &ovs_bond::OvsBond::DEF,
    &ovs_conntrack::OvsConntrack::DEF,
    &ovs_datapath::OvsDatapath::DEF,
    &ovs_fdb::OvsFdb::DEF,
    &ovs_openflow::OvsOpenflow::DEF,
    &ovsdb::Ovsdb::DEF,
    &sysctl::Sysctl::DEF,
];

/// The source of that id.
pub fn by_id(id: &str) -> Option<&'static SourceDef> {
    ALL.iter().copied().find(|def| def.id == id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::How;

    #[test]
    fn ids_are_sorted_and_unique() {
        let ids: Vec<&str> = ALL.iter().map(|def| def.id).collect();
        let mut sorted = ids.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(ids, sorted);
        assert_eq!(by_id("ovsdb").map(|def| def.id), Some("ovsdb"));
    }

    #[test]
    fn items_are_unique_named_for_files_and_bounded() {
        for def in ALL {
            let mut items: Vec<&str> = def.recipes.iter().map(|recipe| recipe.item).collect();
            items.sort_unstable();
            items.dedup();
            assert_eq!(items.len(), def.recipes.len(), "{}", def.id);
            for recipe in def.recipes {
                assert!(
                    recipe.item.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
                );
                assert!(
                    (1..=16 << 20).contains(&recipe.bytes_max) && (100..=10_000).contains(&recipe.timeout_ms)
                );
                match recipe.how {
                    How::Command(argv) => assert!(!argv.is_empty()),
                    How::File(path) => assert!(path.starts_with('/')),
                }
            }
        }
    }
}
