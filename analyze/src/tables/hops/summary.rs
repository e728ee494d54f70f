//! From sightings to hops: how long each took, what it lost, and whose.

use std::collections::{BTreeMap, BTreeSet};

use hdrhistogram::Histogram;
use rayon::prelude::*;

use super::stop::Stop;
use super::table::{Counts, HopStats, HopsTable};
use super::tally::{Tally, Times};
use super::{ExampleFrame, HopsFold, HostClocks, Sighting, matching};
use crate::engine::points::FoldContext;

/// Parts that are worked on side by side: a constant, so that the result does not depend on the number of threads.
const PARTS: usize = 32;
/// Significant decimal digits of a histogram.
const DIGITS: u8 = 3;

pub(super) fn finish(fold: HopsFold, clocks: &HostClocks) -> HopsTable {
    let HopsFold { context, shift, mut sightings, samples, undirected, unsampled, .. } = fold;
    for sighting in &mut sightings {
        sighting.at = clocks.common(context.host(sighting.stop().point), sighting.at);
    }
    sightings.par_sort_unstable_by_key(|s| (s.flow, s.is_range(), s.content, s.seq, s.order()));
    if context.hosts() > 1 {
        super::between::mend(&mut sightings, clocks, &context);
    }
    let samples: BTreeMap<_, _> = samples.into_iter().collect();
    let mut tally = Tally::default();
    let parts = parts(&mut sightings);
    let done: Vec<Tally> = parts.into_par_iter().map(|part| of_part(part, &samples, &context)).collect();
    for part in done {
        tally.merge(part);
    }
    super::translated::withdraw(&mut tally.pairs, &sightings, &context);
    let lossy: BTreeSet<Stop> =
        tally.pairs.iter().filter(|(_, pair)| !pair.lost.is_empty()).map(|(key, _)| key.from).collect();
    for (key, pair) in &mut tally.pairs {
        pair.lost.sort_unstable();
        if lossy.contains(&key.from) {
            pair.through.sort_unstable();
        } else {
            pair.through = Vec::new();
        }
    }
    let overflow = tally.overflow + tally.returns.overflow;
    let mac = |flow, stop| samples.get(&(flow, stop)).map(|sample: &ExampleFrame| sample.eth.src);
    let (returned, circling) = tally.returns.finish(mac);
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
        overflow,
        returned,
        circling,
        translations: context.follow.nat.overflow,
        unsampled,
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

fn of_part(
    part: &mut [Sighting],
    samples: &BTreeMap<(u64, Stop), ExampleFrame>,
    context: &FoldContext,
) -> Tally {
    let mut tally = Tally::default();
    for flow in part.chunk_by_mut(|a, b| a.flow == b.flow) {
        let Some(key) = flow.first().map(|s| s.flow) else { continue };
        let who = flow.iter().find_map(|s| samples.get(&(key, s.stop()))).map(|s| s.tuple);
        // Without an example nobody can be named, and nothing is charged.
        tally.who = who.map(|tuple| tuple.flow());
        if who.is_none() {
            tally.overflow += flow.len() as u64;
        }
        matching::flow(flow, who.map_or(0, |t| t.protocol), context, &mut tally);
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
