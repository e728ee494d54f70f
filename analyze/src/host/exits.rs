//! Where a frame that entered a switch can leave it, and whether all of these places are recorded.

use netcap_bundle::topology::{MacLocation, Topology};
use netcap_bundle::{Mac, Nanos, Role};

use super::copies::outlets;
use super::presence::Presence;
use crate::engine::{PointId, PointInfo, Points};

/// The switches of a host and the points that are recorded at them, at some time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SwitchPoints<'a> {
    /// Every point of the input.
    pub points: &'a Points,
    /// Switches and their ports.
    pub topology: &'a Topology,
    /// When the points were there.
    pub presence: &'a Presence,
    /// The time; `None` asks of all times.
    pub at: Option<Nanos>,
}

/// Where a frame could leave.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Exits {
    /// The recorded points.
    pub points: Vec<PointId>,
    /// No other way out is known.
    pub complete: bool,
    /// Ports where it could leave as well, or alone, and that nobody recorded.
    pub unrecorded: Vec<String>,
    /// The points of its machine, none of which was there at that time.
    pub gone: Vec<PointId>,
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

    fn is_there(self, id: PointId) -> bool {
        self.at.is_none_or(|at| self.presence.is_there(id, at))
    }

    /// Where a frame for that MAC that entered at `from` could leave: the port of the VM or host it is for, else every
    /// uplink.
    pub(crate) fn exits(self, from: PointId, info: &PointInfo, dst: Mac) -> Exits {
        self.local(from, info, dst).unwrap_or_else(|| self.uplinks(from, info, dst))
    }

    /// The port of the VM or host that has that MAC; `None` when it is not on this host.
    pub(crate) fn local(self, from: PointId, info: &PointInfo, dst: Mac) -> Option<Exits> {
        let guest = |role: &Role| matches!(role, Role::Vnet { guest_mac: Some(mac), .. } if *mac == dst);
        let machine: Vec<PointId> =
            self.others(from, info).filter(|(_, other)| guest(&other.role)).map(|(id, _)| id).collect();
        let (there, gone): (Vec<PointId>, Vec<PointId>) =
            machine.into_iter().partition(|id| self.is_there(*id));
        if let Some(id) = there.first() {
            return Some(Exits { points: vec![*id], complete: true, ..Exits::default() });
        }
        if !gone.is_empty() {
            return Some(Exits { complete: true, gone, ..Exits::default() });
        }
        match self.topology.locate(dst) {
            Some(MacLocation::Guest { iface, .. } | MacLocation::Own { iface, .. }) => {
                Some(self.only(from, &iface))
            }
            Some(MacLocation::Learned { entry, role }) if !matches!(role, Some(Role::Uplink { .. })) => {
                Some(entry.iface.as_deref().map_or_else(Exits::default, |iface| self.only(from, iface)))
            }
            _ => None,
        }
    }

    fn only(self, from: PointId, iface: &str) -> Exits {
        match self.points.by_name(iface) {
            Some(id) => Exits { points: vec![id], complete: id != from, ..Exits::default() },
            None => Exits { unrecorded: vec![iface.to_owned()], ..Exits::default() },
        }
    }

    fn uplinks(self, from: PointId, info: &PointInfo, dst: Mac) -> Exits {
        // What is not on this host and was learned somewhere was learned at an uplink.
        let outside = self.topology.locate(dst).is_some();
        let own = info.vswitch.as_deref();
        let (switches, whole) = own.map_or_else(|| (Vec::new(), true), |name| self.topology.joined(name));
        // At the output of a mirror nothing but copies leaves.
        let ports = || outlets(&switches);
        let mirrored = |iface: &str| {
            let mut all = switches.iter().flat_map(|switch| &switch.ports);
            all.any(|port| port.iface == iface) && !ports().any(|port| port.iface == iface)
        };
        let uplinks = self.others(from, info).filter(|(_, other)| matches!(other.role, Role::Uplink { .. }));
        let uplinks = uplinks.filter(|(_, other)| !mirrored(&other.name));
        let points: Vec<PointId> = uplinks.map(|(id, _)| id).collect();
        let hidden = |iface: &str| self.points.by_name(iface).is_none();
        let unrecorded = ports().filter(|port| match port.role {
            // What leaves by a tunnel port cannot be recorded there.
            Role::Tunnel { .. } => true,
            Role::Uplink { .. } => hidden(&port.iface),
            // A machine of which no MAC is known may be the one they are for.
            Role::Vnet { .. } if !outside && port.guest_mac.is_none() => hidden(&port.iface),
            _ => false,
        });
        let unrecorded: Vec<String> = unrecorded.map(|port| port.iface.clone()).collect();
        let complete = whole && unrecorded.is_empty() && !points.is_empty();
        Exits { points, complete, unrecorded, gone: Vec::new() }
    }
}
