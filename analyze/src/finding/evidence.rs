//! Evidence: what a reader can look up in the bundle with other tools.

use netcap_bundle::Nanos;
use serde::Serialize;

use super::{english, maybe_utc, utc};
use crate::text::Text;

/// One piece of evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(crate) enum Evidence {
    /// A frame that can be opened in Wireshark.
    Frame {
        file: String,
        /// Frame number in it.
        number: u64,
        /// Its stamp.
        #[serde(serialize_with = "utc")]
        at: Nanos,
        /// Capture point.
        point: String,
        /// What it shows.
        #[serde(serialize_with = "english")]
        what: Text,
    },
    /// A line of recorded host state.
    Snapshot {
        /// File in the bundle.
        file: String,
        /// When it was taken; `None` when nothing says.
        #[serde(serialize_with = "maybe_utc")]
        at: Option<Nanos>,
        line: String,
        /// What it shows.
        #[serde(serialize_with = "english")]
        what: Text,
    },
    /// A counter that moved.
    Counter {
        name: String,
        /// Value at `from`.
        before: u64,
        /// Value at `to`.
        after: u64,
        /// When `before` was read.
        #[serde(serialize_with = "utc")]
        from: Nanos,
        /// When `after` was read.
        #[serde(serialize_with = "utc")]
        to: Nanos,
        /// What it shows.
        #[serde(serialize_with = "english")]
        what: Text,
    },
    /// Something that was not there while the capture could be trusted.
    Absence {
        /// Capture point.
        point: String,
        /// From when.
        #[serde(serialize_with = "utc")]
        from: Nanos,
        /// Until when.
        #[serde(serialize_with = "utc")]
        to: Nanos,
        /// What was missing.
        #[serde(serialize_with = "english")]
        what: Text,
    },
}

impl Evidence {
    /// When it shows, or began to show.
    pub(crate) fn at(&self) -> Option<Nanos> {
        match self {
            Self::Frame { at, .. } => Some(*at),
            Self::Snapshot { at, .. } => *at,
            Self::Counter { from, .. } | Self::Absence { from, .. } => Some(*from),
        }
    }

    /// What it shows.
    pub(crate) fn what(&self) -> &Text {
        match self {
            Self::Frame { what, .. }
            | Self::Snapshot { what, .. }
            | Self::Counter { what, .. }
            | Self::Absence { what, .. } => what,
        }
    }
}
