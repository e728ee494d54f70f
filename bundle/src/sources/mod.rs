//! One file (or folder) for each source of host state: what is recorded, what it means, how it is read.

use crate::source::{Snapshot, SourceDef};

/// Interfaces, kernel bridges, neighbours and the kernel's counters of packets.
pub mod network {
    pub mod counters;
    pub mod links;
    pub mod linux_bridge;
    pub mod neighbours;
}

/// Open vSwitch: its database, its daemon's view, its datapaths.
pub mod ovs {
    pub mod bond;
    pub mod conntrack;
    pub mod datapath;
    pub mod fdb;
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

/// Every source, alphabetical by id. The recorder, the command line and the manual derive from this list.
pub const ALL: &[&SourceDef] = &[
    &network::counters::Counters::DEF,
    &storage::disk::Disk::DEF,
    &host::system::HostSystem::DEF,
    &vm::libvirt::Libvirt::DEF,
    &network::links::Links::DEF,
    &network::linux_bridge::LinuxBridge::DEF,
    &network::neighbours::Neighbours::DEF,
    &ovs::bond::OvsBond::DEF,
    &ovs::conntrack::OvsConntrack::DEF,
    &ovs::datapath::OvsDatapath::DEF,
    &ovs::fdb::OvsFdb::DEF,
    &ovs::openflow::OvsOpenflow::DEF,
    &ovs::ovsdb::Ovsdb::DEF,
    &host::sysctl::Sysctl::DEF,
];

/// The source of that id.
pub fn by_id(id: &str) -> Option<&'static SourceDef> {
    ALL.iter().copied().find(|def| def.id == id)
}

#[cfg(test)]
mod tests;
