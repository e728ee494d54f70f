//! Reports: the same verdict for people and for machines.

pub mod expect;
pub mod json;
pub mod many;
mod numbers;
pub mod recording;
pub mod text;
pub mod together;
pub(crate) mod words;
pub(crate) mod wrap;

use netcap_bundle::Nanos;

use crate::engine::FileStats;

/// Counts of one input.
#[derive(Debug, Clone, Default)]
pub struct Stats {
    /// Packets in all files.
    pub packets: u64,
    /// Capture points.
    pub points: Vec<PointStats>,
    /// Packet files.
    pub files: Vec<FileStats>,
}

/// Counts of one capture point.
#[derive(Debug, Clone)]
pub struct PointStats {
    /// Interface.
    pub name: String,
    /// What it is to the host.
    pub role: &'static str,
    /// Its switch.
    pub vswitch: Option<String>,
    /// Its filter.
    pub filter: String,
    /// Bytes kept of each frame, 0 when not said.
    pub snaplen: u32,
    /// Packets read.
    pub packets: u64,
    /// Their bytes on the wire.
    pub wire_bytes: u64,
    /// Packets cut by the snapshot length.
    pub cut: u64,
    /// Packets lost; `None` when nothing says.
    pub dropped: Option<u64>,
    /// Earliest stamp.
    pub first: Option<Nanos>,
    /// Latest stamp.
    pub last: Option<Nanos>,
}
