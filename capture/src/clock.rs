//! The host's clocks. The recorder reads them here and nowhere else.

use netcap_bundle::Nanos;
use netcap_bundle::manifest::Clock;
use nix::time::{ClockId, clock_gettime};

/// `CLOCK_REALTIME`: the clock of packet stamps, samples and pings.
pub fn now() -> Nanos {
    read(ClockId::CLOCK_REALTIME)
}

/// Both clocks, read one after the other.
pub fn both() -> Clock {
    Clock { realtime: now(), monotonic_ns: monotonic_ns() }
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
