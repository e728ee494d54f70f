//! Where a MAC sits, in words.

use netcap_bundle::packets::Direction;
use netcap_bundle::topology::MacLocation;
use netcap_bundle::{Mac, Role};

use super::Host;
use super::bonds::Bonds;
use crate::engine::{PointId, Points};
use crate::text::Text;

/// Where a MAC sits, as far as the recorded state and the directions of its frames say.
pub(crate) fn place(
    host: &Host,
    bonds: &Bonds,
    points: &Points,
    mac: Mac,
    seen: &[(PointId, Direction)],
) -> Text {
    let guest = |role: &Role| matches!(role, Role::Vnet { guest_mac: Some(m), .. } if *m == mac);
    if let Some((_, info)) = points.iter().find(|(_, info)| guest(&info.role)) {
        return vm_port(&info.name, &info.role);
    }
    let located = host.topology().locate(mac);
    match &located {
        Some(MacLocation::Guest { vm: Some(vm), iface, .. }) => {
            return Text::new("place.vm").with("port", iface).with("vm", vm);
        }
        Some(MacLocation::Guest { iface, .. }) => return Text::new("place.vnet").with("port", iface),
        Some(MacLocation::Own { iface, .. }) => return Text::new("place.host").with("port", iface),
        _ => {}
    }
    if let Some(iface) = host.iface_of(mac) {
        return Text::new("place.host").with("port", iface);
    }
    let entered = |direction: Direction, want: fn(&Role) -> bool| {
        seen.iter()
            .filter(|(_, d)| *d == direction)
            .find_map(|(id, _)| points.get(*id).filter(|info| want(&info.role)))
    };
    if let Some(info) = entered(Direction::In, |r| matches!(r, Role::Vnet { .. })) {
        return vm_port(&info.name, &info.role);
    }
    if let Some(info) = entered(Direction::In, |r| matches!(r, Role::Uplink { .. })) {
        // A broadcast arrives at every member of a bond; the active one is where answers come from.
        let active = bonds
            .active_instead_of(&info.name)
            .filter(|name| seen.iter().any(|(id, d)| *d == Direction::In && points.name(*id) == *name));
        return Text::new("place.outside").with("port", active.unwrap_or(&info.name));
    }
    if let Some(info) = entered(Direction::Out, |r| matches!(r, Role::Internal)) {
        return Text::new("place.host").with("port", &info.name);
    }
    if let Some(MacLocation::Learned { entry, role: Some(role) }) = &located
        && let Some(iface) = &entry.iface
    {
        return match role {
            Role::Uplink { .. } | Role::Tunnel { .. } => Text::new("place.outside").with("port", iface),
            Role::Vnet { .. } => vm_port(iface, role),
            _ => Text::new("place.host").with("port", iface),
        };
    }
    match seen.first().and_then(|(id, _)| points.named(*id)) {
        Some(name) => Text::new("place.seen").with("point", name),
        None => Text::new("place.unknown"),
    }
}

fn vm_port(port: &str, role: &Role) -> Text {
    match role {
        Role::Vnet { vm: Some(vm), .. } => Text::new("place.vm").with("port", port).with("vm", vm),
        _ => Text::new("place.vnet").with("port", port),
    }
}
