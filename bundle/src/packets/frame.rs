//! What goes into a segment: its description, and frame after frame.

use serde::{Deserialize, Serialize};

use crate::{Mac, Nanos};

/// What a segment says about itself in its first blocks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SegmentMeta {
    /// The point's id.
    pub point: String,
    /// Interface name.
    pub iface: String,
    /// What the interface is to the host.
    pub description: String,
    /// Interface MAC.
    pub mac: Option<Mac>,
    /// The filter as the user wrote it.
    pub filter: String,
    /// Bytes kept of each frame.
    pub snaplen: u32,
    /// Operating system of the recording host.
    pub os: String,
    /// Tool and version.
    pub tool: String,
}

/// One frame on its way into a segment.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    /// Kernel stamp.
    pub at: Nanos,
    /// Which way it went.
    pub direction: Direction,
    /// Length on the wire, without a tag held in `vlan`.
    pub wire_len: u32,
    /// The tag that the kernel took out of the frame: TPID and TCI.
    pub vlan: Option<(u16, u16)>,
    /// The captured bytes, from the destination MAC on.
    pub data: &'a [u8],
}

/// Which way a packet crossed the interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// The file does not say (every EN10MB pcap).
    #[default]
    Unknown,
    /// Received by the interface.
    In,
    /// Sent by the interface (`PACKET_OUTGOING`).
    Out,
}
