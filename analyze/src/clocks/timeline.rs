//! One clock for several hosts: every host's stamps brought to the first one's clock, over other hosts where need be.

use std::collections::VecDeque;

use netcap_bundle::Nanos;

use super::{ClockRelation, Stretch};

/// The way from one host's clock to the first one's.
#[derive(Debug, Clone, Default)]
pub(crate) struct Timeline {
    /// From the host to the first one.
    changes: Vec<ClockChange>,
    /// How far the host's clock is guessed to be ahead where it could not be compared, in nanoseconds.
    guess_ns: i64,
}

/// From the clock of one host of a pair to that of the other.
#[derive(Debug, Clone)]
struct ClockChange {
    stretches: Vec<Stretch>,
    /// The host that the change leads to is A of the pair.
    to_a: bool,
}

impl Timeline {
    /// Of a clock that could not be compared: good enough to look for the same packet, and for no time that is stated.
    pub(crate) fn guessed(ahead_ns: i64) -> Self {
        Self { changes: Vec::new(), guess_ns: ahead_ns }
    }

    /// A stamp of the host on the first host's clock, and how far that may be off, in nanoseconds.
    pub(crate) fn common(&self, at: Nanos) -> (Nanos, i64) {
        self.changes.iter().fold((at.plus(self.guess_ns.saturating_neg()), 0), |(at, off), change| {
            let (at, more) = if change.to_a { change.b_to_a(at) } else { change.a_to_b(at) };
            (at, off.saturating_add(more))
        })
    }

    /// A stamp of the first host's clock on the host's own, and how far that may be off, in nanoseconds.
    pub(crate) fn own(&self, at: Nanos) -> (Nanos, i64) {
        self.changes.iter().rev().fold((at.plus(self.guess_ns), 0), |(at, off), change| {
            let (at, more) = if change.to_a { change.a_to_b(at) } else { change.b_to_a(at) };
            (at, off.saturating_add(more))
        })
    }
}

impl ClockChange {
    fn a_to_b(&self, at: Nanos) -> (Nanos, i64) {
        let nearest = self.stretches.iter().min_by_key(|stretch| distance(at, stretch.from, stretch.to));
        let (ahead, bound) = nearest.map_or((0, i64::MAX), |stretch| middle(stretch.ahead_ns(at)));
        (at.plus(ahead), bound)
    }

    fn b_to_a(&self, at: Nanos) -> (Nanos, i64) {
        let ends = |stretch: &Stretch| {
            let end = |a: Nanos| a.plus(middle(stretch.ahead_ns(a)).0);
            distance(at, end(stretch.from), end(stretch.to))
        };
        let Some(stretch) = self.stretches.iter().min_by_key(|stretch| ends(stretch)) else {
            return (at, i64::MAX);
        };
        // The offset is given by A's clock. Clocks differ in rate by far less than a thousandth, so the second guess is as
        // good as any.
        let mut guess = at.plus(-stretch.offset_ns().0);
        for _ in 0..2 {
            guess = at.plus(-middle(stretch.ahead_ns(guess)).0);
        }
        (guess, middle(stretch.ahead_ns(guess)).1)
    }
}

/// Middle and half width.
fn middle((low, high): (i64, i64)) -> (i64, i64) {
    let width = high.saturating_sub(low);
    (low.saturating_add(width / 2), width / 2 + 1)
}

fn distance(at: Nanos, from: Nanos, to: Nanos) -> i64 {
    from.since(at).max(at.since(to)).max(0)
}

