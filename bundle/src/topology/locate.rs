//! Where a MAC address is.

use std::collections::BTreeMap;

use super::model::{Inputs, Learned, MacLocation, Port, Switch, Topology};
use crate::sources::shared::OfPort;
use crate::{Mac, Role};

impl Topology {
    /// Where a MAC is: this host's own, a guest's by configuration, else where it was learned. Of several learned places
    /// the nearest: a machine's port before an uplink before an internal port before a patch.
    pub fn locate(&self, mac: Mac) -> Option<MacLocation> {
        self.own(mac).or_else(|| self.guest(mac)).or_else(|| self.learned_place(mac))
    }

    fn own(&self, mac: Mac) -> Option<MacLocation> {
        let having =
            self.all().filter(|(_, port)| port.mac == Some(mac) && !matches!(port.role, Role::Vnet { .. }));
        let best = having.min_by_key(|(switch, port)| match port.role {
            Role::Internal if switch.is_some_and(|switch| switch.name == port.iface) => 0,
            Role::Internal => 1,
            Role::Uplink { .. } => 2,
            _ => 3,
        });
        best.map(|(switch, port)| MacLocation::Own {
            iface: port.iface.clone(),
            switch: switch.map(|s| s.name.clone()),
        })
    }

    fn guest(&self, mac: Mac) -> Option<MacLocation> {
        let (switch, port) = self.all().find(|(_, port)| port.guest_mac == Some(mac))?;
        Some(MacLocation::Guest {
            vm: port.vm.clone(),
            iface: port.iface.clone(),
            switch: switch.map(|s| s.name.clone()),
        })
    }

    fn learned_place(&self, mac: Mac) -> Option<MacLocation> {
        let entries = self.learned.iter().filter(|entry| entry.mac == mac);
        let with_role = entries.map(|entry| (entry, self.port_of(entry).map(|port| port.role.clone())));
        let nearest = with_role.min_by_key(|(entry, role)| {
            let rank = match role {
                Some(Role::Vnet { .. }) => 0,
                Some(Role::Uplink { .. } | Role::Tunnel { .. }) => 1,
                Some(Role::Internal | Role::Other) => 2,
                Some(Role::Patch { .. }) => 3,
                None => 4,
            };
            (rank, entry.age_s)
        });
        nearest.map(|(entry, role)| MacLocation::Learned { entry: entry.clone(), role })
    }

    fn port_of(&self, entry: &Learned) -> Option<&Port> {
        let iface = entry.iface.as_deref()?;
        self.switch(&entry.switch)?.ports.iter().find(|port| port.iface == iface)
    }
}

/// All learned addresses, by address.
pub(super) fn learned(inputs: &Inputs<'_>, switches: &[Switch]) -> Vec<Learned> {
    let mut ports: BTreeMap<(&str, OfPort), &str> = BTreeMap::new();
    for switch in switches {
        for port in &switch.ports {
            if let Some(number) = port.ofport {
                ports.entry((&switch.name, number)).or_insert(&port.iface);
            }
        }
    }
    let mut all: Vec<Learned> = Vec::new();
    for entry in inputs.fdb.map(|fdb| fdb.entries.as_slice()).unwrap_or_default() {
        all.push(Learned {
            mac: entry.mac,
            switch: entry.bridge.clone(),
            vlan: entry.vlan,
            iface: ports.get(&(entry.bridge.as_str(), entry.port)).map(|iface| (*iface).to_owned()),
            ofport: Some(entry.port),
            age_s: entry.age_s,
        });
    }
    for entry in inputs.linux_bridge.map(|bridges| bridges.fdb.as_slice()).unwrap_or_default() {
        if let Some(switch) = entry.bridge.as_ref().filter(|_| !entry.permanent) {
            all.push(Learned {
                mac: entry.mac,
                switch: switch.clone(),
                vlan: entry.vlan.unwrap_or(0),
                iface: Some(entry.iface.clone()),
                ofport: None,
                age_s: None,
            });
        }
    }
    all.sort();
    all
}
