//! Who lives behind the ports of a host, as its state says, and which ways into it nobody recorded.

use netcap_bundle::topology::{MacLocation, Topology};
use netcap_bundle::{Mac, Role};

use crate::engine::Points;
use crate::host::macs::is_virtual_router;

/// The ports of a host, as at the end of its recording.
#[derive(Debug, Default)]
pub(super) struct Residents {
    topology: Topology,
}

impl Residents {
    pub(super) fn new(topology: Topology) -> Self {
        Self { topology }
    }

    /// The port of this host behind which a MAC is; `None` when it is elsewhere, or nobody knows.
    pub(super) fn port(&self, points: &Points, mac: Mac) -> Option<String> {
        if is_virtual_router(mac) || mac.is_multicast() {
            return None;
        }
        let guest = |role: &Role| matches!(role, Role::Vnet { guest_mac: Some(known), .. } if *known == mac);
        if let Some((_, info)) = points.iter().find(|(_, info)| guest(&info.role)) {
            return Some(info.name.clone());
        }
        match self.topology.locate(mac)? {
            MacLocation::Guest { iface, .. } | MacLocation::Own { iface, .. } => Some(iface),
            MacLocation::Learned { entry, role: Some(Role::Vnet { .. } | Role::Internal) } => {
                entry.iface.clone()
            }
            MacLocation::Learned { .. } => None,
        }
    }

    /// Physical ports by which packets for that port may come as well, and that nobody recorded.
    pub(super) fn unrecorded(&self, points: &Points, port: Option<&str>) -> Vec<String> {
        let has = |name: &str| {
            let switch = self.topology.switches.iter().find(|switch| switch.name == name);
            switch.is_some_and(|switch| switch.ports.iter().any(|p| Some(p.iface.as_str()) == port))
        };
        let switches = self.topology.switches.iter().filter(|switch| port.is_none() || has(&switch.name));
        let ports = switches.flat_map(|switch| &switch.ports);
        let uplinks = ports.filter(|port| matches!(port.role, Role::Uplink { .. }));
        uplinks.map(|port| port.iface.clone()).filter(|iface| points.by_name(iface).is_none()).collect()
    }
}
