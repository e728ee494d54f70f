//! One flow: which stop follows which, copies and reflections, and the hops that this gives.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use netcap_bundle::Nanos;
use netcap_words::wire::ip_protocol::TCP;

use super::hop::{CROSSING_NS, Crossing, Hop, copy_ns};
use super::sighting::{Flags, Sighting};
use super::stop::{Side, Stop};
use super::tally::Tally;

use crate::engine::points::FoldContext;

/// Pairs of stops in the order in which packets came by.
#[derive(Debug, Default)]
struct Edges(Vec<Edge>);

#[derive(Debug)]
struct Edge {
    pair: (Stop, Stop),
    /// With no stop between them.
    next: bool,
    /// How often the second came after the first, with stops between them or without.
    count: u64,
}

impl Edges {
    fn add(&mut self, pair: (Stop, Stop), next: bool) {
        match self.0.iter_mut().find(|edge| edge.pair == pair) {
            Some(edge) => {
                edge.next |= next;
                edge.count += 1;
            }
            None => self.0.push(Edge { pair, next, count: 1 }),
        }
    }

    fn count(&self, pair: (Stop, Stop)) -> u64 {
        self.0.iter().find(|edge| edge.pair == pair).map_or(0, |edge| edge.count)
    }

    /// It follows, and more often than the other way round: what is sent again with other borders can be seen at the end
    /// of the way before it is seen at its beginning.
    fn follows(&self, edge: &Edge) -> bool {
        edge.next && edge.count > self.count((edge.pair.1, edge.pair.0))
    }

    fn after(&self, from: Stop) -> Vec<Stop> {
        let edges = self.0.iter().filter(|edge| edge.pair.0 == from && self.follows(edge));
        let mut out: Vec<Stop> = edges.map(|edge| edge.pair.1).collect();
        out.sort_unstable();
        out
    }

    /// Nothing comes before it.
    fn is_first(&self, stop: Stop) -> bool {
        !self.0.iter().any(|edge| edge.pair.1 == stop && self.follows(edge))
    }
}

/// Follows one flow: `flow` is sorted by kind, content or first number, and time.
pub(super) fn flow(flow: &mut [Sighting], protocol: u8, context: &FoldContext, tally: &mut Tally) {
    let mut edges = Edges::default();
    let mut start = 0;
    for end in 1..=flow.len() {
        let same =
            |a: &Sighting, b: &Sighting| (a.content, a.seq, a.is_range()) == (b.content, b.seq, b.is_range());
        if flow.get(end).zip(flow.get(start)).is_some_and(|(next, first)| same(next, first)) {
            continue;
        }
        if let Some(group) = flow.get_mut(start..end) {
            transitions(group, protocol, context, &mut edges, tally);
            tally.returns.look(group);
        }
        start = end;
    }
    // What goes to a group comes and goes by many ways at once; which of its sightings led to which is not known.
    if flow.iter().any(|s| s.flags.contains(Flags::GROUP)) {
        return;
    }
    let stops: BTreeSet<Stop> = flow.iter().map(Sighting::stop).collect();
    let hops: Vec<Hop> = stops.iter().map(|from| Hop { from: *from, to: edges.after(*from) }).collect();
    let judged = !flow.iter().any(|s| s.flags.contains(Flags::FRAGMENT));
    let split = flow.partition_point(|s| !s.is_range());
    let (singles, ranges) = flow.split_at_mut(split);
    ranges.sort_unstable_by_key(Sighting::order);
    let positions = super::ranges::positions(ranges);
    tally.resent(super::ranges::again(ranges, &positions, |stop| edges.is_first(stop)));
    for hop in hops {
        let enters = matches!(hop.from.side(context), Side::Enter(_));
        // With several hosts recorded, what leaves one may be meant for another.
        let beyond = context.hosts() > 1 && hop.from.leaves_host(context);
        if hop.to.is_empty() && !enters && !beyond {
            continue;
        }
        let mut crossing = Crossing::default();
        super::singles::cross(singles, &hop, &mut crossing);
        super::ranges::cross(ranges, &positions, &hop, &mut crossing);
        tally.hop(flow_key(singles, ranges), &hop, crossing, judged);
    }
}

fn flow_key(singles: &[Sighting], ranges: &[Sighting]) -> u64 {
    singles.first().or(ranges.first()).map_or(0, |s| s.flow)
}

