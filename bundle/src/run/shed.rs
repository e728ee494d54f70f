//! Load shedding as a ledger tells it: lines of their own kind among the spans of a point.
//!
//! A recorder that may not use more of the host (processor, memory), or whose ring runs over, gives up in a stated order
//! what costs least to miss. Each [`ShedLevel`] includes those before it.

use serde::{Deserialize, Serialize};

use crate::Nanos;

/// What a point gives up; in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShedLevel {
    /// Nothing: recorded as asked.
    #[default]
    Whole,
    /// Compressed at level 1, whatever was asked.
    Level1,
    /// Compressed fast: files grow by a fifth.
    Fast,
    /// Hardly compressed.
    Fastest,
    /// Frames are cut to 256 bytes: all headers, the start of the payload.
    Cut256,
    /// Frames are cut to 128 bytes: headers.
    Cut128,
    /// Packets are counted and not recorded.
    Off,
}

/// Why a point took a step, down or up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShedReason {
    /// Its ring was filling.
    Ring,
    /// Rings lost packets.
    Loss,
    /// More processor time than allowed.
    Cpu,
    /// More memory than allowed.
    Memory,
    /// It was calm for a while.
    Calm,
}

/// One step of a point: from here on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShedLine {
    /// When.
    pub at: Nanos,
    /// What it gives up from now on.
    pub step: ShedLevel,
    /// What it gave up before.
    pub was: ShedLevel,
    /// What was short.
    pub why: ShedReason,
}

/// What one point gave up during a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shed {
    /// The point's id.
    pub point: String,
    /// Steps taken, down and up.
    pub steps: u64,
    /// The most that it gave up.
    pub deepest: ShedLevel,
    /// Milliseconds in which frames were cut or not recorded.
    pub cut_ms: u64,
    /// Packets that were counted and not recorded.
    pub packets: u64,
}

impl ShedLevel {
    /// The zstd level of a point that was asked to use `level`.
    pub fn level(self, level: i32) -> i32 {
        match self {
            Self::Whole => level,
            Self::Level1 => level.min(1),
            Self::Fast => level.min(-10),
            _ => level.min(-50),
        }
    }

    /// Bytes kept of a frame, if not as asked.
    pub fn snaplen(self) -> Option<u32> {
        match self {
            Self::Cut256 => Some(256),
            Self::Cut128 => Some(128),
            Self::Off => Some(1),
            _ => None,
        }
    }
}
