//! Which deaths are losses on a hop, and which of them are reported together.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::deaths::{CROSSING_NS, Death, Deaths, Standing, Way};
use crate::engine::{FlowKey, PointId};
use crate::fidelity::Trust;
use crate::tables::hops::{PairKey, Stop};
use crate::view::View;

/// Pairs with losses on one hop that are reported one by one; more are reported together.
const PAIRS_APART: usize = 3;

/// Losses of one pair of addresses on one hop.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) src: IpAddr,
    pub(super) dst: IpAddr,
    pub(super) protocol: u8,
    /// Packets that passed.
    pub(super) passed: u64,
    /// Packets that went on with other addresses.
    pub(super) translated: u64,
    /// Lost for all that the capture can tell.
    pub(super) sure: Vec<Death>,
    /// Not seen again while the capture lost packets on either side.
    pub(super) doubtful: Vec<Death>,
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
pub(super) struct Hop {
    pub(super) from: Stop,
    pub(super) exits: Vec<PointId>,
    /// Every place where the packets could go is recorded.
    pub(super) complete: bool,
    /// The pair with most losses first.
    pub(super) cases: Vec<Case>,
}

/// All losses, in order of stops.
pub(super) fn hops(view: &View<'_>, deaths: &Deaths<'_>) -> Vec<Hop> {
    let mut by_hop: BTreeMap<(Stop, &[PointId], bool), BTreeMap<FlowKey, Case>> = BTreeMap::new();
    for group in &deaths.groups {
        let place = &group.place;
        // Requests for a MAC that nobody answers are a symptom of their own.
        let asks = group.is_arp() && !group.deaths.iter().any(|death| death.followed);
        if !matches!(place.way, Way::Switch | Way::Learned) || place.exits.points.is_empty() || asks {
            continue;
        }
        let hop = by_hop.entry((place.from, &place.exits.points, place.exits.complete)).or_default();
        let case = hop
            .entry(FlowKey { src: group.src, dst: group.dst, protocol: group.protocol })
            .or_insert_with_key(|flow| Case::new(view, place.from, *flow));
        for death in &group.deaths {
            case.add(view, place.from.point, &place.exits.points, death);
        }
    }
    let mut out = Vec::new();
    for ((from, exits, complete), cases) in by_hop {
        let has_losses = |case: &Case| !case.sure.is_empty() || !case.doubtful.is_empty();
        let mut cases: Vec<Case> = cases.into_values().filter(has_losses).collect();
        for case in &mut cases {
            // Kinds of packets of one pair died in groups of their own.
            case.sure.sort_unstable();
            case.doubtful.sort_unstable();
        }
        cases
            .sort_by_key(|c| (std::cmp::Reverse((c.sure.len(), c.doubtful.len())), c.src, c.dst, c.protocol));
        let size = if cases.len() > PAIRS_APART { cases.len() } else { 1 };
        while !cases.is_empty() {
            let rest = cases.split_off(size.min(cases.len()));
            out.push(Hop { from, exits: exits.to_vec(), complete, cases });
            cases = rest;
        }
    }
    out
}

impl Case {
    fn add(&mut self, view: &View<'_>, from: PointId, exits: &[PointId], death: &Death) {
        match death.standing {
            Standing::Sure(trust) => {
                self.trust = self.trust.min(trust);
                self.sure.push(*death);
            }
            Standing::Lossy => {
                let lossy = |id: &PointId| {
                    view.fidelity.trust(*id, death.at, death.at.plus(CROSSING_NS)) == Trust::Lossy
                };
                self.lossy.extend(exits.iter().chain([&from]).copied().filter(lossy));
                self.doubtful.push(*death);
            }
            Standing::Unjudged => self.unjudged = self.unjudged.saturating_add(death.packets),
        }
    }

    fn new(view: &View<'_>, from: Stop, FlowKey { src, dst, protocol }: FlowKey) -> Self {
        let pair = view.tables.hops.pairs.get(&PairKey { from, src, dst, protocol });
        let (passed, translated) = pair.map(|pair| (pair.passed, pair.translated)).unwrap_or_default();
        Self {
            src,
            dst,
            protocol,
            passed,
            translated,
            sure: Vec::new(),
            doubtful: Vec::new(),
            lossy: BTreeSet::new(),
            unjudged: 0,
            trust: Trust::Sound,
        }
    }
}
