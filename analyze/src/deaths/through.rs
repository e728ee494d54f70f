//! Groups that had to pass a bond.

use netcap_bundle::{Nanos, Role};

use super::{Case, Death, LOST_MIN, Way};
use crate::engine::PointId;
use crate::finding::Confidence;
use crate::host::carrying::Carries;
use crate::tables::hops::Side;

/// What died of a bond without a member in use.
#[derive(Debug, Clone)]
pub(crate) struct WithoutMember {
    /// Those that certainly died meanwhile first, then those that may have died just before or after.
    pub deaths: Vec<Death>,
    /// When the first and the last of them died.
    pub span: (Nanos, Nanos),
    /// Proven by several that certainly died meanwhile.
    pub confidence: Confidence,
}

impl<'c> Case<'c, '_> {
    /// These sources, if the packets died inside a switch that is not known to be the kernel's bridge; else none.
    pub(crate) fn inside(&self, sources: &'static [&'static str]) -> &'static [&'static str] {
        if self.group.dies_in_vswitch(self.view) { sources } else { &[] }
    }

    /// They died inside a switch, and every way out that is recorded is a member of a bond.
    pub(crate) fn is_for_bond(&self) -> bool {
        let member = |id: &PointId| {
            let role = self.view.points.get(*id).map(|info| &info.role);
            matches!(role, Some(Role::Uplink { bond: Some(_) }))
        };
        let exits = self.group.exits();
        self.group.dies_in_vswitch(self.view) && !exits.is_empty() && exits.iter().all(member)
    }

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

    /// Those of the rest that died while no member of the bond was in use.
    pub(crate) fn without_member(&self, bond: &str) -> Option<WithoutMember> {
        let (mut deaths, mut perhaps) = (Vec::new(), Vec::new());
        for death in self.rest {
            match self.view.host.timeline.carries(bond, death.at) {
                Some(Carries::No) => deaths.push(*death),
                Some(Carries::Perhaps) => perhaps.push(*death),
                Some(Carries::Yes) | None => {}
            }
        }
        // Where some passed in between, the change came after what died.
        if self.group.beside.between > 0 {
            perhaps.clear();
        }
        let sure = deaths.iter().filter(|death| death.is_sure()).count();
        let confidence = if sure >= LOST_MIN { Confidence::Proven } else { Confidence::Likely };
        deaths.append(&mut perhaps);
        let times = || deaths.iter().map(|death| death.at);
        let span = (times().min()?, times().max()?);
        Some(WithoutMember { deaths, span, confidence })
    }
}
