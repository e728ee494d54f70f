//! Reading packets from any pcap or pcapng stream, cut or damaged ones included.
//!
//! The reader walks block by block over one bounded buffer; a library parses the blocks' bodies. Damage ends the
//! stream with a [`Tail`] that says where and why, never with an error: what came before is worth having.

use std::fmt;
use std::io::{self, Read};

use super::Direction;
use crate::files::Stream;
use crate::{Mac, Nanos};

mod batch;
mod classic;
mod ng;

pub use batch::Batch;

/// Largest packet accepted, in bytes: WTAP_MAX_PACKET_SIZE_STANDARD.
const PACKET_MAX: usize = 262_144;
/// Bytes asked of the stream at a time.
const READ: usize = 256 * 1024;

/// Nanoseconds.
const SECOND: u64 = 1_000_000_000;

const SECTION_HEADER: u32 = 0x0a0d_0d0a;

/// A link-layer type number (<https://www.tcpdump.org/linktypes.html>).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct LinkType(pub u16);

impl LinkType {
    /// LINKTYPE_ETHERNET.
    pub const ETHERNET: Self = Self(1);
    /// LINKTYPE_LINUX_SLL: `tcpdump -i any`; of which interface a frame is, it does not say.
    pub const LINUX_SLL: Self = Self(113);
    /// LINKTYPE_LINUX_SLL2: the same, with the number of the interface.
    pub const LINUX_SLL2: Self = Self(276);
}

/// One interface of a file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Interface {
    /// `if_name`; empty in a classic pcap.
    pub name: String,
    /// `if_description`.
    pub description: String,
    /// What its frames begin with.
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
    /// Index into [`PacketReader::interfaces`], of the first that is described alike ([`PacketReader::alike`]).
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

/// Version of a file's format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version {
    /// Major.
    pub major: u16,
    /// Minor.
    pub minor: u16,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
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
        /// Nanoseconds in a unit of the stamps' second word.
        unit_ns: u64,
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
    /// Of each interface the first that is described alike: files that were joined describe it once a section.
    alike: Vec<u32>,
    /// First interface of the current section, and of those before it.
    section: usize,
    sections: Vec<usize>,
    /// A version of the file's format that is not known.
    strange: Option<Version>,
    timeless: u64,
    number: u64,
    found: PacketPlace,
    tail: Option<Tail>,
}

/// The packet found last, and where it lies in the buffer. It stays in the reader: returned from step to step by value, it
/// would be moved while its fields are still on their way to memory, which takes longer than finding it.
#[derive(Debug, Default)]
struct PacketPlace {
    interface: u32,
    at: Nanos,
    direction: Direction,
    lost: u64,
    wire_len: u32,
    start: usize,
    captured: usize,
}

/// What one block turned out to be.
enum Block {
    /// A packet: `found`.
    Packet,
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
            alike: Vec::new(),
            section: 0,
            sections: Vec::new(),
            strange: None,
            timeless: 0,
            number: 0,
            found: PacketPlace::default(),
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

    /// The first interface that is described like this one, in this section or in one before it.
    pub fn alike(&self, interface: u32) -> u32 {
        self.alike.get(interface as usize).copied().unwrap_or(interface)
    }

    /// A version of the format that is not known; the file was read as those that are.
    pub fn strange_version(&self) -> Option<Version> {
        self.strange
    }

    /// Packets without a stamp (simple packet blocks): each has that of the one before it.
    pub fn timeless(&self) -> u64 {
        self.timeless
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
        loop {
            if self.tail.is_some() {
                return None;
            }
            match self.step() {
                Ok(Block::Packet) => break,
                Ok(Block::Other) => {}
                Err(tail) => self.tail = Some(tail),
            }
        }
        self.number += 1;
        let found = &self.found;
        Some(Packet {
            number: self.number,
            interface: found.interface,
            link: self.interfaces.get(found.interface as usize).map(|i| i.link).unwrap_or_default(),
            at: found.at,
            direction: found.direction,
            lost_before: found.lost,
            wire_len: found.wire_len,
            data: self.buffer.get(found.start..found.start + found.captured).unwrap_or_default(),
        })
    }

    /// Reads one record or block.
    fn step(&mut self) -> Result<Block, Tail> {
        match self.format {
            Format::Pcap { big, unit_ns, extra } => self.classic_record(big, unit_ns, extra),
            Format::PcapNg { big } => self.block(big),
        }
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
    #[inline]
    fn need(&mut self, want: usize, inside: bool) -> Result<(), Tail> {
        if self.end - self.start >= want { Ok(()) } else { self.need_more(want, inside) }
    }

    fn need_more(&mut self, want: usize, inside: bool) -> Result<(), Tail> {
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
}

impl Interface {
    /// It is described alike, whatever was counted there.
    fn is_like(&self, other: &Self) -> bool {
        let said = |of: &Self| (of.link, of.snaplen, of.mac);
        said(self) == said(other)
            && [
                (&self.name, &other.name),
                (&self.description, &other.description),
                (&self.filter, &other.filter),
            ]
            .iter()
            .all(|(mine, theirs)| mine == theirs)
    }

    fn time(&self, stamp: u64) -> Nanos {
        // Nearly every file counts nanoseconds since 1970; divisions for each packet are felt.
        if self.units == SECOND && self.offset_s == 0 {
            return Nanos(i64::try_from(stamp).unwrap_or(i64::MAX));
        }
        let units = self.units.max(1);
        let secs = i64::try_from(stamp / units).unwrap_or(i64::MAX);
        let part = u128::from(stamp % units) * u128::from(SECOND) / u128::from(units);
        Nanos::from_parts(secs.saturating_add(self.offset_s), i64::try_from(part).unwrap_or(0))
    }
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

fn u32_of(bytes: [u8; 4], big: bool) -> u32 {
    if big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
}

fn u16_of(bytes: [u8; 2], big: bool) -> u16 {
    if big { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) }
}

fn u64_of(bytes: [u8; 8], big: bool) -> u64 {
    if big { u64::from_be_bytes(bytes) } else { u64::from_le_bytes(bytes) }
}

#[cfg(test)]
mod tests;
