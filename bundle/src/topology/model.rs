//! Switches and their ports, and what they are found out from.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde::Serialize;

use crate::sources::network::links::Links;
use crate::sources::network::linux_bridge::LinuxBridge;
use crate::sources::network::neighbours::Neighbours;
use crate::sources::ovs::bond::OvsBond;
use crate::sources::ovs::datapath::OvsDatapath;
use crate::sources::ovs::fdb::OvsFdb;
use crate::sources::ovs::ovsdb::{Mirror, Ovsdb};
use crate::sources::shared::OfPort;
use crate::sources::vm::libvirt::Libvirt;
use crate::{Mac, Role};

/// What a topology is made of; whatever was not recorded is `None`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Inputs<'a> {
    /// Bridges, ports, VLANs, guests' MACs.
    pub ovsdb: Option<&'a Ovsdb>,
    /// Active members.
    pub bond: Option<&'a OvsBond>,
    /// Datapath port numbers.
    pub datapath: Option<&'a OvsDatapath>,
    /// Learned addresses of OVS.
    pub fdb: Option<&'a OvsFdb>,
    /// Interfaces and addresses.
    pub links: Option<&'a Links>,
    /// Kernel bridges.
    pub linux_bridge: Option<&'a LinuxBridge>,
    /// Virtual machines.
    pub libvirt: Option<&'a Libvirt>,
    /// Addresses of neighbours, and so of guests.
    pub neighbours: Option<&'a Neighbours>,
}

/// The host's switches and interfaces, sorted by name.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Topology {
    /// Virtual switches.
    pub switches: Vec<Switch>,
    /// Interfaces that belong to no switch; the loopback is left out.
    pub others: Vec<Port>,
    /// Addresses the switches have learned.
    pub learned: Vec<Learned>,
}

/// Which program switches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SwitchKind {
    /// Open vSwitch.
    Ovs,
    /// The kernel's bridge.
    LinuxBridge,
}

/// One virtual switch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Switch {
    /// Which program switches.
    pub kind: SwitchKind,
    /// As its program calls it (`vswitch0`).
    pub name: String,
    /// `system` (kernel) or `netdev` (userspace), for Open vSwitch.
    pub datapath: Option<String>,
    /// `secure` or `standalone`, where configured.
    pub fail_mode: Option<String>,
    /// Its ports: internal, uplinks, machines, then patches and tunnels; by name within each.
    pub ports: Vec<Port>,
    /// Several ports that count as one, by name.
    pub bonds: Vec<BondInfo>,
    /// Its mirrors.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mirrors: Vec<Mirror>,
}

/// One bond of a switch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BondInfo {
    /// As OVSDB or the kernel calls it.
    pub name: String,
    /// `active-backup`, `balance-slb`, `balance-tcp`, or a kernel bond's mode; empty when not known.
    pub mode: String,
    /// LACP: `off`, `configured`, `negotiated`; empty when not known.
    pub lacp: String,
    /// The active member.
    pub active: Option<String>,
    /// Interfaces that carry its frames, as people count: eth2 before eth10.
    pub members: Vec<String>,
}

/// One port: a network interface in its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Port {
    /// Interface name.
    pub iface: String,
    /// What it is to the host.
    pub role: Role,
    /// False for ports that are no network device of the kernel (patch, tunnel, DPDK).
    pub capturable: bool,
    /// Its own MAC.
    pub mac: Option<Mac>,
    /// MAC of the guest behind it.
    pub guest_mac: Option<Mac>,
    /// Addresses of the host on it.
    pub ips: Vec<IpAddr>,
    /// Addresses of the guest, as far as the host has seen them.
    pub guest_ips: Vec<IpAddr>,
    /// OpenFlow port number.
    pub ofport: Option<OfPort>,
    /// Datapath port number: another numbering.
    pub dp_port: Option<u32>,
    /// VLAN of untagged frames.
    pub vlan: Option<u16>,
    /// VLANs of a trunk; empty means all or none is configured.
    pub trunks: Vec<u16>,
    /// How Open vSwitch treats the two (`vlan_mode`); `None`: access with a VLAN, else trunk.
    #[serde(skip)]
    pub vlan_mode: Option<String>,
    /// MTU in bytes.
    pub mtu: Option<u32>,
    /// Member of a bond: it is the active one.
    pub active: Option<bool>,
    /// Member of a bond: the bond uses it.
    pub enabled: Option<bool>,
    /// The machine behind it.
    pub vm: Option<String>,
    /// TCP port of the machine's VNC console.
    pub vnc_port: Option<u16>,
    /// Network filter configured for it.
    pub filter: Option<String>,
    /// Administratively up.
    pub admin_up: Option<bool>,
    /// Carrier present.
    pub carrier: Option<bool>,
    /// Spanning-tree state at a kernel bridge, when not forwarding.
    pub stp_state: Option<String>,
    /// Why Open vSwitch could not set it up.
    pub error: Option<String>,
}

impl Switch {
    /// A switch of which only the name is known.
    pub(crate) fn bare(kind: SwitchKind, name: &str) -> Self {
        Self {
            kind,
            name: name.to_owned(),
            datapath: None,
            fail_mode: None,
            ports: Vec::new(),
            bonds: Vec::new(),
            mirrors: Vec::new(),
        }
    }

    /// Physical ports, bond members one by one.
    pub fn uplinks(&self) -> impl Iterator<Item = &Port> {
        self.ports.iter().filter(|port| matches!(port.role, Role::Uplink { .. }))
    }

    /// The other ends of its patch ports, as far as they are known.
    fn patches(&self) -> impl Iterator<Item = Option<&str>> {
        self.ports.iter().filter_map(|port| match &port.role {
            Role::Patch { peer } => Some(peer.as_deref()),
            _ => None,
        })
    }

