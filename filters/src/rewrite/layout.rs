//! Where the bytes of a frame are.

use netcap_words::wire;

/// Offset of the ethertype, right behind the two MAC addresses (IEEE 802.3 clause 3.1.1), where a tag is inserted.
pub(crate) const ETHERTYPE: u32 = 12;
/// Bytes of a VLAN tag (IEEE 802.1Q clause 9.3).
pub(crate) const TAG_BYTES: u32 = 4;
/// Ethertypes of VLAN tags that are looked through and asked for, the same as libpcap's.
pub(crate) const TPIDS: [u32; 3] = widened(wire::TPIDS_LIBPCAP);
/// Tags in the payload that are looked through.
pub(crate) const PAYLOAD_TAGS_MAX: u32 = 2;

/// Numbers of a frame as operands of instructions.
pub(crate) const fn widened<const N: usize>(numbers: [u16; N]) -> [u32; N] {
    let mut out = [0; N];
    let mut at = 0;
    while at < N {
        // `u32::from` cannot be called for a constant.
        out[at] = numbers[at] as u32;
        at += 1;
    }
    out
}
