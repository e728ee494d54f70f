//! Classic pcap: a header of 24 bytes, then records of 16 bytes and the packet (pcap-savefile(5)).

use super::{
    Block, Direction, Format, Interface, LinkType, PACKET_MAX, PacketPlace, PacketReader, SECOND, Tail,
    Version, array, u16_of, u32_of,
};
use crate::run::Nanos;

impl PacketReader {
    pub(super) fn classic_header(mut self) -> Option<Self> {
        let (big, unit_ns, extra) = match u32::from_le_bytes(array(self.rest(), 0)?) {
            0xa1b2_c3d4 => (false, 1_000, 0),
            0xd4c3_b2a1 => (true, 1_000, 0),
            0xa1b2_3c4d => (false, 1, 0),
            0x4d3c_b2a1 => (true, 1, 0),
            0xa1b2_cd34 => (false, 1_000, 8),
            0x34cd_b2a1 => (true, 1_000, 8),
            _ => return None,
        };
        let word = |at| array(self.rest(), at).map(|b| u32_of(b, big));
        let half = |at| array(self.rest(), at).map(|b| u16_of(b, big));
        let version = Version { major: half(4)?, minor: half(6)? };
        let snaplen = word(16)?;
        // The upper bits hold the FCS length (pcap-savefile(5)); the lower 16 the link type.
        let link = LinkType(u16::try_from(word(20)? & 0xffff).unwrap_or(0));
        // Up to 2.4 they differ in the order of two lengths, which nobody writes the other way (pcap-savefile(5)).
        self.strange = (version.major != 2 || version.minor > 4).then_some(version);
        self.interfaces.push(Interface { link, snaplen, units: SECOND / unit_ns, ..Interface::default() });
        self.alike.push(0);
        self.format = Format::Pcap { big, unit_ns, extra };
        self.consume(24);
        Some(self)
    }

    pub(super) fn classic_record(&mut self, big: bool, unit_ns: u64, extra: usize) -> Result<Block, Tail> {
        let head = 16 + extra;
        self.need(head, false)?;
        let word = |at| array(self.rest(), at).map_or(0, |b| u32_of(b, big));
        let (secs, part, captured, wire_len) = (word(0), word(4), word(8) as usize, word(12));
        if captured > PACKET_MAX {
            return Err(self.damaged(format!("a packet of {captured} bytes, more than {PACKET_MAX}")));
        }
        self.need(head + captured, true)?;
        let from = self.consume(head + captured) + head;
        let nanos = u64::from(part).saturating_mul(unit_ns);
        let at = Nanos::from_parts(i64::from(secs), i64::try_from(nanos).unwrap_or(0));
        self.found = PacketPlace {
            interface: 0,
            at,
            direction: Direction::Unknown,
            lost: 0,
            wire_len,
            start: from,
            captured,
        };
        Ok(Block::Packet)
    }
}
