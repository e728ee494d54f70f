//! Once a second: what the recorder takes of the host, and what its points have to give up for it.

use std::sync::atomic::Ordering::Relaxed;

use super::view::Session;
use crate::point::counters::Counters;
use crate::shed::{Load, PointLoad, rank};

impl Session {
    /// Orders each point what it has to give up.
    pub(super) fn govern(&mut self) {
        let load = Load { cpu: self.governing.cpu(), memory: self.governing.memory() };
        let read = |c: &Counters| (c.received.load(Relaxed), c.dropped.load(Relaxed));
        let numbers: Vec<_> = self.points.iter().map(|point| read(&point.counters)).collect();
        self.governing.before.resize(numbers.len(), (0, 0));
        let seen: Vec<PointLoad> = self
            .points
            .iter()
            .zip(&numbers)
            .zip(&self.governing.before)
            .map(|((point, now), before)| PointLoad {
                rank: rank(&point.point.role),
                received: now.0.saturating_sub(before.0),
                dropped: now.1.saturating_sub(before.1),
                now: point.counters.shedding.now(),
            })
            .collect();
        self.governing.before = numbers;
        for (point, order) in self.points.iter().zip(self.governing.governor.second(load, &seen)) {
            point.counters.shedding.set_order(order);
        }
    }
}
