//! What the threads of a run tell its session: points, ledger and watchdog speak, the session says and remembers it.

use netcap_bundle::Nanos;
use netcap_bundle::run::{ShedLevel, ShedReason};

use super::watchdog::Bark;

/// Something the session must know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    /// The interface could not be heard for a while.
    Gap {
        /// Interface.
        iface: String,
        /// From when.
        from: Nanos,
        /// Until when; `None`: it has just begun.
        until: Option<Nanos>,
        /// What the system said.
        why: String,
    },
    /// The interface has another name; the point goes on.
    Renamed {
        /// Its name before.
        from: String,
        /// Its name now.
        to: String,
    },
    /// The interface is gone and the point is closed.
    Left {
        /// Interface.
        iface: String,
    },
    /// The point cannot go on; what it had is kept.
    Failed {
        /// Interface.
        iface: String,
        /// ShedReason.
        why: String,
    },
    /// The interface counts packets and nothing arrives, or that is over.
    Watchdog {
        /// Interface.
        iface: String,
        /// What is worth telling.
        bark: Bark,
    },
    /// The point gives up something to spare the host, or takes it back.
    Shed {
        /// Interface.
        iface: String,
        /// What it gives up from now on.
        step: ShedLevel,
        /// ShedReason.
        why: ShedReason,
    },
    /// The loss ledger cannot be written further.
    LedgerEnded {
        /// ShedReason.
        why: String,
    },
}
