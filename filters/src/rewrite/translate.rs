//! From libpcap's program to the one that runs.

use super::copy::{Unfit, copy};
use super::inner;
use super::layout::{ETHERTYPE, PAYLOAD_TAGS_MAX, TAG_BYTES, TPIDS};
use super::tagged::{Tagged, depends_on_tags, refuse_straddling};
use crate::program::assemble::{Assembler, Label};
use crate::program::instruction::{Instruction, op};
use crate::program::verified::Program;

/// What to translate for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reach {
    /// Look through VLAN tags.
    pub(crate) tags: bool,
    /// Look into VXLAN and Geneve as well.
    pub(crate) inner: bool,
}

/// Translates libpcap's program.
pub(crate) fn rewrite(program: &[Instruction], reach: Reach) -> Result<Program, Unfit> {
    let mut asm = Assembler::default();
    let can_reject = program.iter().any(|i| i.code == op::RET_K && i.k == 0);
    let inside = (reach.inner && can_reject).then(|| asm.label());
    if reach.tags && program.iter().any(|instruction| depends_on_tags(*instruction)) {
        refuse_straddling(program)?;
        each_tag_count(&mut asm, program, inside)?;
    } else {
        copy(&mut asm, program, inside, &Tagged { tags: 0 })?;
    }
    if let Some(inside) = inside {
        asm.place(inside);
        inner::look_inside(&mut asm, program, reach.tags)?;
    }
    Program::new(asm.finish().ok_or(Unfit::Loop)?).map_err(Unfit::Unsound)
}

/// The prologue that counts tags, and one copy of the program for each count.
fn each_tag_count(asm: &mut Assembler, program: &[Instruction], inside: Option<Label>) -> Result<(), Unfit> {
    let copies: Vec<(u32, Label)> = (0..=PAYLOAD_TAGS_MAX).map(|tags| (tags, asm.label())).collect();
    for (tags, label) in copies.iter().take_while(|(tags, _)| *tags < PAYLOAD_TAGS_MAX) {
        let one_more = asm.label();
        asm.plain(op::LD_H_ABS, ETHERTYPE + TAG_BYTES * tags);
        asm.branch_any(&TPIDS, one_more);
        asm.goto(*label);
        asm.place(one_more);
    }
    // The most tags come first: the prologue falls through to them.
    for (tags, label) in copies.into_iter().rev() {
        asm.place(label);
        copy(asm, program, inside, &Tagged { tags })?;
    }
    Ok(())
}
