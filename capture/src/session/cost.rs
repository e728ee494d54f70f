//! What the recorder takes of the host: its own process, its privileged helper, and the commands of both.

use std::time::Duration;

use netcap_bundle::run::Cost;
use nix::sys::resource::{self, UsageWho, getrusage};
use nix::sys::time::{TimeVal, TimeValLike};
use nix::unistd::{SysconfVar, sysconf};

use crate::privileged::{Privileged, Process, Usage};

/// Processor time of this process and its helper, and of the commands they waited for, both modes.
pub(crate) fn processor_time(privileged: &dyn Privileged) -> Duration {
    let all = [UsageWho::RUSAGE_SELF, UsageWho::RUSAGE_CHILDREN];
    let own: Duration =
        all.into_iter().filter_map(|who| getrusage(who).ok()).map(|usage| both_modes(&usage)).sum();
    own.saturating_add(privileged.usage().times.sum())
}

/// Resident memory of this process and its helper at this moment, rings included; `None` when the system does not say.
/// Commands that run for a moment are not in it.
pub(crate) fn resident_with(privileged: &dyn Privileged) -> Option<u64> {
    resident().map(|own| own.saturating_add(privileged.usage().memory.now))
}

/// That of this process (proc_pid_statm(5)).
pub fn resident() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = text.split_whitespace().nth(1)?.parse().ok()?;
    let page = sysconf(SysconfVar::PAGE_SIZE).ok().flatten().and_then(|bytes| u64::try_from(bytes).ok())?;
    pages.checked_mul(page)
}

/// Everything since the program began; `written` bytes went into the run's files.
pub(crate) fn so_far(process: &Process, written: u64) -> Option<Cost> {
    let own = getrusage(UsageWho::RUSAGE_SELF).ok()?;
    let children = getrusage(UsageWho::RUSAGE_CHILDREN).ok()?;
    let Usage { times: helper, memory } = process.privileged.usage();
    let count = |n: i64| u64::try_from(n).unwrap_or(0);
    let with = |own: TimeVal, helper: Duration| {
        millis(own).saturating_add(u64::try_from(helper.as_millis()).unwrap_or(0))
    };
    Some(Cost {
        wall_ms: u64::try_from(process.began.elapsed().as_millis()).unwrap_or(u64::MAX),
        user_ms: with(own.user_time(), helper.user),
        system_ms: with(own.system_time(), helper.system),
        children_ms: millis(children.user_time()) + with(children.system_time(), helper.commands),
        // Linux counts it in KiB (getrusage(2)).
        rss_max: count(own.max_rss()).saturating_mul(1024).saturating_add(memory.peak),
        written,
        switches: count(own.voluntary_context_switches())
            .saturating_add(count(own.involuntary_context_switches())),
    })
}

fn both_modes(usage: &resource::Usage) -> Duration {
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
    use crate::host::services::Host;
    use crate::privileged::Direct;
    use netcap_bundle::run::Sandbox;
    use std::sync::Arc;
    use std::time::Instant;

    #[test]
    fn work_costs_time_and_memory() {
        let direct = Direct::new(Host::this(None));
        let before = processor_time(&direct);
        let mut sum = 0u64;
        while processor_time(&direct) < before + Duration::from_millis(20) {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        let (sandbox, began) =
            (Sandbox::default(), Instant::now().checked_sub(Duration::from_millis(20)).unwrap());
        let process = Process { privileged: Arc::new(direct), sandbox, owner: 0, began };
        let cost = so_far(&process, 7).unwrap();
        assert!(cost.user_ms + cost.system_ms >= 10 && cost.wall_ms >= 10 && cost.written == 7, "{cost:?}");
        assert!(resident().is_some_and(|bytes| bytes > 1 << 20) && cost.rss_max > 1 << 20);
    }
}
