//! Where a frame that entered a switch can leave it, and whether all of these places are recorded.

use netcap_bundle::topology::{MacLocation, Topology};
use netcap_bundle::{Mac, Role};

use crate::engine::{PointId, PointInfo, Points};

/// The switches of a host and the points that are recorded at them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SwitchPoints<'a> {
    /// Every point of the input.
    pub points: &'a Points,
    /// Switches and their ports.
    pub topology: &'a Topology,
}

/// Where a frame could leave.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Exits {
    /// The recorded points.
    pub points: Vec<PointId>,
    /// No other way out is known.
    pub complete: bool,
}

impl<'a> SwitchPoints<'a> {
    /// Other points of the same switch, and of those that patch ports join to it.
    pub(crate) fn others(
        self,
        id: PointId,
        info: &'a PointInfo,
    ) -> impl Iterator<Item = (PointId, &'a PointInfo)> {
        let own = info.vswitch.as_deref().unwrap_or_default();
        let joined = self.topology.joined(own).0;
        let within = move |name: &str| name == own || joined.iter().any(|switch| switch.name == name);
        let points = self.points.iter();
        points.filter(move |(other, point)| {
            *other != id && within(point.vswitch.as_deref().unwrap_or_default())
        })
    }

    /// Where a frame for that MAC that entered at `from` could leave: the port of the VM or host it is for, else every
    /// uplink.
    pub(crate) fn exits(self, from: PointId, info: &PointInfo, dst: Mac) -> Exits {
        self.local(from, info, dst).unwrap_or_else(|| self.uplinks(from, info, dst))
    }

    /// The port of the VM or host that has that MAC; `None` when it is not on this host.
    pub(crate) fn local(self, from: PointId, info: &PointInfo, dst: Mac) -> Option<Exits> {
        let only = |name: &str| match self.points.by_name(name) {
            Some(id) => Exits { points: vec![id], complete: id != from },
            None => Exits::default(),
        };
        let guest = |role: &Role| matches!(role, Role::Vnet { guest_mac: Some(mac), .. } if *mac == dst);
        if let Some((id, _)) = self.others(from, info).find(|(_, other)| guest(&other.role)) {
            return Some(Exits { points: vec![id], complete: true });
        }
        match self.topology.locate(dst) {
            Some(MacLocation::Guest { iface, .. } | MacLocation::Own { iface, .. }) => Some(only(&iface)),
            Some(MacLocation::Learned { entry, role }) if !matches!(role, Some(Role::Uplink { .. })) => {
                Some(entry.iface.as_deref().map_or_else(Exits::default, only))
            }
            _ => None,
        }
    }

    fn uplinks(self, from: PointId, info: &PointInfo, dst: Mac) -> Exits {
        // What is not on this host and was learned somewhere was learned at an uplink.
        let outside = self.topology.locate(dst).is_some();
        let uplinks = self.others(from, info).filter(|(_, other)| matches!(other.role, Role::Uplink { .. }));
        let points: Vec<PointId> = uplinks.map(|(id, _)| id).collect();
        let own = info.vswitch.as_deref();
        let (switches, whole) = own.map_or_else(|| (Vec::new(), true), |name| self.topology.joined(name));
        let recorded = |iface: &str| self.points.by_name(iface).is_some();
        let all = whole
            && switches.iter().flat_map(|switch| &switch.ports).all(|port| match port.role {
                // What leaves by a tunnel port cannot be recorded there.
                Role::Tunnel { .. } => false,
                Role::Uplink { .. } => recorded(&port.iface),
                // A machine of which no MAC is known may be the one they are for.
                Role::Vnet { .. } if !outside && port.guest_mac.is_none() => recorded(&port.iface),
                _ => true,
            });
        let complete = all && !points.is_empty();
        Exits { points, complete }
    }
}
