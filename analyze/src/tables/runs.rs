//! Sightings over time, kept small: dense stretches become one run with its first and last frame.

use netcap_bundle::Nanos;

use crate::engine::FrameRef;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Sight {
    /// When.
    pub at: Nanos,
    pub frame: FrameRef,
}

/// A stretch of sightings with gaps no longer than the owner's gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Run {
    /// Earliest.
    pub first: Sight,
    /// Latest.
    pub last: Sight,
    /// How many.
    pub count: u64,
}

/// Runs of one thing, with at most `GAP_MS` milliseconds between the sightings of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Runs<const GAP_MS: i64> {
    runs: Vec<Run>,
    coarse: bool,
}

/// Runs kept of one thing in one segment, and in all.
const RUNS_MAX: usize = 2_048;

impl<const GAP_MS: i64> Runs<GAP_MS> {
    /// The longest gap inside a run, in nanoseconds.
    pub(crate) const GAP_NS: i64 = GAP_MS * 1_000_000;

    /// Adds one sighting; a run more is taken from `room`, which many share. Without room the latest run grows.
    pub(crate) fn add_within(&mut self, sight: Sight, room: &mut usize) {
        let full = self.runs.len() >= RUNS_MAX || *room == 0;
        if let Some(run) = self.runs.last_mut() {
            let near =
                sight.at.since(run.last.at) <= Self::GAP_NS && run.first.at.since(sight.at) <= Self::GAP_NS;
            if near || full {
                self.coarse |= !near;
                run.count += 1;
                run.first = run.first.min(sight);
                run.last = run.last.max(sight);
                return;
            }
        } else {
            // Most things are seen in one stretch.
            self.runs.reserve_exact(1);
        }
        *room = room.saturating_sub(1);
        self.runs.push(Run { first: sight, last: sight, count: 1 });
    }

    /// Adds the runs of a later segment, in any order of time.
    pub(crate) fn merge(&mut self, later: Self) {
        self.merge_within(later, &mut usize::MAX.clone());
    }

    /// Adds the runs of a later segment; runs more are taken from `room`. What is too much is joined.
    pub(crate) fn merge_within(&mut self, later: Self, room: &mut usize) {
        let before = self.runs.len();
        let most = before.saturating_add(*room).clamp(1, RUNS_MAX);
        self.coarse |= later.coarse;
        self.runs.extend(later.runs);
        if self.runs.len() > most {
            self.settle();
        }
        if self.runs.len() > most {
            self.coarse = true;
            let rest = self.runs.split_off(most);
            for run in rest {
                if let Some(last) = self.runs.last_mut() {
                    join(last, &run);
                }
            }
        }
        *room = room.saturating_sub(self.runs.len().saturating_sub(before));
    }

    /// Sorts by time and joins what belongs together.
    pub(crate) fn settle(&mut self) {
        self.runs.sort_unstable();
        let mut out: Vec<Run> = Vec::with_capacity(self.runs.len());
        for run in &self.runs {
            match out.last_mut() {
                Some(last) if run.first.at.since(last.last.at) <= Self::GAP_NS => join(last, run),
                _ => out.push(*run),
            }
        }
        self.runs = out;
    }

    /// The runs; in order of time after [`settle`](Self::settle).
    pub(crate) fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// Sightings in all.
    pub(crate) fn count(&self) -> u64 {
        self.runs.iter().map(|r| r.count).sum()
    }

    /// Earliest sighting.
    pub(crate) fn first(&self) -> Option<Sight> {
        self.runs.iter().map(|r| r.first).min()
    }

    /// Latest sighting.
    pub(crate) fn last(&self) -> Option<Sight> {
        self.runs.iter().map(|r| r.last).max()
    }

    /// True when runs were joined only to save memory.
    pub(crate) fn is_coarse(&self) -> bool {
        self.coarse
    }

