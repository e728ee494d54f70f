//! The host's clocks. The recorder reads them here and nowhere else.

use netcap_bundle::Nanos;
use netcap_bundle::manifest::Clock;
use nix::time::{ClockId, clock_gettime};
use rust_i18n::t;

/// `CLOCK_REALTIME`: the clock of packet stamps, samples and pings.
pub fn now() -> Nanos {
    read(ClockId::CLOCK_REALTIME)
}

/// Nanoseconds between two readings that are taken for one moment.
const MOMENT_NS: i64 = 100_000;
/// How often that is tried: on a busy host others may run between the two.
const MOMENT_TRIES: usize = 20;

/// Both clocks at one moment, as far as the host leaves us two readings without an interruption.
pub fn both() -> Clock {
    let read = || {
        let (before, realtime, after) = (monotonic_ns(), now(), monotonic_ns());
        (after.saturating_sub(before), Clock { realtime, monotonic_ns: before })
    };
    let mut best = read();
    for _ in 0..MOMENT_TRIES {
        if best.0 <= MOMENT_NS {
            break;
        }
        let again = read();
        if again.0 < best.0 {
            best = again;
        }
    }
    best.1
}

/// Seconds east of Greenwich here and now.
pub fn utc_offset_s() -> i32 {
    jiff::Zoned::now().offset().seconds()
}

/// Neither clock can fail on Linux; a zero would be seen in the very first line of a log.
fn read(id: ClockId) -> Nanos {
    clock_gettime(id).map(|t| Nanos::from_parts(t.tv_sec(), t.tv_nsec())).unwrap_or_default()
}

/// `CLOCK_MONOTONIC` in nanoseconds, for what must not jump.
pub fn monotonic_ns() -> i64 {
    read(ClockId::CLOCK_MONOTONIC).0
}

/// `06:00`, `06:00:30` (the next time the host's clock shows it) or a date and a time: when to stop.
pub fn until(text: &str) -> Result<Nanos, String> {
    next(text, &jiff::Zoned::now())
}

fn next(text: &str, now: &jiff::Zoned) -> Result<Nanos, String> {
    let bad = |_| t!("units.until", text = text).into_owned();
    let text = text.trim();
    // A civil time would also be read out of a date and a time, and the date be dropped.
    let at = if text.contains('-') {
        let at: jiff::civil::DateTime = text.parse().map_err(bad)?;
        at.to_zoned(now.time_zone().clone()).map_err(bad)?
    } else {
        let time: jiff::civil::Time = text.parse().map_err(bad)?;
        let today = now.date().to_datetime(time).to_zoned(now.time_zone().clone()).map_err(bad)?;
        if today > *now {
            today
        } else {
            let tomorrow = now.date().tomorrow().map_err(bad)?.to_datetime(time);
            tomorrow.to_zoned(now.time_zone().clone()).map_err(bad)?
        }
    };
    if at <= *now {
        return Err(t!("units.over", text = text).into_owned());
    }
    i64::try_from(at.timestamp().as_nanosecond())
        .map(Nanos)
        .map_err(|_| t!("units.far", text = text).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> Result<Nanos, String> {
        let now: jiff::Timestamp = "2026-11-21T22:00:00Z".parse().unwrap();
        let now = now.to_zoned(jiff::tz::TimeZone::UTC);
        next(text, &now).map(|at| Nanos(at.since(Nanos::from_parts(now.timestamp().as_second(), 0))))
    }

    #[test]
    fn the_next_time_the_clock_shows_it() {
        let hours = |n: i64| Ok(Nanos::from_parts(n * 3600, 0));
        assert_eq!(at("23:00"), hours(1));
        assert_eq!(at("06:00"), hours(8));
        assert_eq!(at("22:00:00"), hours(24));
        assert_eq!(at("2026-11-23 22:00"), hours(48));
        assert!(at("2026-11-20 22:00").unwrap_err().contains("over"));
        assert!(at("6 o'clock").unwrap_err().contains("06:00") && at("25:00").is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text in "\\PC{0,20}|[0-9]{1,5}-[0-9]{1,2}-[0-9]{1,2} [0-9]{1,2}:[0-9]{1,2}") {
            let _ = at(&text);
        }
    }
}
