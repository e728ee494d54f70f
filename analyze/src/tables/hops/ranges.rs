//! Ranges of TCP sequence numbers: matched by number, whatever packets carry them.
//!
//! What one point saw as a super-segment of 64 KiB another sees as 45 segments; matched is each number. A range that is
//! sent again while it was not seen further on replaces the first one, which is lost.

use std::collections::{BTreeMap, BTreeSet};

use super::hop::{CROSSING_NS, Crossing, Hop, Passage};
use super::intervals::{Cover, Pending};
use super::sighting::{Flags, PROBE, Sighting};
use super::stop::Stop;
use super::table::{LostPacket, Passed};

/// Further than any window: sequence numbers of another connection of the same ports begin there.
const APART: i64 = 1 << 33;

/// The first number of each range, in a space without end; `ranges` is in order of time.
pub(super) fn positions(ranges: &[Sighting]) -> Vec<i64> {
    let mut out = Vec::with_capacity(ranges.len());
    let mut highest: Option<(u32, i64)> = None;
    let mut opened: Option<u32> = None;
    for range in ranges {
        let new = range.flags.contains(Flags::OPENS) && opened.replace(range.seq) != Some(range.seq);
        let position = match highest {
            Some((_, high)) if new => high + APART,
            Some((seq, high)) => high + i64::from(range.seq.wrapping_sub(seq).cast_signed()),
            None => 0,
        };
        if new || highest.is_none_or(|(_, high)| position > high) {
            highest = Some((range.seq, position));
        }
        out.push(position);
    }
    out
}

/// How many segments were sent again, counted where the flow is seen first. A super-segment counts as what it becomes
/// where the segments are seen smallest, as the kernel's `RetransSegs` does.
pub(super) fn again(ranges: &[Sighting], positions: &[i64], first: impl Fn(Stop) -> bool) -> u64 {
    let mut longest: BTreeMap<Stop, u32> = BTreeMap::new();
    for range in ranges {
        let longest = longest.entry(range.stop()).or_default();
        *longest = range.len.max(*longest);
    }
    let segment = longest.values().copied().min().unwrap_or(1).max(1);
    let firsts: BTreeSet<Stop> = longest.into_keys().filter(|stop| first(*stop)).collect();
    // One packet that came in by two uplinks at once was not sent twice.
    let mut latest: BTreeMap<(i64, u32), &Sighting> = BTreeMap::new();
    let mut cover = Cover::default();
    let mut count = 0;
    for (range, from) in pairs(ranges, positions) {
        let stop = range.stop();
        if !firsts.contains(&stop) {
            continue;
        }
        if firsts.len() > 1 {
            let before = latest.get(&(from, range.len));
            if before.is_some_and(|before| before.stop() != stop && is_near(before, range)) {
                continue;
            }
            latest.insert((from, range.len), range);
        }
        let again = cover.add(from, from + i64::from(range.len));
        // A keep-alive repeats what was acknowledged.
        if again && range.content != PROBE && !range.flags.contains(Flags::REST) {
            count += u64::from(range.len.div_ceil(segment));
        }
    }
    count
}

/// Two sightings of the same numbers are so close that they are of one packet.
fn is_near(before: &Sighting, range: &Sighting) -> bool {
    before.ident == range.ident && range.at.since(before.at) <= super::hop::copy_ns(range.ident)
}

fn pairs<'a>(ranges: &'a [Sighting], positions: &'a [i64]) -> impl Iterator<Item = (&'a Sighting, i64)> {
    let all = ranges.iter().zip(positions.iter().copied());
    all.filter(|(range, _)| !range.is_repeat())
}

/// Matches the ranges of a flow over one hop.
pub(super) fn cross(ranges: &[Sighting], positions: &[i64], hop: &Hop, crossing: &mut Crossing) {
    // What was sent last and, where it was sent again before it was seen further on, what was sent before.
    let (mut pending, mut older) = (Pending::default(), Pending::default());
    // Numbers lost of each range, and the longest segment further on.
    let mut lost: BTreeMap<usize, i64> = BTreeMap::new();
    let mut segment = 1;
    for (index, (range, from)) in ranges.iter().zip(positions.iter().copied()).enumerate() {
        if range.is_repeat() {
            continue;
        }
        let to = from + i64::from(range.len);
        let stop = range.stop();
        if stop == hop.from {
            older.take(from, to, |_, who, length| *lost.entry(who).or_default() += length);
            pending.take(from, to, |start, who, length| older.put(start, start + length, who));
            pending.put(from, to, index);
        } else if hop.to.contains(&stop) {
            segment = segment.max(range.len);
            let mut first = None;
            let mut seen = |_, who: usize, length| match ranges.get(who) {
                Some(sent) if range.at.since(sent.at) <= CROSSING_NS => {
                    first.get_or_insert(Passed { at: sent.at, facts: sent.facts });
                }
                _ => *lost.entry(who).or_default() += length,
            };
            if pending.take(from, to, &mut seen) == 0 {
                older.take(from, to, &mut seen);
            }
            if let Some(sent) = first.filter(|_| !range.flags.contains(Flags::REST)) {
                crossing.passed.push(Passage { to: stop, seen: range.at, sent });
            }
        }
    }
    for (who, length) in pending.left().chain(older.left()) {
        *lost.entry(who).or_default() += length;
    }
    let mut before = None;
    for (who, bytes) in lost {
        let Some(range) = ranges.get(who) else { continue };
        // Both parts of one packet are one loss.
        let continued = range.flags.contains(Flags::REST) && before == Some(range.frame());
        let whole = bytes >= i64::from(range.len);
        let bytes = bytes.unsigned_abs();
        let packets = if continued {
            0
        } else if whole {
            1
        } else {
            bytes.div_ceil(u64::from(segment))
        };
        before = Some(range.frame());
        let content = range.mark();
        let (at, frame, flow, facts) = (range.at, range.frame(), range.flow, range.facts);
        crossing.lost.push(LostPacket { at, frame, packets, bytes, flow, content, facts });
    }
}
