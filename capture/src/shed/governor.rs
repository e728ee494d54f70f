//! What all points together have to give up: once a second, from what the recorder takes of the host and what rings lose.

use netcap_bundle::run::{ShedLevel, ShedReason};

use super::Order;

/// Seconds of trouble before a step.
const PATIENCE: u32 = 2;
/// Seconds of calm before a step is taken back.
const HOLD: u32 = 10;
/// Longest; it doubles whenever a step was taken back too soon.
const HOLD_MAX: u32 = 320;
/// Percent of a limit below which it is calm: a step taken back must not exceed the limit at once.
const CALM_PERCENT: u64 = 70;
/// Steps that all points take together, in order.
const TOGETHER: [ShedLevel; 6] = [
    ShedLevel::Whole,
    ShedLevel::Level1,
    ShedLevel::Fast,
    ShedLevel::Fastest,
    ShedLevel::Cut256,
    ShedLevel::Cut128,
];

/// Place of the last step of compression in [`TOGETHER`].
const FASTEST: usize = 3;

/// What the recorder may take of the host.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Load {
    /// Percent of one core.
    pub cpu: Option<u64>,
    /// Bytes of resident memory.
    pub memory: Option<u64>,
}

/// One point as it was during the last second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PointLoad {
    /// See [`super::rank`].
    pub rank: u8,
    /// Packets that came.
    pub received: u64,
    /// Packets its ring lost.
    pub dropped: u64,
    /// What it gave up.
    pub now: ShedLevel,
}

/// Decides once a second.
#[derive(Debug)]
pub(crate) struct Governor {
    limit: Load,
    /// Steps taken: first those of [`TOGETHER`], then one point after the other.
    depth: usize,
    why: ShedReason,
    trouble: u32,
    calm: u32,
    hold: u32,
    /// Seconds since a step was taken back.
    eased: u32,
    /// Points that are off, by their place, in the order they went.
    off: Vec<usize>,
}

impl Governor {
    /// Without a limit it only answers losses.
    pub(crate) fn new(limit: Load) -> Self {
        let (trouble, calm, eased) = (0, 0, u32::MAX);
        Self { limit, depth: 0, why: ShedReason::Calm, trouble, calm, hold: HOLD, eased, off: Vec::new() }
    }

    /// One second: gives what each point has to do now, in the order of `points`, and why.
    pub(crate) fn second(&mut self, used: Load, points: &[PointLoad]) -> Vec<Order> {
        self.eased = self.eased.saturating_add(1);
        if let Some(why) = self.trouble(used, points) {
            (self.trouble, self.calm) = (self.trouble + 1, 0);
            if self.trouble >= PATIENCE && self.down(why, points) {
                (self.why, self.trouble) = (why, 0);
            }
        } else {
            self.trouble = 0;
            self.calm = if self.is_calm(used, points) { self.calm + 1 } else { 0 };
            if self.depth > 0 && self.calm >= self.hold {
                self.depth -= 1;
                self.off.pop();
                (self.why, self.calm, self.eased) = (ShedReason::Calm, 0, 0);
            }
        }
        let together = TOGETHER.get(self.depth).copied().unwrap_or(ShedLevel::Cut128);
        let each = |place| if self.off.contains(&place) { ShedLevel::Off } else { together };
        (0..points.len()).map(|place| Order { level: each(place), why: self.why }).collect()
    }

    fn trouble(&self, used: Load, points: &[PointLoad]) -> Option<ShedReason> {
        let over = |used: Option<u64>, limit: Option<u64>| used.zip(limit).is_some_and(|(u, l)| u > l);
        if over(used.cpu, self.limit.cpu) {
            return Some(ShedReason::Cpu);
        }
        if over(used.memory, self.limit.memory) {
            return Some(ShedReason::Memory);
        }
        // Compression is given up by the point itself; only what is lost in spite of that is trouble.
        points
            .iter()
            .any(|point| point.dropped > 0 && point.now >= ShedLevel::Fastest)
            .then_some(ShedReason::Loss)
    }

    fn is_calm(&self, used: Load, points: &[PointLoad]) -> bool {
        let below = |used: Option<u64>, limit: Option<u64>| {
            used.zip(limit).is_none_or(|(u, l)| u.saturating_mul(100) < l.saturating_mul(CALM_PERCENT))
        };
        let lost = points.iter().any(|point| point.dropped > 0);
        below(used.cpu, self.limit.cpu) && below(used.memory, self.limit.memory) && !lost
    }

