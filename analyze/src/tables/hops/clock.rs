//! The clocks behind the stamps. Points of one host share one; several hosts' differ, and how much is estimated.

use std::collections::BTreeMap;

use netcap_bundle::Nanos;

use crate::clocks::timeline::Timeline;
use crate::engine::HostId;

/// How to bring each host's stamps to the first host's clock; a host that is not there has that clock itself.
#[derive(Debug, Clone, Default)]
pub(crate) struct HostClocks {
    hosts: BTreeMap<HostId, Timeline>,
}

impl HostClocks {
    /// Sets what is known of a host's clock.
    pub(crate) fn set(&mut self, host: HostId, timeline: Timeline) {
        self.hosts.insert(host, timeline);
    }

    /// A host's stamp on the first host's clock.
    pub(crate) fn common(&self, host: HostId, at: Nanos) -> Nanos {
        self.hosts.get(&host).map_or(at, |timeline| timeline.common(at).0)
    }

    /// A stamp of the first host's clock on a host's own, and how far that may be off, in nanoseconds.
    pub(crate) fn own(&self, host: HostId, at: Nanos) -> (Nanos, i64) {
        self.hosts.get(&host).map_or((at, 0), |timeline| timeline.own(at))
    }

    /// How far a difference between stamps of two hosts may be off at that time of the first host's clock, in
    /// nanoseconds; 0 for one host.
    pub(crate) fn bound_ns(&self, a: HostId, b: HostId, at: Nanos) -> i64 {
        if a == b { 0 } else { self.own(a, at).1.saturating_add(self.own(b, at).1) }
    }
}
