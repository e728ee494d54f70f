//! Crossings made of frames to all: what one host sent and the other heard bounds their clocks like any packet, and what
//! both heard reached both at about the same time.
//!
//! The same content may be sent many times, so which sighting here is which one there is found by agreement: the
//! difference of stamps by which most frames fit. Frames that come at regular times fit at many differences nearly as
//! well, and then nothing is said.

use std::collections::BTreeMap;

use netcap_bundle::Nanos;

use super::{Crossing, Way};

/// A frame to all reaches two hosts within this of each other: a switch floods at once, and a queue of an uplink at 1 Gbit/s
/// is a few milliseconds long.
pub(crate) const SPREAD_NS: i64 = 20_000_000;
/// Clocks drift by less than the spread in such a time.
const PIECE_NS: i64 = 120_000_000_000;
/// Frames that have to agree, and by how many more than at any other difference.
const FRAMES_MIN: usize = 4;
/// Of contents that are sent more often in a piece nothing is learned but their rhythm.
const TIMES_MAX: usize = 16;
/// Pairs of sightings that are looked at in one piece.
const PAIRS_MAX: usize = 1 << 18;

/// One time that a frame was sent or heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Heard {
    /// When, first.
    pub at: Nanos,
    /// The host sent it.
    pub left: bool,
}

/// What a host heard, by content; one content may be sent again and again.
pub(crate) type Floods = BTreeMap<u64, Vec<Heard>>;

/// A sighting at A, and one of the same content at B.
#[derive(Debug, Clone, Copy)]
struct Pair {
    difference: i64,
    a: Heard,
    b: Heard,
}

/// Both heard the same content at some time.
pub(crate) fn have_common(a: &Floods, b: &Floods) -> bool {
    a.keys().any(|content| b.contains_key(content))
}

/// Crossings by which the clocks can be compared; none when too few frames agree, or others contradict them.
pub(crate) fn crossings(a: &Floods, b: &Floods) -> Vec<Crossing> {
    let mut pieces: Vec<i64> = a.values().flatten().map(|heard| heard.at.0.div_euclid(PIECE_NS)).collect();
    pieces.sort_unstable();
    pieces.dedup();
    pieces.into_iter().flat_map(|piece| agreed(a, b, piece)).flat_map(Pair::crossings).collect()
}

fn agreed(a: &Floods, b: &Floods, piece: i64) -> Vec<Pair> {
    let (mut pairs, mut all) = (Vec::new(), 0);
    for (content, here) in a {
        let Some(there) = b.get(content) else { continue };
        let here: Vec<&Heard> = here.iter().filter(|h| h.at.0.div_euclid(PIECE_NS) == piece).collect();
        if here.len() > TIMES_MAX || here.len().saturating_mul(there.len()) > PAIRS_MAX - pairs.len() {
            continue;
        }
        all += here.len();
        pairs.extend(here.iter().flat_map(|a| there.iter().map(|b| Pair::of(**a, *b))));
    }
    pairs.sort_by_key(|pair| pair.difference);
    let windows: Vec<(usize, usize)> = windows(&pairs).collect();
    let Some(best) = windows.iter().copied().max_by_key(|(from, to)| (to - from, std::cmp::Reverse(*from)))
    else {
        return Vec::new();
    };
    let apart = |(from, to): &(usize, usize)| *to <= best.0 || *from >= best.1;
    let second = windows.iter().filter(|window| apart(window)).map(|(from, to)| to - from).max().unwrap_or(0);
    let count = best.1 - best.0;
    let clear = count.saturating_sub(second) >= FRAMES_MIN.max(all / 5);
    if clear { pairs.get(best.0..best.1).unwrap_or_default().to_vec() } else { Vec::new() }
}

/// From each pair on those whose differences are the same within the spread, either way.
fn windows(pairs: &[Pair]) -> impl Iterator<Item = (usize, usize)> {
    let mut to = 0;
    pairs.iter().enumerate().map(move |(from, first)| {
        while pairs.get(to).is_some_and(|pair| pair.difference - first.difference <= 2 * SPREAD_NS) {
            to += 1;
        }
        (from, to)
    })
}

