//! What the recorder takes of the host from second to second, for the governor.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::cost;
use crate::plan::Plan;
use crate::privileged::Privileged;
use crate::shed::{Governor, Load};

/// What the governor needs to know from one second to the next.
pub(super) struct Governing {
    pub(super) governor: Governor,
    /// Received and dropped of each point when last looked at.
    pub(super) before: Vec<(u64, u64)>,
    look_samples: Instant,
    used: Duration,
    /// Its helper's cost is the recording's.
    privileged: Arc<dyn Privileged>,
}

impl Governing {
    pub(super) fn new(plan: &Plan, privileged: Arc<dyn Privileged>) -> Self {
        Self {
            governor: Governor::new(Load { cpu: plan.cpu_limit, memory: plan.max_memory }),
            before: Vec::new(),
            look_samples: Instant::now(),
            used: cost::processor_time(&*privileged),
            privileged,
        }
    }

    /// Percent of one core since the last look.
    pub(super) fn cpu(&mut self) -> Option<u64> {
        let (now, used) = (Instant::now(), cost::processor_time(&*self.privileged));
        let wall = now.duration_since(self.look_samples).as_micros().max(1);
        let percent = used.saturating_sub(self.used).as_micros().saturating_mul(100) / wall;
        (self.look_samples, self.used) = (now, used);
        u64::try_from(percent).ok()
    }

    /// Bytes resident at this moment.
    pub(super) fn memory(&self) -> Option<u64> {
        cost::resident_with(&*self.privileged)
    }

    /// Whether the helper has ended before the recording.
    pub(super) fn helper_lost(&self) -> bool {
        self.privileged.is_lost()
    }
}
