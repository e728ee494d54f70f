//! One point while it is recorded, as the session sees it.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use netcap_bundle::Point;

use crate::point::PointId;
use crate::point::counters::Counters;

/// One point while it is recorded.
pub(super) struct Recorded {
    pub(super) id: PointId,
    /// As the bundle describes it.
    pub(super) point: Point,
    /// The name its interface has now.
    pub(super) iface: String,
    /// Its numbers.
    pub(super) counters: Arc<Counters>,
    /// Its ring's memory.
    pub(super) ring_bytes: u64,
    /// It joined after the start.
    pub(super) joined: bool,
}

impl Recorded {
    /// A point of the start.
    pub(super) fn at_start(point: &Point) -> Self {
        let (iface, counters) = (point.iface.clone(), Arc::default());
        Self { id: point.into(), point: point.clone(), iface, counters, ring_bytes: 0, joined: false }
    }

    /// It is still recorded, or waited for.
    pub(super) fn is_active(&self) -> bool {
        !self.counters.left.load(Relaxed) && !self.counters.ended.load(Relaxed)
    }

    /// It is the point of the interface that has this name and, unless it is 0, this index. A name may be new: the point's
    /// thread learns that an interface was renamed when it looks next, and the inventory may look before.
    pub(super) fn is_of(&self, iface: &str, index: u32) -> bool {
        self.is_active()
            && (self.iface == iface || (index != 0 && self.counters.index.load(Relaxed) == index))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_with_a_new_name_is_no_other_one() {
        let recorded = Recorded::at_start(&Point::bare("vnet0"));
        recorded.counters.index.store(7, Relaxed);
        assert!(recorded.is_of("vnet0", 7) && recorded.is_of("lan0", 7));
        // It is away, and what has come under its name is waited for by its own thread.
        assert!(recorded.is_of("vnet0", 9) && !recorded.is_of("lan0", 9));
        recorded.counters.index.store(0, Relaxed);
        assert!(!recorded.is_of("lan0", 0), "neither is there");
        recorded.counters.left.store(true, Relaxed);
        assert!(!recorded.is_of("vnet0", 7));
    }
}