impl Pair {
    fn of(a: Heard, b: Heard) -> Self {
        Self { difference: b.at.since(a.at), a, b }
    }

    /// As packets between the two would bound their clocks: what was heard at both could have arrived a spread earlier or
    /// later.
    fn crossings(self) -> Vec<Crossing> {
        let (a, b) = (self.a.at, self.b.at);
        let later = |by: i64, way: Way| Crossing { a, b: b.plus(by), way };
        match (self.a.left, self.b.left) {
            (true, true) => Vec::new(),
            (true, false) => vec![later(0, Way::AtoB), later(-SPREAD_NS, Way::BtoA)],
            (false, true) => vec![later(SPREAD_NS, Way::AtoB), later(0, Way::BtoA)],
            (false, false) => vec![later(SPREAD_NS, Way::AtoB), later(-SPREAD_NS, Way::BtoA)],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{ClockRelation, compare};
    use super::*;

    /// B is ahead of A by this.
    const AHEAD: i64 = 7_300_000_000;

    /// Frames of these contents at these milliseconds, at B by its clock; B hears what A sent.
    fn heard(frames: &[(u64, i64)], left: bool) -> (Floods, Floods) {
        let (mut a, mut b) = (Floods::new(), Floods::new());
        for (content, ms) in frames {
            let at = ms * 1_000_000;
            a.entry(*content).or_default().push(Heard { at: Nanos(at), left });
            let there = at + AHEAD + 300_000 + ms % 7 * 50_000;
            b.entry(*content).or_default().push(Heard { at: Nanos(there), left: false });
        }
        (a, b)
    }

    fn offset(a: &Floods, b: &Floods) -> Option<(i64, i64)> {
        match compare(&crossings(a, b)) {
            ClockRelation::Known(stretches) if stretches.len() == 1 => Some(stretches[0].offset_ns()),
            _ => None,
        }
    }

    #[test]
    fn what_both_heard_gives_the_offset_within_its_bound() {
        let frames: Vec<(u64, i64)> = (0..12).map(|n: i64| (n.unsigned_abs(), 1_000 + n * n * 137)).collect();
        for left in [false, true] {
            let (a, b) = heard(&frames, left);
            let (offset, bound) = offset(&a, &b).unwrap();
            assert!((offset - AHEAD).abs() <= bound && bound <= SPREAD_NS + 1_000, "{offset} +- {bound}");
        }
    }

    /// A question that is asked three times a second apart fits, a second off, two times in three.
    #[test]
    fn questions_that_are_repeated_are_told_apart_by_all_of_them() {
        let asked = (0..10u64).flat_map(|n| (0..3).map(move |again| (n, n, again)));
        let frames: Vec<(u64, i64)> = asked
            .map(|(c, n, again)| (c, 1_000 + i64::try_from(n * n).unwrap() * 217 + again * 1_000))
            .collect();
        let (a, b) = heard(&frames, false);
        let (offset, bound) = offset(&a, &b).unwrap();
        assert!((offset - AHEAD).abs() <= bound, "{offset} +- {bound}");
    }

    #[test]
    fn few_frames_a_rhythm_and_contradictions_say_nothing() {
        let (few, few_b) = heard(&[(1, 1_000), (2, 1_700), (3, 2_900)], false);
        assert_eq!(crossings(&few, &few_b), Vec::new(), "three frames");
        let beat: Vec<(u64, i64)> = (0..15).map(|n| (1, 1_000 + n * 2_000)).collect();
        let (beat, beat_b) = heard(&beat, false);
        assert_eq!(crossings(&beat, &beat_b), Vec::new(), "one frame every two seconds");
        let frames: Vec<(u64, i64)> = (0..12).map(|n: i64| (n.unsigned_abs(), 1_000 + n * n * 137)).collect();
        let (a, mut b) = heard(&frames, false);
        for heard in b.iter_mut().filter(|(content, _)| *content % 2 == 0).flat_map(|(_, heard)| heard) {
            heard.at = heard.at.plus(3_000_000_000);
        }
        assert_eq!(crossings(&a, &b), Vec::new(), "half of them says something else");
    }
}
