//! Frames with VLAN tags in the payload.

use super::copy::{Geometry, Unfit};
use super::layout::{ETHERTYPE, TAG_BYTES};
use super::tags::{self, Query};
use crate::program::assemble::Assembler;
use crate::program::instruction::{Instruction, op};

/// A frame that begins at its first byte and has this many tags in the payload.
pub(crate) struct Tagged {
    pub(crate) tags: u32,
}

impl Geometry for Tagged {
    fn load(&self, asm: &mut Assembler, instruction: Instruction) {
        let Instruction { code, k, .. } = instruction;
        let shift = TAG_BYTES * self.tags;
        let indirect = matches!(code, op::LD_W_IND | op::LD_H_IND | op::LD_B_IND);
        if shift == 0 || (k < ETHERTYPE && !indirect) {
            asm.plain(code, k);
        } else if k >= ETHERTYPE {
            asm.plain(code, k.saturating_add(shift));
        } else {
            // X decides at run time. A is free: the load is about to overwrite it.
            let [behind, before, end] = asm.labels();
            asm.plain(op::TXA, 0);
            asm.branch(op::JGE, ETHERTYPE - k, behind, before);
            asm.place(behind);
            asm.plain(code, k + shift);
            asm.goto(end);
            asm.place(before);
            asm.plain(code, k);
            asm.place(end);
        }
    }

    /// The length without tags, so that `greater 1000` does not depend on them either.
    fn length(&self, asm: &mut Assembler) {
        asm.plain(op::LD_LEN, 0);
        if self.tags > 0 {
            asm.plain(op::SUB, TAG_BYTES * self.tags);
        }
    }

    fn tag(&self, asm: &mut Assembler, query: Query) {
        tags::ask(asm, query, self.tags);
    }
}

/// Whether a tag changes what the instruction gives.
pub(crate) fn depends_on_tags(instruction: Instruction) -> bool {
    let Instruction { code, k, .. } = instruction;
    match code {
        op::LD_W_IND | op::LD_H_IND | op::LD_B_IND | op::LD_LEN | op::LDX_LEN => true,
        _ => instruction.load_bytes() > 0 && k.saturating_add(instruction.load_bytes()) > ETHERTYPE,
    }
}

/// Refuses `ether[10:4]`: half of it moves and half of it does not.
pub(crate) fn refuse_straddling(program: &[Instruction]) -> Result<(), Unfit> {
    for instruction in program {
        let Instruction { code, k, .. } = *instruction;
        let absolute = matches!(code, op::LD_W_ABS | op::LD_H_ABS | op::LD_B_ABS);
        let end = k.saturating_add(instruction.load_bytes());
        if absolute && k < ETHERTYPE && end > ETHERTYPE {
            return Err(Unfit::Straddles { first: k, last: end - 1 });
        }
    }
    Ok(())
}
