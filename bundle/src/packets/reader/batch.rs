//! Packets by the buffer: found one after the other by one thread, so that others can look into them side by side.

use super::{Block, Direction, Format, LinkType, Packet, PacketReader, array, u32_of};
use crate::run::Nanos;

/// What one buffer held: whole packets and their bytes.
#[derive(Debug, Default)]
pub struct Batch {
    bytes: Vec<u8>,
    /// Number of the packet before the first.
    before: u64,
    packets: Vec<Framed>,
}

/// A packet, and where in the buffer its bytes are.
#[derive(Debug, Clone, Copy)]
struct Framed {
    at: Nanos,
    lost: u64,
    from: u32,
    captured: u32,
    wire_len: u32,
    interface: u32,
    link: LinkType,
    direction: Direction,
}

impl Batch {
    /// The packets, in the order of the file.
    pub fn packets(&self) -> impl Iterator<Item = Packet<'_>> {
        (self.before + 1..).zip(&self.packets).map(|(number, framed)| {
            let from = framed.from as usize;
            Packet {
                number,
                interface: framed.interface,
                link: framed.link,
                at: framed.at,
                direction: framed.direction,
                lost_before: framed.lost,
                wire_len: framed.wire_len,
                data: self.bytes.get(from..from + framed.captured as usize).unwrap_or_default(),
            }
        })
    }
}

impl PacketReader {
    /// All packets that lie whole in the buffer, at least one, or `None` at the end: then [`tail`](Self::tail) says how
    /// it ended. `used` is a batch that is no longer needed; its memory is used again.
    pub fn next_batch(&mut self, used: Batch) -> Option<Batch> {
        let Batch { bytes: spare, mut packets, .. } = used;
        packets.clear();
        let before = self.number;
        while self.tail.is_none() && (packets.is_empty() || self.holds_next()) {
            match self.step() {
                Ok(Block::Packet) => {}
                Ok(Block::Other) => continue,
                Err(tail) => {
                    self.tail = Some(tail);
                    break;
                }
            }
            self.number += 1;
            let found = &self.found;
            packets.push(Framed {
                at: found.at,
                lost: found.lost,
                from: u32::try_from(found.start).unwrap_or(u32::MAX),
                captured: u32::try_from(found.captured).unwrap_or(0),
                wire_len: found.wire_len,
                interface: found.interface,
                link: self.interfaces.get(found.interface as usize).map(|i| i.link).unwrap_or_default(),
                direction: found.direction,
            });
        }
        (!packets.is_empty()).then(|| Batch { bytes: self.change_buffer(spare), before, packets })
    }

    /// The next block or record lies whole in the buffer, so that reading it moves nothing there.
    fn holds_next(&self) -> bool {
        let rest = self.rest();
        let word = |at, big| array(rest, at).map_or(usize::MAX, |b| u32_of(b, big) as usize);
        match self.format {
            Format::Pcap { big, extra, .. } => rest.len() >= word(8, big).saturating_add(16 + extra),
            // A section may change the order of bytes; it is rare enough to end a batch.
            Format::PcapNg { big } => {
                word(0, big) != super::SECTION_HEADER as usize
                    && rest.len() >= word(4, big).max(12).checked_next_multiple_of(4).unwrap_or(usize::MAX)
            }
        }
    }

    /// Goes on with another buffer, into which only what is not consumed is copied.
    fn change_buffer(&mut self, mut spare: Vec<u8>) -> Vec<u8> {
        let left = self.end - self.start;
        if spare.len() < left {
            spare.resize(left, 0);
        }
        if let (Some(to), Some(from)) = (spare.get_mut(..left), self.buffer.get(self.start..self.end)) {
            to.copy_from_slice(from);
        }
        (self.start, self.end) = (0, left);
        std::mem::replace(&mut self.buffer, spare)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Tail;
    use super::super::tests::{pcap, segment};
    use super::*;
    use proptest::prelude::*;

    /// A packet as the reader gave it.
    #[derive(Debug, PartialEq)]
    struct Seen {
        number: u64,
        interface: u32,
        at: Nanos,
        direction: Direction,
        lost_before: u64,
        wire_len: u32,
        data: Vec<u8>,
    }

    fn seen(packet: &Packet<'_>) -> Seen {
        let Packet { number, interface, at, direction, lost_before, wire_len, data, .. } = *packet;
        Seen { number, interface, at, direction, lost_before, wire_len, data: data.to_vec() }
    }

    fn open(bytes: &[u8]) -> Option<PacketReader> {
        PacketReader::open(Box::new(std::io::Cursor::new(bytes.to_vec()))).unwrap()
    }

    fn one_by_one(bytes: &[u8]) -> (Vec<Seen>, Option<Tail>) {
        let Some(mut reader) = open(bytes) else { return (Vec::new(), None) };
        let mut all = Vec::new();
        while let Some(packet) = reader.next_packet() {
            all.push(seen(&packet));
        }
        (all, reader.tail().cloned())
    }

    fn in_batches(bytes: &[u8]) -> (Vec<Seen>, Option<Tail>) {
        let Some(mut reader) = open(bytes) else { return (Vec::new(), None) };
        let (mut all, mut batches) = (Vec::new(), vec![Batch::default(), Batch::default()]);
        // Two batches are alive at any time, as when two threads look at them.
        while let Some(batch) = reader.next_batch(batches.pop().unwrap_or_default()) {
            all.extend(batch.packets().map(|p| seen(&p)));
            batches.insert(0, batch);
        }
        (all, reader.tail().cloned())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn batches_are_the_packets_one_by_one(
            n in 0u32..10_000, ng: bool, cut in 0usize..400, hits in prop::collection::vec((0usize..100_000, any::<u8>()), 0..3)
        ) {
            let mut bytes = if ng { segment(n.into()) } else { pcap(n, n % 2 == 0, 0xa1b2_c3d4) };
            bytes.truncate(bytes.len().saturating_sub(cut));
            for (at, value) in hits {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = value;
                }
            }
            prop_assert_eq!(in_batches(&bytes), one_by_one(&bytes));
        }
    }

    #[test]
    fn a_long_file_comes_in_several_batches() {
        let bytes = pcap(50_000, false, 0xa1b2_c3d4);
        assert_eq!(in_batches(&bytes), one_by_one(&bytes));
        let mut reader = open(&bytes).unwrap();
        let mut batches = 0;
        while reader.next_batch(Batch::default()).is_some() {
            batches += 1;
        }
        assert!((8..40).contains(&batches), "{batches}");
    }
}