    /// Ports of machines.
    pub fn vnets(&self) -> impl Iterator<Item = &Port> {
        self.ports.iter().filter(|port| matches!(port.role, Role::Vnet { .. }))
    }

    /// The bond of that name.
    pub fn bond(&self, name: &str) -> Option<&BondInfo> {
        self.bonds.iter().find(|bond| bond.name == name)
    }
}

impl Port {
    /// A port of which only the name and the role are known.
    pub(crate) fn bare(iface: &str, role: Role) -> Self {
        Self {
            iface: iface.to_owned(),
            role,
            capturable: true,
            mac: None,
            guest_mac: None,
            ips: Vec::new(),
            guest_ips: Vec::new(),
            ofport: None,
            dp_port: None,
            vlan: None,
            trunks: Vec::new(),
            vlan_mode: None,
            mtu: None,
            active: None,
            enabled: None,
            vm: None,
            vnc_port: None,
            filter: None,
            admin_up: None,
            carrier: None,
            stp_state: None,
            error: None,
        }
    }

    /// Open vSwitch's own switching lets frames of that VLAN (0: untagged) in and out here.
    pub fn carries(&self, vlan: u16) -> bool {
        let native = self.vlan.unwrap_or(0);
        let trunk = self.trunks.is_empty() || self.trunks.contains(&vlan);
        match self.vlan_mode.as_deref() {
            Some("access" | "dot1q-tunnel") => vlan == native,
            Some("native-tagged" | "native-untagged") => vlan == native || trunk,
            Some("trunk") => trunk,
            _ => self.vlan.map_or(trunk, |tag| tag == vlan),
        }
    }

    /// It carries one VLAN, of untagged frames.
    pub fn is_access(&self) -> bool {
        let said = self.vlan_mode.as_deref();
        matches!(said, Some("access" | "dot1q-tunnel")) || (said.is_none() && self.vlan.is_some())
    }
}

impl BondInfo {
    /// One member carries all traffic.
    pub fn is_active_backup(&self) -> bool {
        self.mode == "active-backup"
    }
}

/// An address a switch has learned at a port.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Learned {
    /// The address.
    pub mac: Mac,
    /// Name of the switch that learned it.
    pub switch: String,
    /// VLAN, 0 for untagged.
    pub vlan: u16,
    /// Port, when the switch's number for it is known; for an OVS bond one of its members.
    pub iface: Option<String>,
    /// OpenFlow port number, for OVS.
    pub ofport: Option<OfPort>,
    /// Seconds since it was last seen, for OVS.
    pub age_s: Option<u32>,
}

/// Where an address is, from this host's view.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum MacLocation {
    /// It is this host's own.
    Own {
        /// The interface; a switch's own port before others that share the address.
        iface: String,
        /// Name of the switch it belongs to; none for an interface of no switch.
        switch: Option<String>,
    },
    /// It is a guest's.
    Guest {
        /// The machine, when known.
        vm: Option<String>,
        /// Its port.
        iface: String,
        /// Name of the switch it belongs to; none for an interface of no switch.
        switch: Option<String>,
    },
    /// A switch learned it from traffic.
    Learned {
        /// What the switch's table says of it.
        entry: Learned,
        /// What that port is.
        role: Option<Role>,
    },
}

impl Topology {
    /// The switch of that name; Open vSwitch before a kernel bridge.
    pub fn switch(&self, name: &str) -> Option<&Switch> {
        self.switches.iter().find(|switch| switch.name == name)
    }

    /// The switch of that name, and those that patch ports join to it, in the order in which a frame would come to them;
    /// the second value is false when a patch port leads nobody knows where.
    pub fn joined(&self, name: &str) -> (Vec<&Switch>, bool) {
        let mut found: Vec<&Switch> = self.switch(name).into_iter().collect();
        if !found.iter().any(|switch| switch.patches().next().is_some()) {
            return (found, true);
        }
        let homes: BTreeMap<&str, &Switch> =
            self.switch_ports().map(|(switch, port)| (port.iface.as_str(), switch)).collect();
        let mut names = BTreeSet::from([name]);
        let (mut at, mut whole) = (0, true);
        while let Some(switch) = found.get(at).copied() {
            at += 1;
            for peer in switch.patches() {
                match peer.and_then(|peer| homes.get(peer)) {
                    Some(next) if names.insert(&next.name) => found.push(next),
                    Some(_) => {}
                    None => whole = false,
                }
            }
        }
        (found, whole)
    }

    /// The port of that interface, with its switch if it is in one.
    pub fn by_iface(&self, iface: &str) -> Option<(Option<&Switch>, &Port)> {
        self.all().find(|(_, port)| port.iface == iface)
    }

    /// The interface that owns that address: the host's own, or a guest's.
    pub fn by_ip(&self, ip: IpAddr) -> Option<(Option<&Switch>, &Port)> {
        let own = self.all().find(|(_, port)| port.ips.contains(&ip));
        own.or_else(|| self.all().find(|(_, port)| port.guest_ips.contains(&ip)))
    }

    /// Every port with its switch, then the interfaces of no switch.
    pub fn all(&self) -> impl Iterator<Item = (Option<&Switch>, &Port)> {
        let ports = self.switch_ports().map(|(switch, port)| (Some(switch), port));
        ports.chain(self.others.iter().map(|port| (None, port)))
    }

    fn switch_ports(&self) -> impl Iterator<Item = (&Switch, &Port)> {
        self.switches.iter().flat_map(|switch| switch.ports.iter().map(move |port| (switch, port)))
    }
}
