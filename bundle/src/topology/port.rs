//! One port from everything that is known of its interface.

use std::cmp::Ordering;

use super::known::{Known, Machine};
use super::model::Port;
use crate::Role;
use crate::sources::shared::text::natural;

/// Adds what the kernel says of the interface.
pub(super) fn add_link(port: &mut Port, known: &Known<'_>) {
    let Some(link) = known.link(&port.iface) else { return };
    port.mac = link.mac.or(port.mac);
    port.mtu = link.mtu.or(port.mtu);
    port.ips = link.addresses.iter().map(|address| address.ip).collect();
    // Without flags nothing was said of its state.
    if !link.flags.is_empty() {
        port.admin_up = Some(link.admin_up());
        port.carrier = Some(link.carrier());
    }
    if let Some(member) = &link.bond_member {
        port.active = Some(member.active);
        port.enabled = Some(member.mii_up);
    }
}

/// Adds the machine and what its definition says.
pub(super) fn add_machine(port: &mut Port, machine: Option<Machine<'_>>, hint: Option<&str>) {
    if let Some((domain, interface)) = machine {
        port.vm = Some(domain.name.clone());
        port.guest_mac = port.guest_mac.or(interface.mac);
        port.vnc_port = domain.graphics.iter().find(|g| g.kind == "vnc").and_then(|g| g.port);
        port.filter = interface.filter.as_ref().map(|filter| filter.name.clone());
    }
    port.vm = port.vm.take().or_else(|| hint.map(ToOwned::to_owned));
}

/// Completes a machine's port: its role names machine and MAC, and the host's neighbour cache may know its addresses.
pub(super) fn finish_vnet(port: &mut Port, known: &Known<'_>) {
    let Role::Vnet { vm, guest_mac } = &mut port.role else { return };
    vm.clone_from(&port.vm);
    *guest_mac = port.guest_mac;
    if let Some(mac) = port.guest_mac {
        port.guest_ips = known.addresses(mac);
    }
}

/// The interface name says that a machine is behind it: libvirt and its platforms (`vnet`, `tap`), Xen (`vif`),
/// containers (`veth`, `lxc`, `cali`).
pub(super) fn is_guest_name(name: &str) -> bool {
    ["vnet", "tap", "vif", "veth", "lxc", "cali"]
        .iter()
        .any(|prefix| name.strip_prefix(prefix).is_some_and(|rest| !rest.is_empty()))
}

/// Order of ports in a switch: its own, uplinks, machines, the rest; by name within each.
pub(super) fn order(a: &Port, b: &Port) -> Ordering {
    let rank = |port: &Port| match port.role {
        Role::Internal => 0,
        Role::Uplink { .. } => 1,
        Role::Vnet { .. } => 2,
        Role::Patch { .. } => 3,
        Role::Tunnel { .. } => 4,
        Role::Other => 5,
    };
    rank(a).cmp(&rank(b)).then_with(|| natural(&a.iface, &b.iface))
}
