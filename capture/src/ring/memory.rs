//! Memory for rings: how much may be asked for, and what is taken when the kernel has less.
//!
//! Ring memory is locked: the kernel cannot take it back, so on a host that is there for its guests a careless number
//! would be paid by them.

use std::path::Path;

use rust_i18n::t;

use crate::error::{Error, Result};
use crate::sys::RingSize;
use crate::ui::units::human_bytes;

/// The part of the available memory that rings may take: one of so many.
const SHARE: u64 = 4;

/// Bytes that can be had without swapping (`MemAvailable`, Documentation/filesystems/proc.rst); `None` before Linux 3.14.
pub(crate) fn available(root: &Path) -> Option<u64> {
    let text = std::fs::read_to_string(root.join("proc/meminfo")).ok()?;
    let rest = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = rest.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

/// Refuses a budget that would take the memory of others.
pub(crate) fn check(budget: u64, root: &Path) -> Result<()> {
    let Some(available) = available(root) else { return Ok(()) };
    let most = available / SHARE;
    if budget <= most {
        return Ok(());
    }
    let (has, free, most) = (human_bytes(budget), human_bytes(available), human_bytes(most));
    Err(Error::Usage(t!("memory.much", has = has, free = free, most = most).into_owned()))
}

/// Bytes that may wait for the disk when a host has memory enough.
const QUEUE_MAX: usize = 16 << 20;
/// Bytes that may wait at least.
const QUEUE_MIN: usize = 1 << 20;
/// Bytes of everything but rings, queue and compression: the program, and host state that waits to be written.
const BASE: u64 = 48 << 20;
/// Bytes of a point besides ring and compression: pieces on their way to the disk.
const POINT: u64 = 1 << 20;
/// The ceiling when none is given, on a host that has plenty.
const CEILING: u64 = 256 << 20;
/// The part of the available memory that it is elsewhere: one of so many.
const CEILING_SHARE: u64 = 8;
/// MiB of a compressor by level, from 1 on, window, tables and buffers (`ZSTD_estimateCStreamSize` of zstd 1.5, rounded
/// up).
const COMPRESSOR_MIB: [u64; 9] = [2, 2, 4, 6, 7, 7, 9, 9, 16];

/// How the memory is shared out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fitted {
    /// Bytes of all rings.
    pub buffer: u64,
    /// Bytes that may wait for the disk.
    pub queue: usize,
    /// zstd level.
    pub level: i32,
    /// Bytes of everything.
    pub ceiling: u64,
    /// What is other than asked, in words.
    pub remarks: Vec<String>,
}

/// Makes rings, queue and compression fit under the ceiling: the level gives way first, then the rings.
pub(crate) fn fit(asked: Option<u64>, buffer: u64, points: usize, level: i32, root: &Path) -> Result<Fitted> {
    let points = points as u64;
    let fixed = |level: i32| {
        let place = usize::try_from(level - 1).unwrap_or(0);
        let mib = COMPRESSOR_MIB.get(place).copied().unwrap_or(16);
        BASE.saturating_add(points.saturating_mul(POINT + (mib << 20)))
    };
    let (least, most) = (QUEUE_MIN as u64, QUEUE_MAX as u64);
    let rings_least = points.saturating_mul(LEAST);
    let ceiling = asked.unwrap_or_else(|| {
        let usual = available(root).map_or(CEILING, |bytes| CEILING.min(bytes / CEILING_SHARE));
        usual.max(fixed(level).saturating_add(buffer.max(rings_least)).saturating_add(most))
    });
    let need = |level: i32| fixed(level).saturating_add(rings_least).saturating_add(least);
    let fits = (1..=level).rev().find(|level| need(*level) <= ceiling);
    let Some(fit_level) = fits else {
        let (has, need) = (human_bytes(ceiling), human_bytes(need(1)));
        return Err(Error::Usage(t!("memory.ceiling", has = has, need = need).into_owned()));
    };
    let left = ceiling - fixed(fit_level);
    let queue = left.saturating_sub(buffer).clamp(least, most);
    let rings = buffer.min(left - queue);
    let mut remarks = Vec::new();
    if fit_level < level {
        remarks.push(t!("memory.level_fits", has = fit_level, asked = level).into_owned());
    }
    if rings < buffer {
        let (has, asked) = (human_bytes(rings), human_bytes(buffer));
        remarks.push(t!("memory.rings_fit", has = has, asked = asked).into_owned());
    }
    let queue = usize::try_from(queue).unwrap_or(QUEUE_MIN);
    Ok(Fitted { buffer: rings, queue, level: fit_level, ceiling, remarks })
}

/// Bytes of the smallest ring.
const LEAST: u64 = *RingSize::BLOCKS.start() as u64 * RingSize::BLOCK_BYTES as u64;

/// The ring of each of `points` points, so that all together keep to the budget as far as a ring can be that small.
pub(crate) fn ring_size(budget: u64, points: usize) -> RingSize {
    let each = budget / (points.max(1) as u64);
    let (least, most) = RingSize::BLOCKS.into_inner();
    let blocks = u32::try_from(each / u64::from(RingSize::BLOCK_BYTES)).unwrap_or(most).clamp(least, most);
    RingSize { block_bytes: RingSize::BLOCK_BYTES, blocks }
}

