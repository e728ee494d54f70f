//! Which of the packets that were not seen again were lost.

use std::collections::{BTreeMap, BTreeSet};

use netcap_bundle::Role;

use crate::engine::{PointId, PointInfo};
use crate::fidelity::Trust;
use crate::host::exits::Exits;
use crate::tables::hops::{Lost, PairHop, PairKey, Sample, Side, Stop};
use crate::view::View;

/// A packet crosses a hop within this; around it the capture must be sound. As long as `acl-drop` waits.
const CROSSING_NS: i64 = 2_000_000_000;
/// Around a change of the active member nobody knows which one carried what.
const FAILOVER_NS: i64 = 2_000_000_000;
/// Pairs with losses on one hop that have a finding each; more have one together.
const PAIRS_APART: usize = 3;

/// Losses of one pair of addresses on one hop.
#[derive(Debug)]
pub(super) struct PairLoss<'a> {
    pub(super) key: PairKey,
    pub(super) pair: &'a PairHop,
    /// Lost for all that the capture can tell.
    pub(super) sure: Vec<Lost>,
    /// Not seen again while the capture lost packets on either side.
    pub(super) doubtful: Vec<Lost>,
    /// Where the capture lost packets while these were doubtful.
    pub(super) lossy: BTreeSet<PointId>,
    /// Not seen again where nothing was captured then, at the edges of the capture above all, or where a filter hides
    /// them: packets of which nothing is said.
    pub(super) unjudged: u64,
    /// The least trust of what is sure.
    pub(super) trust: Trust,
}

/// Losses on one hop that make one finding.
#[derive(Debug)]
pub(super) struct HopLoss<'a> {
    pub(super) from: Stop,
    pub(super) exits: Vec<PointId>,
    /// Every place where the packets could go is recorded.
    pub(super) complete: bool,
    /// The pair with most losses first.
    pub(super) cases: Vec<PairLoss<'a>>,
}

/// Where packets of a case could be seen next.
struct NextPoints {
    exits: Vec<PointId>,
    complete: bool,
}

/// All groups, in order of stops.
pub(super) fn groups<'a>(view: &'a View<'_>) -> Vec<HopLoss<'a>> {
    let mut by_hop: BTreeMap<(Stop, Vec<PointId>, bool), Vec<PairLoss<'a>>> = BTreeMap::new();
    for (key, pair) in view.tables.hops.pairs.iter().filter(|(_, pair)| !pair.lost.is_empty()) {
        let Some((info, sample)) = view.points.get(key.from.point).zip(sample(view, key, pair)) else {
            continue;
        };
        let Some(next) = next(view, key, pair, info, sample) else { continue };
        let case = case(view, *key, pair, &next, (info, sample));
        if !case.sure.is_empty() || !case.doubtful.is_empty() {
            by_hop.entry((key.from, next.exits, next.complete)).or_default().push(case);
        }
    }
    let mut out = Vec::new();
    for ((from, exits, complete), mut cases) in by_hop {
        cases.sort_by_key(|c| (std::cmp::Reverse((c.sure.len(), c.doubtful.len())), c.key));
        let size = if cases.len() > PAIRS_APART { cases.len() } else { 1 };
        while !cases.is_empty() {
            let rest = cases.split_off(size.min(cases.len()));
            out.push(HopLoss { from, exits: exits.clone(), complete, cases });
            cases = rest;
        }
    }
    out
}

fn sample<'a>(view: &'a View<'_>, key: &PairKey, pair: &PairHop) -> Option<&'a Sample> {
    let samples = &view.tables.hops.samples;
    samples.get(&(pair.flow, key.from)).or_else(|| samples.get(&(pair.lost.first()?.flow, key.from)))
}

/// `None` when nobody knows where they should be seen.
fn next(
    view: &View<'_>,
    key: &PairKey,
    pair: &PairHop,
    info: &PointInfo,
    sample: &Sample,
) -> Option<NextPoints> {
    let mut learned: Vec<PointId> = pair.to.iter().map(|stop| stop.point).collect();
    learned.dedup();
    let from = key.from.point;
    if !matches!(key.from.side(&view.context), Side::Enter(_)) {
        return (!learned.is_empty()).then_some(NextPoints { exits: learned, complete: false });
    }
    let dst = sample.eth.dst;
    let Exits { points: mut exits, complete } = if matches!(info.role, Role::Uplink { .. }) {
        // A wire brings frames for machines elsewhere too.
        view.switch_points().local(from, info, dst).unwrap_or_default()
    } else {
        view.switch_points().exits(from, info, dst)
    };
    // A port that should lead to a machine and a frame that comes from it: the switch rightly keeps it.
    if exits.contains(&from) {
        return None;
    }
    if !complete {
        return (!learned.is_empty()).then_some(NextPoints { exits: learned, complete: false });
    }
    exits.extend(learned);
    exits.sort_unstable();
    exits.dedup();
    Some(NextPoints { exits, complete })
}

fn case<'a>(
    view: &View<'_>,
    key: PairKey,
    pair: &'a PairHop,
    next: &NextPoints,
    (info, sample): (&PointInfo, &Sample),
) -> PairLoss<'a> {
    let fidelity = &view.fidelity;
    let filtered = next.exits.iter().any(|id| view.points.get(*id).is_some_and(|p| !p.filter.is_empty()));
    let shown = next.exits.iter().all(|id| fidelity.shows(*id, &sample.bytes, sample.wire_len))
        && !(filtered && view.context.follow.nat.touches(key.src, key.dst));
    let mut case = PairLoss {
        key,
        pair,
        sure: Vec::new(),
        doubtful: Vec::new(),
        lossy: BTreeSet::new(),
        unjudged: 0,
        trust: Trust::Sound,
    };
    for lost in &pair.lost {
        let Some(carries) = carries(view, info, lost) else { continue };
        let trust = |id: PointId| fidelity.trust(id, lost.at, lost.at.plus(CROSSING_NS));
        let lossy = |id: &PointId| trust(*id) == Trust::Lossy;
        let mut least = next.exits.iter().map(|id| trust(*id)).min().unwrap_or(Trust::Blind);
        // Where it was seen last the capture listened, for there it was seen; but of how many, nobody knows.
        if lossy(&key.from.point) {
            least = least.min(Trust::Lossy);
        }
        match least {
            trust @ (Trust::Sound | Trust::Unknown) if shown && carries => {
                case.trust = case.trust.min(trust);
                case.sure.push(*lost);
            }
            Trust::Lossy if shown && carries => {
                case.lossy.extend(next.exits.iter().chain([&key.from.point]).copied().filter(lossy));
                case.doubtful.push(*lost);
            }
            _ => case.unjudged = case.unjudged.saturating_add(lost.packets),
        }
    }
    case
}

/// The point carried packets at that time: not the backup member of a bond (`None`), which Open vSwitch and the kernel
/// discard from; false when it is not known who was active.
fn carries(view: &View<'_>, info: &PointInfo, lost: &Lost) -> Option<bool> {
    let mut bonds = view.bonds.bonds.iter().filter(|b| b.is_active_backup());
    let Some(bond) = bonds.find(|b| b.members.contains(&info.name)) else { return Some(true) };
    match bond.active_at(lost.at, FAILOVER_NS) {
        Some(active) if active == info.name => Some(true),
        Some(_) => None,
        None => Some(false),
    }
}
