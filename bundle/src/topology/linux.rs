//! Kernel bridges, kernel bonds, and interfaces that belong to no switch.

use std::collections::BTreeSet;

use super::known::Known;
use super::model::{BondInfo, Port, Switch, SwitchKind};
use super::port::{add_link, add_machine, finish_vnet, is_guest_name, order};
use crate::Role;
use crate::sources::network::links::Link;

/// The kernel's bridges; one that has the name of an OVS bridge is that bridge's own device and none of them.
pub(super) fn switches(known: &Known<'_>, ovs: &[Switch]) -> Vec<Switch> {
    let mut names: BTreeSet<&str> =
        known.all_links().iter().filter(|l| is_kind(l, "bridge")).map(|l| l.name.as_str()).collect();
    if let Some(bridges) = known.inputs.linux_bridge {
        names.extend(bridges.ports.iter().map(|port| port.bridge.as_str()));
    }
    let taken: BTreeSet<&str> = ovs.iter().map(|switch| switch.name.as_str()).collect();
    names.retain(|name| !taken.contains(name));
    names.into_iter().map(|name| switch(name, known)).collect()
}

fn switch(name: &str, known: &Known<'_>) -> Switch {
    let mut own = Port::bare(name, Role::Internal);
    add_link(&mut own, known);
    let mut ports = vec![own];
    let mut bonds = Vec::new();
    for member in known.members(name) {
        let one = bridge_port(name, member, known);
        match kernel_bond(&one, known) {
            Some((info, members)) => {
                bonds.push(info);
                ports.extend(members);
            }
            None => ports.push(one),
        }
    }
    Switch {
        kind: SwitchKind::LinuxBridge,
        name: name.to_owned(),
        datapath: None,
        fail_mode: None,
        ports,
        bonds,
        mirrors: Vec::new(),
    }
}

fn bridge_port(bridge: &str, name: &str, known: &Known<'_>) -> Port {
    let machine = known.machine(name, None, None);
    let role = if machine.is_some() || is_guest_name(name) || is_tap(name, known) {
        Role::Vnet { vm: None, guest_mac: None }
    } else {
        Role::Uplink { bond: None }
    };
    let mut one = Port::bare(name, role);
    add_link(&mut one, known);
    if let Some(shown) = known.bridge_port(bridge, name) {
        one.mtu = one.mtu.or(shown.mtu);
        one.stp_state = Some(shown.state.clone()).filter(|state| !state.is_empty() && state != "forwarding");
        // VLAN 1 is the default of a bridge that does not filter; it says nothing.
        one.vlan = known.pvid(name).filter(|vlan| *vlan != 1);
    }
    add_machine(&mut one, machine, None);
    finish_vnet(&mut one, known);
    one
}

/// When the port is a kernel bond: the bond, and its members as ports in its place.
pub(super) fn kernel_bond(port: &Port, known: &Known<'_>) -> Option<(BondInfo, Vec<Port>)> {
    let link = known.link(&port.iface).filter(|link| is_kind(link, "bond"))?;
    let names = known.members(&link.name);
    if names.is_empty() {
        return None;
    }
    let info = link.bond.as_ref();
    let bond = BondInfo {
        name: link.name.clone(),
        mode: info.map(|bond| bond.mode.clone()).unwrap_or_default(),
        lacp: String::new(),
        active: info.and_then(|bond| bond.active.clone()),
        members: names.iter().map(|name| (*name).to_owned()).collect(),
    };
    let ports = names.iter().map(|name| {
        let mut one = Port::bare(name, Role::Uplink { bond: Some(link.name.clone()) });
        (one.ofport, one.dp_port, one.vlan) = (port.ofport, port.dp_port, port.vlan);
        one.trunks.clone_from(&port.trunks);
        one.vlan_mode.clone_from(&port.vlan_mode);
        add_link(&mut one, known);
        // Only active-backup has one active member; the others use them all.
        one.active = bond.is_active_backup().then(|| bond.active.as_deref() == Some(*name));
        one
    });
    let ports = ports.collect();
    Some((bond, ports))
}

/// The kernel says it is a tap.
pub(super) fn is_tap(name: &str, known: &Known<'_>) -> bool {
    known.link(name).is_some_and(|link| is_kind(link, "tun") || is_kind(link, "macvtap"))
}

/// Interfaces of no switch. The loopback and the datapaths' own devices are of no interest.
pub(super) fn others(known: &Known<'_>, switches: &[Switch]) -> Vec<Port> {
    let taken: BTreeSet<&str> = switches
        .iter()
        .flat_map(|s| {
            s.ports.iter().map(|port| port.iface.as_str()).chain(s.bonds.iter().map(|b| b.name.as_str()))
        })
        .collect();
    let free = known.all_links().iter().filter(|link| {
        !taken.contains(link.name.as_str())
            && !link.has_flag("LOOPBACK")
            && !matches!(link.name.as_str(), "ovs-system" | "ovs-netdev")
            && !link.name.ends_with("_sys_4789")
    });
    let mut ports: Vec<Port> = free.map(|link| other(link, known)).collect();
    ports.sort_by(order);
    ports
}

fn other(link: &Link, known: &Known<'_>) -> Port {
    let machine = known.machine(&link.name, None, None);
    let role = if machine.is_some() { Role::Vnet { vm: None, guest_mac: None } } else { Role::Other };
    let mut one = Port::bare(&link.name, role);
    one.vlan = link.vlan_id;
    add_link(&mut one, known);
    add_machine(&mut one, machine, None);
    finish_vnet(&mut one, known);
    one
}

fn is_kind(link: &Link, kind: &str) -> bool {
    link.kind.as_deref() == Some(kind)
}
