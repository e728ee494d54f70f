//! Reading packets from any pcap or pcapng stream, cut or damaged ones included.
//!
//! The reader walks block by block over one bounded buffer; a library parses the blocks' bodies. Damage ends the
//! stream with a [`Tail`] that says where and why, never with an error: what came before is worth having.

use std::io::{self, Read};

use pcap_parser::pcapng::{
    PcapNGOption, parse_enhancedpacketblock_be, parse_enhancedpacketblock_le,
    parse_interfacedescriptionblock_be, parse_interfacedescriptionblock_le,
    parse_interfacestatisticsblock_be, parse_interfacestatisticsblock_le,
};

use super::Direction;
use super::decompress::Stream;
use crate::{Mac, Nanos};

/// Largest block or record accepted, in bytes. Wireshark's own bound for a packet is 256 KiB (wiretap/wtap.h,
/// WTAP_MAX_PACKET_SIZE_STANDARD); blocks of names or secrets may be larger.
const BLOCK_MAX: usize = 16 * 1024 * 1024;
/// Largest packet accepted, in bytes: WTAP_MAX_PACKET_SIZE_STANDARD.
const PACKET_MAX: usize = 262_144;
/// Bytes asked of the stream at a time.
const READ: usize = 256 * 1024;
/// Interfaces remembered per file; more is an attack, not a host.
const INTERFACES_MAX: usize = 65_536;

const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE_DESCRIPTION: u32 = 1;
const OBSOLETE_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const INTERFACE_STATISTICS: u32 = 5;
const ENHANCED_PACKET: u32 = 6;

const EPB_FLAGS: u16 = 2;
const EPB_DROPCOUNT: u16 = 4;
const ISB_IFRECV: u16 = 4;
const ISB_IFDROP: u16 = 5;
const ISB_OSDROP: u16 = 7;

/// A link-layer type number (<https://www.tcpdump.org/linktypes.html>).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct LinkType(pub u16);

impl LinkType {
    /// LINKTYPE_ETHERNET.
    pub const ETHERNET: Self = Self(1);
}

/// One interface of a file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Interface {
    /// `if_name`; empty in a classic pcap.
    pub name: String,
    /// `if_description`.
    pub description: String,
    /// Link type.
    pub link: LinkType,
    /// Bytes kept of each frame; 0 when not said.
    pub snaplen: u32,
    /// `if_filter`, if it is a libpcap expression.
    pub filter: String,
    /// `if_MACaddr`.
    pub mac: Option<Mac>,
    /// Packets received past the filter, from the last statistics block; `None` when the file does not say.
    pub received: Option<u64>,
    /// Packets dropped, from the last statistics block; `None` when the file does not say.
    pub dropped: Option<u64>,
    /// Stamp units per second.
    units: u64,
    /// Seconds to add.
    offset_s: i64,
}

/// One packet, borrowed from the reader's buffer.
#[derive(Debug, Clone, Copy)]
pub struct Packet<'a> {
    /// Number in the file, counted from 1 as Wireshark does.
    pub number: u64,
    /// Index into [`PacketReader::interfaces`]; interfaces of later sections follow those of earlier ones.
    pub interface: u32,
    /// Link type of that interface.
    pub link: LinkType,
    /// Stamp; a simple packet block has none and gets the one before it.
    pub at: Nanos,
    /// Which way it went.
    pub direction: Direction,
    /// Packets lost just before it (`epb_dropcount`).
    pub lost_before: u64,
    /// Length on the wire.
    pub wire_len: u32,
    /// What was captured.
    pub data: &'a [u8],
}

/// How a stream ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tail {
    /// With its last block.
    Complete,
    /// In the middle of a block: the file is cut there.
    Cut {
        /// Offset in the uncompressed stream.
        at: u64,
    },
    /// At something that is not a packet.
    Damaged {
        /// Offset in the uncompressed stream.
        at: u64,
        /// What is wrong.
        why: String,
    },
}