    /// The latest sighting known to be at or before `at`; inside a run only its start is known.
    pub(crate) fn before(&self, at: Nanos) -> Option<Sight> {
        self.runs
            .iter()
            .filter_map(
                |r| if r.last.at <= at { Some(r.last) } else { (r.first.at <= at).then_some(r.first) },
            )
            .max()
    }

    /// The earliest sighting known to be at or after `at`; inside a run only its end is known.
    pub(crate) fn after(&self, at: Nanos) -> Option<Sight> {
        self.runs
            .iter()
            .filter_map(
                |r| if r.first.at >= at { Some(r.first) } else { (r.last.at >= at).then_some(r.last) },
            )
            .min()
    }

    /// How long before and after `at` the nearest sightings lie at most: inside a run, its gap.
    pub(crate) fn around(&self, at: Nanos) -> (Option<i64>, Option<i64>) {
        let inside = self.runs.iter().any(|r| r.first.at < at && at < r.last.at);
        if inside {
            return (Some(Self::GAP_NS), Some(Self::GAP_NS));
        }
        (self.before(at).map(|s| at.since(s.at)), self.after(at).map(|s| s.at.since(at)))
    }
}

fn join(into: &mut Run, run: &Run) {
    into.first = into.first.min(run.first);
    into.last = into.last.max(run.last);
    into.count = into.count.saturating_add(run.count);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sight(ms: i64) -> Sight {
        Sight { at: Nanos(ms * 1_000_000), frame: FrameRef { file: 0, number: ms.unsigned_abs() } }
    }

    #[test]
    fn dense_sightings_are_one_run_and_gaps_split() {
        let mut runs = Runs::<1_000>::default();
        for ms in [0, 900, 1_800, 5_000, 5_100] {
            runs.add_within(sight(ms), &mut usize::MAX.clone());
        }
        let seen: Vec<_> = runs
            .runs()
            .iter()
            .map(|r| (r.first.at.0 / 1_000_000, r.last.at.0 / 1_000_000, r.count))
            .collect();
        assert_eq!(seen, [(0, 1_800, 3), (5_000, 5_100, 2)]);
        assert_eq!(runs.around(Nanos(3_000_000_000)), (Some(1_200_000_000), Some(2_000_000_000)));
        assert_eq!(runs.after(Nanos(1_900_000_000)), Some(sight(5_000)));
    }

    #[test]
    fn segments_join_whatever_their_order() {
        let part = |list: &[i64]| {
            let mut runs = Runs::<1_000>::default();
            for ms in list {
                runs.add_within(sight(*ms), &mut usize::MAX.clone());
            }
            runs
        };
        let mut ab = part(&[0, 500]);
        ab.merge(part(&[1_200, 9_000]));
        ab.settle();
        let mut ba = part(&[1_200, 9_000]);
        ba.merge(part(&[0, 500]));
        ba.settle();
        assert_eq!(ab.runs(), ba.runs());
        assert_eq!(ab.runs().len(), 2);
    }

    #[test]
    fn without_room_runs_are_joined_and_counted() {
        let mut room = 5;
        let mut runs = Runs::<1>::default();
        for n in 0..100 {
            runs.add_within(sight(n * 100), &mut room);
        }
        assert_eq!((runs.runs().len(), room, runs.count(), runs.is_coarse()), (5, 0, 100, true));
        let mut other = Runs::<1>::default();
        other.add_within(sight(5), &mut room);
        other.merge_within(runs, &mut room);
        assert_eq!((other.runs().len(), other.count(), other.is_coarse()), (1, 101, true));
    }

    #[test]
    fn hostile_times_stay_bounded_and_counted() {
        let mut runs = Runs::<1>::default();
        for n in 0..10_000 {
            runs.add_within(sight((n * 7_919) % 100_000), &mut usize::MAX.clone());
        }
        assert!(runs.runs().len() <= RUNS_MAX && runs.is_coarse());
        assert_eq!(runs.count(), 10_000);
    }
}
