//! Load shedding: what a point gives up so that the host is spared, or so that its ring does not run over.
//!
//! The order is that of [`ShedLevel`]: compression first, for it costs disk and no evidence; then the ends of frames, for
//! headers say most; then whole points, those that say least first ([`rank`]). A point takes the steps of compression by
//! itself when its ring fills ([`Pressure`]); the rest is ordered for all points together, once a second ([`Governor`]).
//! Every step, down and up, is a line in the point's ledger.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use netcap_bundle::run::{ShedLevel, ShedLine, ShedReason};
use netcap_bundle::{Nanos, Role};
use rust_i18n::t;

mod cut;
mod governor;
mod pressure;

pub(crate) use cut::Cut;
pub(crate) use governor::{Governor, Load, PointLoad};
pub(crate) use pressure::Pressure;

/// What the governor orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Order {
    /// How much a point has to give up.
    pub(crate) level: ShedLevel,
    pub(crate) why: ShedReason,
}

/// Steps that wait for the ledger at most; it comes each second.
const WAITING_MAX: usize = 64;

/// One point's part of it, between its thread, the governor and the ledger.
#[derive(Debug)]
pub(crate) struct Shedding {
    /// What the governor orders, and why.
    order: Mutex<Order>,
    /// What the point does at this moment.
    now: Mutex<ShedLevel>,
    waiting: Mutex<VecDeque<ShedLine>>,
    /// Packets counted and not recorded.
    pub packets: AtomicU64,
}

impl Default for Shedding {
    fn default() -> Self {
        let order = Mutex::new(Order { level: ShedLevel::Whole, why: ShedReason::Calm });
        Self { order, now: Mutex::default(), waiting: Mutex::default(), packets: AtomicU64::new(0) }
    }
}

impl Shedding {
    /// What the governor wants of the point.
    pub(crate) fn order(&self) -> Order {
        *lock(&self.order)
    }

    /// The governor wants this of the point.
    pub(crate) fn set_order(&self, order: Order) {
        *lock(&self.order) = order;
    }

    /// What the point does.
    pub(crate) fn now(&self) -> ShedLevel {
        *lock(&self.now)
    }

    /// The point takes a step: for the ledger.
    pub(crate) fn took(&self, at: Nanos, step: ShedLevel, why: ShedReason) {
        let was = std::mem::replace(&mut *lock(&self.now), step);
        let mut waiting = lock(&self.waiting);
        if waiting.len() < WAITING_MAX {
            waiting.push_back(ShedLine { at, step, was, why });
        }
    }

    /// Steps that are in no ledger yet.
    pub(crate) fn take_steps(&self) -> VecDeque<ShedLine> {
        std::mem::take(&mut *lock(&self.waiting))
    }

    /// Packets counted and not recorded.
    pub(crate) fn packets(&self) -> u64 {
        self.packets.load(Relaxed)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How much a point says; the least goes first when points have to go.
///
/// Everything that enters or leaves the host crosses an uplink, and only there are LACP, LLDP and what the fabric answers:
/// a bond's members go last. The switch's own port has what the host itself sent. Other interfaces were named one by
/// one. A VM's frames are seen again at the uplink, with its address, so its port is missed least.
pub(crate) fn rank(role: &Role) -> u8 {
    match role {
        Role::Uplink { bond: Some(_) } => 4,
        Role::Uplink { bond: None } => 3,
        Role::Internal => 2,
        Role::Vnet { .. } => 0,
        _ => 1,
    }
}

/// A step in words.
pub(crate) fn word(step: ShedLevel) -> String {
    let key = match step {
        ShedLevel::Whole => "shed.whole",
        ShedLevel::Level1 => "shed.level1",
        ShedLevel::Fast => "shed.fast",
        ShedLevel::Fastest => "shed.fastest",
        ShedLevel::Cut256 => "shed.cut256",
        ShedLevel::Cut128 => "shed.cut128",
        ShedLevel::Off => "shed.off",
    };
    t!(key).into_owned()
}

/// Its reason in words.
pub(crate) fn reason(why: ShedReason) -> String {
    let key = match why {
        ShedReason::Ring => "shed.by_ring",
        ShedReason::Loss => "shed.by_loss",
        ShedReason::Cpu => "shed.by_cpu",
        ShedReason::Memory => "shed.by_memory",
        ShedReason::Calm => "shed.by_calm",
    };
    t!(key).into_owned()
}

#[cfg(test)]
mod tests;