#[derive(Debug, Clone, Copy)]
enum Format {
    /// Classic pcap; `extra` bytes follow each record header (Kuznetzov's modified format has 8).
    Pcap {
        big: bool,
        units: u64,
        extra: usize,
    },
    PcapNg {
        big: bool,
    },
}

/// Reads packets one by one.
pub struct PacketReader {
    source: Stream,
    buffer: Vec<u8>,
    /// The part of `buffer` not yet consumed.
    start: usize,
    end: usize,
    /// Offset of `start` in the stream.
    offset: u64,
    exhausted: bool,
    format: Format,
    interfaces: Vec<Interface>,
    /// First interface of the current section.
    section: usize,
    number: u64,
    last: Nanos,
    tail: Option<Tail>,
}

/// Where the next packet lies in the buffer.
struct Found {
    interface: u32,
    at: Nanos,
    direction: Direction,
    lost: u64,
    wire_len: u32,
    data: std::ops::Range<usize>,
}

/// What one block turned out to be.
enum Step {
    Packet(Found),
    Other,
}

impl PacketReader {
    /// Looks at the first bytes; `Ok(None)` when this is no pcap or pcapng stream.
    pub fn open(source: Stream) -> io::Result<Option<Self>> {
        let mut reader = Self {
            source,
            buffer: Vec::new(),
            start: 0,
            end: 0,
            offset: 0,
            exhausted: false,
            format: Format::PcapNg { big: false },
            interfaces: Vec::new(),
            section: 0,
            number: 0,
            last: Nanos::default(),
            tail: None,
        };
        if reader.fill(4)? {
            match array(reader.rest(), 0) {
                Some(magic) if u32::from_le_bytes(magic) == SECTION_HEADER => return Ok(Some(reader)),
                Some(_) if reader.fill(24)? => return Ok(reader.classic_header()),
                _ => {}
            }
        }
        Ok(None)
    }

    /// The interfaces seen so far; a classic pcap has one from the start.
    pub fn interfaces(&self) -> &[Interface] {
        &self.interfaces
    }

    /// How the stream ended; `None` before its end.
    pub fn tail(&self) -> Option<&Tail> {
        self.tail.as_ref()
    }

    /// Packets read so far.
    pub fn packets(&self) -> u64 {
        self.number
    }