/// Part of the ring memory that is kept for points that join, where any can: one in so many.
const NEWCOMERS: u64 = 4;

/// Ring memory of the points of the start.
pub(crate) fn starters_memory(budget: u64, can_grow: bool) -> u64 {
    if can_grow { budget - budget / NEWCOMERS } else { budget }
}

/// Ring memory of the points that join, all together: a budget of which a quarter is less than one ring still has room
/// for one.
pub(crate) fn newcomers_memory(budget: u64) -> u64 {
    (budget / NEWCOMERS).max(LEAST)
}

/// Points that join are heard at once: each takes a socket from the start, and sockets close one after the other, in 15 ms.
const NEWCOMERS_MAX: u64 = 256;

/// Rings of newcomers that there may be in so much memory.
pub(crate) fn rings_in(newcomers_memory: u64) -> u32 {
    u32::try_from((newcomers_memory / LEAST).min(NEWCOMERS_MAX)).unwrap_or(0)
}

/// The ring of a point that joins while those that joined before it hold so much; `None` when no ring fits any more. The
/// first get more, so that there is some left for the others.
pub(crate) fn newcomers_ring(budget: u64, held: u64) -> Option<RingSize> {
    let left = (budget / NEWCOMERS).saturating_sub(held);
    (left >= LEAST || held == 0).then(|| ring_size(left, 4))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(meminfo: &str) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("proc")).unwrap();
        std::fs::write(root.path().join("proc/meminfo"), meminfo).unwrap();
        root
    }

    #[test]
    fn a_quarter_of_what_is_available_and_no_more() {
        rust_i18n::set_locale("en");
        let root = host("MemTotal:       16000000 kB\nMemFree:  1 kB\nMemAvailable:    4194304 kB\n");
        assert_eq!(available(root.path()), Some(4 << 30));
        assert!(check(1 << 30, root.path()).is_ok());
        let refused = check((1 << 30) + 1, root.path()).unwrap_err();
        assert_eq!(refused.exit_status(), 2);
        for part in ["--buffer", "1.0 GiB", "4.0 GiB"] {
            assert!(refused.to_string().contains(part), "{part}: {refused}");
        }
        assert!(check(u64::MAX, root.path()).is_err());
    }

    #[test]
    fn a_kernel_that_does_not_say_forbids_nothing() {
        for text in ["", "MemAvailable: many kB\n", "MemAvailable: 7\n"] {
            assert!(check(u64::MAX, host(text).path()).is_ok(), "{text}");
        }
        assert_eq!(available(Path::new("/no/such/root")), None);
    }

    #[test]
    fn level_then_rings_give_way_to_the_ceiling() {
        rust_i18n::set_locale("en");
        let root = host("MemAvailable:    16777216 kB\n");
        let fit = |asked, buffer, points, level| fit(asked, buffer, points, level, root.path());
        let usual = fit(None, 64 << 20, 3, 1).unwrap();
        assert_eq!((usual.ceiling, usual.buffer, usual.level), (CEILING, 64 << 20, 1));
        assert!(usual.queue == QUEUE_MAX && usual.remarks.is_empty());
        let many = fit(None, 1 << 30, 20, 9).unwrap();
        assert!(many.ceiling > 1 << 30 && many.level == 9 && many.buffer == 1 << 30);
        let tight = fit(Some(120 << 20), 64 << 20, 10, 9).unwrap();
        assert!(tight.level < 9 && tight.buffer < 64 << 20 && tight.buffer >= 10 << 20, "{tight:?}");
        assert_eq!(tight.remarks.len(), 2);
        let refused = fit(Some(60 << 20), 64 << 20, 10, 1).unwrap_err().to_string();
        assert!(refused.contains("--max-memory") && refused.contains("89.0 MiB"), "{refused}");
    }

    #[test]
    fn rings_keep_to_the_budget() {
        assert_eq!(ring_size(64 << 20, 4).blocks, 64);
        assert_eq!(ring_size(1 << 20, 40).blocks, 4);
        assert_eq!(ring_size(u64::MAX, 1).blocks, 4096);
        assert_eq!(ring_size(0, 0).blocks, 4);
    }

    #[test]
    fn newcomers_get_a_quarter() {
        let mut held = 0;
        let mut count = 0;
        while let Some(ring) = newcomers_ring(64 << 20, held) {
            held += ring.bytes() as u64;
            count += 1;
        }
        assert!(count >= 8 && held <= 16 << 20, "{count} points hold {held}");
        assert!(count <= rings_in(newcomers_memory(64 << 20)), "each has a socket");
        assert_eq!((rings_in(0), rings_in(u64::MAX)), (0, 256));
        assert_eq!(starters_memory(64 << 20, true) + held.max(16 << 20), 64 << 20);
        assert!(newcomers_ring(1 << 20, 0).is_some(), "one always fits");
    }
}
