//! Where the host gives copies of packets to: mirrors' outputs, the own port of a kernel bridge, machines that get what is
//! flooded.

use std::collections::{BTreeMap, BTreeSet};

use netcap_bundle::input::Input;
use netcap_bundle::sources::ovs::ovsdb::Mirror;
use netcap_bundle::topology::{Port, Switch, SwitchKind};
use netcap_bundle::{Mac, Point, Role};

use super::Host;
use super::macs::is_virtual_router;
use super::timeline::Era;
use crate::engine::copies::{Copies, During, PointCopies, Towards};

/// The mirrors that send what they select to a port, or to the bond that it is a member of; nothing else leaves there.
fn mirrors_of<'s>(switch: &'s Switch, port: &Port) -> impl Iterator<Item = &'s Mirror> {
    let mine = |output: &str| {
        output == port.iface || matches!(&port.role, Role::Uplink { bond: Some(bond) } if bond == output)
    };
    switch.mirrors.iter().filter(move |mirror| mirror.output_port.as_deref().is_some_and(mine))
}

/// A mirror sends what it selects to that port.
pub(crate) fn is_output(switch: &Switch, port: &Port) -> bool {
    mirrors_of(switch, port).next().is_some()
}

/// The mirrors whose output that interface is, by name.
pub(crate) fn mirrors_at(switch: &Switch, iface: &str) -> Vec<String> {
    let port = switch.ports.iter().find(|port| port.iface == iface);
    port.into_iter().flat_map(|port| mirrors_of(switch, port)).map(|mirror| mirror.name.clone()).collect()
}

/// The ports of switches where packets leave, not copies alone.
pub(crate) fn outlets<'s>(switches: &[&'s Switch]) -> impl Iterator<Item = &'s Port> {
    let ports = switches.iter().flat_map(|switch| switch.ports.iter().map(move |port| (*switch, port)));
    ports.filter(|(switch, port)| !is_output(switch, port)).map(|(_, port)| port)
}

/// What of each point's packets are copies.
pub(crate) fn read(input: &Input, host: &Host) -> Copies {
    let points = input.points.iter().map(|point| of_point(host, point)).collect();
    Copies { points, homes: homes(input, host), own: host.macs.clone() }
}

fn of_point(host: &Host, point: &Point) -> PointCopies {
    let mut copies = PointCopies { iface: point.iface.clone(), ..PointCopies::default() };
    let Some(vswitch) = point.vswitch.as_deref() else { return copies };
    let output = host.timeline.history(|state| {
        let switch = state.topology.switch(vswitch);
        switch.is_some_and(|switch| !mirrors_at(switch, &point.iface).is_empty())
    });
    copies.mirror = output.iter().filter(|era| era.value).map(during).collect();
    let vlans = host.timeline.history(|state| {
        let mirrors = state.topology.switch(vswitch).into_iter().flat_map(|switch| &switch.mirrors);
        mirrors.filter_map(|mirror| mirror.output_vlan).collect::<BTreeSet<u16>>()
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
