//! The same program for frames whose bytes lie elsewhere: behind VLAN tags, or inside a tunnel.
//!
//! libpcap's program addresses a frame without tags. Each address in it is translated when it is loaded: the MAC
//! addresses (below offset 12) stay, everything behind them moves by four bytes for each tag in the payload. A prologue
//! counts the tags and jumps to the copy of the program for that count. The tag that the kernel moved into metadata
//! needs no copy: such a frame looks untagged.
//!
//! Because only addresses are translated and never what is computed from them, this also holds for expressions that
//! walk through headers by themselves (`mpls`, `pppoes`, `geneve`, `ip[ip[0]&0xf]`).

use thiserror::Error;

use crate::assemble::{Assembler, Label};
use crate::inner;
use crate::instruction::{Instruction, SNAPLEN_MAX_BYTES, op};
use crate::program::{Program, Unsound};
use crate::tags::{self, Query};

/// Offset of the ethertype, right behind the two MAC addresses (IEEE 802.3 clause 3.1.1), where a tag is inserted.
pub(crate) const ETHERTYPE: u32 = 12;
/// Bytes of a VLAN tag (IEEE 802.1Q clause 9.3).
pub(crate) const TAG_BYTES: u32 = 4;
/// Ethertypes of VLAN tags: IEEE 802.1Q, IEEE 802.1ad, and the QinQ of older switches (the same three as libpcap).
pub(crate) const TPIDS: [u32; 3] = [0x8100, 0x88a8, 0x9100];
/// Tags in the payload that are looked through.
pub(crate) const PAYLOAD_TAGS_MAX: u32 = 2;

/// What to translate for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reach {
    /// Look through VLAN tags.
    pub(crate) tags: bool,
    /// Look into VXLAN and Geneve as well.
    pub(crate) inner: bool,
}

/// Why a program cannot be translated.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub(crate) enum Unfit {
    #[error("bytes {0} to {1} of the frame lie on both sides of the place where a VLAN tag is inserted")]
    Straddles(u32, u32),
    #[error("instruction code {0:#x} cannot be translated")]
    Code(u16),
    #[error("no scratch memory is left for the way into a tunnel")]
    Scratch,
    #[error("a jump leads backwards")]
    Loop,
    #[error(transparent)]
    Unsound(#[from] Unsound),
}

/// Where the bytes of a frame are; emits the code that gets them into A (X for `ldxb`) without touching anything else.
pub(crate) trait Geometry {
    fn load(&self, asm: &mut Assembler, instruction: Instruction);
    fn length(&self, asm: &mut Assembler);
    fn tag(&self, asm: &mut Assembler, query: Query);
}

/// A frame that begins at its first byte and has this many tags in the payload.
pub(crate) struct Tagged(pub(crate) u32);

/// Translates libpcap's program.
pub(crate) fn rewrite(program: &[Instruction], reach: Reach) -> Result<Program, Unfit> {
    let mut asm = Assembler::default();
    let can_reject = program.iter().any(|i| i.code == op::RET_K && i.k == 0);
    let inside = (reach.inner && can_reject).then(|| asm.label());
    if reach.tags && program.iter().any(|instruction| depends_on_tags(*instruction)) {
        refuse_straddling(program)?;
        each_tag_count(&mut asm, program, inside)?;
    } else {
        copy(&mut asm, program, inside, &Tagged(0))?;
    }
    if let Some(inside) = inside {
        asm.place(inside);
        inner::look_inside(&mut asm, program, reach.tags)?;
    }
    Ok(Program::new(asm.finish().ok_or(Unfit::Loop)?)?)
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
        copy(asm, program, inside, &Tagged(tags))?;
    }
    Ok(())
}

/// One copy of the program for frames of this geometry. Instead of rejecting it goes to `rejected`, if given.
pub(crate) fn copy(
    asm: &mut Assembler,
    program: &[Instruction],
    rejected: Option<Label>,
    geometry: &dyn Geometry,
) -> Result<(), Unfit> {
    let labels: Vec<Label> = program.iter().map(|_| asm.label()).collect();
    let target = |at: usize, distance: usize| {
        at.checked_add(1).and_then(|next| labels.get(next.checked_add(distance)?)).copied().ok_or(Unfit::Loop)
    };
    for ((at, instruction), label) in program.iter().enumerate().zip(&labels) {
        asm.place(*label);
        let Instruction { code, jt, jf, k } = *instruction;
        match code {
            op::RET_K if k == 0 => match rejected {
                Some(label) => asm.goto(label),
                None => asm.plain(op::RET_K, 0),
            },
            op::RET_K => asm.plain(op::RET_K, SNAPLEN_MAX_BYTES),
            op::JA => asm.goto(target(at, usize::try_from(k).map_err(|_| Unfit::Loop)?)?),
            op::LD_LEN => geometry.length(asm),
            op::LDX_LEN => return Err(Unfit::Code(code)),
            _ if instruction.load_bytes() > 0 => match Query::of(*instruction) {
                Some(query) => geometry.tag(asm, query),
                None => geometry.load(asm, *instruction),
            },
            _ if instruction.is_branch() => {
                asm.branch(code, k, target(at, usize::from(jt))?, target(at, usize::from(jf))?);
            }
            _ => asm.plain(code, k),
        }
    }
    Ok(())
}

impl Geometry for Tagged {
    fn load(&self, asm: &mut Assembler, instruction: Instruction) {
        let Instruction { code, k, .. } = instruction;
        let shift = TAG_BYTES * self.0;
        let indirect = matches!(code, op::LD_W_IND | op::LD_H_IND | op::LD_B_IND);
        if shift == 0 || (k < ETHERTYPE && !indirect) {
            asm.plain(code, k);
        } else if k >= ETHERTYPE {
            asm.plain(code, k.saturating_add(shift));
        } else {
            // X decides at run time. A is free: the load is about to overwrite it.
            let (behind, before, end) = (asm.label(), asm.label(), asm.label());
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
        if self.0 > 0 {
            asm.plain(op::SUB, TAG_BYTES * self.0);
        }
    }

    fn tag(&self, asm: &mut Assembler, query: Query) {
        tags::ask(asm, query, self.0);
    }
}

/// Whether a tag changes what the instruction gives.
fn depends_on_tags(instruction: Instruction) -> bool {
    let Instruction { code, k, .. } = instruction;
    match code {
        op::LD_W_IND | op::LD_H_IND | op::LD_B_IND | op::LD_LEN | op::LDX_LEN => true,
        _ => instruction.load_bytes() > 0 && k.saturating_add(instruction.load_bytes()) > ETHERTYPE,
    }
}

/// Refuses `ether[10:4]`: half of it moves and half of it does not.
fn refuse_straddling(program: &[Instruction]) -> Result<(), Unfit> {
    for instruction in program {
        let Instruction { code, k, .. } = *instruction;
        let absolute = matches!(code, op::LD_W_ABS | op::LD_H_ABS | op::LD_B_ABS);
        let end = k.saturating_add(instruction.load_bytes());
        if absolute && k < ETHERTYPE && end > ETHERTYPE {
            return Err(Unfit::Straddles(k, end - 1));
        }
    }
    Ok(())
}
