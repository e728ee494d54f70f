//! Where a packet died: its last stop, and where it had to appear then.

use std::collections::BTreeMap;

use netcap_bundle::{Mac, Nanos, Role};

use super::{CROSSING_NS, Standing};
use crate::engine::{PointId, PointInfo};
use crate::fidelity::Trust;
use crate::host::exits::Exits;
use crate::tables::hops::{Side, Stop};
use crate::view::View;

/// Around a change of the active member nobody knows which one carried what.
const FAILOVER_NS: i64 = 2_000_000_000;

/// What lies behind the last stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Way {
    /// The packet entered a switch and had to leave it at the exits.
    Switch,
    /// The packet entered at the member of a bond that is not active: the switch discards what comes in there.
    Backup,
    /// Only other packets, which went on, say where it had to appear.
    Learned,
    /// It left what is recorded: the network, the machine or the host behind the last stop had it.
    Beyond,
}

/// Where packets died.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// The last stop.
    pub from: Stop,
    /// What lies behind it.
    pub way: Way,
    /// Where they had to appear at that time.
    pub exits: Exits,
}

/// Places that were worked out already: the host is asked once from one change to the next.
pub(super) struct Places<'a> {
    view: &'a View<'a>,
    changes: Vec<Nanos>,
    known: BTreeMap<(Stop, Mac, usize), Option<Exits>>,
}

impl<'a> Places<'a> {
    pub(super) fn new(view: &'a View<'a>) -> Self {
        let mut changes: Vec<Nanos> = view.host.timeline.states().iter().map(|state| state.at).collect();
        changes.extend(view.host.presence.changes());
        changes.sort_unstable();
        Self { view, changes, known: BTreeMap::new() }
    }

    /// Where a packet for that MAC, last seen at `from`, had to appear; `learned` is where others went. `None` when the
    /// switch rightly keeps it.
    pub(super) fn of(
        &mut self,
        from: Stop,
        dst: Option<Mac>,
        at: Nanos,
        learned: &[PointId],
    ) -> Option<Place> {
        let view = self.view;
        let on = |way, exits| Some(Place { from, way, exits });
        let follow = || Exits { points: learned.to_vec(), ..Exits::default() };
        let beyond = if learned.is_empty() { Way::Beyond } else { Way::Learned };
        let (Some(info), Side::Enter(_), Some(dst)) =
            (view.points.get(from.point), from.side(&view.context), dst)
        else {
            return on(beyond, follow());
        };
        if is_backup(view, info, at) == Some(true) {
            return on(Way::Backup, Exits::default());
        }
        let epoch = self.changes.partition_point(|change| *change <= at);
        let exits =
            self.known.entry((from, dst, epoch)).or_insert_with(|| exits(view, from.point, info, dst, at));
        // A wire brings frames for machines elsewhere too.
        let Some(exits) = exits else { return on(beyond, follow()) };
        // A port that should lead to a machine and a frame that comes from it: the switch rightly keeps it.
        if exits.points.contains(&from.point) {
            return None;
        }
        let mut exits = exits.clone();
        if !exits.complete {
            exits.points = learned.to_vec();
            return on(if learned.is_empty() { Way::Switch } else { Way::Learned }, exits);
        }
        exits.points.extend(learned);
        exits.points.sort_unstable();
        exits.points.dedup();
        on(Way::Switch, exits)
    }
}

fn exits(view: &View<'_>, from: PointId, info: &PointInfo, dst: Mac, at: Nanos) -> Option<Exits> {
    let switch = view.switch_points_at(at);
    if matches!(info.role, Role::Uplink { .. }) {
        switch.local(from, info, dst)
    } else {
        Some(switch.exits(from, info, dst))
    }
}

/// The point is a member of an active-backup bond and not the active one; `None` when nobody knows who was.
pub(super) fn is_backup(view: &View<'_>, info: &PointInfo, at: Nanos) -> Option<bool> {
    let mut bonds = view.bonds.bonds.iter().filter(|b| b.is_active_backup());
    let Some(bond) = bonds.find(|b| b.members.contains(&info.name)) else { return Some(false) };
    bond.active_at(at, FAILOVER_NS).map(|active| active != info.name)
}

/// The capture point of the member that is active instead of that one.
pub(super) fn active_instead(view: &View<'_>, info: &PointInfo, at: Nanos) -> Option<PointId> {
    let mut bonds = view.bonds.bonds.iter().filter(|bond| bond.is_active_backup());
    let bond = bonds.find(|bond| bond.members.contains(&info.name))?;
    view.points.by_name(bond.active_at(at, FAILOVER_NS).filter(|active| *active != info.name)?)
}

/// How sure it is that a packet did not appear where it had to; `shown` says that filters let it through there.
pub(super) fn standing(view: &View<'_>, place: &Place, at: Nanos, shown: bool) -> Standing {
    let carried =
        view.points.get(place.from.point).is_some_and(|info| is_backup(view, info, at) == Some(false));
    let trust = |id: PointId| view.fidelity.trust(id, at, at.plus(CROSSING_NS));
    let exits = &place.exits;
    // Where nothing leads to there is nothing to capture.
    let none = if exits.gone.is_empty() { Trust::Blind } else { trust(place.from.point) };
    let mut least = exits.points.iter().map(|id| trust(*id)).min().unwrap_or(none);
    // Where it was seen last the capture listened, for there it was seen; but of how many, nobody knows.
    if trust(place.from.point) == Trust::Lossy {
        least = least.min(Trust::Lossy);
    }
    match least {
        Trust::Sound | Trust::Unknown if shown && carried => Standing::Sure(least),
        Trust::Lossy if shown && carried => Standing::Lossy,
        _ => Standing::Unjudged,
    }
}

/// Filters at all exits would have shown such a frame there.
pub(super) fn is_shown(
    view: &View<'_>,
    exits: &[PointId],
    bytes: &[u8],
    wire_len: u32,
    translated: bool,
) -> bool {
    let filtered = exits.iter().any(|id| view.points.get(*id).is_some_and(|p| !p.filter.is_empty()));
    exits.iter().all(|id| view.fidelity.shows(*id, bytes, wire_len)) && !(filtered && translated)
}
