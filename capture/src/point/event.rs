//! What a run's threads report to the session.

use netcap_bundle::Nanos;
use netcap_bundle::run::{ShedLevel, ShedReason};

use super::PointId;
use super::watchdog::Alarm;

/// Something the session must know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    /// About a point.
    Point { id: PointId, what: PointEvent },
    /// The loss ledger cannot be written further.
    LedgerEnded { why: String },
}

/// What happens to a point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PointEvent {
    /// Its interface cannot be heard from now on.
    GapBegins(Gap),
    /// It is heard again.
    GapEnds {
        gap: Gap,
        /// Its end.
        until: Nanos,
    },
    /// Its interface has another name; the point goes on.
    Renamed {
        /// The name before.
        from: String,
        /// The name now.
        to: String,
    },
    /// Its interface is gone and the point is closed.
    Left,
    /// It cannot go on; what it had is kept.
    Failed { why: String },
    /// Its interface counts packets and nothing arrives, or that is over.
    Watchdog(Alarm),
    /// It gives up something to spare the host, or takes it back.
    Shed {
        /// What it gives up from now on.
        level: ShedLevel,
        why: ShedReason,
    },
}

/// A time in which an interface cannot be heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Gap {
    /// Its beginning.
    pub(crate) from: Nanos,
    /// What the system said.
    pub(crate) why: String,
}
