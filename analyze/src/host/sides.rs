//! Who is on which side of a point: the old script's captures do not know directions, and its listing tells them; the MAC
//! of a machine tells those at its port in any file.

use std::collections::BTreeSet;

use netcap_bundle::input::{Input, ListedPort};
use netcap_bundle::{Mac, Point, Role};

use crate::engine::sides::{Side, Sides};

/// Reads it from the listing, and from what the points are.
pub(crate) fn read(input: &Input) -> Sides {
    let ports = &input.listing.ports;
    let inside: BTreeSet<Mac> = ports.iter().flat_map(macs).collect();
    let listed = |iface: &str| side(ports, ports.iter().find(|port| port.iface == iface)?);
    let machine = |role: &Role| match role {
        Role::Vnet { guest_mac, .. } => guest_mac.map(Side::Machine),
        _ => None,
    };
    let of = |point: &Point| listed(&point.iface).or_else(|| machine(&point.role));
    Sides { points: input.points.iter().map(of).collect(), inside }
}

fn macs(port: &ListedPort) -> impl Iterator<Item = Mac> {
    let guest = match port.role {
        Role::Vnet { guest_mac, .. } => guest_mac,
        _ => None,
    };
    [port.mac, guest].into_iter().flatten()
}

fn side(ports: &[ListedPort], port: &ListedPort) -> Option<Side> {
    match &port.role {
        Role::Vnet { guest_mac, .. } => guest_mac.map(Side::Machine),
        Role::Internal => port.mac.map(Side::Host),
        Role::Uplink { bond } => {
            let in_use = ports.iter().any(|other| other.role == port.role && other.active);
            Some(Side::Uplink { backup: bond.is_some() && !port.active && in_use })
        }
        _ => None,
    }
}
