//! pcapng blocks as netcap writes them (draft-ietf-opsawg-pcapng, sections 4.1 to 4.6).
//!
//! Reading is left to a library; writing is ours because it is the recorder's hot path: one packet must cost one
//! header, one copy and no allocation, with direction and loss in the packet's own options.

use super::Direction;
use super::frame::{Frame, SegmentMeta};
use crate::{Mac, Nanos};

const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const BYTE_ORDER_MAGIC: u32 = 0x1a2b_3c4d;
const INTERFACE_DESCRIPTION: u32 = 1;
const INTERFACE_STATISTICS: u32 = 5;
const ENHANCED_PACKET: u32 = 6;

const OPT_END: u16 = 0;
const SHB_OS: u16 = 3;
const SHB_USERAPPL: u16 = 4;
const IF_NAME: u16 = 2;
const IF_DESCRIPTION: u16 = 3;
const IF_MACADDR: u16 = 6;
const IF_TSRESOL: u16 = 9;
const IF_FILTER: u16 = 11;
const EPB_FLAGS: u16 = 2;
const EPB_DROPCOUNT: u16 = 4;
const ISB_STARTTIME: u16 = 2;
const ISB_ENDTIME: u16 = 3;
const ISB_IFRECV: u16 = 4;
const ISB_IFDROP: u16 = 5;
const ISB_FILTERACCEPT: u16 = 6;
const ISB_OSDROP: u16 = 7;
const ISB_USRDELIV: u16 = 8;

/// `if_tsresol` 9: stamps count 10⁻⁹ seconds.
const NANOSECONDS: u8 = 9;
/// LINKTYPE_ETHERNET.
const ETHERNET: u16 = 1;
/// Options are 16-bit lengths; names and filters beyond this are cut.
const TEXT_MAX: usize = 4096;

/// Section header and interface description: the start of every segment.
pub(super) fn head(out: &mut Vec<u8>, meta: &SegmentMeta) {
    block(out, SECTION_HEADER, |b| {
        put32(b, BYTE_ORDER_MAGIC);
        put16(b, 1);
        put16(b, 0);
        put64(b, u64::MAX); // section length: not known
        option(b, SHB_OS, clip(&meta.os));
        option(b, SHB_USERAPPL, clip(&meta.tool));
        option(b, OPT_END, &[]);
    });
    block(out, INTERFACE_DESCRIPTION, |b| {
        put16(b, ETHERNET);
        put16(b, 0);
        put32(b, meta.snaplen);
        option(b, IF_NAME, clip(&meta.iface));
        option(b, IF_DESCRIPTION, clip(&meta.description));
        if let Some(Mac(mac)) = meta.mac {
            option(b, IF_MACADDR, &mac);
        }
        option(b, IF_TSRESOL, &[NANOSECONDS]);
        let mut filter = vec![0]; // 0: a libpcap expression follows
        filter.extend_from_slice(clip(&meta.filter));
        option(b, IF_FILTER, &filter);
        option(b, OPT_END, &[]);
    });
}

/// One packet. `lost` packets were dropped between the packet before and this one.
///
/// A VLAN tag that the kernel took out of the frame is put back where it was on the wire, behind the addresses.
pub(super) fn packet(out: &mut Vec<u8>, frame: &Frame<'_>, lost: u64) {
    let (head, tail) = match frame.vlan {
        Some(_) if frame.data.len() >= 12 => frame.data.split_at(12),
        _ => (frame.data, &[][..]),
    };
    let tag = frame.vlan.filter(|_| frame.data.len() >= 12);
    let captured = frame.data.len() + if tag.is_some() { 4 } else { 0 };
    let [high, low] = halves(frame.at);
    block(out, ENHANCED_PACKET, |b| {
        put32(b, 0);
        put32(b, high);
        put32(b, low);
        put32(b, u32::try_from(captured).unwrap_or(u32::MAX));
        put32(b, frame.wire_len.saturating_add(if tag.is_some() { 4 } else { 0 }));
        b.extend_from_slice(head);
        if let Some((tpid, tci)) = tag {
            b.extend_from_slice(&tpid.to_be_bytes());
            b.extend_from_slice(&tci.to_be_bytes());
            b.extend_from_slice(tail);
        }
        pad(b, captured);
        let flags = match frame.direction {
            Direction::Unknown => 0u32,
            Direction::In => 1,
            Direction::Out => 2,
        };
        option(b, EPB_FLAGS, &flags.to_le_bytes());
        if lost > 0 {
            option(b, EPB_DROPCOUNT, &lost.to_le_bytes());
        }
        option(b, OPT_END, &[]);
    });
}

/// What the interface counted since the segment was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Statistics {
    /// When the segment was opened.
    pub opened: Nanos,
    /// When these numbers were read.
    pub now: Nanos,
    /// Packets the kernel counted for the socket: past the filter, dropped ones included.
    pub received: u64,
    /// Of these, dropped because the ring was full.
    pub dropped: u64,
    /// Packets written to the file.
    pub written: u64,
}

/// An interface statistics block.
pub(super) fn statistics(out: &mut Vec<u8>, stats: &Statistics) {
    let stamp = |at| {
        let [high, low] = halves(at);
        [high.to_le_bytes(), low.to_le_bytes()].concat()
    };
    block(out, INTERFACE_STATISTICS, |b| {
        let [high, low] = halves(stats.now);
        put32(b, 0);
        put32(b, high);
        put32(b, low);
        option(b, ISB_STARTTIME, &stamp(stats.opened));
        option(b, ISB_ENDTIME, &stamp(stats.now));
        option(b, ISB_IFRECV, &stats.received.to_le_bytes());
        option(b, ISB_IFDROP, &stats.dropped.to_le_bytes());
        option(b, ISB_FILTERACCEPT, &stats.received.to_le_bytes());
        option(b, ISB_OSDROP, &stats.dropped.to_le_bytes());
        option(b, ISB_USRDELIV, &stats.written.to_le_bytes());
        option(b, OPT_END, &[]);
    });
}

/// Type, length, body, length again.
fn block(out: &mut Vec<u8>, kind: u32, body: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    put32(out, kind);
    put32(out, 0);
    body(out);
    let length = u32::try_from(out.len() - start + 4).unwrap_or(u32::MAX);
    put32(out, length);
    if let Some(place) = out.get_mut(start + 4..start + 8) {
        place.copy_from_slice(&length.to_le_bytes());
    }
}

fn option(out: &mut Vec<u8>, code: u16, value: &[u8]) {
    put16(out, code);
    put16(out, u16::try_from(value.len()).unwrap_or(0));
    out.extend_from_slice(value);
    pad(out, value.len());
}

fn clip(text: &str) -> &[u8] {
    let mut end = text.len().min(TEXT_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default().as_bytes()
}

/// Bodies are padded to 32 bits.
fn pad(out: &mut Vec<u8>, len: usize) {
    out.extend_from_slice([0u8; 3].get(..(4 - len % 4) % 4).unwrap_or_default());
}

/// High and low half of a stamp; times before 1970 do not occur on a host that stamps packets and become 0.
fn halves(at: Nanos) -> [u32; 2] {
    let ns = u64::try_from(at.0).unwrap_or(0);
    [ns >> 32, ns & 0xffff_ffff].map(|half| u32::try_from(half).unwrap_or(u32::MAX))
}

fn put16(out: &mut Vec<u8>, value: u16) {
    out.extend_from_slice(&value.to_le_bytes());
}

fn put32(out: &mut Vec<u8>, value: u32) {
    out.extend_from_slice(&value.to_le_bytes());
}

fn put64(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(&value.to_le_bytes());
}
