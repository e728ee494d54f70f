//! A fast hash that is the same in every run.

/// Folds a word into a hash: one wide multiplication, both halves kept. Not for secrets: who forges collisions only
/// confuses their own packets.
#[inline]
pub(crate) fn mix(state: u64, word: u64) -> u64 {
    let wide = u128::from(state ^ 0x9e37_79b9_7f4a_7c15) * u128::from(word ^ 0xe703_7ed1_a0b4_28db);
    #[allow(clippy::cast_possible_truncation)] // halves of 128 bits
    let (low, high) = (wide as u64, (wide >> 64) as u64);
    (low ^ high).wrapping_add(state.rotate_left(23)) ^ word.rotate_left(41)
}

/// Folds bytes into a hash, and how many they are.
pub(super) fn mix_bytes(state: u64, bytes: &[u8]) -> u64 {
    let mut out = mix(state, bytes.len() as u64);
    for chunk in bytes.chunks(8) {
        let mut word = [0; 8];
        if let Some(part) = word.get_mut(..chunk.len()) {
            part.copy_from_slice(chunk);
        }
        out = mix(out, u64::from_le_bytes(word));
    }
    out
}
