//! Deaths of packets that were followed from point to point.

use std::collections::{BTreeMap, BTreeSet};

use netcap_bundle::Nanos;
use netcap_bundle::packets::Direction;

use super::place::{Place, Places, Way, active_instead, is_shown, standing};
use super::{CROSSING_NS, Death, Example, Found, Key, Standing, asked};
use crate::engine::flow::FiveTuple;
use crate::engine::{FrameRef, PointId};
use crate::fidelity::Trust;
use crate::tables::hops::{ExampleFrame, LostPacket, PairHop, PairKey, Side, Stop};
use crate::view::View;

/// A switch floods a frame to both members of a bond within this.
const FLOOD_NS: i64 = 100_000_000;

/// All of them, in order of pairs.
pub(super) fn all<'a>(view: &'a View<'a>) -> Vec<Found<'a>> {
    let answered = asked::answered(view);
    let mut places = Places::new(view);
    let mut out = Vec::new();
    for (key, pair) in view.tables.hops.pairs.iter().filter(|(_, pair)| !pair.lost.is_empty()) {
        let mut of_pair = Pair::new(view, key, pair, &answered);
        out.extend(pair.lost.iter().filter_map(|lost| of_pair.find(lost, &mut places)));
    }
    out
}

/// One pair of addresses at one stop.
struct Pair<'a, 'b> {
    view: &'a View<'a>,
    key: &'a PairKey,
    hop: &'a PairHop,
    learned: Vec<PointId>,
    answered: &'b BTreeSet<FrameRef>,
    /// Whether filters show an example, by place and flow.
    shown: BTreeMap<(Place, u64), bool>,
}

impl<'a, 'b> Pair<'a, 'b> {
    fn new(view: &'a View<'a>, key: &'a PairKey, hop: &'a PairHop, answered: &'b BTreeSet<FrameRef>) -> Self {
        let mut learned: Vec<PointId> = hop.to.iter().map(|stop| stop.point).collect();
        learned.dedup();
        Self { view, key, hop, learned, answered, shown: BTreeMap::new() }
    }

    fn sample(&self, flow: u64) -> Option<&'a ExampleFrame> {
        let samples = &self.view.tables.hops.samples;
        let first = || samples.get(&(self.hop.lost.first()?.flow, self.key.from));
        samples
            .get(&(flow, self.key.from))
            .or_else(|| samples.get(&(self.hop.flow, self.key.from)))
            .or_else(first)
    }

    /// How sure it is that what came in at the backup of a bond, for a machine of this host or the host itself, did not come in
    /// at the active member too; `None` when it did, or nobody knows.
    fn alone(&self, lost: &LostPacket, sample: &ExampleFrame) -> Option<Standing> {
        let (view, key) = (self.view, self.key);
        let info = view.points.get(key.from.point)?;
        view.switch_points_at(lost.at).local(key.from.point, info, sample.eth.dst)?;
        let active = active_instead(view, info, lost.at)?;
        let there = PairKey { from: Stop { point: active, direction: key.from.direction }, ..*key };
        let near = |at: Nanos| at.since(lost.at).abs() <= FLOOD_NS;
        if let Some(pair) = view.tables.hops.pairs.get(&there) {
            let untold = pair.passed > 0 && pair.through.is_empty();
            let seen =
                pair.through.iter().map(|passed| passed.at).chain(pair.lost.iter().map(|lost| lost.at));
            if untold || seen.into_iter().any(near) {
                return None;
            }
        }
        let shown = is_shown(view, &[active], &sample.bytes, sample.wire_len, false);
        let trust = view.fidelity.trust(active, lost.at, lost.at.plus(CROSSING_NS));
        let sure = shown && matches!(trust, Trust::Sound | Trust::Unknown);
        Some(if sure { Standing::Sure(trust) } else { Standing::Unjudged })
    }

    fn find(&mut self, lost: &LostPacket, places: &mut Places<'a>) -> Option<Found<'a>> {
        let (view, key) = (self.view, self.key);
        let sample = self.sample(lost.flow)?;
        let enters = matches!(key.from.side(&view.context), Side::Enter(_));
        if self.answered.contains(&lost.frame)
            || (enters && is_answered_inside(view, key.from, &sample.tuple))
        {
            return None;
        }
        let place = places.of(key.from, Some(sample.eth.dst), lost.at, &self.learned)?;
        let arrived = match place.way {
            Way::Beyond => return None,
            // What comes in at a backup and at the active member as well is a flood.
            Way::Backup => Some(self.alone(lost, sample)?),
            Way::Switch | Way::Learned => None,
        };
        let translated = view.context.follow.nat.touches(key.src, key.dst);
        let shown = *self.shown.entry((place.clone(), lost.flow)).or_insert_with(|| {
            is_shown(view, &place.exits.points, &sample.bytes, sample.wire_len, translated)
        });
        let death = Death {
            at: lost.at,
            frame: lost.frame,
            packets: lost.packets,
            facts: lost.facts,
            ports: (sample.tuple.sport, sample.tuple.dport),
            followed: true,
            standing: arrived.unwrap_or_else(|| standing(view, &place, lost.at, shown)),
        };
        let key = Key {
            place,
            kind: lost.facts.kind,
            src: key.src,
            dst: key.dst,
            protocol: key.protocol,
            eth: Some((sample.eth.dst, sample.eth.src)),
            vlan: lost.facts.vlan,
        };
        Some(Found { key, death, example: Some(Example { bytes: &sample.bytes, wire_len: sample.wire_len }) })
    }
}

/// What answers the flow leaves the switch where the flow enters it and was seen to enter nowhere: the switch answers itself
/// (OVN's responders, `IN_PORT`), or whoever answers is at a port that nobody recorded. The flow arrived.
fn is_answered_inside(view: &View<'_>, from: Stop, tuple: &FiveTuple) -> bool {
    let back = view.context.follow.nat.origin(tuple.reversed()).hash();
    let seen = |stop: Stop| view.tables.hops.samples.contains_key(&(back, stop));
    let opposite = if from.direction == Direction::In { Direction::Out } else { Direction::In };
    if !seen(Stop { point: from.point, direction: opposite }) {
        return false;
    }
    let both = [Direction::In, Direction::Out];
    let stops = view.points.iter().flat_map(|(point, _)| both.map(|direction| Stop { point, direction }));
    !stops.filter(|stop| !matches!(stop.side(&view.context), Side::Leave(_))).any(seen)
}
