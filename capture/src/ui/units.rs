//! Times, durations and sizes as people type them.

use std::net::IpAddr;
use std::time::Duration;

use netcap_bundle::Nanos;
use netcap_filters::SNAPLEN_MAX_BYTES;
use rust_i18n::t;

use super::zone;

/// Longest time: ten years. A longer one is a mistake, and would not fit into the calendar at some point.
const DAYS_MAX: u64 = 3_650;
/// Largest size: a petabyte, so that sums of sizes are numbers still.
const TIB_MAX: u64 = 1_024;
/// Percent of one core at most: a thousand cores.
const PERCENT_MAX: u64 = 100_000;
/// Percent of a disk that may have to stay free at most.
const FLOOR_MAX: u64 = 99;
/// Levels of zstd that are offered: beyond 9 it is slower than any link.
const LEVEL_MAX: u64 = 9;
/// A segment of fewer bytes would be headers for the most part.
pub(crate) const SEGMENT_MIN: u64 = 64 << 10;
/// Rings that could not hold a single block.
const BUFFER_MIN: u64 = 256 << 10;

/// `30`, `30s`, `5m`, `2h`, `1d`, `1h30m`: a duration; a bare number is seconds.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let bad = || t!("units.duration", text = text).into_owned();
    let mut left = text.trim();
    let mut total: u64 = 0;
    if left.is_empty() {
        return Err(bad());
    }
    while !left.is_empty() {
        let (number, rest) = leading_number(left).ok_or_else(bad)?;
        let end = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let (unit, rest) = rest.split_at_checked(end).ok_or_else(bad)?;
        let seconds = match unit.trim().to_ascii_lowercase().as_str() {
            "" if number_only(text) => 1,
            "s" | "sec" => 1,
            "m" | "min" => 60,
            "h" => 3_600,
            "d" => 86_400,
            _ => return Err(bad()),
        };
        total = total.saturating_add(number.saturating_mul(seconds));
        left = rest;
    }
    match total {
        0 => Err(t!("units.no_time", text = text).into_owned()),
        seconds if seconds > DAYS_MAX * 86_400 => {
            Err(t!("units.long", text = text, max = DAYS_MAX).into_owned())
        }
        _ => Ok(Duration::from_secs(total)),
    }
}

/// `64MiB`, `64M`, `1G`, `512k`, `1000000`: bytes; K, M and G are powers of 1024.
pub(crate) fn size(text: &str) -> Result<u64, String> {
    let bad = || t!("units.size", text = text).into_owned();
    let (number, unit) = leading_number(text.trim()).ok_or_else(bad)?;
    let shift = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        "t" | "tb" | "tib" => 40,
        _ => return Err(bad()),
    };
    // What is too large to be counted is too large as well.
    let bytes = number.checked_mul(1 << shift).filter(|bytes| *bytes <= TIB_MAX << 40);
    bytes.ok_or_else(|| t!("units.large", text = text, max = TIB_MAX).into_owned())
}

/// A size of at least so many KiB.
fn size_from(text: &str, least: u64) -> Result<u64, String> {
    let small = || t!("units.small", text = text, least = least >> 10).into_owned();
    size(text).and_then(|bytes| Some(bytes).filter(|bytes| *bytes >= least).ok_or_else(small))
}

/// Bytes after which a segment ends.
pub(crate) fn segment_size(text: &str) -> Result<u64, String> {
    size_from(text, SEGMENT_MIN)
}

/// Bytes of all rings together.
pub(crate) fn buffer(text: &str) -> Result<u64, String> {
    size_from(text, BUFFER_MIN)
}

/// A whole number within bounds.
fn whole(text: &str, least: u64, most: u64) -> Result<u64, String> {
    let number = text.trim().parse().ok().filter(|number| (least..=most).contains(number));
    number.ok_or_else(|| t!("units.whole", text = text, least = least, most = most).into_owned())
}

/// How many packets, at least one.
pub(crate) fn packets(text: &str) -> Result<u64, String> {
    whole(text, 1, u64::MAX)
}

