//! Who is on which side of a point, as the old script's listing says: its captures do not know directions.

use std::collections::BTreeSet;

use netcap_bundle::input::{Input, ListedPort};
use netcap_bundle::{Mac, Role};

use crate::engine::sides::{Side, Sides};

/// Reads it from the listing; nothing where there is none.
pub(crate) fn read(input: &Input) -> Sides {
    let ports = &input.listing.ports;
    let inside: BTreeSet<Mac> = ports.iter().flat_map(macs).collect();
    let side = |iface: &str| side(ports, ports.iter().find(|port| port.iface == iface)?);
    Sides { points: input.points.iter().map(|point| side(&point.iface)).collect(), inside }
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
