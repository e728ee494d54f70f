//! Intervals of a sequence space: what was sent and not yet seen further on, and what was ever sent.

use std::collections::BTreeMap;

/// Disjoint intervals, each with who sent it last.
#[derive(Debug, Default)]
pub(super) struct Pending {
    /// First number → end, sender.
    map: BTreeMap<i64, (i64, usize)>,
}

impl Pending {
    /// Takes out what lies in `from..to`; calls with start, sender and length of each piece. Returns how much it was.
    pub(super) fn take(&mut self, from: i64, to: i64, mut each: impl FnMut(i64, usize, i64)) -> i64 {
        let mut taken = 0;
        let before = self.map.range(..from).next_back().map(|(a, (b, who))| (*a, *b, *who));
        if let Some((start, end, who)) = before.filter(|(_, end, _)| *end > from) {
            self.map.insert(start, (from, who));
            taken += end.min(to) - from;
            each(from, who, end.min(to) - from);
            if end > to {
                self.map.insert(to, (end, who));
            }
        }
        while let Some((start, (end, who))) = self.map.range(from..to).next().map(|(a, b)| (*a, *b)) {
            self.map.remove(&start);
            taken += end.min(to) - start;
            each(start, who, end.min(to) - start);
            if end > to {
                self.map.insert(to, (end, who));
            }
        }
        taken
    }

    /// Puts in `from..to`, where nothing is.
    pub(super) fn put(&mut self, from: i64, to: i64, who: usize) {
        if from < to {
            self.map.insert(from, (to, who));
        }
    }

    /// What is left, in order: sender and length.
    pub(super) fn left(&self) -> impl Iterator<Item = (usize, i64)> {
        self.map.iter().map(|(start, (end, who))| (*who, end - start))
    }
}

/// Everything that was ever sent, joined.
#[derive(Debug, Default)]
pub(super) struct Cover {
    map: BTreeMap<i64, i64>,
}

impl Cover {
    /// Adds `from..to`; true when some of it was there.
    pub(super) fn add(&mut self, from: i64, to: i64) -> bool {
        let (mut start, mut end) = (from, to);
        let before = self.map.range(..from).next_back().map(|(a, b)| (*a, *b));
        let again = before.is_some_and(|(_, b)| b > from) || self.map.range(from..to).next().is_some();
        if let Some((a, b)) = before.filter(|(_, b)| *b >= from) {
            start = a;
            end = end.max(b);
        }
        while let Some((a, b)) = self.map.range(start..=end).next().map(|(a, b)| (*a, *b)) {
            self.map.remove(&a);
            end = end.max(b);
        }
        self.map.insert(start, end);
        again
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_piece_in_the_middle_leaves_both_ends() {
        let mut pending = Pending::default();
        pending.put(0, 100, 1);
        let mut taken = Vec::new();
        let sum = pending.take(40, 60, |start, who, length| taken.push((start, who, length)));
        assert_eq!((taken, sum), (vec![(40, 1, 20)], 20));
        assert_eq!(pending.left().collect::<Vec<_>>(), [(1, 40), (1, 40)]);
    }

    proptest! {
        /// Against an array of numbers.
        #[test]
        fn intervals_agree_with_single_numbers(steps in proptest::collection::vec((0usize..60, 1usize..20, any::<bool>()), 1..40)) {
            let (mut pending, mut cover) = (Pending::default(), Cover::default());
            let (mut waits, mut sent) = ([None; 80], [false; 80]);
            for (turn, (from, len, put)) in steps.into_iter().enumerate() {
                let (a, b) = (i64::try_from(from).unwrap(), i64::try_from(from + len).unwrap());
                let mut taken = 0;
                let sum = pending.take(a, b, |start, _, length| {
                    assert!(a <= start && start + length <= b);
                    taken += length;
                });
                prop_assert_eq!(sum, taken);
                let there = waits[from..from + len].iter_mut().filter_map(Option::take).count();
                prop_assert_eq!(taken, i64::try_from(there).unwrap());
                if put {
                    pending.put(a, b, turn);
                    waits[from..from + len].fill(Some(turn));
                    let again = sent[from..from + len].iter().any(|s| *s);
                    prop_assert_eq!(cover.add(a, b), again);
                    sent[from..from + len].fill(true);
                }
            }
            let left: i64 = pending.left().map(|(_, length)| length).sum();
            prop_assert_eq!(left, i64::try_from(waits.iter().flatten().count()).unwrap());
        }
    }
}