/// How hard packets are compressed.
pub(crate) fn level(text: &str) -> Result<i32, String> {
    whole(text, 1, LEVEL_MAX).map(|level| i32::try_from(level).unwrap_or(1))
}

/// Bytes kept of a frame; 0 keeps all, as `tcpdump -s 0` does.
pub(crate) fn snaplen(text: &str) -> Result<u32, String> {
    let bytes = whole(text, 0, SNAPLEN_MAX_BYTES.into())?;
    Ok(u32::try_from(bytes).ok().filter(|bytes| *bytes > 0).unwrap_or(SNAPLEN_MAX_BYTES))
}

/// Room that must stay free on a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Floor {
    Bytes(u64),
    /// Hundredths of the disk.
    Percent(u64),
}

impl Floor {
    /// In bytes, on a disk of this size.
    pub(crate) fn bytes(self, disk: u64) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Percent(percent) => disk / 100 * percent,
        }
    }
}

/// `10%` or a size.
pub(crate) fn floor(text: &str) -> Result<Floor, String> {
    match text.trim().strip_suffix('%') {
        Some(number) => match number.trim().parse() {
            Ok(percent) if percent <= FLOOR_MAX => Ok(Floor::Percent(percent)),
            _ => Err(t!("units.floor", text = text, max = FLOOR_MAX).into_owned()),
        },
        None => size(text).map(Floor::Bytes),
    }
}

/// `50%` or `50`: percent of one core, from 1 on.
pub(crate) fn percent(text: &str) -> Result<u64, String> {
    let number = text.trim();
    match number.strip_suffix('%').unwrap_or(number).trim().parse() {
        Ok(percent) if (1..=PERCENT_MAX).contains(&percent) => Ok(percent),
        _ => Err(t!("units.percent", text = text, max = PERCENT_MAX).into_owned()),
    }
}

/// An address to ping. Names are not looked up: what they stand for can change during a run, and asking would add traffic.
pub(crate) fn address(text: &str) -> Result<IpAddr, String> {
    let link_local = || t!("units.link_local", text = text).into_owned();
    if text.contains('%') {
        return Err(link_local());
    }
    match text.trim().parse() {
        Ok(IpAddr::V6(v6)) if v6.is_unicast_link_local() => Err(link_local()),
        Ok(address) => Ok(address),
        Err(_) => Err(t!("units.address", text = text).into_owned()),
    }
}

/// `06:00`, `06:00:30` (the next time the host's clock shows it) or a date and a time: when to stop.
pub(crate) fn until(text: &str) -> Result<Nanos, String> {
    next_time(text, &zone::now())
}

fn next_time(text: &str, now: &jiff::Zoned) -> Result<Nanos, String> {
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
    let ahead = at.timestamp().as_second().saturating_sub(now.timestamp().as_second());
    let near = u64::try_from(ahead).is_ok_and(|seconds| seconds <= DAYS_MAX * 86_400);
    let ns = i64::try_from(at.timestamp().as_nanosecond()).ok().filter(|_| near);
    ns.map(Nanos).ok_or_else(|| t!("units.far", text = text, max = DAYS_MAX).into_owned())
}

fn number_only(text: &str) -> bool {
    text.trim().bytes().all(|b| b.is_ascii_digit())
}

fn leading_number(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at_checked(end)?;
    Some((digits.parse().ok()?, rest))
}

