//! What a run says of itself, as it lies in a bundle: where everything is, what was recorded, what was lost.
//!
//! Data only: rooms above read and write it.

pub mod changes;
pub mod layout;

mod drops;
mod json_line;
mod mac;
mod manifest;
mod ping;
mod point;
mod shed;
mod span;
mod time;
mod zero;

pub use changes::{Change, ChangeKind};
pub use drops::OvsDrops;
pub use json_line::json_line;
pub use mac::{Mac, NotAMac};
pub use manifest::{
    Clock, Cost, End, FileInfo, Manifest, PointCounts, Pruned, RunInfo, SCHEMA, Sandbox, SegmentInfo,
};
pub use ping::{Answer, PingRecord};
pub use point::{Point, Role, safe_name};
pub use shed::{Shed, ShedLevel, ShedLine, ShedReason};
pub use span::{HostSpan, IfaceCounts, PointSpan};
pub use time::{NS_PER_S, Nanos, human_ns};
