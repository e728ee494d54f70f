//! Once a second: what the recorder takes of the host, and what its points have to give up for it.

use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use super::Plan;
use super::running::Session;
use crate::cost;
use crate::shed::{Governor, Load, Seen, rank};

/// What the governor needs to know from one second to the next.
pub(super) struct Governing {
    governor: Governor,
    ranks: Vec<u8>,
    /// Received and dropped of each point when last looked at.
    before: Vec<(u64, u64)>,
    looked: Instant,
    used: Duration,
}

impl Governing {
    pub(super) fn new(plan: &Plan) -> Self {
        Self {
            governor: Governor::new(Load { cpu: plan.cpu_limit, memory: plan.max_memory }),
            ranks: plan.points.iter().map(|point| rank(&point.role)).collect(),
            before: Vec::new(),
            looked: Instant::now(),
            used: cost::processor_time(),
        }
    }

    /// Percent of one core since the last look.
    fn cpu(&mut self) -> Option<u64> {
        let (now, used) = (Instant::now(), cost::processor_time());
        let wall = now.duration_since(self.looked).as_micros().max(1);
        let percent = used.saturating_sub(self.used).as_micros().saturating_mul(100) / wall;
        (self.looked, self.used) = (now, used);
        u64::try_from(percent).ok()
    }
}

impl Session {
    /// Tells each point what it has to give up.
    pub(super) fn govern(&mut self) {
        let load = Load { cpu: self.governing.cpu(), memory: cost::resident() };
        let numbers = self.counters.iter().map(|c| (c.received.load(Relaxed), c.dropped.load(Relaxed)));
        let numbers: Vec<_> = numbers.collect();
        self.governing.before.resize(numbers.len(), (0, 0));
        let seen: Vec<Seen> = self
            .counters
            .iter()
            .zip(&numbers)
            .zip(&self.governing.before)
            .enumerate()
            .map(|(place, ((counters, now), before))| Seen {
                // A point that came later is one that was named with others of its kind.
                rank: self.governing.ranks.get(place).copied().unwrap_or(0),
                received: now.0.saturating_sub(before.0),
                dropped: now.1.saturating_sub(before.1),
                now: counters.shedding.now(),
            })
            .collect();
        self.governing.before = numbers;
        for (counters, (step, why)) in self.counters.iter().zip(self.governing.governor.second(load, &seen)) {
            counters.shedding.set_order(step, why);
        }
    }
}
