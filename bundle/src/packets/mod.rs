//! Packets in files: segments as netcap writes them, and every pcap or pcapng file as netcap reads them.

pub mod block;
mod frame;
pub mod reader;
pub mod segment;

pub use crate::files::decompress;
pub use frame::{Direction, Frame, SegmentMeta};
pub use reader::{Batch, Interface, LinkType, Packet, PacketReader, Tail};
pub use segment::SegmentWriter;
