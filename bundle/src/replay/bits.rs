//! A field's value of which some bits may not be known.

use crate::sources::shared::Ternary;

/// Up to 128 bits; `value` is zero wherever `known` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bits {
    value: u128,
    known: u128,
}

impl Bits {
    /// Nothing is known.
    pub(super) const UNKNOWN: Self = Self { value: 0, known: 0 };
    /// Certainly zero.
    pub(super) const ZERO: Self = Self { value: 0, known: u128::MAX };

    pub(super) fn known(value: u128) -> Self {
        Self { value, known: u128::MAX }
    }

    /// Known only in the bits of `known`.
    pub(super) fn partly(value: u128, known: u128) -> Self {
        Self { value: value & known, known }
    }

    /// Whether the bits of `mask` are those of `value`.
    pub(super) fn agrees(self, value: u128, mask: u128) -> Ternary {
        if (self.value ^ value) & mask & self.known != 0 {
            Ternary::No
        } else if mask & !self.known == 0 {
            Ternary::Yes
        } else {
            Ternary::Unknown
        }
    }

    /// Bits `first..first + width`, shifted down.
    pub(super) fn part(self, first: u32, width: u32) -> Self {
        let keep = ones(width);
        let down = |bits: u128| bits.checked_shr(first).unwrap_or(0) & keep;
        Self { value: down(self.value), known: down(self.known) | !keep }
    }

    /// Writes the low `width` bits of `from` at `first`.
    pub(super) fn put(&mut self, first: u32, width: u32, from: Self) {
        let keep = ones(width);
        let up = |bits: u128| (bits & keep).checked_shl(first).unwrap_or(0);
        let place = up(keep);
        self.value = (self.value & !place) | up(from.value);
        self.known = (self.known & !place) | up(from.known);
    }

    /// Writes the bits of `mask`.
    pub(super) fn put_masked(&mut self, value: u128, mask: u128) {
        self.value = (self.value & !mask) | (value & mask);
        self.known |= mask;
    }

    /// The value, when all of it is known.
    pub(super) fn exact(self) -> Option<u128> {
        (self.known == u128::MAX).then_some(self.value)
    }

    /// The value, when its lowest `width` bits are known.
    pub(super) fn exact_low(self, width: u32) -> Option<u128> {
        let keep = ones(width);
        (self.known & keep == keep).then_some(self.value & keep)
    }
}

/// That many ones from the lowest bit up.
pub(super) fn ones(width: u32) -> u128 {
    u128::MAX.checked_shr(128_u32.saturating_sub(width)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn parts_of_a_register() {
        let mut bits = Bits::ZERO;
        bits.put(4, 4, Bits::known(0xff));
        assert_eq!((bits.exact(), bits.part(4, 4).exact_low(4)), (Some(0xf0), Some(0xf)));
        bits.put(0, 4, Bits::UNKNOWN);
        assert_eq!((bits.exact(), bits.exact_low(4)), (None, None));
        assert_eq!(bits.agrees(0xf0, 0xf0), Ternary::Yes);
        assert_eq!(bits.agrees(0x00, 0xf0), Ternary::No);
        assert_eq!(bits.agrees(0xff, 0xff), Ternary::Unknown);
        bits.put_masked(0x2, 0xf);
        assert_eq!(bits.exact(), Some(0xf2));
        assert_eq!(Bits::UNKNOWN.agrees(1, 0), Ternary::Yes);
    }

    proptest! {
        /// What is put somewhere is found there, and its neighbours stay.
        #[test]
        fn put_and_part_agree(value: u128, from: u128, first in 0u32..128, width in 0u32..=128) {
            let width = width.min(128 - first);
            let mut bits = Bits::known(value);
            bits.put(first, width, Bits::known(from));
            prop_assert_eq!(bits.part(first, width).exact_low(width), Some(from & ones(width)));
            prop_assert_eq!(bits.part(0, first).exact_low(first), Some(value & ones(first)));
            prop_assert!(bits.exact().is_some());
        }
    }
}
