//! Where the host gives copies of packets to: mirrors' outputs, the own port of a kernel bridge, machines that get what is
//! flooded.

use std::collections::{BTreeMap, BTreeSet};

use netcap_bundle::input::Input;
use netcap_bundle::topology::{Port, Switch, SwitchKind};
use netcap_bundle::{Mac, Point, Role};

use super::Host;
use super::macs::is_virtual_router;
use super::timeline::{Era, HostState};
use crate::engine::copies::{Copies, During, PointCopies, Towards};

/// A mirror sends what it selects to that port, and nothing else leaves there.
pub(crate) fn is_output(switch: &Switch, port: &Port) -> bool {
    let bond = match &port.role {
        Role::Uplink { bond } => bond.as_deref(),
        _ => None,
    };
    let outputs = switch.mirrors.iter().filter_map(|mirror| mirror.output_port.as_deref());
    let mut outputs = outputs.filter(|output| *output == port.iface || Some(*output) == bond);
    outputs.next().is_some()
}

/// The mirrors whose output that interface is, by name.
pub(crate) fn mirrors_at(switch: &Switch, iface: &str) -> Vec<String> {
    let Some(port) = switch.ports.iter().find(|port| port.iface == iface) else { return Vec::new() };
    let mine = |output: &str| {
        output == port.iface || matches!(&port.role, Role::Uplink { bond: Some(bond) } if bond == output)
    };
    let mirrors = switch.mirrors.iter();
    mirrors.filter(|m| m.output_port.as_deref().is_some_and(mine)).map(|m| m.name.clone()).collect()
}

/// What of each point's packets are copies.
pub(crate) fn read(input: &Input, host: &Host) -> Copies {
    let points = input.points.iter().map(|point| of_point(host, point)).collect();
    Copies { points, homes: homes(input, host), own: host.macs.clone() }
}

fn of_point(host: &Host, point: &Point) -> PointCopies {
    let mut copies = PointCopies { iface: point.iface.clone(), ..PointCopies::default() };
    let Some(vswitch) = point.vswitch.as_deref() else { return copies };
    let switch = |state: &HostState| state.topology.switch(vswitch).cloned();
    let output = host.timeline.history(|state| {
        let switch = switch(state);
        switch.is_some_and(|switch| {
            switch.ports.iter().any(|p| p.iface == point.iface && is_output(&switch, p))
        })
    });
    copies.mirror = output.iter().filter(|era| era.value).map(during).collect();
    let vlans = host.timeline.history(|state| {
        let mirrors = switch(state).map(|switch| switch.mirrors).unwrap_or_default();
        mirrors.iter().filter_map(|mirror| mirror.output_vlan).collect::<BTreeSet<u16>>()
    });
    for era in &vlans {
        copies.vlans.extend(era.value.iter().map(|vlan| (*vlan, during(era))));
    }
    let kind = host.topology().switch(vswitch).map(|switch| switch.kind);
    copies.towards = match (&point.role, kind) {
        (Role::Vnet { guest_mac: Some(mac), .. }, _) => Some(Towards::Machine(*mac)),
        (Role::Internal, Some(SwitchKind::Ovs)) => Some(Towards::Host),
        (Role::Internal, Some(SwitchKind::LinuxBridge)) if point.iface == vswitch => {
            Some(Towards::HostOfBridge)
        }
        _ => None,
    };
    copies
}

/// Only while the readings agree: between two that do not, a packet may be itself.
fn during<K>(era: &Era<K>) -> During {
    During { from: era.began.map(|(_, by)| by), to: era.ended.map(|(after, _)| after) }
}

/// Where every address was found, at any time: configured, the host's own, or learned. What routers share is at home wherever
/// it is used.
fn homes(input: &Input, host: &Host) -> BTreeMap<Mac, BTreeSet<String>> {
    let mut homes: BTreeMap<Mac, BTreeSet<String>> = BTreeMap::new();
    let mut add = |mac: Mac, iface: &str| {
        if !is_virtual_router(mac) && !mac.is_zero() && !mac.is_multicast() {
            homes.entry(mac).or_default().insert(iface.to_owned());
        }
    };
    for point in &input.points {
        if let Role::Vnet { guest_mac: Some(mac), .. } = &point.role {
            add(*mac, &point.iface);
        }
    }
    for topology in host.timeline.states().iter().map(|state| &state.topology).chain([host.topology()]) {
        for (_, port) in topology.all() {
            let own = port.mac.filter(|_| !matches!(port.role, Role::Vnet { .. }));
            port.guest_mac.into_iter().chain(own).for_each(|mac| add(mac, &port.iface));
        }
        for learned in &topology.learned {
            if let Some(iface) = &learned.iface {
                add(learned.mac, iface);
            }
        }
    }
    homes
}
