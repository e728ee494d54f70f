//! From sightings to hops: how long each took, what it lost, and whose.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use hdrhistogram::Histogram;
use netcap_bundle::Nanos;
use rayon::prelude::*;

use super::matching::{self, Crossing, Hop};
use super::stop::Stop;
use super::{Clocks, HopsFold, Sample, Sighting};
use crate::engine::FrameRef;
use crate::engine::points::Scene;

/// Pairs of addresses with their hops, kept.
const PAIRS_MAX: usize = 32_768;
/// The same, of one part: flows are spread evenly over them.
const PART_PAIRS_MAX: usize = 4_096;
/// Hops of which times are kept.
const HOPS_MAX: usize = 128;
/// Parts that are worked on side by side: a constant, so that the result does not depend on the number of threads.
const PARTS: usize = 32;
/// Significant decimal digits of a histogram.
const DIGITS: u8 = 3;

/// A packet that was seen before a hop and not behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lost {
    /// When it was last seen.
    pub at: Nanos,
    /// In which frame.
    pub frame: FrameRef,
    /// Packets lost of it: more than one of a super-segment, none of the second part of one that is counted.
    pub packets: u64,
    /// Octets of TCP lost.
    pub bytes: u64,
    /// Its flow.
    pub flow: u64,
    /// What it carried, whatever its addresses are.
    pub content: u64,
}

/// Who to whom, from which stop on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PairKey {
    /// Where they were seen.
    pub from: Stop,
    /// Source.
    pub src: IpAddr,
    /// Destination.
    pub dst: IpAddr,
    /// IP protocol.
    pub protocol: u8,
}

/// What a hop did to the packets of a pair of addresses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PairHop {
    /// Where they were seen next; empty when nowhere.
    pub to: BTreeSet<Stop>,
    /// Packets seen further on.
    pub passed: u64,
    /// Packets that were not, in order of time.
    pub lost: Vec<Lost>,
    /// Packets seen further on with other addresses: translated, by what is not known.
    pub translated: u64,
    /// A flow with losses, or any: its example is at `from`.
    pub flow: u64,
}

/// The times of one hop.
#[derive(Debug, Clone)]
pub struct HopStats {
    /// From.
    pub from: Stop,
    /// To.
    pub to: Stop,
    /// Packets seen at `to` after one that followed them at `from` (RFC 4737, 3.3).
    pub reordered: u64,
    /// When the first and the last of them were at `from`.
    pub span: (Nanos, Nanos),
    /// Nanoseconds.
    pub histogram: Histogram<u64>,
}

/// Sums.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// TCP segments sent again, where their flow was first seen.
    pub retransmissions: u64,
    /// The same by source and destination.
    pub resent: BTreeMap<(IpAddr, IpAddr), u64>,
    /// The same packet twice at one stop, by stop.
    pub copies: BTreeMap<Stop, u64>,
    /// Packets that the network returned, by stop.
    pub reflections: BTreeMap<Stop, u64>,
}

/// The finished table.
#[derive(Debug, Default)]
pub struct HopsTable {
    /// In order of stops.
    pub hops: Vec<HopStats>,
    /// By pair.
    pub pairs: BTreeMap<PairKey, PairHop>,
    /// Examples.
    pub samples: BTreeMap<(u64, Stop), Sample>,
    /// Sums.
    pub counts: Counts,
    /// Sightings that were followed.
    pub followed: u64,
    /// One packet in so many was followed.
    pub one_in: u64,
    /// Packets without a direction, which cannot be followed.
    pub undirected: u64,
    /// Packets of pairs and hops beyond the table's size.
    pub overflow: u64,
    /// Translated flows beyond the table's size.
    pub translations: u64,
}

/// The times of an edge.
#[derive(Debug)]
struct Times {
    /// Nanoseconds; a crossing is at most 2 s.
    each: Vec<u32>,
    reordered: u64,
    span: (Nanos, Nanos),
}

