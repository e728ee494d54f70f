//! Packets in files: segments as netcap writes them, and every pcap or pcapng file as netcap reads them.

mod ahead;
pub mod block;
pub mod decompress;
pub mod reader;
pub mod segment;

pub use reader::{Batch, Interface, LinkType, Packet, PacketReader, Tail};
pub use segment::{Frame, SegmentMeta, SegmentWriter};

use serde::{Deserialize, Serialize};

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
