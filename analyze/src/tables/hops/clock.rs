//! The clocks behind the stamps. Points of one host share one; several hosts' differ, and how much is estimated.

use std::collections::BTreeMap;

use netcap_bundle::Nanos;

use crate::engine::HostId;

/// How each host's clock differs from the first host's.
#[derive(Debug, Clone, Default)]
pub struct Clocks {
    hosts: BTreeMap<HostId, Offset>,
}

/// One host's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offset {
    /// Nanoseconds that its clock is ahead of the first host's.
    pub ahead_ns: i64,
    /// How far the estimate may be off, in nanoseconds.
    pub bound_ns: i64,
}

impl Clocks {
    /// Sets what was estimated of a host's clock.
    pub fn set(&mut self, host: HostId, offset: Offset) {
        self.hosts.insert(host, offset);
    }

    /// A host's stamp on the first host's clock.
    pub fn common(&self, host: HostId, at: Nanos) -> Nanos {
        self.hosts.get(&host).map_or(at, |offset| at.plus(-offset.ahead_ns))
    }

    /// How far a difference between stamps of two hosts may be off, in nanoseconds; 0 for one host.
    pub fn bound_ns(&self, a: HostId, b: HostId) -> i64 {
        let bound = |host| self.hosts.get(&host).map_or(0, |offset: &Offset| offset.bound_ns);
        if a == b { 0 } else { bound(a).saturating_add(bound(b)) }
    }
}
