//! What the recorder takes of the host.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use netcap_bundle::manifest::Cost;
use nix::sys::resource::{Usage, UsageWho, getrusage};
use nix::sys::time::{TimeVal, TimeValLike};
use nix::unistd::{SysconfVar, sysconf};

/// When the program began, for the share of a core that it took.
static BEGAN: OnceLock<Instant> = OnceLock::new();

/// The clock of [`so_far`] starts.
pub fn begin() {
    let _ = BEGAN.set(Instant::now());
}

/// Processor time of this process and of the commands it waited for, both modes.
pub fn processor_time() -> Duration {
    let all = [UsageWho::RUSAGE_SELF, UsageWho::RUSAGE_CHILDREN];
    all.into_iter().filter_map(|who| getrusage(who).ok()).map(|usage| both_modes(&usage)).sum()
}

/// Resident memory at this moment, rings included (proc_pid_statm(5)); `None` when the system does not say.
pub fn resident() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = text.split_whitespace().nth(1)?.parse().ok()?;
    let page = sysconf(SysconfVar::PAGE_SIZE).ok().flatten().and_then(|bytes| u64::try_from(bytes).ok())?;
    pages.checked_mul(page)
}

/// Everything since the program began; `written` bytes went into the run's files.
pub fn so_far(written: u64) -> Option<Cost> {
    let own = getrusage(UsageWho::RUSAGE_SELF).ok()?;
    let children = getrusage(UsageWho::RUSAGE_CHILDREN).ok()?;
    let count = |n: i64| u64::try_from(n).unwrap_or(0);
    Some(Cost {
        wall_ms: BEGAN
            .get()
            .map_or(0, |began| u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX)),
        user_ms: millis(own.user_time()),
        system_ms: millis(own.system_time()),
        children_ms: millis(children.user_time()) + millis(children.system_time()),
        // Linux counts it in KiB (getrusage(2)).
        rss_max: count(own.max_rss()).saturating_mul(1024),
        written,
        switches: count(own.voluntary_context_switches())
            .saturating_add(count(own.involuntary_context_switches())),
    })
}

fn both_modes(usage: &Usage) -> Duration {
    [usage.user_time(), usage.system_time()]
        .into_iter()
        .map(|time| Duration::from_micros(u64::try_from(time.num_microseconds()).unwrap_or(0)))
        .sum()
}

fn millis(time: TimeVal) -> u64 {
    u64::try_from(time.num_milliseconds()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_costs_time_and_memory() {
        begin();
        let before = processor_time();
        let mut sum = 0u64;
        while processor_time() < before + Duration::from_millis(20) {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        let cost = so_far(7).unwrap();
        assert!(cost.user_ms + cost.system_ms >= 10 && cost.wall_ms >= 10 && cost.written == 7, "{cost:?}");
        assert!(resident().is_some_and(|bytes| bytes > 1 << 20) && cost.rss_max > 1 << 20);
    }
}
