//! Points in time: nanoseconds of `CLOCK_REALTIME`, the clock the kernel stamps packets with.

use serde::{Deserialize, Serialize};

/// Nanoseconds since the epoch. The kernel's packet stamps, the state index and the pings all use it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Nanos(pub i64);

/// Nanoseconds in a second.
pub const NS_PER_S: i64 = 1_000_000_000;

impl Nanos {
    /// Seconds and nanoseconds as the kernel gives them.
    pub fn from_parts(secs: i64, nanos: i64) -> Self {
        Self(secs.saturating_mul(NS_PER_S).saturating_add(nanos))
    }

    /// The distance to an earlier time, in nanoseconds; negative when `earlier` is later.
    pub fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// This time moved by `ns` nanoseconds.
    #[must_use]
    pub fn plus(self, ns: i64) -> Self {
        Self(self.0.saturating_add(ns))
    }

    /// `2026-11-21 08:15:04.123456` in a zone `offset_s` seconds east of Greenwich.
    ///
    /// The zone is an argument and never this machine's: a report must read the same wherever it is made.
    pub fn display(self, offset_s: i32) -> String {
        self.format("%Y-%m-%d %H:%M:%S%.6f", offset_s)
    }

    /// `08:15:04.123` in a zone `offset_s` seconds east of Greenwich.
    pub fn clock(self, offset_s: i32) -> String {
        self.format("%H:%M:%S%.3f", offset_s)
    }

    /// `20261121081504`, the stamp of file names (the old script's form).
    pub fn stamp(self, offset_s: i32) -> String {
        self.format("%Y%m%d%H%M%S", offset_s)
    }

    fn format(self, form: &str, offset_s: i32) -> String {
        let offset = jiff::tz::Offset::from_seconds(offset_s).unwrap_or(jiff::tz::Offset::UTC);
        match jiff::Timestamp::from_nanosecond(i128::from(self.0)) {
            Ok(stamp) => stamp.to_zoned(offset.to_time_zone()).strftime(form).to_string(),
            Err(_) => format!("{} ns", self.0),
        }
    }
}

/// A duration for people: `350 µs`, `12.3 ms`, `4.5 s`, `2 min 5 s`.
pub fn human_ns(ns: i64) -> String {
    let abs = ns.unsigned_abs();
    if abs < 10_000 {
        format!("{ns} ns")
    } else if abs < 1_000_000 {
        format!("{} µs", ns / 1_000)
    } else if abs < 1_000_000_000 {
        format!("{:.1} ms", ns as f64 / 1e6)
    } else if abs < 120_000_000_000 {
        format!("{:.1} s", ns as f64 / 1e9)
    } else {
        let secs = ns / NS_PER_S;
        format!("{} min {} s", secs / 60, secs % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_the_bundle_zone_not_the_readers() {
        let at = Nanos::from_parts(1_795_219_200, 5_000_000);
        assert_eq!(at.display(0), "2026-11-21 00:00:00.005000");
        assert_eq!(at.display(8 * 3600), "2026-11-21 08:00:00.005000");
        assert_eq!(at.stamp(0), "20261121000000");
    }

    #[test]
    fn absurd_times_do_not_panic() {
        for ns in [i64::MIN, i64::MAX, -1, 0] {
            let _ = Nanos(ns).display(i32::MAX);
            let _ = human_ns(ns);
        }
    }
}
