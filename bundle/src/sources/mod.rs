//! One file (or folder) for each source of host state: what is recorded, what it means, how it is read.

use crate::source::{Defect, Elements, RawItem, Snapshot, SourceDef};

/// Interfaces, kernel bridges, neighbours and the kernel's counters of packets.
pub mod network {
    pub mod bridge_filter;
    pub mod counters;
    pub mod links;
    pub mod linux_bridge;
    pub mod neighbours;
    pub mod queues;
}

/// Open vSwitch: its database, its daemon's view, its datapaths.
pub mod ovs {
    pub mod bond;
    pub mod conntrack;
    pub mod datapath;
    pub mod fdb;
    pub mod meters;
    pub mod openflow;
    pub mod ovsdb;
}

/// Virtual machines.
pub mod vm {
    pub mod libvirt;
}

/// Block devices and what is on them.
pub mod storage {
    pub mod disk;
}

/// The host itself: kernel, processors, memory, settings.
pub mod host {
    pub mod sysctl;
    pub mod system;
}

pub mod shared;

/// A source that is registered.
#[derive(Debug, Clone, Copy)]
pub struct Source {
    /// What is recorded for it.
    pub def: &'static SourceDef,
    /// Parses items and gives what was not understood, for those who want no typed result.
    pub defects: fn(&[RawItem<'_>]) -> Vec<Defect>,
}

impl Source {
    const fn of<S: Snapshot>() -> Self {
        Self { def: S::DEF_REF, defects: |items| S::parse(items).defects }
    }
}

/// Every source, alphabetical by id. The recorder, the command line and the manual derive from this list.
pub const ALL: &[Source] = &[
    Source::of::<network::bridge_filter::BridgeFilter>(),
    Source::of::<network::counters::Counters>(),
    Source::of::<storage::disk::Disk>(),
    Source::of::<host::system::HostSystem>(),
    Source::of::<vm::libvirt::Libvirt>(),
    Source::of::<network::links::Links>(),
    Source::of::<network::linux_bridge::LinuxBridge>(),
    Source::of::<network::neighbours::Neighbours>(),
    Source::of::<ovs::bond::OvsBond>(),
    Source::of::<ovs::conntrack::OvsConntrack>(),
    Source::of::<ovs::datapath::OvsDatapath>(),
    Source::of::<ovs::fdb::OvsFdb>(),
    Source::of::<ovs::meters::OvsMeters>(),
    Source::of::<ovs::openflow::OvsOpenflow>(),
    Source::of::<ovs::ovsdb::Ovsdb>(),
    Source::of::<network::queues::Queues>(),
    Source::of::<host::sysctl::Sysctl>(),
];

/// The source of that id.
pub fn by_id(id: &str) -> Option<&'static SourceDef> {
    ALL.iter().map(|source| source.def).find(|def| def.id == id)
}

/// Every source in an order in which those that list things come before those that are repeated over them.
pub fn in_order() -> Vec<&'static SourceDef> {
    let mut all: Vec<&'static SourceDef> = ALL.iter().map(|source| source.def).collect();
    all.sort_by_key(|def| depth(def, ALL.len()));
    all
}

/// How many sources have to be asked before this one. Sources do not wait for each other in a circle: a test.
fn depth(def: &SourceDef, hops: usize) -> usize {
    let listed = def.recipes.iter().filter_map(|recipe| recipe.each.elements());
    let others = listed.filter(|elements| elements.listed_by != def.id);
    let before = others.filter_map(|elements| by_id(elements.listed_by));
    match hops.checked_sub(1) {
        Some(hops) => before.map(|def| depth(def, hops) + 1).max().unwrap_or(0),
        None => 0,
    }
}

/// The kinds of things that this source lists and some recipe is repeated over.
pub fn listed_by(source: &str) -> impl Iterator<Item = &'static Elements> {
    let recipes = ALL.iter().flat_map(|source| source.def.recipes);
    let mut kinds: Vec<&'static Elements> = recipes.filter_map(|recipe| recipe.each.elements()).collect();
    kinds.retain(|elements| elements.listed_by == source);
    kinds.sort_by_key(|elements| elements.id);
    kinds.dedup_by_key(|elements| elements.id);
    kinds.into_iter()
}

#[cfg(test)]
mod tests;
