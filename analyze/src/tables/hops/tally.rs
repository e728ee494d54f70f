//! What some flows gave, in the making: sums, times and pairs, each bounded.

use std::collections::BTreeMap;
use std::net::IpAddr;

use netcap_bundle::Nanos;

use super::hop::{Crossing, Hop, Passage};
use super::returned::Returns;
use super::sighting::Sighting;
use super::stop::Stop;
use super::table::{PairHop, PairKey};
use crate::engine::FlowKey;

/// Pairs of addresses with their hops, kept.
const PAIRS_MAX: usize = 32_768;
/// The same, of one part: flows are spread evenly over them.
const PART_PAIRS_MAX: usize = 4_096;
/// Hops of which times are kept.
const HOPS_MAX: usize = 128;

/// The times of an edge.
#[derive(Debug)]
pub(super) struct Times {
    /// Nanoseconds; a crossing is at most 2 s.
    pub(super) each: Vec<u32>,
    pub(super) reordered: u64,
    pub(super) span: (Nanos, Nanos),
}

impl Default for Times {
    fn default() -> Self {
        Self { each: Vec::new(), reordered: 0, span: (Nanos(i64::MAX), Nanos(i64::MIN)) }
    }
}

/// What some flows gave.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) retransmissions: u64,
    pub(super) resent: BTreeMap<(IpAddr, IpAddr), u64>,
    pub(super) copies: BTreeMap<Stop, u64>,
    pub(super) reflections: BTreeMap<Stop, u64>,
    pub(super) returns: Returns,
    pub(super) times: BTreeMap<(Stop, Stop), Times>,
    pub(super) pairs: BTreeMap<PairKey, PairHop>,
    /// The addresses and protocol of the flow that is being followed.
    pub(super) who: Option<FlowKey>,
    pub(super) overflow: u64,
}

impl Tally {
    /// Takes what of a flow of TCP was sent again.
    pub(super) fn resent(&mut self, count: u64) {
        self.retransmissions += count;
        if let Some(FlowKey { src, dst, .. }) = self.who.filter(|_| count > 0) {
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

    pub(super) fn reflections(&mut self, sighting: &Sighting) {
        *self.reflections.entry(sighting.stop()).or_default() += 1;
        self.returns.add(sighting);
    }

    /// Takes what a hop did to a flow.
    pub(super) fn hop(&mut self, flow: u64, hop: &Hop, mut crossing: Crossing, judged: bool) {
        crossing.passed.sort_unstable_by_key(|passage| (passage.seen, passage.sent));
        let mut latest = Nanos(i64::MIN);
        for Passage { to, seen, sent } in &crossing.passed {
            let edge = (hop.from, *to);
            if self.times.len() >= HOPS_MAX && !self.times.contains_key(&edge) {
                self.overflow += 1;
                continue;
            }
            let times = self.times.entry(edge).or_default();
            let sent = sent.at;
            times.each.push(u32::try_from(seen.since(sent).max(1)).unwrap_or(u32::MAX));
            times.reordered += u64::from(sent < latest);
            times.span = (times.span.0.min(sent), times.span.1.max(sent));
            latest = latest.max(sent);
        }
        let Some(FlowKey { src, dst, protocol }) = self.who.filter(|_| judged) else { return };
        let key = PairKey { from: hop.from, src, dst, protocol };
        let mut pair = PairHop {
            to: hop.to.iter().copied().collect(),
            passed: crossing.passed.len() as u64,
            through: crossing.passed.into_iter().map(|passage| passage.sent).collect(),
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
        mine.through.extend(pair.through);
        mine.lost.extend(pair.lost);
    }

    /// Takes what other flows gave.
    pub(super) fn merge(&mut self, later: Self) {
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
        self.returns.merge(later.returns);
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
