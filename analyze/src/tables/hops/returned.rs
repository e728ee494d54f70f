//! Packets that the network behind an uplink returned: one by one, and frames that come back again and again.

use netcap_bundle::Mac;
use netcap_bundle::Nanos;

use super::sighting::{Flags, Sighting};
use super::stop::Stop;
use crate::engine::FrameRef;

/// Returned packets kept, of one part and in all.
const PART_RETURNED_MAX: usize = 2_048;
const RETURNED_MAX: usize = 32_768;
/// Frames that circulate, kept.
const CIRCLING_MAX: usize = 256;
/// A frame that came back so often circulates.
const ROUNDS_MIN: u64 = 100;
/// And at least so many times a second.
const RATE_MIN: i64 = 20;
const SECOND_NS: i64 = 1_000_000_000;

/// A packet that came back in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Returned {
    pub at: Nanos,
    /// The stop at which it came in again.
    pub stop: Stop,
    pub frame: FrameRef,
    /// Whose: its source.
    pub mac: Option<Mac>,
    /// Hash of its flow, by which its example is found.
    pub flow: u64,
}

/// A frame to a group that came back again and again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Circling {
    /// Hash of its flow, by which its example is found.
    pub flow: u64,
    /// How often it came back.
    pub rounds: u64,
    /// When it was first seen, and last.
    pub span: (Nanos, Nanos),
    /// Where it was first seen, in which frame.
    pub first: (Stop, FrameRef),
    /// Where it came back, in order.
    pub at: Vec<Stop>,
}

/// Both, in the making.
#[derive(Debug, Default)]
pub(super) struct Returns {
    pub(super) each: Vec<Returned>,
    pub(super) circling: Vec<Circling>,
    pub(super) overflow: u64,
}

impl Returns {
    pub(super) fn add(&mut self, sighting: &Sighting) {
        if self.each.len() >= PART_RETURNED_MAX {
            self.overflow += 1;
            return;
        }
        let (at, stop, frame, flow) = (sighting.at, sighting.stop(), sighting.frame(), sighting.flow);
        self.each.push(Returned { at, stop, frame, mac: None, flow });
    }

    /// Looks at all sightings of one content, in order of time.
    pub(super) fn look(&mut self, group: &[Sighting]) {
        let back = || group.iter().filter(|s| s.flags.contains(Flags::REFLECTED | Flags::GROUP));
        let rounds = back().count() as u64;
        let (Some(first), Some(last)) = (group.first(), group.last()) else { return };
        let seconds = last.at.since(first.at) / SECOND_NS + 1;
        let often = rounds >= ROUNDS_MIN && i64::try_from(rounds).unwrap_or(i64::MAX) / seconds >= RATE_MIN;
        if !often || self.circling.len() >= CIRCLING_MAX {
            return;
        }
        let mut at: Vec<Stop> = back().map(Sighting::stop).collect();
        at.sort_unstable();
        at.dedup();
        let (span, first) = ((first.at, last.at), (first.stop(), first.frame()));
        self.circling.push(Circling { flow: group.first().map_or(0, |s| s.flow), rounds, span, first, at });
    }

    pub(super) fn merge(&mut self, later: Self) {
        self.overflow += later.overflow;
        let room = RETURNED_MAX.saturating_sub(self.each.len());
        self.overflow += later.each.len().saturating_sub(room) as u64;
        self.each.extend(later.each.into_iter().take(room));
        let room = CIRCLING_MAX.saturating_sub(self.circling.len());
        self.circling.extend(later.circling.into_iter().take(room));
    }

    /// In order of time, with their sources; the frames that circulate most first.
    pub(super) fn finish(mut self, mac: impl Fn(u64, Stop) -> Option<Mac>) -> (Vec<Returned>, Vec<Circling>) {
        for returned in &mut self.each {
            returned.mac = mac(returned.flow, returned.stop);
        }
        self.each.sort_unstable();
        self.circling.sort_by_key(|circling| (std::cmp::Reverse(circling.rounds), circling.span));
        (self.each, self.circling)
    }
}
