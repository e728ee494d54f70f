//! Packets that went on with other addresses, by something that no connection tracking tells of: they are not lost.
//!
//! They are known by what they carry. But what carries the same may be another packet (machines that ping alike, one
//! datagram sent to many), so a flow that itself came in where the lost packet did is none that the lost packet became.

use std::collections::{BTreeMap, BTreeSet};

use netcap_bundle::Nanos;
use netcap_words::wire::ip_protocol::TCP;

use super::Sighting;
use super::hop::CROSSING_NS;
use super::stop::{Side, Stop};
use super::table::{PairHop, PairKey};
use crate::engine::DomainId;
use crate::engine::points::FoldContext;

/// Where a packet came in: a switch, or a stop of no switch.
type Gate = (Option<DomainId>, Option<Stop>);

fn gate(stop: Stop, context: &FoldContext) -> Gate {
    match stop.side(context) {
        Side::Enter(domain) => (Some(domain), None),
        _ => (None, Some(stop)),
    }
}

/// Takes back the losses of packets that are seen further on in another flow.
pub(super) fn withdraw(
    pairs: &mut BTreeMap<PairKey, PairHop>,
    sightings: &[Sighting],
    context: &FoldContext,
) {
    let lost =
        pairs.iter().flat_map(|(key, pair)| pair.lost.iter().map(|l| (l.content, gate(key.from, context))));
    let lost: BTreeSet<(u64, Gate)> = lost.collect();
    if lost.is_empty() {
        return;
    }
    let seen = elsewhere(&lost, sightings, context);
    for (key, pair) in pairs {
        let gate = gate(key.from, context);
        let went_on = |content: u64, at: Nanos| {
            let times = seen.get(&(content, gate)).map(Vec::as_slice).unwrap_or_default();
            let next = times.get(times.partition_point(|t| *t < at));
            next.is_some_and(|next| next.since(at) <= CROSSING_NS)
        };
        // One segment that went on says that its connection is translated: the others may have other borders there.
        let flows: BTreeSet<u64> = match key.protocol {
            TCP => pair.lost.iter().filter(|l| went_on(l.content, l.at)).map(|l| l.flow).collect(),
            _ => BTreeSet::new(),
        };
        let before = pair.lost.len();
        pair.lost.retain(|lost| !flows.contains(&lost.flow) && !went_on(lost.content, lost.at));
        pair.translated = (before - pair.lost.len()) as u64;
    }
}

/// What a packet carried, and where that was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Seen {
    content: u64,
    flow: u64,
    stop: Stop,
    at: Nanos,
}

/// When such contents were seen in flows that did not come in by that gate themselves, in order of time.
fn elsewhere(
    lost: &BTreeSet<(u64, Gate)>,
    sightings: &[Sighting],
    context: &FoldContext,
) -> BTreeMap<(u64, Gate), Vec<Nanos>> {
    let contents: BTreeSet<u64> = lost.iter().map(|(content, _)| *content).collect();
    let all = sightings.iter().map(|s| Seen { content: s.mark(), flow: s.flow, stop: s.stop(), at: s.at });
    let mut seen: Vec<Seen> = all.filter(|seen| contents.contains(&seen.content)).collect();
    seen.sort_unstable();
    let mut out: BTreeMap<(u64, Gate), Vec<Nanos>> = BTreeMap::new();
    for alike in seen.chunk_by(|a, b| a.content == b.content) {
        let Some(content) = alike.first().map(|s| s.content) else { continue };
        let gates = lost.range((content, (None, None))..).take_while(|(c, _)| *c == content);
        for key in gates {
            let others =
                alike.chunk_by(|a, b| a.flow == b.flow).filter(|flow| !came_in(flow, key.1, context));
            let mut times: Vec<Nanos> = others.flatten().map(|seen| seen.at).collect();
            times.sort_unstable();
            out.insert(*key, times);
        }
    }
    out
}

fn came_in(flow: &[Seen], through: Gate, context: &FoldContext) -> bool {
    flow.iter().any(|seen| gate(seen.stop, context) == through)
}
