//! Reading the frames of one `TPACKET_V3` block (`include/uapi/linux/if_packet.h`).
//!
//! The block comes from the kernel, but every offset in it is still checked: a wrong one ends the block, never the run.

use netcap_words::wire::TPID_8021Q;
use std::mem::{offset_of, size_of};

use libc::{tpacket_block_desc, tpacket_hdr_v1, tpacket_hdr_variant1, tpacket3_hdr};
use netcap_bundle::Nanos;
use netcap_bundle::packets::{Direction, Frame};

const BLOCK: usize = offset_of!(tpacket_block_desc, hdr);
const COUNT_AT: usize = BLOCK + offset_of!(tpacket_hdr_v1, num_pkts);
const FIRST_AT: usize = BLOCK + offset_of!(tpacket_hdr_v1, offset_to_first_pkt);

const NEXT_AT: usize = offset_of!(tpacket3_hdr, tp_next_offset);
const SEC_AT: usize = offset_of!(tpacket3_hdr, tp_sec);
const NSEC_AT: usize = offset_of!(tpacket3_hdr, tp_nsec);
const SNAPLEN_AT: usize = offset_of!(tpacket3_hdr, tp_snaplen);
const LEN_AT: usize = offset_of!(tpacket3_hdr, tp_len);
const STATUS_AT: usize = offset_of!(tpacket3_hdr, tp_status);
const MAC_AT: usize = offset_of!(tpacket3_hdr, tp_mac);
const TCI_AT: usize = offset_of!(tpacket3_hdr, hv1) + offset_of!(tpacket_hdr_variant1, tp_vlan_tci);
const TPID_AT: usize = offset_of!(tpacket3_hdr, hv1) + offset_of!(tpacket_hdr_variant1, tp_vlan_tpid);

/// The `sockaddr_ll` follows the header, aligned to `TPACKET_ALIGNMENT`.
const ADDRESS_AT: usize = size_of::<tpacket3_hdr>().next_multiple_of(16);
const PKTTYPE_AT: usize = ADDRESS_AT + offset_of!(libc::sockaddr_ll, sll_pkttype);

/// The frames of one block, in the order they were seen.
#[derive(Debug, Clone)]
pub struct Frames<'a> {
    block: &'a [u8],
    at: usize,
    left: u32,
}

impl<'a> Frames<'a> {
    /// Those of a whole block, descriptor included.
    pub fn new(block: &'a [u8]) -> Self {
        let left = u32_at(block, COUNT_AT).unwrap_or(0);
        let at = u32_at(block, FIRST_AT).unwrap_or(0) as usize;
        Self { block, at, left }
    }

    fn frame(&self) -> Option<(Frame<'a>, usize)> {
        let header = self.block.get(self.at..)?;
        let start = usize::from(u16_at(header, MAC_AT)?);
        let captured = u32_at(header, SNAPLEN_AT)? as usize;
        let data = header.get(start..start.checked_add(captured)?)?;
        let status = u32_at(header, STATUS_AT)?;
        let outgoing = *header.get(PKTTYPE_AT)? == libc::PACKET_OUTGOING;
        let frame = Frame {
            at: Nanos::from_parts(i64::from(u32_at(header, SEC_AT)?), i64::from(u32_at(header, NSEC_AT)?)),
            direction: if outgoing { Direction::Out } else { Direction::In },
            wire_len: u32_at(header, LEN_AT)?,
            vlan: tag(header, status),
            data,
        };
        Some((frame, u32_at(header, NEXT_AT)? as usize))
    }
}

/// The tag that the kernel took out of the frame: ethertype and TCI.
fn tag(header: &[u8], status: u32) -> Option<(u16, u16)> {
    if status & libc::TP_STATUS_VLAN_VALID == 0 {
        return None;
    }
    let tci = u16::try_from(u32_at(header, TCI_AT)? & 0xffff).ok()?;
    let said = status & libc::TP_STATUS_VLAN_TPID_VALID != 0;
    // Before Linux 3.14 the kernel does not say it.
    let tpid = if said { u16_at(header, TPID_AT)? } else { TPID_8021Q };
    Some((tpid, tci))
}

