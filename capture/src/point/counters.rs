//! Live numbers of the points, written by their threads and read by whoever shows them.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use netcap_bundle::ledger::Sums;
use netcap_bundle::run::ShedLevel;

use crate::shed::Shedding;

/// What one point has done so far.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    /// Packets written.
    pub packets: AtomicU64,
    /// Their bytes on the wire.
    pub wire_bytes: AtomicU64,
    /// Packets past the filter as the kernel counts them, dropped ones included.
    pub received: AtomicU64,
    /// Packets the kernel dropped because the ring was full.
    pub dropped: AtomicU64,
    /// Packets the filter did not want, as the ledger derives it.
    pub filtered: AtomicU64,
    /// Packets the NIC or the stack dropped at this interface.
    pub nic_dropped: AtomicU64,
    /// Packets Open vSwitch dropped at this port.
    pub ovs_dropped: AtomicU64,
    /// Bytes of closed segments.
    pub closed_bytes: AtomicU64,
    /// Bytes of the open segment.
    pub open_bytes: AtomicU64,
    /// Number of the open segment.
    pub segment: AtomicU32,
    /// Index of the interface; 0 while there is none.
    pub index: AtomicU32,
    /// The interface is not there or down at this moment.
    pub away: AtomicBool,
    /// The point could not go on.
    pub ended: AtomicBool,
    /// The interface is gone and the point is closed.
    pub left: AtomicBool,
    /// The interface counts packets and none arrive.
    pub deaf: AtomicBool,
    /// A new segment is asked for.
    pub rotate: AtomicBool,
    /// What the point gives up to spare the host.
    pub shedding: Shedding,
    /// All sums as they were when the kernel was last asked, and when that was.
    settled: Mutex<Settled>,
    /// The name of the interface, once it is not the one the point began with.
    name: Mutex<Option<String>>,
}

/// Sums that belong together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Settled {
    pub(crate) sums: Sums,
    /// When the kernel was asked; `None` before the first time.
    pub(crate) at: Option<Instant>,
}

/// What the whole host lost, beside the points.
#[derive(Debug, Default)]
pub(crate) struct HostCounters {
    /// Packets dropped because the backlog of a CPU was full.
    pub softnet_dropped: AtomicU64,
    /// Packets that Open vSwitch lost because its daemon could not be asked.
    pub upcalls_lost: AtomicU64,
}

/// The numbers at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Numbers {
    /// Packets written.
    pub packets: u64,
    /// Their bytes on the wire.
    pub wire_bytes: u64,
    /// Packets dropped by the kernel.
    pub dropped: u64,
    /// Packets the filter did not want.
    pub filtered: u64,
    /// Packets the NIC or the stack dropped.
    pub nic_dropped: u64,
    /// Packets Open vSwitch dropped.
    pub ovs_dropped: u64,
    /// Bytes of all files.
    pub file_bytes: u64,
    /// Number of the open segment.
    pub segment: u32,
    /// The interface is not there or down.
    pub away: bool,
    /// The point could not go on.
    pub ended: bool,
    /// The interface is gone and the point is closed.
    pub left: bool,
    /// The interface counts packets and none arrive.
    pub deaf: bool,
    /// What the point gives up.
    pub step: ShedLevel,
}

impl Counters {
    /// All sums of one moment, right after the kernel was asked.
    pub(crate) fn settled(&self) -> Settled {
        *self.settled.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The interface has another name from now on.
    pub(crate) fn rename(&self, name: &str) {
        *self.name.lock().unwrap_or_else(PoisonError::into_inner) = Some(name.to_owned());
    }

    /// The name of the interface when it is no longer this one.
    pub(crate) fn renamed(&self, from: &str) -> Option<String> {
        self.name.lock().unwrap_or_else(PoisonError::into_inner).clone().filter(|name| name != from)
    }

    /// The point's thread has asked the kernel: what there is now belongs together.
    pub(crate) fn settle(&self) {
        let sums = Sums {
            received: self.received.load(Relaxed),
            dropped: self.dropped.load(Relaxed),
            written: self.packets.load(Relaxed),
            wire_bytes: self.wire_bytes.load(Relaxed),
            shed: self.shedding.packets(),
        };
        *self.settled.lock().unwrap_or_else(PoisonError::into_inner) =
            Settled { sums, at: Some(Instant::now()) };
    }

    /// Reads all numbers; each is exact, together they may be one frame apart.
    pub(crate) fn read(&self) -> Numbers {
        Numbers {
            packets: self.packets.load(Relaxed),
            wire_bytes: self.wire_bytes.load(Relaxed),
            dropped: self.dropped.load(Relaxed),
            filtered: self.filtered.load(Relaxed),
            nic_dropped: self.nic_dropped.load(Relaxed),
            ovs_dropped: self.ovs_dropped.load(Relaxed),
            file_bytes: self.closed_bytes.load(Relaxed) + self.open_bytes.load(Relaxed),
            segment: self.segment.load(Relaxed),
            away: self.away.load(Relaxed),
            ended: self.ended.load(Relaxed),
            left: self.left.load(Relaxed),
            deaf: self.deaf.load(Relaxed),
            step: self.shedding.now(),
        }
    }
}
