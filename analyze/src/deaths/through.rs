//! Groups that had to pass a bond.

use netcap_bundle::Role;

use super::{Case, Death, Way};
use crate::host::carrying::Carries;
use crate::tables::hops::Side;

impl<'c> Case<'c, '_> {
    /// The bond that the packets had to pass: every way out of the switch leads through it, or they came in at a member.
    pub(crate) fn bond(&self) -> Option<&'c str> {
        if !matches!(self.group.place.way, Way::Switch | Way::Learned) {
            return None;
        }
        let view = self.view;
        let topology = view.host.topology_at(self.span().0);
        let of = |iface: &str| match &topology.by_iface(iface)?.1.role {
            Role::Uplink { bond } => bond.as_deref(),
            _ => None,
        };
        let entry = view.points.name(self.group.place.from.point);
        if matches!(self.group.place.from.side(&view.context), Side::Enter(_))
            && let Some(bond) = of(entry)
        {
            return Some(bond);
        }
        let exits = &self.group.place.exits;
        let points = exits.points.iter().map(|point| view.points.name(*point));
        let mut bonds = points.chain(exits.unrecorded.iter().map(String::as_str)).map(of);
        let first = bonds.next()??;
        bonds.all(|bond| bond == Some(first)).then_some(first)
    }

    /// Those of the rest that died while no member of the bond was in use, and those of which it is not sure.
    pub(crate) fn without_member(&self, bond: &str) -> (Vec<&'c Death>, Vec<&'c Death>) {
        let (mut down, mut perhaps) = (Vec::new(), Vec::new());
        for death in self.rest {
            match self.view.host.timeline.carries(bond, death.at) {
                Some(Carries::No) => down.push(death),
                Some(Carries::Perhaps) => perhaps.push(death),
                Some(Carries::Yes) | None => {}
            }
        }
        // Where some passed in between, the change came after what died.
        if self.group.beside.between > 0 {
            perhaps.clear();
        }
        (down, perhaps)
    }
}
