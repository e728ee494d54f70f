//! One copy of a program, for frames of one geometry.

use super::tags::Query;
use crate::program::assemble::{Assembler, Label};
use crate::program::instruction::{Instruction, SNAPLEN_MAX_BYTES, op};
use crate::program::verified::Unsound;

/// Why a program cannot be translated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// A load reads bytes on both sides of the place where a VLAN tag is inserted.
    Straddles {
        /// Offset of the first byte that it reads.
        first: u32,
        /// Offset of the last one.
        last: u32,
    },
    /// An instruction code that has no translation.
    Code(u16),
    /// The program uses so much scratch memory that none is left for the way into a tunnel.
    Scratch,
    /// A jump leads backwards.
    Loop,
    /// The translation is no program that could run.
    Unsound(Unsound),
}

/// What to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advice {
    /// Compare the bytes on each side of the tags apart from each other.
    CompareSides,
    /// Compute less.
    Simplify,
    /// Look at the offsets.
    CheckOffsets,
    /// Leave out what computes.
    NoComputing,
}

impl Unfit {
    /// What to do about it.
    pub const fn advice(self) -> Advice {
        match self {
            Self::Straddles { .. } => Advice::CompareSides,
            Self::Scratch => Advice::Simplify,
            Self::Unsound(_) => Advice::CheckOffsets,
            Self::Code(_) | Self::Loop => Advice::NoComputing,
        }
    }
}

/// Where the bytes of a frame are; emits the code that gets them into A (X for `ldxb`) without touching anything else.
pub(crate) trait Geometry {
    fn load(&self, asm: &mut Assembler, instruction: Instruction);
    fn length(&self, asm: &mut Assembler);
    fn tag(&self, asm: &mut Assembler, query: Query);
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