/// The way of each of so many hosts to the first one: over as few hosts as can be, `None` for those whose clock cannot be
/// compared with its.
pub(crate) fn timelines(hosts: usize, compared: &[(usize, usize, &ClockRelation)]) -> Vec<Option<Timeline>> {
    let mut out: Vec<Option<Timeline>> = vec![None; hosts];
    if let Some(first) = out.first_mut() {
        *first = Some(Timeline::default());
    }
    let mut next = VecDeque::from([0]);
    while let Some(here) = next.pop_front() {
        let way = out.get(here).cloned().flatten().unwrap_or_default();
        for (a, b, clocks) in compared {
            let ClockRelation::Known(stretches) = clocks else { continue };
            let (there, to_a) = match (here == *a, here == *b) {
                (true, _) => (*b, true),
                (_, true) => (*a, false),
                _ => continue,
            };
            if let Some(slot) = out.get_mut(there).filter(|slot| slot.is_none()) {
                let mut changes = vec![ClockChange { stretches: stretches.clone(), to_a }];
                changes.extend(way.changes.iter().cloned());
                *slot = Some(Timeline { changes, guess_ns: 0 });
                next.push_back(there);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::{Crossing, Way, compare};
    use super::*;

    /// B is ahead of A by `ahead` and gains `ppm`; packets take 40 to 90 us.
    fn pair(ahead: i64, ppm: i64) -> ClockRelation {
        let crossings: Vec<Crossing> = (0..400i64)
            .map(|n| {
                let sent = n * 50_000_000;
                let b_of = |at: i64| Nanos(at + ahead + at / 1_000_000 * ppm);
                let delay = 40_000 + n % 6 * 10_000;
                match n % 2 {
                    0 => Crossing { a: Nanos(sent), b: b_of(sent + delay), way: Way::AtoB },
                    _ => Crossing { a: Nanos(sent + delay), b: b_of(sent), way: Way::BtoA },
                }
            })
            .collect();
        compare(&crossings)
    }

    #[test]
    fn stamps_come_to_the_first_clock_over_other_hosts_and_back() {
        // Hosts 0 - 2 - 1: the first and the second were never compared.
        let (to_2, of_1) = (pair(5_000_000_000, 30), pair(-700_000_000, -20));
        let compared =
            [(0, 1, &ClockRelation::TooFew), (0, 2, &to_2), (1, 2, &of_1), (2, 3, &ClockRelation::Unsteady)];
        let ways = timelines(4, &compared);
        assert!(ways[3].is_none(), "nothing is known of its clock");
        assert_eq!(ways[0].as_ref().unwrap().common(Nanos(7)), (Nanos(7), 0));
        for at in [0, 3_000_000_000, 19_000_000_000i64] {
            let on_2 = at + 5_000_000_000 + at / 1_000_000 * 30;
            let way = ways[2].as_ref().unwrap();
            let (common, bound) = way.common(Nanos(on_2));
            assert!((common.0 - at).abs() <= bound && bound < 100_000, "{at}: {common:?} +- {bound}");
            let (own, bound) = way.own(common);
            assert!((own.0 - on_2).abs() <= 2 && bound < 100_000, "{at}: {own:?}, not {on_2}");
            // Host 2 is host 1's B: it is 0.7 s behind it. What is compared reaches as far as host 1's clock then did.
            let on_1 = on_2 + 700_000_000 + on_2 / 1_000_000 * 20;
            let way = ways[1].as_ref().unwrap();
            let (common, bound) = way.common(Nanos(on_1));
            assert!((common.0 - at).abs() <= bound && bound < 300_000, "{at}: {common:?} +- {bound}");
            assert!((way.own(common).0.0 - on_1).abs() <= 4);
        }
    }

    #[test]
    fn between_two_pieces_the_nearest_counts() {
        let ClockRelation::Known(early) = pair(1_000_000, 0) else { panic!() };
        let ClockRelation::Known(mut late) = pair(9_000_000_000, 0) else { panic!() };
        for stretch in &mut late {
            (stretch.from, stretch.to) = (stretch.from.plus(60_000_000_000), stretch.to.plus(60_000_000_000));
        }
        let both = ClockRelation::Known([early, late].concat());
        let ways = timelines(2, &[(0, 1, &both)]);
        let way = ways[1].as_ref().unwrap();
        assert!((way.common(Nanos(10_001_000_000)).0.0 - 10_000_000_000).abs() < 100_000);
        assert!((way.common(Nanos(79_000_000_000)).0.0 - 70_000_000_000).abs() < 100_000);
    }
}