/// `1.4 GiB`, `12.3 MiB`, `640 KiB`, `12 B`.
pub(crate) fn human_bytes(bytes: u64) -> String {
    let value = bytes as f64;
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..0x10_0000 => format!("{:.1} KiB", value / 1024.0),
        0x10_0000..0x4000_0000 => format!("{:.1} MiB", value / 1_048_576.0),
        _ => format!("{:.1} GiB", value / 1_073_741_824.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations() {
        for (text, want) in
            [("30", 30), ("30s", 30), ("5m", 300), ("2h", 7200), ("1h30m", 5400), ("1d", 86_400)]
        {
            assert_eq!(duration(text), Ok(Duration::from_secs(want)), "{text}");
        }
        for text in ["", "s", "5x", "0", "-3s", "1h30", "99999999999999999999h"] {
            assert!(duration(text).is_err(), "{text}");
        }
        rust_i18n::set_locale("en");
        assert_eq!(duration("3650d").unwrap().as_secs(), 3650 * 86_400);
        for text in ["3651d", "999999999999999h", "18446744073709551615", "18446744073709551615d1s"] {
            assert!(duration(text).unwrap_err().contains("at most 3650d"), "{text}");
        }
    }

    #[test]
    fn sizes() {
        for (text, want) in
            [("64MiB", 64 << 20), ("64M", 64 << 20), ("512k", 512 << 10), ("7", 7), ("1G", 1 << 30)]
        {
            assert_eq!(size(text), Ok(want), "{text}");
        }
        for text in ["", "M", "5x", "99999999999T", "-1"] {
            assert!(size(text).is_err(), "{text}");
        }
        rust_i18n::set_locale("en");
        assert_eq!(size("1024T"), Ok(1 << 50));
        for text in ["1025T", "18446744073709551615", "18446744073709551615T"] {
            assert!(size(text).unwrap_err().contains("at most 1024T"), "{text}");
        }
        assert_eq!((percent("1"), percent("100000%")), (Ok(1), Ok(100_000)));
        for text in ["0", "100001%", "18446744073709551616"] {
            assert!(percent(text).unwrap_err().contains("1% to 100000%"), "{text}");
        }
        assert_eq!(human_bytes(1536), "1.5 KiB");
        assert_eq!(floor("10%").unwrap().bytes(1000), 100);
        assert_eq!(floor("1M"), Ok(Floor::Bytes(1 << 20)));
        assert!(floor("100%").is_err() && floor("%").is_err());
    }

    #[test]
    fn addresses_and_what_is_none() {
        assert_eq!(address("10.0.0.1"), Ok(IpAddr::from([10, 0, 0, 1])));
        assert!(address("2001:db8::1").is_ok() && address("fd00::1").is_ok());
        for text in ["www.example.com", "", "10.0.0", "10.0.0.1/24"] {
            assert!(address(text).unwrap_err().contains("names are not looked up"), "{text}");
        }
        for text in ["fe80::1%vswitch0", "fe80::1"] {
            assert!(address(text).unwrap_err().contains("on one link only"), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text in "\\PC{0,12}|[0-9]{1,22}[a-zµ秒]{0,3}[0-9]{0,3}") {
            let _ = (duration(&text), size(&text), floor(&text), address(&text), percent(&text));
            let _ = (packets(&text), level(&text), snaplen(&text), segment_size(&text), buffer(&text));
        }
    }

    fn at(text: &str) -> Result<Nanos, String> {
        let now: jiff::Timestamp = "2026-11-21T22:00:00Z".parse().unwrap();
        let now = now.to_zoned(jiff::tz::TimeZone::UTC);
        next_time(text, &now).map(|at| Nanos(at.since(Nanos::from_parts(now.timestamp().as_second(), 0))))
    }

    #[test]
    fn the_next_time_the_clock_shows_it() {
        let hours = |n: i64| Ok(Nanos::from_parts(n * 3600, 0));
        assert_eq!(at("23:00"), hours(1));
        assert_eq!(at("06:00"), hours(8));
        assert_eq!(at("22:00:00"), hours(24));
        assert_eq!(at("2026-11-23 22:00"), hours(48));
        assert!(at("2026-11-20 22:00").unwrap_err().contains("over"));
        assert_eq!(at("2036-11-18 22:00"), hours(3650 * 24));
        assert!(at("2036-11-18 22:01").unwrap_err().contains("3650d") && at("9999-12-31 23:59").is_err());
        assert!(at("6 o'clock").unwrap_err().contains("06:00") && at("25:00").is_err());
    }

    proptest! {
        #[test]
        fn any_time_is_answered(text in "\\PC{0,20}|[0-9]{1,5}-[0-9]{1,2}-[0-9]{1,2} [0-9]{1,2}:[0-9]{1,2}") {
            let _ = at(&text);
        }
    }
}