/// Sightings of one content that nothing tells apart but their number: how many each stop saw lately.
#[derive(Debug, Default)]
struct Alike(BTreeMap<Stop, VecDeque<Nanos>>);

impl Alike {
    /// Of those of a group; `None` when every stop saw one, which is the rule.
    fn of(group: &[Sighting]) -> Option<Self> {
        // Fewer sightings cannot be two at one stop and two at the next.
        if group.len() < 4 || group.iter().all(|s| s.ident != 0) {
            return None;
        }
        let apart = |(n, s): (usize, &Sighting)| group.iter().skip(n + 1).all(|t| t.stop() != s.stop());
        let few = group.len() <= 8;
        (!few || !group.iter().enumerate().all(apart)).then(Self::default)
    }

    fn add(&mut self, stop: Stop, at: Nanos) {
        self.0.entry(stop).or_default().push_back(at);
    }

    /// A stop before it saw more of them than it did: this is one of those. What was seen there a crossing earlier counts
    /// too, for it may have been on its way.
    fn owes(&mut self, stop: Stop, at: Nanos, context: &FoldContext) -> bool {
        for times in self.0.values_mut() {
            while times.front().is_some_and(|first| at.since(*first) > 2 * CROSSING_NS) {
                times.pop_front();
            }
        }
        let recent = |times: &VecDeque<Nanos>| {
            times.len() - times.partition_point(|time| at.since(*time) > CROSSING_NS)
        };
        let mine = self.0.get(&stop).map_or(0, recent);
        self.0.iter().any(|(other, times)| times.len() > mine && other.leads_to(stop, context))
    }
}

/// Counts what follows what among the sightings of one content, and marks copies and reflections.
fn transitions(
    group: &mut [Sighting],
    protocol: u8,
    context: &FoldContext,
    edges: &mut Edges,
    tally: &mut Tally,
) {
    let mut seen: Vec<Sighting> = Vec::new();
    let mut alike = Alike::of(group);
    for sighting in group {
        let (stop, at, ident) = (sighting.stop(), sighting.at, sighting.ident);
        seen.retain(|before| at.since(before.at) <= CROSSING_NS);
        // A range that begins where another began is the same packet only with its identification: numbers that were
        // part of a super-segment may be sent again as a packet of their own.
        let range = sighting.is_range();
        let same = |s: &Sighting| !range || ident == 0 || s.ident == 0 || ident == s.ident;
        if let Some(before) = seen.iter().rev().find(|s| s.stop() == stop && same(s)) {
            let mut owed = || ident == 0 && alike.as_mut().is_some_and(|alike| alike.owes(stop, at, context));
            if looks_copied(before, sighting, protocol) && !owed() {
                sighting.flags |= Flags::COPY;
                tally.copies(stop);
                continue;
            }
            // Sent again: a journey of its own.
            seen.retain(|s| !same(s));
        }
        // A router sends it back with a hop less: it goes to another machine of this host, and is no reflection.
        let reflects = |s: &Sighting| s.ttl == sighting.ttl && s.stop().reflects_at(stop, context);
        let reflected = match seen.last() {
            // Without an identification only what was seen last tells it from a journey of its own.
            Some(last) if range && ident == 0 => reflects(last),
            _ => seen.iter().any(|s| same(s) && reflects(s)),
        };
        if reflected {
            sighting.flags |= Flags::REFLECTED;
            tally.reflections(sighting);
            continue;
        }
        if let Some(alike) = alike.as_mut().filter(|_| ident == 0) {
            alike.add(stop, at);
        }
        let mut next = true;
        for before in seen.iter().rev().filter(|s| same(s)).map(Sighting::stop) {
            if before.leads_to(stop, context) {
                edges.add((before, stop), next);
                next = false;
            }
        }
        seen.push(*sighting);
    }
}

/// A second sighting at one stop looks like the first one in all that the network leaves alone.
fn looks_copied(before: &Sighting, sighting: &Sighting, protocol: u8) -> bool {
    // Equal acknowledgements in a row are what they seem.
    let known = sighting.ident != 0 || sighting.is_range() || protocol != TCP;
    let whole = |s: &Sighting| (s.ident, s.len, s.ttl);
    known && sighting.at.since(before.at) <= copy_ns(sighting.ident) && whole(sighting) == whole(before)
}