    /// One step down; false when there is none left: the last point stays on.
    fn down(&mut self, why: ShedReason, points: &[PointLoad]) -> bool {
        if why == ShedReason::Loss {
            // The losing point compresses as fast as it can already.
            self.depth = self.depth.max(FASTEST);
        }
        if self.depth + 1 >= TOGETHER.len() {
            let on = |place: &usize| !self.off.contains(place);
            let mut left: Vec<usize> = (0..points.len()).filter(on).collect();
            // Of equals, the one with the most packets spares the most.
            let order =
                |place: &usize| points.get(*place).map_or((u8::MAX, 0), |p| (p.rank, u64::MAX - p.received));
            left.sort_by_key(order);
            match left.as_slice() {
                [least, _, ..] => self.off.push(*least),
                _ => return false,
            }
        }
        self.depth += 1;
        if self.eased < self.hold {
            self.hold = (self.hold * 2).min(HOLD_MAX);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALM: Load = Load { cpu: Some(10), memory: None };
    const BUSY: Load = Load { cpu: Some(80), memory: None };

    fn point(rank: u8, received: u64) -> PointLoad {
        PointLoad { rank, received, dropped: 0, now: ShedLevel::Whole }
    }

    fn steps(governor: &mut Governor, used: Load, points: &[PointLoad], seconds: usize) -> Vec<ShedLevel> {
        let mut last = Vec::new();
        for _ in 0..seconds {
            last = governor.second(used, points);
        }
        last.into_iter().map(|order| order.level).collect()
    }

    #[test]
    fn compression_then_frames_then_points_and_the_best_one_stays() {
        let mut governor = Governor::new(Load { cpu: Some(50), memory: None });
        let points = [point(4, 10), point(0, 5), point(0, 500)];
        assert_eq!(steps(&mut governor, BUSY, &points, 1), [ShedLevel::Whole; 3]);
        for step in &TOGETHER[1..] {
            assert_eq!(
                steps(&mut governor, BUSY, &points, if *step == ShedLevel::Level1 { 1 } else { 2 }),
                [*step; 3]
            );
        }
        assert_eq!(
            steps(&mut governor, BUSY, &points, 2),
            [ShedLevel::Cut128, ShedLevel::Cut128, ShedLevel::Off]
        );
        assert_eq!(
            steps(&mut governor, BUSY, &points, 2),
            [ShedLevel::Cut128, ShedLevel::Off, ShedLevel::Off]
        );
        assert_eq!(
            steps(&mut governor, BUSY, &points, 9),
            [ShedLevel::Cut128, ShedLevel::Off, ShedLevel::Off]
        );
        assert_eq!(
            steps(&mut governor, CALM, &points, 9),
            [ShedLevel::Cut128, ShedLevel::Off, ShedLevel::Off]
        );
        assert_eq!(
            steps(&mut governor, CALM, &points, 1),
            [ShedLevel::Cut128, ShedLevel::Cut128, ShedLevel::Off]
        );
        assert_eq!(steps(&mut governor, CALM, &points, 60), [ShedLevel::Whole; 3]);
    }

    #[test]
    fn near_the_limit_nothing_moves_and_a_step_back_too_soon_makes_it_patient() {
        let mut governor = Governor::new(Load { cpu: Some(50), memory: None });
        let points = [point(0, 1)];
        steps(&mut governor, BUSY, &points, 2);
        let near = Load { cpu: Some(40), memory: None };
        assert_eq!(steps(&mut governor, near, &points, 100), [ShedLevel::Level1]);
        assert_eq!(steps(&mut governor, CALM, &points, 10), [ShedLevel::Whole]);
        assert_eq!(steps(&mut governor, BUSY, &points, 2), [ShedLevel::Level1]);
        assert_eq!(steps(&mut governor, CALM, &points, 19), [ShedLevel::Level1]);
        assert_eq!(steps(&mut governor, CALM, &points, 1), [ShedLevel::Whole]);
    }

    #[test]
    fn without_a_limit_only_a_loss_in_spite_of_fast_compression_counts() {
        let mut governor = Governor::new(Load::default());
        let lossy = |now| [PointLoad { dropped: 7, now, ..point(0, 9) }];
        assert_eq!(steps(&mut governor, BUSY, &lossy(ShedLevel::Whole), 60), [ShedLevel::Whole]);
        let mut depth = Vec::new();
        for _ in 0..10 {
            depth = governor.second(BUSY, &lossy(ShedLevel::Fastest));
        }
        assert_eq!(
            depth,
            [Order { level: ShedLevel::Cut128, why: ShedReason::Loss }],
            "one point alone is never put off"
        );
    }
}
