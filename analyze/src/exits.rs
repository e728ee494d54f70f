//! Where a frame that entered a switch can leave it, and whether all of these places are recorded.

use netcap_bundle::topology::Place;
use netcap_bundle::{Mac, Role};

use crate::engine::{PointId, PointInfo};
use crate::view::View;

/// Other points of the same switch.
pub fn others<'a>(
    view: &'a View<'_>,
    id: PointId,
    info: &'a PointInfo,
) -> impl Iterator<Item = (PointId, &'a PointInfo)> {
    view.points.of_vswitch(info.vswitch.as_deref().unwrap_or_default()).filter(move |(other, _)| *other != id)
}

/// Where a frame for that MAC that entered at `from` could leave: the port of the VM or host it is for, else every uplink.
/// The second value says whether all of these are recorded.
pub fn exits(view: &View<'_>, from: PointId, info: &PointInfo, dst: Mac) -> (Vec<PointId>, bool) {
    local(view, from, info, dst).unwrap_or_else(|| uplinks(view, from, info))
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

fn uplinks(view: &View<'_>, from: PointId, info: &PointInfo) -> (Vec<PointId>, bool) {
    let uplinks: Vec<PointId> = others(view, from, info)
        .filter(|(_, other)| matches!(other.role, Role::Uplink { .. }))
        .map(|(id, _)| id)
        .collect();
    let switch = info.vswitch.as_deref().and_then(|name| view.host.topology().switch(name));
    let all = match switch {
        // What leaves by a patch or tunnel port cannot be recorded there.
        Some(switch) => switch.ports.iter().all(|port| match port.role {
            Role::Patch { .. } | Role::Tunnel { .. } => false,
            Role::Uplink { .. } => view.points.by_name(&port.iface).is_some(),
            _ => true,
        }),
        None => true,
    };
    let complete = all && !uplinks.is_empty();
    (uplinks, complete)
}
