//! Open vSwitch bridges.

use super::known::Known;
use super::linux;
use super::model::{BondInfo, Port, Switch, SwitchKind};
use super::port::{add_link, add_machine, finish_vnet, is_guest_name};
use crate::Role;
use crate::sources::ovs::bond::{BondMode, LacpStatus};
use crate::sources::ovs::ovsdb::{self, Bridge, Interface};

/// Interface types that are tunnels (vswitchd.conf.db(5), Interface `type`).
const TUNNELS: [&str; 14] = [
    "vxlan",
    "gre",
    "gre64",
    "geneve",
    "stt",
    "lisp",
    "erspan",
    "ip6erspan",
    "ip6gre",
    "gtpu",
    "bareudp",
    "srv6",
    "ipsec_gre",
    "capwap",
];

pub(super) fn switches(known: &Known<'_>) -> Vec<Switch> {
    let bridges = known.inputs.ovsdb.map(|db| db.bridges.as_slice()).unwrap_or_default();
    bridges.iter().map(|bridge| switch(bridge, known)).collect()
}

fn switch(bridge: &Bridge, known: &Known<'_>) -> Switch {
    let mut ports = Vec::new();
    let mut bonds = Vec::new();
    for port in &bridge.ports {
        if port.is_bond() {
            bonds.push(bond(port, known));
        }
        for iface in &port.interfaces {
            let one = port_of(port, iface, known);
            // A kernel bond as uplink: packets are captured at its members.
            match linux::kernel_bond(&one, known) {
                Some((info, members)) => {
                    bonds.push(info);
                    ports.extend(members);
                }
                None => ports.push(one),
            }
        }
    }
    Switch {
        kind: SwitchKind::Ovs,
        name: bridge.name.clone(),
        datapath: Some(bridge.datapath_type.clone()),
        fail_mode: bridge.fail_mode.clone(),
        ports,
        bonds,
        mirrors: bridge.mirrors.clone(),
    }
}

fn bond(port: &ovsdb::Port, known: &Known<'_>) -> BondInfo {
    let shown = known.bond(&port.name);
    let configured = || port.bond_mode.clone().unwrap_or_default();
    BondInfo {
        name: port.name.clone(),
        mode: shown
            .map(|bond| mode_word(&bond.mode).to_owned())
            .filter(|mode| !mode.is_empty())
            .unwrap_or_else(configured),
        lacp: shown.map(|bond| lacp_word(bond.lacp_status).to_owned()).unwrap_or_default(),
        active: active_member(port, known),
        members: port.interfaces.iter().map(|iface| iface.name.clone()).collect(),
    }
}

/// The active member: as the daemon says now, else by the MAC it wrote into the database, when only one has it.
fn active_member(port: &ovsdb::Port, known: &Known<'_>) -> Option<String> {
    if let Some(shown) = known.bond(&port.name) {
        return shown.active.clone();
    }
    let mac = port.bond_active_member.filter(|mac| !mac.is_zero())?;
    let mut having = port.interfaces.iter().filter(|iface| iface.mac_in_use == Some(mac));
    let first = having.next()?;
    having.next().is_none().then(|| first.name.clone())
}

fn port_of(port: &ovsdb::Port, iface: &Interface, known: &Known<'_>) -> Port {
    let iface_id = iface.external_ids.get("iface-id").map(String::as_str);
    let machine = known.machine(&iface.name, iface.attached_mac(), iface_id);
    let mut one = Port::bare(&iface.name, role(port, iface, machine.is_some(), known));
    one.capturable = is_netdev(iface);
    one.mac = iface.mac_in_use;
    one.mtu = iface.mtu;
    one.admin_up = iface.admin_up;
    one.carrier = iface.link_up;
    one.ofport = iface.ofport;
    one.vlan = port.access_vlan();
    one.trunks.clone_from(&port.trunks);
    one.vlan_mode.clone_from(&port.vlan_mode);
    one.error.clone_from(&iface.error);
    one.dp_port = known.dp_port(&iface.name);
    if one.ofport.is_none() {
        one.ofport = known.of_port(&iface.name);
    }
    add_link(&mut one, known);
    if matches!(one.role, Role::Vnet { .. }) {
        one.guest_mac = iface.attached_mac();
        add_machine(&mut one, machine, iface.vm_hint());
        finish_vnet(&mut one, known);
    }
    if port.is_bond() {
        let shown = known.bond_member(&iface.name);
        one.active = match shown {
            Some(member) => Some(member.active),
            None => active_member(port, known).map(|active| active == iface.name),
        };
        one.enabled = shown.map(|member| member.enabled);
    }
    one
}

fn role(port: &ovsdb::Port, iface: &Interface, has_machine: bool, known: &Known<'_>) -> Role {
    let vnet = Role::Vnet { vm: None, guest_mac: None };
    match iface.kind.as_str() {
        "internal" => return Role::Internal,
        "patch" => return Role::Patch { peer: iface.options.get("peer").cloned() },
        "tap" => return vnet,
        kind if kind.starts_with("dpdkvhostuser") => return vnet,
        kind if TUNNELS.contains(&kind) => {
            return Role::Tunnel { proto: kind.to_owned(), remote: iface.options.get("remote_ip").cloned() };
        }
        _ => {}
    }
    if port.is_bond() {
        return Role::Uplink { bond: Some(port.name.clone()) };
    }
    let says_guest = ["attached-mac", "iface-id"].iter().any(|key| iface.external_ids.contains_key(*key));
    if says_guest || has_machine || is_guest_name(&iface.name) || linux::is_tap(&iface.name, known) {
        return vnet;
    }
    Role::Uplink { bond: None }
}

/// It is a network device of the kernel. Userspace bridges make their internal ports as taps.
fn is_netdev(iface: &Interface) -> bool {
    matches!(iface.kind.as_str(), "system" | "internal" | "tap" | "afxdp" | "afxdp-nonpmd")
}

/// The word of a bond mode; empty when not known.
fn mode_word(mode: &BondMode) -> &str {
    match mode {
        BondMode::ActiveBackup => "active-backup",
        BondMode::BalanceSlb => "balance-slb",
        BondMode::BalanceTcp => "balance-tcp",
        BondMode::Unknown => "",
        BondMode::Other(word) => word,
    }
}

/// The word of an LACP status; empty when not known.
fn lacp_word(status: LacpStatus) -> &'static str {
    match status {
        LacpStatus::Off => "off",
        LacpStatus::Configured => "configured",
        LacpStatus::Negotiated => "negotiated",
        LacpStatus::Unknown => "",
    }
}