    /// The next packet, or `None` at the end: then [`tail`](Self::tail) says how it ended.
    pub fn next_packet(&mut self) -> Option<Packet<'_>> {
        let found = loop {
            if self.tail.is_some() {
                return None;
            }
            let step = match self.format {
                Format::Pcap { big, units, extra } => self.classic_record(big, units, extra),
                Format::PcapNg { big } => self.block(big),
            };
            match step {
                Ok(Step::Packet(found)) => break found,
                Ok(Step::Other) => {}
                Err(tail) => self.tail = Some(tail),
            }
        };
        self.number += 1;
        self.last = found.at;
        Some(Packet {
            number: self.number,
            interface: found.interface,
            link: self.interfaces.get(found.interface as usize).map(|i| i.link).unwrap_or_default(),
            at: found.at,
            direction: found.direction,
            lost_before: found.lost,
            wire_len: found.wire_len,
            data: self.buffer.get(found.data).unwrap_or_default(),
        })
    }

    fn rest(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    /// Makes at least `want` unconsumed bytes available; false when the stream ends before.
    fn fill(&mut self, want: usize) -> io::Result<bool> {
        while self.end - self.start < want {
            if self.exhausted {
                return Ok(false);
            }
            if self.start > 0 && self.start + want + READ > self.buffer.len() {
                self.buffer.copy_within(self.start..self.end, 0);
                self.end -= self.start;
                self.start = 0;
            }
            let size = (self.end + READ).max(want);
            if self.buffer.len() < size {
                self.buffer.resize(size, 0);
            }
            let space = self.buffer.get_mut(self.end..).unwrap_or_default();
            match self.source.read(space) {
                Ok(0) => self.exhausted = true,
                Ok(n) => self.end += n,
                Err(err) if err.kind() == io::ErrorKind::Interrupted => {}
                Err(err) => return Err(err),
            }
        }
        Ok(true)
    }

    /// As [`fill`](Self::fill), in the terms of the walk: the end is `Complete` only between blocks.
    fn need(&mut self, want: usize, inside: bool) -> Result<(), Tail> {
        match self.fill(want) {
            Ok(true) => Ok(()),
            Ok(false) if self.start == self.end && !inside => Err(Tail::Complete),
            Ok(false) => Err(Tail::Cut { at: self.offset }),
            // A zstd or gzip stream that was cut in the middle of a block.
            Err(err) if err.kind() == io::ErrorKind::UnexpectedEof => Err(Tail::Cut { at: self.offset }),
            Err(err) => Err(self.damaged(err.to_string())),
        }
    }

    fn damaged(&self, why: impl Into<String>) -> Tail {
        Tail::Damaged { at: self.offset, why: why.into() }
    }

    fn consume(&mut self, bytes: usize) -> usize {
        let at = self.start;
        self.start += bytes;
        self.offset += bytes as u64;
        at
    }

    fn classic_header(mut self) -> Option<Self> {
        let (big, units, extra) = match u32::from_le_bytes(array(self.rest(), 0)?) {
            0xa1b2_c3d4 => (false, 1_000_000, 0),
            0xd4c3_b2a1 => (true, 1_000_000, 0),
            0xa1b2_3c4d => (false, 1_000_000_000, 0),
            0x4d3c_b2a1 => (true, 1_000_000_000, 0),
            0xa1b2_cd34 => (false, 1_000_000, 8),
            0x34cd_b2a1 => (true, 1_000_000, 8),
            _ => return None,
        };
        let word = |at| array(self.rest(), at).map(|b| u32_of(b, big));
        let snaplen = word(16)?;
        // The upper bits hold the FCS length (pcap-savefile(5)); the lower 16 the link type.
        let link = LinkType(u16::try_from(word(20)? & 0xffff).unwrap_or(0));
        self.interfaces.push(Interface { link, snaplen, units, ..Interface::default() });
        self.format = Format::Pcap { big, units, extra };
        self.consume(24);
        Some(self)
    }

    fn classic_record(&mut self, big: bool, units: u64, extra: usize) -> Result<Step, Tail> {
        let head = 16 + extra;
        self.need(head, false)?;
        let word = |at| array(self.rest(), at).map_or(0, |b| u32_of(b, big));
        let (secs, part, captured, wire_len) = (word(0), word(4), word(8) as usize, word(12));
        if captured > PACKET_MAX {
            return Err(self.damaged(format!("a packet of {captured} bytes, more than {PACKET_MAX}")));
        }
        self.need(head + captured, true)?;
        let from = self.consume(head + captured) + head;
        let nanos = u64::from(part).saturating_mul(1_000_000_000 / units);
        let at = Nanos::from_parts(i64::from(secs), i64::try_from(nanos).unwrap_or(0));
        let data = from..from + captured;
        Ok(Step::Packet(Found { interface: 0, at, direction: Direction::Unknown, lost: 0, wire_len, data }))
    }

    fn block(&mut self, mut big: bool) -> Result<Step, Tail> {
        self.need(12, false)?;
        let word = |at, big| array(self.rest(), at).map_or(0, |b| u32_of(b, big));
        if word(0, false) == SECTION_HEADER {
            big = match word(8, true) {
                0x1a2b_3c4d => true,
                0x4d3c_2b1a => false,
                other => return Err(self.damaged(format!("byte-order magic {other:#010x}"))),
            };
        }
        let (kind, length) = (word(0, big), word(4, big) as usize);
        self.format = Format::PcapNg { big };
        if !(12..=BLOCK_MAX).contains(&length) {
            return Err(self.damaged(format!("a block of {length} bytes")));
        }
        // Lengths that are no multiple of 4 are wrong, but Wireshark reads on; so do we.
        let padded = length.next_multiple_of(4);
        self.need(padded, true)?;
        let trailer =
            self.rest().get(padded - 4..padded).and_then(|b| array(b, 0)).map_or(0, |b| u32_of(b, big));
        if trailer as usize != length {
            return Err(self.damaged("the two lengths of a block differ"));
        }
        let step = self.block_body(kind, big, padded);
        self.consume(padded);
        step
    }

    /// Interprets the block at `start` without consuming it, so that its offset is still right in a complaint.
    fn block_body(&mut self, kind: u32, big: bool, length: usize) -> Result<Step, Tail> {
        match kind {
            SECTION_HEADER => self.section = self.interfaces.len(),
            INTERFACE_DESCRIPTION => self.interface_description(big, length)?,
            INTERFACE_STATISTICS => self.interface_statistics(big, length),
            ENHANCED_PACKET => return self.enhanced_packet(big, length),
            SIMPLE_PACKET => return self.simple_packet(big, length),
            OBSOLETE_PACKET => return self.obsolete_packet(big, length),
            _ => {}
        }
        Ok(Step::Other)
    }

    fn body(&self, length: usize) -> &[u8] {
        self.rest().get(..length).unwrap_or_default()
    }

    fn interface_description(&mut self, big: bool, length: usize) -> Result<(), Tail> {
        if self.interfaces.len() >= INTERFACES_MAX {
            return Err(self.damaged("too many interfaces"));
        }
        let body = self.body(length);
        let parsed = if big {
            parse_interfacedescriptionblock_be(body)
        } else {
            parse_interfacedescriptionblock_le(body)
        };
        let Ok((_, idb)) = parsed else {
            return Err(self.damaged("an interface description that cannot be read"));
        };
        let text = |code| option(&idb.options, code).map(text_of).unwrap_or_default();
        let filter =
            option(&idb.options, 11).and_then(|v| v.strip_prefix(&[0])).map(text_of).unwrap_or_default();
        let offset_s =
            option(&idb.options, 14).and_then(|v| array(v, 0)).map_or(0, |b| u64_of(b, big).cast_signed());
        let interface = Interface {
            name: text(2),
            description: text(3),
            link: LinkType(u16::try_from(idb.linktype.0).unwrap_or(u16::MAX)),
            snaplen: idb.snaplen,
            filter,
            mac: option(&idb.options, 6).and_then(Mac::from_slice),
            received: None,
            dropped: None,
            units: units_of(idb.if_tsresol),
            offset_s,
        };
        self.interfaces.push(interface);
        Ok(())
    }

    /// A statistics block that cannot be read is only a loss of statistics.
    fn interface_statistics(&mut self, big: bool, length: usize) {
        let body = self.body(length);
        let parsed = if big {
            parse_interfacestatisticsblock_be(body)
        } else {
            parse_interfacestatisticsblock_le(body)
        };
        let Ok((_, isb)) = parsed else { return };
        let count = |code| option(&isb.options, code).and_then(|v| array(v, 0)).map(|b| u64_of(b, big));
        let (received, dropped) = (count(ISB_IFRECV), count(ISB_OSDROP).or(count(ISB_IFDROP)));
        let index = self.section.saturating_add(isb.if_id as usize);
        if let Some(interface) = self.interfaces.get_mut(index) {
            interface.received = received.or(interface.received);
            interface.dropped = dropped.or(interface.dropped);
        }
    }

    fn enhanced_packet(&mut self, big: bool, length: usize) -> Result<Step, Tail> {
        let body = self.body(length);
        let parsed =
            if big { parse_enhancedpacketblock_be(body) } else { parse_enhancedpacketblock_le(body) };
        let Ok((_, epb)) = parsed else {
            return Err(self.damaged("a packet block that cannot be read"));
        };
        let flags = option(&epb.options, EPB_FLAGS).and_then(|v| array(v, 0)).map_or(0, |b| u32_of(b, big));
        let lost =
            option(&epb.options, EPB_DROPCOUNT).and_then(|v| array(v, 0)).map_or(0, |b| u64_of(b, big));
        let direction = match flags & 3 {
            1 => Direction::In,
            2 => Direction::Out,
            _ => Direction::Unknown,
        };
        let (id, stamp) = (epb.if_id, u64::from(epb.ts_high) << 32 | u64::from(epb.ts_low));
        let (captured, wire_len) = (epb.caplen as usize, epb.origlen);
        self.found(id, Some(stamp), direction, lost, wire_len, 28, captured, length)
    }

    fn simple_packet(&mut self, big: bool, length: usize) -> Result<Step, Tail> {
        let wire_len = array(self.rest(), 8).map_or(0, |b| u32_of(b, big));
        let snaplen = self.interfaces.get(self.section).map_or(0, |i| i.snaplen);
        let mut captured = (wire_len as usize).min(length.saturating_sub(16));
        if snaplen != 0 {
            captured = captured.min(snaplen as usize);
        }
        self.found(0, None, Direction::Unknown, 0, wire_len, 12, captured, length)
    }

    /// The packet block of the first draft: 16-bit interface id and drop count in one word.
    fn obsolete_packet(&mut self, big: bool, length: usize) -> Result<Step, Tail> {
        let word = |at| array(self.rest(), at).map_or(0, |b| u32_of(b, big));
        let id = array::<2>(self.rest(), 8)
            .map_or(0, |b| if big { u16::from_be_bytes(b) } else { u16::from_le_bytes(b) });
        let stamp = u64::from(word(12)) << 32 | u64::from(word(16));
        let (captured, wire_len) = (word(20) as usize, word(24));
        self.found(u32::from(id), Some(stamp), Direction::Unknown, 0, wire_len, 28, captured, length)
    }

    #[allow(clippy::too_many_arguments)] // the fields of a packet block, once
    fn found(
        &self,
        id: u32,
        stamp: Option<u64>,
        direction: Direction,
        lost: u64,
        wire_len: u32,
        head: usize,
        captured: usize,
        length: usize,
    ) -> Result<Step, Tail> {
        if captured > PACKET_MAX || head + captured + 4 > length {
            return Err(self.damaged(format!("a packet of {captured} bytes in a block of {length}")));
        }
        let index = self.section.saturating_add(id as usize);
        let Some(interface) = self.interfaces.get(index) else {
            return Err(self.damaged(format!("a packet of interface {id}, which is not described")));
        };
        let at = stamp.map_or(self.last, |units| interface.time(units));
        let from = self.start + head;
        let data = from..from + captured;
        Ok(Step::Packet(Found {
            interface: u32::try_from(index).unwrap_or(u32::MAX),
            at,
            direction,
            lost,
            wire_len,
            data,
        }))
    }
}

