//! How often something may be asked for.

use std::time::{Duration, Instant};

/// So many at once, and one more each time that much has passed (generic cell rate algorithm).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rate {
    pub(super) burst: u32,
    pub(super) each: Duration,
}

impl Rate {
    /// Whether one more is within the rate; `due` is when everything that was granted so far has been earned.
    pub(super) fn admits(self, due: &mut Option<Instant>, now: Instant) -> bool {
        let earned = due.map_or(now, |due| due.max(now));
        let fits = earned.saturating_duration_since(now) <= self.each * self.burst.saturating_sub(1);
        if fits {
            *due = Some(earned + self.each);
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_and_then_one_at_a_time() {
        let rate = Rate { burst: 3, each: Duration::from_secs(2) };
        let (start, mut due) = (Instant::now(), None);
        let mut granted =
            |at| (0..10).filter(|_| rate.admits(&mut due, start + Duration::from_secs(at))).count();
        assert_eq!((granted(0), granted(1), granted(2), granted(3)), (3, 0, 1, 0));
        assert_eq!(granted(100), 3);
    }
}
