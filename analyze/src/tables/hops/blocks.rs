//! Sequence numbers are followed by blocks of them.

use crate::engine::hash::mix;

/// Sequence numbers of a flow are chosen by blocks of this many (a power of two), so that a super-segment and the
/// segments made of it are chosen alike.
const BLOCK_BITS: u32 = 18;

/// A range, cut at the ends of blocks: first number and length of each part.
pub(super) fn blocks(mut seq: u32, mut left: u32) -> impl Iterator<Item = (u32, u32)> {
    std::iter::from_fn(move || {
        let len = left.min((1u32 << BLOCK_BITS) - (seq & ((1 << BLOCK_BITS) - 1)));
        let part = (len > 0).then_some((seq, len));
        seq = seq.wrapping_add(len);
        left -= len;
        part
    })
}

pub(super) fn block_hash(seq: u32) -> u64 {
    mix(u64::from(seq >> BLOCK_BITS), 7)
}
