//! pcapng: the walk over blocks is ours, because a cut or damaged file must give what it has; a library parses bodies.

use netcap_words::foreign::clean;
use pcap_parser::pcapng::{
    PcapNGOption, parse_interfacedescriptionblock_be, parse_interfacedescriptionblock_le,
    parse_interfacestatisticsblock_be, parse_interfacestatisticsblock_le,
};

use super::{
    Block, Direction, Format, Interface, LinkType, PACKET_MAX, PacketPlace, PacketReader, SECTION_HEADER,
    Tail, Version, array, u16_of, u32_of, u64_of,
};
use crate::Mac;

/// Largest block accepted, in bytes: blocks of names or secrets may be larger than any packet.
const BLOCK_MAX: usize = 16 * 1024 * 1024;
/// Largest block that is looked into, in bytes: four packets of the largest size. Larger ones of other kinds are passed
/// over without being held in memory.
const READ_BLOCK_MAX: usize = 1024 * 1024;
/// Interfaces remembered per file; more is an attack, not a host.
const INTERFACES_MAX: usize = 16_384;
/// Characters kept of an interface's name and description, and of its filter.
const NAME_MAX: usize = 256;
const FILTER_MAX: usize = 4_096;

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

impl PacketReader {
    pub(super) fn block(&mut self, mut big: bool) -> Result<Block, Tail> {
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
        if padded > READ_BLOCK_MAX {
            return self.pass_over(kind, padded);
        }
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

    /// A block too large to be a packet: what it says is of no use here.
    fn pass_over(&mut self, kind: u32, length: usize) -> Result<Block, Tail> {
        let needed = [SECTION_HEADER, INTERFACE_DESCRIPTION, SIMPLE_PACKET, OBSOLETE_PACKET, ENHANCED_PACKET];
        if needed.contains(&kind) {
            return Err(self.damaged(format!("a packet or description of {length} bytes")));
        }
        let mut left = length;
        while left > 0 {
            let piece = left.min(READ_BLOCK_MAX);
            self.need(piece, true)?;
            self.consume(piece);
            left -= piece;
        }
        Ok(Block::Other)
    }

    /// Interprets the block at `start` without consuming it, so that its offset is still right in a complaint.
    fn block_body(&mut self, kind: u32, big: bool, length: usize) -> Result<Block, Tail> {
        match kind {
            SECTION_HEADER => self.section_header(big),
            INTERFACE_DESCRIPTION => self.interface_description(big, length)?,
            INTERFACE_STATISTICS => self.interface_statistics(big, length),
            ENHANCED_PACKET => return self.enhanced_packet(big, length),
            SIMPLE_PACKET => return self.simple_packet(big, length),
            OBSOLETE_PACKET => return self.obsolete_packet(big, length),
            _ => {}
        }
        Ok(Block::Other)
    }

    fn body(&self, length: usize) -> &[u8] {
        self.rest().get(..length).unwrap_or_default()
    }

    fn section_header(&mut self, big: bool) {
        let half = |at| array(self.rest(), at).map_or(0, |b| u16_of(b, big));
        let version = Version { major: half(12), minor: half(14) };
        // 1.2 is written by mistake and read like 1.0.
        let known = version.major == 1 && [0, 2].contains(&version.minor);
        self.strange = self.strange.or((!known).then_some(version));
        if self.section < self.interfaces.len() {
            self.sections.push(self.section);
        }
        self.section = self.interfaces.len();
    }

    /// The interface that an earlier section describes alike at the same place.
    fn described_before(&self, interface: &Interface) -> Option<u32> {
        let place = self.interfaces.len() - self.section;
        let ends = self.sections.iter().skip(1).chain([&self.section]);
        let mut before = self.sections.iter().zip(ends).map(|(start, end)| (start + place, *end));
        let index = before.find_map(|(index, end)| {
            let same = index < end && self.interfaces.get(index)?.is_like(interface);
            same.then_some(index)
        })?;
        self.alike.get(index).copied()
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
        let text =
            |code| option(&idb.options, code).map(|value| text_of(value, NAME_MAX)).unwrap_or_default();
        let filter = option(&idb.options, 11).and_then(|v| v.strip_prefix(&[0]));
        let filter = filter.map(|value| text_of(value, FILTER_MAX)).unwrap_or_default();
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
        let own = u32::try_from(self.interfaces.len()).unwrap_or(u32::MAX);
        self.alike.push(self.described_before(&interface).unwrap_or(own));
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

    /// The one block whose body is parsed here and not by the library: it occurs millions of times, and the library
    /// allocates a list of options for each (measured: a fifth of the time to read a recorded segment).
    #[inline]
    fn enhanced_packet(&mut self, big: bool, length: usize) -> Result<Block, Tail> {
        let block = self.body(length - 4);
        let Some((head, rest)) = block.split_first_chunk::<28>() else {
            return Err(self.damaged(format!("a packet in a block of {length} bytes")));
        };
        let [_, _, id, high, low, captured, wire_len] = words(head, big);
        let captured = captured as usize;
        if captured > PACKET_MAX {
            return Err(self.damaged(format!("a packet of {captured} bytes, more than {PACKET_MAX}")));
        }
        let options = rest.get(captured.next_multiple_of(4)..).unwrap_or_default();
        let (mut flags, mut lost) = (0, 0);
        for (code, value) in (Options { rest: options, big }) {
            match code {
                EPB_FLAGS => flags = array(value, 0).map_or(0, |b| u32_of(b, big)),
                EPB_DROPCOUNT => lost = array(value, 0).map_or(0, |b| u64_of(b, big)),
                _ => {}
            }
        }
        let direction = match flags & 3 {
            1 => Direction::In,
            2 => Direction::Out,
            _ => Direction::Unknown,
        };
        let stamp = u64::from(high) << 32 | u64::from(low);
        self.found(id, Some(stamp), direction, lost, wire_len, 28, captured, length)
    }

    fn simple_packet(&mut self, big: bool, length: usize) -> Result<Block, Tail> {
        let wire_len = array(self.rest(), 8).map_or(0, |b| u32_of(b, big));
        let snaplen = self.interfaces.get(self.section).map_or(0, |i| i.snaplen);
        let mut captured = (wire_len as usize).min(length.saturating_sub(16));
        if snaplen != 0 {
            captured = captured.min(snaplen as usize);
        }
        let found = self.found(0, None, Direction::Unknown, 0, wire_len, 12, captured, length)?;
        self.timeless += 1;
        Ok(found)
    }

    /// The packet block of the first draft: 16-bit interface id and drop count in one word.
    fn obsolete_packet(&mut self, big: bool, length: usize) -> Result<Block, Tail> {
        let word = |at| array(self.rest(), at).map_or(0, |b| u32_of(b, big));
        let id = array::<2>(self.rest(), 8)
            .map_or(0, |b| if big { u16::from_be_bytes(b) } else { u16::from_le_bytes(b) });
        let stamp = u64::from(word(12)) << 32 | u64::from(word(16));
        let (captured, wire_len) = (word(20) as usize, word(24));
        self.found(u32::from(id), Some(stamp), Direction::Unknown, 0, wire_len, 28, captured, length)
    }

    #[allow(clippy::too_many_arguments)] // the fields of a packet block, once
    #[inline]
    fn found(
        &mut self,
        id: u32,
        stamp: Option<u64>,
        direction: Direction,
        lost: u64,
        wire_len: u32,
        head: usize,
        captured: usize,
        length: usize,
    ) -> Result<Block, Tail> {
        if captured > PACKET_MAX || head + captured + 4 > length {
            return Err(self.damaged(format!("a packet of {captured} bytes in a block of {length}")));
        }
        let index = self.section.saturating_add(id as usize);
        let Some(interface) = self.interfaces.get(index) else {
            return Err(self.damaged(format!("a packet of interface {id}, which is not described")));
        };
        let at = stamp.map_or(self.found.at, |units| interface.time(units));
        let interface = self.alike.get(index).copied().unwrap_or(u32::MAX);
        let start = self.start + head;
        self.found = PacketPlace { interface, at, direction, lost, wire_len, start, captured };
        Ok(Block::Packet)
    }
}

/// The 32-bit words that a block begins with.
fn words(head: &[u8; 28], big: bool) -> [u32; 7] {
    let (bytes, _) = head.as_chunks::<4>();
    std::array::from_fn(|n| bytes.get(n).map_or(0, |b| u32_of(*b, big)))
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

fn text_of(value: &[u8], chars_max: usize) -> String {
    let text = String::from_utf8_lossy(value);
    clean(text.trim_end_matches('\0')).chars().take(chars_max).collect()
}

/// Options of a block: code, length, value padded to 32 bits, until code 0 or the end. What does not fit ends the walk.
struct Options<'a> {
    rest: &'a [u8],
    big: bool,
}

impl<'a> Iterator for Options<'a> {
    type Item = (u16, &'a [u8]);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let word = |at| {
            let bytes = array(self.rest, at)?;
            Some(if self.big { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
        };
        let (code, length) = (word(0)?, usize::from(word(2)?));
        if code == 0 {
            return None;
        }
        let value = self.rest.get(4..4 + length)?;
        self.rest = self.rest.get(4 + length.next_multiple_of(4)..).unwrap_or_default();
        Some((code, value))
    }
}
