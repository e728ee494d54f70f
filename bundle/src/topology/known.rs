//! What the sources know, found by name: a topology is built from thousands of ports, and a bundle may be hostile.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::model::Inputs;
use crate::Mac;
use crate::sources::network::links::Link;
use crate::sources::network::linux_bridge::BridgePort;
use crate::sources::ovs::bond::{Bond, Member};
use crate::sources::shared::OfPort;
use crate::sources::vm::libvirt::{Domain, DomainInterface};

/// A machine and that one of its interfaces which is meant.
pub(super) type Machine<'a> = (&'a Domain, &'a DomainInterface);

/// The inputs with an index over each.
#[derive(Default)]
pub(super) struct Known<'a> {
    pub(super) inputs: Inputs<'a>,
    links: BTreeMap<&'a str, &'a Link>,
    members: BTreeMap<&'a str, BTreeSet<&'a str>>,
    bridge_ports: BTreeMap<(&'a str, &'a str), &'a BridgePort>,
    pvids: BTreeMap<&'a str, u16>,
    dp_ports: BTreeMap<&'a str, u32>,
    of_ports: BTreeMap<&'a str, OfPort>,
    bonds: BTreeMap<&'a str, &'a Bond>,
    bond_members: BTreeMap<&'a str, &'a Member>,
    by_target: BTreeMap<&'a str, Machine<'a>>,
    by_mac: BTreeMap<Mac, Machine<'a>>,
    by_id: BTreeMap<&'a str, Machine<'a>>,
    addresses: BTreeMap<Mac, BTreeSet<IpAddr>>,
}

impl<'a> Known<'a> {
    pub(super) fn new(inputs: &Inputs<'a>) -> Self {
        let mut known = Self { inputs: *inputs, ..Self::default() };
        known.add_links();
        known.add_bridges();
        known.add_datapath();
        known.add_bonds();
        known.add_machines();
        for entry in inputs.neighbours.map(|n| n.entries.as_slice()).unwrap_or_default() {
            if let Some(mac) = entry.mac {
                known.addresses.entry(mac).or_default().insert(entry.ip);
            }
        }
        known
    }

    fn add_links(&mut self) {
        for link in self.all_links() {
            self.links.entry(&link.name).or_insert(link);
            if let Some(master) = &link.master {
                self.members.entry(master).or_default().insert(&link.name);
            }
        }
    }

    fn add_bridges(&mut self) {
        let Some(bridges) = self.inputs.linux_bridge else { return };
        for port in &bridges.ports {
            self.members.entry(&port.bridge).or_default().insert(&port.iface);
            self.bridge_ports.insert((&port.bridge, &port.iface), port);
        }
        for vlan in bridges.vlans.iter().filter(|vlan| vlan.pvid) {
            self.pvids.entry(&vlan.iface).or_insert(vlan.first);
        }
    }

    fn add_datapath(&mut self) {
        let Some(datapath) = self.inputs.datapath else { return };
        for port in &datapath.ports {
            self.of_ports.entry(&port.iface).or_insert(port.ofport);
            if let Some(number) = port.dp_port {
                self.dp_ports.entry(&port.iface).or_insert(number);
            }
        }
        for port in datapath.datapaths.iter().flat_map(|datapath| &datapath.ports) {
            self.dp_ports.entry(&port.name).or_insert(port.number);
        }
    }

    fn add_bonds(&mut self) {
        for bond in self.inputs.bond.map(|all| all.bonds.as_slice()).unwrap_or_default() {
            self.bonds.entry(&bond.name).or_insert(bond);
            for member in &bond.members {
                self.bond_members.entry(&member.name).or_insert(member);
            }
        }
    }

    /// A running machine is preferred to a stopped one that claims the same.
    fn add_machines(&mut self) {
        let domains = self.inputs.libvirt.map(|libvirt| libvirt.domains.as_slice()).unwrap_or_default();
        let (running, stopped): (Vec<_>, Vec<_>) = domains.iter().partition(|domain| domain.running);
        for domain in running.into_iter().chain(stopped) {
            for iface in &domain.interfaces {
                if let Some(dev) = &iface.target_dev {
                    self.by_target.entry(dev).or_insert((domain, iface));
                }
                if let Some(mac) = iface.mac {
                    self.by_mac.entry(mac).or_insert((domain, iface));
                }
                if let Some(id) = &iface.interface_id {
                    self.by_id.entry(id).or_insert((domain, iface));
                }
            }
        }
    }

    pub(super) fn all_links(&self) -> &'a [Link] {
        self.inputs.links.map(|links| links.links.as_slice()).unwrap_or_default()
    }

    pub(super) fn link(&self, name: &str) -> Option<&'a Link> {
        self.links.get(name).copied()
    }

    /// Interfaces whose master is that one.
    pub(super) fn members(&self, master: &str) -> BTreeSet<&'a str> {
        self.members.get(master).cloned().unwrap_or_default()
    }

    pub(super) fn bridge_port(&self, bridge: &str, iface: &str) -> Option<&'a BridgePort> {
        self.bridge_ports.get(&(bridge, iface)).copied()
    }

    pub(super) fn pvid(&self, iface: &str) -> Option<u16> {
        self.pvids.get(iface).copied()
    }

    pub(super) fn dp_port(&self, iface: &str) -> Option<u32> {
        self.dp_ports.get(iface).copied()
    }

    pub(super) fn of_port(&self, iface: &str) -> Option<OfPort> {
        self.of_ports.get(iface).copied()
    }

    pub(super) fn bond(&self, name: &str) -> Option<&'a Bond> {
        self.bonds.get(name).copied()
    }

    pub(super) fn bond_member(&self, iface: &str) -> Option<&'a Member> {
        self.bond_members.get(iface).copied()
    }

    /// Addresses the host has seen at that MAC, in order.
    pub(super) fn addresses(&self, mac: Mac) -> Vec<IpAddr> {
        self.addresses.get(&mac).into_iter().flatten().copied().collect()
    }

    /// The machine behind an interface: by the tap of a running one, by guest MAC, by the port profile's interface id,
    /// by the tap of a stopped one.
    pub(super) fn machine(
        &self,
        iface: &str,
        guest_mac: Option<Mac>,
        iface_id: Option<&str>,
    ) -> Option<Machine<'a>> {
        let by_target = self.by_target.get(iface).copied();
        by_target
            .filter(|(domain, _)| domain.running)
            .or_else(|| self.by_mac.get(&guest_mac?).copied())
            .or_else(|| self.by_id.get(iface_id.filter(|id| !id.is_empty())?).copied())
            .or(by_target)
    }
}