impl Default for Times {
    fn default() -> Self {
        Self { each: Vec::new(), reordered: 0, span: (Nanos(i64::MAX), Nanos(i64::MIN)) }
    }
}

/// What some flows gave.
#[derive(Debug, Default)]
pub(super) struct Tally {
    retransmissions: u64,
    resent: BTreeMap<(IpAddr, IpAddr), u64>,
    copies: BTreeMap<Stop, u64>,
    reflections: BTreeMap<Stop, u64>,
    times: BTreeMap<(Stop, Stop), Times>,
    pairs: BTreeMap<PairKey, PairHop>,
    /// The addresses and protocol of the flow that is being followed.
    who: Option<(IpAddr, IpAddr, u8)>,
    overflow: u64,
}

impl Tally {
    /// Takes what of a flow of TCP was sent again.
    pub(super) fn resent(&mut self, count: u64) {
        self.retransmissions += count;
        if let Some((src, dst, _)) = self.who.filter(|_| count > 0) {
            self.resent_by((src, dst), count, PART_PAIRS_MAX);
        }
    }

    fn resent_by(&mut self, pair: (IpAddr, IpAddr), count: u64, max: usize) {
        if self.resent.len() < max || self.resent.contains_key(&pair) {
            *self.resent.entry(pair).or_default() += count;
        }
    }

    pub(super) fn copies(&mut self, stop: Stop) {
        *self.copies.entry(stop).or_default() += 1;
    }

    pub(super) fn reflections(&mut self, stop: Stop) {
        *self.reflections.entry(stop).or_default() += 1;
    }

    /// Takes what a hop did to a flow.
    pub(super) fn hop(&mut self, flow: u64, hop: &Hop, mut crossing: Crossing, judged: bool) {
        crossing.passed.sort_unstable_by_key(|(_, seen, sent)| (*seen, *sent));
        let mut latest = Nanos(i64::MIN);
        for (to, seen, sent) in &crossing.passed {
            let edge = (hop.from, *to);
            if self.times.len() >= HOPS_MAX && !self.times.contains_key(&edge) {
                self.overflow += 1;
                continue;
            }
            let times = self.times.entry(edge).or_default();
            times.each.push(u32::try_from(seen.since(*sent).max(1)).unwrap_or(u32::MAX));
            times.reordered += u64::from(*sent < latest);
            times.span = (times.span.0.min(*sent), times.span.1.max(*sent));
            latest = latest.max(*sent);
        }
        let Some((src, dst, protocol)) = self.who.filter(|_| judged) else { return };
        let key = PairKey { from: hop.from, src, dst, protocol };
        let mut pair = PairHop {
            to: hop.to.iter().copied().collect(),
            passed: crossing.passed.len() as u64,
            lost: crossing.lost,
            translated: 0,
            flow,
        };
        pair.lost.sort_unstable();
        self.pair(key, pair, PART_PAIRS_MAX);
    }

    fn pair(&mut self, key: PairKey, pair: PairHop, max: usize) {
        if self.pairs.len() >= max && !self.pairs.contains_key(&key) {
            self.overflow += pair.passed + pair.lost.len() as u64;
            return;
        }
        let mine = self.pairs.entry(key).or_default();
        if mine.flow == 0 || mine.lost.is_empty() && !pair.lost.is_empty() {
            mine.flow = pair.flow;
        }
        mine.to.extend(pair.to);
        mine.passed += pair.passed;
        mine.lost.extend(pair.lost);
    }

