//! Packets in files: segments as netcap writes them, and every pcap or pcapng file as netcap reads them.

mod block;
mod frame;
mod reader;
mod segment;

pub use frame::{Direction, Frame, SegmentMeta};
pub use reader::{Batch, Interface, LinkType, Packet, PacketReader, Tail, Version};
pub use segment::SegmentWriter;