impl Interface {
    fn time(&self, stamp: u64) -> Nanos {
        let units = self.units.max(1);
        let secs = i64::try_from(stamp / units).unwrap_or(i64::MAX);
        let part = u128::from(stamp % units) * 1_000_000_000 / u128::from(units);
        Nanos::from_parts(secs.saturating_add(self.offset_s), i64::try_from(part).unwrap_or(0))
    }
}

/// `if_tsresol`: a negative power of 10, or of 2 when the top bit is set.
fn units_of(tsresol: u8) -> u64 {
    let power = u32::from(tsresol & 0x7f);
    let units = if tsresol & 0x80 == 0 { 10u64.checked_pow(power) } else { 2u64.checked_pow(power) };
    units.unwrap_or(u64::MAX)
}

fn option<'a>(options: &'a [PcapNGOption<'_>], code: u16) -> Option<&'a [u8]> {
    options.iter().find(|o| o.code.0 == code).map(|o| o.value.get(..usize::from(o.len)).unwrap_or(&o.value))
}

fn text_of(value: &[u8]) -> String {
    String::from_utf8_lossy(value).trim_end_matches('\0').chars().filter(|c| !c.is_control()).collect()
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

fn u32_of(bytes: [u8; 4], big: bool) -> u32 {
    if big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
}

fn u64_of(bytes: [u8; 8], big: bool) -> u64 {
    if big { u64::from_be_bytes(bytes) } else { u64::from_le_bytes(bytes) }
}

#[cfg(test)]
mod tests;
