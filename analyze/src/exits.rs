//! Where a frame that entered a switch can leave it, and whether all of these places are recorded.

use netcap_bundle::topology::Place;
use netcap_bundle::{Mac, Role};

use crate::engine::{PointId, PointInfo};
use crate::view::View;

/// Other points of the same switch, and of those that patch ports join to it.
pub fn others<'a>(
    view: &'a View<'_>,
    id: PointId,
    info: &'a PointInfo,
) -> impl Iterator<Item = (PointId, &'a PointInfo)> {
    let own = info.vswitch.as_deref().unwrap_or_default();
    let joined = view.host.topology().joined(own).0;
    let within = move |name: &str| name == own || joined.iter().any(|switch| switch.name == name);
    view.points
        .iter()
        .filter(move |(other, point)| *other != id && within(point.vswitch.as_deref().unwrap_or_default()))
}

/// Where a frame for that MAC that entered at `from` could leave: the port of the VM or host it is for, else every uplink.
/// The second value says whether all of these are recorded.
pub fn exits(view: &View<'_>, from: PointId, info: &PointInfo, dst: Mac) -> (Vec<PointId>, bool) {
    local(view, from, info, dst).unwrap_or_else(|| uplinks(view, from, info, dst))
}

/// The port of the VM or host that has that MAC; `None` when it is not on this host.
pub fn local(view: &View<'_>, from: PointId, info: &PointInfo, dst: Mac) -> Option<(Vec<PointId>, bool)> {
    let recorded = |name: &str| view.points.by_name(name);
    let only = |name: &str| recorded(name).map_or((Vec::new(), false), |id| (vec![id], id != from));
    let guest = |role: &Role| matches!(role, Role::Vnet { guest_mac: Some(mac), .. } if *mac == dst);
    if let Some((id, _)) = others(view, from, info).find(|(_, other)| guest(&other.role)) {
        return Some((vec![id], true));
    }
    match view.host.topology().locate(dst) {
        Some(Place::Guest { iface, .. } | Place::Own { iface, .. }) => Some(only(&iface)),
        Some(Place::Learned { entry, role }) if !matches!(role, Some(Role::Uplink { .. })) => {
            Some(entry.iface.as_deref().map_or((Vec::new(), false), only))
        }
        _ => None,
    }
}

fn uplinks(view: &View<'_>, from: PointId, info: &PointInfo, dst: Mac) -> (Vec<PointId>, bool) {
    // What is not on this host and was learned somewhere was learned at an uplink.
    let outside = view.host.topology().locate(dst).is_some();
    let uplinks: Vec<PointId> = others(view, from, info)
        .filter(|(_, other)| matches!(other.role, Role::Uplink { .. }))
        .map(|(id, _)| id)
        .collect();
    let (switches, whole) =
        info.vswitch.as_deref().map_or_else(|| (Vec::new(), true), |name| view.host.topology().joined(name));
    let all = whole
        && switches.iter().flat_map(|switch| &switch.ports).all(|port| match port.role {
            // What leaves by a tunnel port cannot be recorded there.
            Role::Tunnel { .. } => false,
            Role::Uplink { .. } => view.points.by_name(&port.iface).is_some(),
            // A machine of which no MAC is known may be the one they are for.
            Role::Vnet { .. } if !outside && port.guest_mac.is_none() => {
                view.points.by_name(&port.iface).is_some()
            }
            _ => true,
        });
    let complete = all && !uplinks.is_empty();
    (uplinks, complete)
}
