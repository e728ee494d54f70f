//! What a recording may ask of its helper: its plan, fixed before it sees a packet.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use netcap_bundle::run::safe_name;
use serde::{Deserialize, Serialize};

use super::rate::Rate;
use crate::plan::{Plan, Selection};
use crate::ring::memory;

/// Samples of one recipe and argument at once: the looks at who joins come in bursts.
const SAMPLES: u32 = 60;
/// Shortest time between two samples of the same in the long run, for sources that say who joins.
const LOOKS: Duration = Duration::from_secs(2);
/// The same for all others: no interval of host state is shorter.
const ROUNDS: Duration = Duration::from_secs(1);

/// The bounds of a plan.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Limits {
    /// Interfaces that are recorded from the start.
    pub(super) ifaces: BTreeSet<String>,
    /// What the user named, where more may join.
    pub(super) follow: Option<Selection>,
    /// Indexes of the interfaces that there were at the start.
    pub(super) old: BTreeSet<u32>,
    /// Bytes of all rings together.
    pub(super) ring_bytes: u64,
    /// Rings at once.
    pub(super) rings: u32,
    /// Addresses that are pinged, each by one socket.
    pub(super) pings: Vec<IpAddr>,
    /// Milliseconds between two rounds of host state.
    pub(super) state_interval_ms: u64,
}

impl Limits {
    /// Those of a plan; `old` are the indexes of the interfaces there are.
    pub(crate) fn of(plan: &Plan, old: BTreeSet<u32>) -> Self {
        let grows = plan.follow.is_some();
        let each = memory::ring_size(memory::starters_memory(plan.buffer, grows), plan.points.len());
        let starters = (each.bytes() as u64).saturating_mul(plan.points.len() as u64);
        let newcomers = if grows { memory::newcomers_memory(plan.buffer) } else { 0 };
        Self {
            ifaces: plan.points.iter().map(|point| point.iface.clone()).collect(),
            follow: plan.follow.clone(),
            old,
            ring_bytes: starters.saturating_add(newcomers),
            rings: u32::try_from(plan.points.len())
                .unwrap_or(u32::MAX)
                .saturating_add(memory::rings_in(newcomers)),
            pings: plan.pings.clone(),
            state_interval_ms: u64::try_from(plan.state_interval.as_millis()).unwrap_or(u64::MAX),
        }
    }

    /// How often a sample may be taken; `joins` if it says who joins.
    pub(super) fn samples(&self, joins: bool) -> Rate {
        let rounds = Duration::from_millis(self.state_interval_ms).max(ROUNDS);
        Rate { burst: SAMPLES, each: if joins { rounds.min(LOOKS) } else { rounds } }
    }
}

/// Whether a run on this host may have that name: the host and a stamp, perhaps with a number.
pub(super) fn is_run_name(name: &str, host: &str) -> bool {
    let stamp = name.strip_prefix(&safe_name(host)).and_then(|rest| rest.strip_prefix('-'));
    let is_stamp = |c: char| c.is_ascii_digit() || c == '-';
    stamp.is_some_and(|stamp| (1..=STAMP_MAX).contains(&stamp.len()) && stamp.chars().all(is_stamp))
}

/// Letters of a stamp and its number.
const STAMP_MAX: usize = 24;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_a_run_may_have() {
        for name in ["kvm1-20261128-070000", "kvm1-20261128-070000-2"] {
            assert!(is_run_name(name, "kvm1"), "{name}");
        }
        for name in ["kvm1", "kvm1-", "kvm2-20261128-070000", "kvm1-x", "../kvm1-1", "kvm1-1/2", "kvm1-1~2"] {
            assert!(!is_run_name(name, "kvm1"), "{name}");
        }
        let stamp = netcap_bundle::Nanos(1_800_000_000_000_000_000).stamp(3600);
        assert!(is_run_name(&netcap_bundle::layout::run_name("虚拟机 1", &stamp), "虚拟机 1"), "{stamp}");
    }

    #[test]
    fn a_sample_is_taken_as_often_as_the_plan_says() {
        let limits = Limits { state_interval_ms: 60_000, ..Limits::default() };
        assert_eq!(limits.samples(false).each, Duration::from_mins(1));
        assert_eq!(limits.samples(true).each, LOOKS);
        assert_eq!(Limits::default().samples(false).each, ROUNDS);
    }
}
