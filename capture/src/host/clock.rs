//! The host's clocks. The recorder reads them here and nowhere else.

use netcap_bundle::Nanos;
use netcap_bundle::run::Clock;
use nix::time::{ClockId, clock_gettime};

use crate::ui::zone;

/// `CLOCK_REALTIME`: the clock of packet stamps, samples and pings.
pub fn now() -> Nanos {
    read(ClockId::CLOCK_REALTIME)
}

/// Nanoseconds between two readings that are taken for one moment.
const MOMENT_NS: i64 = 100_000;
/// How often that is tried: on a busy host others may run between the two.
const MOMENT_TRIES: usize = 20;

/// Both clocks at one moment, as far as the host leaves us two readings without an interruption.
pub(crate) fn both() -> Clock {
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
    zone::now().offset().seconds()
}

/// Neither clock can fail on Linux; a zero would be seen in the very first line of a log.
fn read(id: ClockId) -> Nanos {
    clock_gettime(id).map(|t| Nanos::from_parts(t.tv_sec(), t.tv_nsec())).unwrap_or_default()
}

/// `CLOCK_MONOTONIC` in nanoseconds, for what must not jump.
pub(crate) fn monotonic_ns() -> i64 {
    read(ClockId::CLOCK_MONOTONIC).0
}