impl<'a> Iterator for Frames<'a> {
    type Item = Frame<'a>;

    fn next(&mut self) -> Option<Frame<'a>> {
        if self.left == 0 {
            return None;
        }
        let Some((frame, next)) = self.frame() else {
            self.left = 0;
            return None;
        };
        self.left -= 1;
        // The last frame of a block says 0 or points to its end; `left` is what counts.
        self.at = self.at.saturating_add(next);
        if next == 0 {
            self.left = 0;
        }
        Some(frame)
    }
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk::<4>().map(|b| u32::from_ne_bytes(*b))
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk::<2>().map(|b| u16::from_ne_bytes(*b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FIRST: usize = 48;
    const MAC: usize = 82;

    fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
        bytes[at..at + value.len()].copy_from_slice(value);
    }

    /// A block with the given frames: packet type, status, tag, content.
    fn block(frames: &[(u8, u32, u16, &[u8])]) -> Vec<u8> {
        let mut out = vec![0; 4096];
        put(&mut out, COUNT_AT, &u32::try_from(frames.len()).unwrap().to_ne_bytes());
        put(&mut out, FIRST_AT, &u32::try_from(FIRST).unwrap().to_ne_bytes());
        let mut at = FIRST;
        for (kind, status, tci, data) in frames {
            let next = (MAC + data.len()).next_multiple_of(16);
            let len = u32::try_from(data.len()).unwrap();
            put(&mut out, at + NEXT_AT, &u32::try_from(next).unwrap().to_ne_bytes());
            put(&mut out, at + SEC_AT, &7u32.to_ne_bytes());
            put(&mut out, at + NSEC_AT, &5u32.to_ne_bytes());
            put(&mut out, at + SNAPLEN_AT, &len.to_ne_bytes());
            put(&mut out, at + LEN_AT, &(len + 100).to_ne_bytes());
            put(&mut out, at + STATUS_AT, &status.to_ne_bytes());
            put(&mut out, at + MAC_AT, &u16::try_from(MAC).unwrap().to_ne_bytes());
            put(&mut out, at + TCI_AT, &u32::from(*tci).to_ne_bytes());
            put(&mut out, at + TPID_AT, &0x88a8u16.to_ne_bytes());
            put(&mut out, at + PKTTYPE_AT, &[*kind]);
            put(&mut out, at + MAC, data);
            at += next;
        }
        out
    }

    #[test]
    fn direction_tag_stamp_and_content() {
        let valid = libc::TP_STATUS_VLAN_VALID;
        let both = valid | libc::TP_STATUS_VLAN_TPID_VALID;
        let bytes = block(&[(0, 0, 0, b"first"), (4, valid, 188, b"second"), (0, both, 7, b"third")]);
        let frames: Vec<_> = Frames::new(&bytes).collect();
        assert_eq!(frames.iter().map(|f| f.data).collect::<Vec<_>>(), [&b"first"[..], b"second", b"third"]);
        assert_eq!(
            frames.iter().map(|f| (f.direction, f.vlan)).collect::<Vec<_>>(),
            [
                (Direction::In, None),
                (Direction::Out, Some((0x8100, 188))),
                (Direction::In, Some((0x88a8, 7)))
            ]
        );
        assert!(
            frames.iter().all(|f| f.at == Nanos(7_000_000_005) && f.wire_len as usize == f.data.len() + 100)
        );
    }

    proptest! {
        #[test]
        fn a_damaged_block_ends_early_and_never_panics(
            changes in prop::collection::vec((0usize..4096, any::<u8>()), 0..64), cut in 0usize..4096
        ) {
            let mut bytes = block(&[(0, 16, 1, b"abc"), (4, 0, 0, b"defg")]);
            for (at, value) in changes {
                bytes[at] = value;
            }
            bytes.truncate(cut);
            prop_assert!(Frames::new(&bytes).take(100_000).count() <= 100_000);
        }
    }
}
