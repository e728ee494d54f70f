//! A point's own answer to a filling ring: compress faster, at once; and well again when it has been calm for a while.

use std::time::{Duration, Instant};

use netcap_bundle::run::ShedLevel;

/// Calm for so long, a step is taken back.
const HOLD: Duration = Duration::from_secs(10);
/// Longest time that is waited for; it doubles whenever a step was taken back too soon.
const HOLD_MAX: Duration = Duration::from_mins(5);

/// Where a point stands.
#[derive(Debug)]
pub(crate) struct Pressure {
    step: ShedLevel,
    hold: Duration,
    /// The ring was last more than a little filled.
    busy: Instant,
    /// A step was last taken back.
    eased: Option<Instant>,
}

impl Pressure {
    /// At ease.
    pub(crate) fn new(now: Instant) -> Self {
        Self { step: ShedLevel::Whole, hold: HOLD, busy: now, eased: None }
    }

    /// What the ring asks for, after a look at it: how many eighths of its blocks wait.
    pub(crate) fn look(&mut self, eighths: u32, now: Instant) -> ShedLevel {
        let needed = match eighths {
            0 => return self.ease(now),
            1 => ShedLevel::Whole,
            2 => ShedLevel::Level1,
            3 => ShedLevel::Fast,
            _ => ShedLevel::Fastest,
        };
        self.busy = now;
        if needed > self.step {
            if self.eased.is_some_and(|at| now.duration_since(at) < self.hold) {
                self.hold = (self.hold * 2).min(HOLD_MAX);
            }
            self.step = needed;
        }
        self.step
    }

    fn ease(&mut self, now: Instant) -> ShedLevel {
        if self.step > ShedLevel::Whole && now.duration_since(self.busy) >= self.hold {
            self.step = match self.step {
                ShedLevel::Fastest => ShedLevel::Fast,
                ShedLevel::Fast => ShedLevel::Level1,
                _ => ShedLevel::Whole,
            };
            (self.busy, self.eased) = (now, Some(now));
        }
        self.step
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn down_at_once_and_up_one_by_one_when_calm() {
        let begun = Instant::now();
        let mut pressure = Pressure::new(begun);
        let at = |s: u64| begun + Duration::from_secs(s);
        assert_eq!(pressure.look(1, at(0)), ShedLevel::Whole);
        assert_eq!(pressure.look(3, at(1)), ShedLevel::Fast);
        assert_eq!(pressure.look(7, at(1)), ShedLevel::Fastest);
        assert_eq!(pressure.look(0, at(10)), ShedLevel::Fastest);
        assert_eq!(pressure.look(1, at(10)), ShedLevel::Fastest, "a little is not calm");
        assert_eq!(pressure.look(0, at(19)), ShedLevel::Fastest);
        assert_eq!(pressure.look(0, at(20)), ShedLevel::Fast);
        assert_eq!(pressure.look(0, at(21)), ShedLevel::Fast);
        // Too soon: the next calm has to be twice as long.
        assert_eq!(pressure.look(4, at(22)), ShedLevel::Fastest);
        assert_eq!(pressure.look(0, at(41)), ShedLevel::Fastest);
        assert_eq!(pressure.look(0, at(42)), ShedLevel::Fast);
        assert_eq!(pressure.look(0, at(62)), ShedLevel::Level1);
        assert_eq!(pressure.look(0, at(82)), ShedLevel::Whole);
        assert_eq!(pressure.look(0, at(200)), ShedLevel::Whole);
    }
}
