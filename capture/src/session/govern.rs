//! Once a second: what the recorder takes of the host, and what its points have to give up for it.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use super::cost;
use super::running::Session;
use crate::plan::Plan;
use crate::point::counters::Counters;
use crate::privileged::Privileged;
use crate::shed::{Governor, Load, Seen, rank};

/// What the governor needs to know from one second to the next.
pub(super) struct Governing {
    governor: Governor,
    /// Received and dropped of each point when last looked at.
    before: Vec<(u64, u64)>,
    looked: Instant,
    used: Duration,
    /// Its helper's cost is the recording's.
    privileged: Arc<dyn Privileged>,
}

impl Governing {
    pub(super) fn new(plan: &Plan, privileged: Arc<dyn Privileged>) -> Self {
        Self {
            governor: Governor::new(Load { cpu: plan.cpu_limit, memory: plan.max_memory }),
            before: Vec::new(),
            looked: Instant::now(),
            used: cost::processor_time(&*privileged),
            privileged,
        }
    }

    /// Percent of one core since the last look.
    fn cpu(&mut self) -> Option<u64> {
        let (now, used) = (Instant::now(), cost::processor_time(&*self.privileged));
        let wall = now.duration_since(self.looked).as_micros().max(1);
        let percent = used.saturating_sub(self.used).as_micros().saturating_mul(100) / wall;
        (self.looked, self.used) = (now, used);
        u64::try_from(percent).ok()
    }

    /// Bytes resident at this moment.
    fn memory(&self) -> Option<u64> {
        cost::resident_with(&*self.privileged)
    }

    /// Whether the helper has ended before the recording.
    pub(super) fn helper_lost(&self) -> bool {
        self.privileged.is_lost()
    }
}

impl Session {
    /// Tells each point what it has to give up.
    pub(super) fn govern(&mut self) {
        let load = Load { cpu: self.governing.cpu(), memory: self.governing.memory() };
        let read = |c: &Counters| (c.received.load(Relaxed), c.dropped.load(Relaxed));
        let numbers: Vec<_> = self.points.iter().map(|point| read(&point.counters)).collect();
        self.governing.before.resize(numbers.len(), (0, 0));
        let seen: Vec<Seen> = self
            .points
            .iter()
            .zip(&numbers)
            .zip(&self.governing.before)
            .map(|((point, now), before)| Seen {
                rank: rank(&point.point.role),
                received: now.0.saturating_sub(before.0),
                dropped: now.1.saturating_sub(before.1),
                now: point.counters.shedding.now(),
            })
            .collect();
        self.governing.before = numbers;
        for (point, (step, why)) in self.points.iter().zip(self.governing.governor.second(load, &seen)) {
            point.counters.shedding.set_order(step, why);
        }
    }
}
