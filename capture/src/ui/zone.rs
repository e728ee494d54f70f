//! The zone that times are printed in.

use std::ffi::{OsStr, OsString};
use std::ops::RangeInclusive;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

/// Bytes of a zone's file; the largest of tzdata has 4 KiB.
const FILE: RangeInclusive<u64> = 1..=1 << 20;

/// The time now, in the zone of the environment or else of the host. UTC where TZ names what is no zone's file, as the C
/// library has it.
pub(crate) fn now() -> Zoned {
    let sound = std::env::var_os("TZ").is_none_or(|zone| is_sound(&zone));
    Timestamp::now().to_zoned(if sound { TimeZone::system() } else { TimeZone::UTC })
}

/// What TZ says, if it can be read.
pub(crate) fn variable() -> Option<OsString> {
    std::env::var_os("TZ").filter(|zone| is_sound(zone))
}

/// Whether it is no path, or that of a small file: a pipe or a device would be read for ever (tzset(3): `:` may precede).
fn is_sound(zone: &OsStr) -> bool {
    let bytes = zone.as_bytes();
    let path = Path::new(OsStr::from_bytes(bytes.strip_prefix(b":").unwrap_or(bytes)));
    !path.is_absolute() || path.metadata().is_ok_and(|meta| meta.is_file() && FILE.contains(&meta.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_is_a_name_or_a_small_file() {
        let dir = tempfile::tempdir().unwrap();
        let (pipe, file) = (dir.path().join("pipe"), dir.path().join("file"));
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        std::fs::write(&file, "TZif").unwrap();
        for zone in ["", "UTC", "Asia/Shanghai", "CST-8", ":Asia/Shanghai", file.to_str().unwrap()] {
            assert!(is_sound(zone.as_ref()), "{zone}");
        }
        for zone in ["/dev/zero", ":/dev/zero", pipe.to_str().unwrap(), "/proc/kmsg", "/", "/nonexistent"] {
            assert!(!is_sound(zone.as_ref()), "{zone}");
        }
    }
}
