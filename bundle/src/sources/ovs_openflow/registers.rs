//! Registers and metadata of a packet on its way through the tables.

use std::collections::BTreeMap;

use crate::sources::shared::{Masked, Ternary};

/// `reg0`…`reg15` and `metadata`. A packet enters with all of them zero (ovs-fields(7)); a rule may write a constant,
/// or something that is not known here.
#[derive(Debug, Clone, Default)]
pub(super) struct Registers {
    written: BTreeMap<String, Option<u64>>,
}

impl Registers {
    /// Whether a match on `field` holds; `None` when it is no register.
    pub(super) fn answer(&self, field: &str, wanted: &str) -> Option<Ternary> {
        let known = self.value(&canonical(field)?);
        Some(Ternary::of(Masked::parse(wanted).zip(known).map(|(wanted, known)| wanted.matches(known))))
    }

    /// The value, if it is known.
    fn value(&self, name: &str) -> Option<u64> {
        self.written.get(name).copied().unwrap_or(Some(0))
    }

    /// Writes `value` into the bits `first..first + width` of the register named by an action's destination, or makes
    /// it unknown; false when the destination is no register.
    pub(super) fn write(&mut self, destination: &str, value: Option<u64>) -> bool {
        let (name, bits) = destination.split_once('[').unwrap_or((destination, "]"));
        let Some(name) = canonical(name) else {
            // The wide views lie over several registers; what they change is not followed bit by bit.
            return self.write_wide(name);
        };
        let old = self.value(&name);
        let new = value
            .zip(old)
            .zip(range(bits))
            .map(|((value, old), (first, mask))| (old & !(mask << first)) | ((value & mask) << first));
        self.written.insert(name, new);
        true
    }

    /// Writes the bits of `mask`.
    pub(super) fn write_masked(&mut self, destination: &str, value: u64, mask: u64) -> bool {
        let Some(name) = canonical(destination) else { return self.write_wide(destination) };
        let old = self.value(&name);
        self.written.insert(name, old.map(|old| (old & !mask) | (value & mask)));
        true
    }

    fn write_wide(&mut self, name: &str) -> bool {
        let lower = name.to_ascii_lowercase();
        if !lower.contains("xreg") {
            return false;
        }
        for number in 0..16 {
            self.written.insert(format!("reg{number}"), None);
        }
        true
    }
}

/// `reg1`, `NXM_NX_REG1`, `metadata`, `OXM_OF_METADATA` under one name.
fn canonical(name: &str) -> Option<String> {
    let lower = name.trim().to_ascii_lowercase();
    let bare = lower.strip_prefix("nxm_nx_").or_else(|| lower.strip_prefix("oxm_of_")).unwrap_or(&lower);
    let is_register =
        bare.strip_prefix("reg").and_then(|n| n.parse::<u8>().ok()).is_some_and(|number| number < 16);
    (is_register || bare == "metadata").then(|| bare.to_owned())
}

/// `]`, `5]`, `0..15]` as first bit and mask of the width.
fn range(bits: &str) -> Option<(u32, u64)> {
    let inside = bits.strip_suffix(']')?;
    if inside.is_empty() {
        return Some((0, u64::MAX));
    }
    let (first, last) = inside.split_once("..").unwrap_or((inside, inside));
    let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
    let width = last.checked_sub(first)?.checked_add(1).filter(|_| last < 64)?;
    Some((first, u64::MAX.checked_shr(64 - width)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registers_start_at_zero_and_take_parts() {
        let mut registers = Registers::default();
        assert_eq!((registers.value("reg3"), registers.answer("nw_src", "1")), (Some(0), None));
        assert!(
            registers.write("NXM_NX_REG3[]", Some(0xff)) && registers.write("NXM_NX_REG3[4..7]", Some(2))
        );
        assert_eq!(registers.value("reg3"), Some(0x2f));
        assert!(registers.write_masked("reg3", 0x100, 0x100) && registers.write("OXM_OF_METADATA[]", None));
        assert_eq!((registers.value("reg3"), registers.value("metadata")), (Some(0x12f), None));
        assert_eq!(registers.answer("reg3", "0x100/0xf00"), Some(Ternary::Yes));
        assert_eq!(registers.answer("metadata", "0x1"), Some(Ternary::Unknown));
        assert!(!registers.write("NXM_OF_ETH_DST[]", Some(1)) && registers.write("NXM_NX_XXREG0[]", Some(1)));
        assert_eq!(registers.value("reg3"), None);
        assert!(registers.write("NXM_NX_REG1[60..70]", Some(1)) && registers.write("reg1[9..3]", Some(1)));
    }
}
