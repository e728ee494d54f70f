//! What a reader must know of an input before silence means anything.

use crate::files::FilesRemark;

/// A remark on an input. Programs say it in the language of their user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remark {
    /// Of its files.
    Files(FilesRemark),
    /// The recorder did not end the run.
    Unsealed,
    /// There is more of something than is read.
    TooMany {
        /// The kind of thing of which there were too many.
        what: Limited,
        /// How much is read.
        max: usize,
    },
    /// What the recorder wants a reader to know, in its words.
    Recorder(String),
    /// A log of pings is longer than fits in memory; of its records some were kept, the lost ones first.
    ThinnedPings {
        /// The log.
        file: String,
        /// Records in it.
        all: usize,
        /// Records kept.
        kept: usize,
    },
    /// A ledger is so long that neighbouring lines were joined.
    JoinedLedger {
        /// The ledger.
        file: String,
    },
    /// A file has more lines than are read.
    TooManyLines {
        /// Its name, as the input has it.
        file: String,
    },
    /// Files of one capture that was rotated are one point.
    Rotated {
        /// The name that they have in common.
        name: String,
        /// How many.
        files: usize,
    },
    /// Files have a name in common and are not one after the other, or not of one kind.
    NotRotated {
        /// The name that they have in common.
        name: String,
        /// How many.
        files: usize,
    },
    /// Rounds of host state that did not fit in memory.
    ThinnedState {
        /// How many.
        rounds: usize,
    },
    /// A file of JSON cannot be read.
    Unreadable {
        /// Its name, as the input has it.
        file: String,
        /// What stood in the way.
        why: Unreadable,
    },
}

/// What there may be too much of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limited {
    /// Points that joined or left.
    Changes,
    /// Capture points.
    Points,
    /// Capture points: packet files of the rest are not read.
    PointsWithFiles,
    /// Capture points: what the rest saw is counted at the last one.
    PointsCounted,
    /// Pings.
    Pings,
    /// Remarks of the recorder.
    Remarks,
    /// Packet files.
    PacketFiles,
}

/// Why a file of JSON cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unreadable {
    /// It has more values than fit in memory.
    TooManyValues {
        /// How many there may be.
        max: usize,
    },
    /// It is no JSON of the kind that belongs there, as its parser says.
    Json(String),
}