    fn merge(&mut self, later: Self) {
        self.retransmissions += later.retransmissions;
        self.overflow += later.overflow;
        for (pair, count) in later.resent {
            self.resent_by(pair, count, PAIRS_MAX);
        }
        for (stop, count) in later.copies {
            *self.copies.entry(stop).or_default() += count;
        }
        for (stop, count) in later.reflections {
            *self.reflections.entry(stop).or_default() += count;
        }
        for (edge, times) in later.times {
            if self.times.len() >= HOPS_MAX && !self.times.contains_key(&edge) {
                self.overflow += times.each.len() as u64;
                continue;
            }
            let mine = self.times.entry(edge).or_default();
            mine.each.extend(times.each);
            mine.reordered += times.reordered;
            mine.span = (mine.span.0.min(times.span.0), mine.span.1.max(times.span.1));
        }
        for (key, pair) in later.pairs {
            self.pair(key, pair, PAIRS_MAX);
        }
    }
}

pub(super) fn finish(fold: HopsFold, clocks: &Clocks) -> HopsTable {
    let HopsFold { scene, shift, mut sightings, samples, undirected, .. } = fold;
    for sighting in &mut sightings {
        sighting.at = clocks.common(scene.host(sighting.stop().point), sighting.at);
    }
    sightings.par_sort_unstable_by_key(|s| (s.flow, s.is_range(), s.content, s.seq, s.order()));
    let samples: BTreeMap<_, _> = samples.into_iter().collect();
    let mut tally = Tally::default();
    let parts = parts(&mut sightings);
    let done: Vec<Tally> = parts.into_par_iter().map(|part| of_part(part, &samples, &scene)).collect();
    for part in done {
        tally.merge(part);
    }
    super::translated::withdraw(&mut tally.pairs, &sightings, &scene);
    for pair in tally.pairs.values_mut() {
        pair.lost.sort_unstable();
    }
    HopsTable {
        hops: tally.times.into_iter().filter_map(|((from, to), times)| stats(from, to, &times)).collect(),
        pairs: tally.pairs,
        samples,
        counts: Counts {
            retransmissions: tally.retransmissions,
            resent: tally.resent,
            copies: tally.copies,
            reflections: tally.reflections,
        },
        followed: sightings.len() as u64,
        one_in: 1u64.checked_shl(shift).unwrap_or(u64::MAX),
        undirected,
        overflow: tally.overflow,
        translations: scene.follow.nat.overflow,
    }
}

/// Cuts the sightings into parts at the borders of flows.
fn parts(mut rest: &mut [Sighting]) -> Vec<&mut [Sighting]> {
    let size = rest.len().div_ceil(PARTS).max(1);
    let mut out = Vec::new();
    while !rest.is_empty() {
        let last = rest.get(size.min(rest.len()) - 1).map(|s| s.flow);
        let more = rest.get(size..).unwrap_or_default().partition_point(|s| Some(s.flow) == last);
        let (part, tail) = rest.split_at_mut((size + more).min(rest.len()));
        out.push(part);
        rest = tail;
    }
    out
}

fn of_part(part: &mut [Sighting], samples: &BTreeMap<(u64, Stop), Sample>, scene: &Scene) -> Tally {
    let mut tally = Tally::default();
    for flow in part.chunk_by_mut(|a, b| a.flow == b.flow) {
        let Some(key) = flow.first().map(|s| s.flow) else { continue };
        let who = flow.iter().find_map(|s| samples.get(&(key, s.stop()))).map(|s| s.tuple);
        // Without an example nobody can be named, and nothing is charged.
        tally.who = who.map(|tuple| (tuple.src, tuple.dst, tuple.protocol));
        if who.is_none() {
            tally.overflow += flow.len() as u64;
        }
        matching::flow(flow, who.map_or(0, |t| t.protocol), scene, &mut tally);
    }
    tally
}

fn stats(from: Stop, to: Stop, times: &Times) -> Option<HopStats> {
    let longest = times.each.iter().copied().max().unwrap_or(1).max(2);
    let mut histogram = Histogram::new_with_max(u64::from(longest), DIGITS).ok()?;
    for time in &times.each {
        histogram.saturating_record(u64::from(*time));
    }
    Some(HopStats { from, to, reordered: times.reordered, span: times.span, histogram })
}
