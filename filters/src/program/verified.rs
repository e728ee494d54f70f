//! A verified program: every jump goes forward and stays inside, every opcode is known, the end returns.
//!
//! The rules are those of `bpf_check_classic` in Linux' `net/core/filter.c`, so a program that passes here is one that
//! `SO_ATTACH_FILTER` takes, and one that the interpreter finishes in at most as many steps as it has instructions.

use super::instruction::{
    INSTRUCTIONS_MAX, Instruction, METADATA_VLAN_PRESENT, METADATA_VLAN_TCI, METADATA_VLAN_TPID,
    SCRATCH_SLOTS, op,
};

/// A program that passed [`Program::new`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Program(Vec<Instruction>);

/// Why a program cannot run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsound {
    /// It has no instructions, or more than the kernel takes.
    Length(usize),
    /// An instruction jumps backwards or out of the program.
    Jump {
        /// Its place.
        at: usize,
    },
    /// An instruction has a code that nobody knows.
    Code {
        /// Its place.
        at: usize,
        /// Of the instruction that the kernel does not know.
        code: u16,
    },
    /// An instruction has an operand that is out of range.
    Operand {
        /// Its place.
        at: usize,
    },
    /// The last instruction is no return.
    NoReturn,
}

impl Program {
    /// Takes the instructions if they are sound.
    pub(crate) fn new(instructions: Vec<Instruction>) -> Result<Self, Unsound> {
        let len = instructions.len();
        if len == 0 || len > INSTRUCTIONS_MAX {
            return Err(Unsound::Length(len));
        }
        for (at, instruction) in instructions.iter().enumerate() {
            check(at, *instruction, len - at - 1)?;
        }
        match instructions.last().map(|last| last.code) {
            Some(op::RET_K | op::RET_A) => Ok(Self(instructions)),
            _ => Err(Unsound::NoReturn),
        }
    }

    pub(crate) fn instructions(&self) -> &[Instruction] {
        &self.0
    }
}

/// Codes that are sound whatever their operand is.
const WITHOUT_OPERAND_RULES: [u16; 9] =
    [op::LD_IMM, op::LDX_IMM, op::LD_LEN, op::LDX_LEN, op::RET_K, op::RET_A, op::TAX, op::TXA, op::NEG];

/// Checks one instruction that has `after` instructions behind it.
fn check(at: usize, instruction: Instruction, after: usize) -> Result<(), Unsound> {
    let Instruction { code, jt, jf, k } = instruction;
    let operand = |good: bool| if good { Ok(()) } else { Err(Unsound::Operand { at }) };
    let jump = |good: bool| if good { Ok(()) } else { Err(Unsound::Jump { at }) };
    match code {
        op::LD_W_ABS | op::LD_H_ABS | op::LD_B_ABS => operand(i32::try_from(k).is_ok() || is_metadata(k)),
        op::LD_W_IND | op::LD_H_IND | op::LD_B_IND | op::LDX_MSH => operand(i32::try_from(k).is_ok()),
        op::LD_MEM | op::LDX_MEM | op::ST | op::STX => operand(k < SCRATCH_SLOTS),
        op::DIV | op::MOD => operand(k != 0),
        op::LSH | op::RSH => operand(k < u32::BITS),
        op::JA => jump(usize::try_from(k).is_ok_and(|distance| distance < after)),
        _ if is_alu(code) || WITHOUT_OPERAND_RULES.contains(&code) => Ok(()),
        _ if is_branch(code) => jump(usize::from(jt.max(jf)) < after),
        _ => Err(Unsound::Code { at, code }),
    }
}

/// Metadata that the interpreter knows as well as the kernel does.
fn is_metadata(k: u32) -> bool {
    matches!(k, METADATA_VLAN_TCI | METADATA_VLAN_PRESENT | METADATA_VLAN_TPID)
}

fn is_alu(code: u16) -> bool {
    let known = [op::ADD, op::SUB, op::MUL, op::DIV, op::OR, op::AND, op::LSH, op::RSH, op::MOD, op::XOR];
    known.contains(&(code & !op::WITH_X))
}

fn is_branch(code: u16) -> bool {
    matches!(code & !op::WITH_X, op::JEQ | op::JGT | op::JGE | op::JSET)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCEPT: Instruction = Instruction::plain(op::RET_K, 1);

    #[test]
    fn a_jump_past_the_end_and_a_loop_are_refused() {
        let past = Instruction { code: op::JEQ, jt: 0, jf: 1, k: 0 };
        assert_eq!(Program::new(vec![past, ACCEPT]), Err(Unsound::Jump { at: 0 }));
        let back = Instruction::plain(op::JA, u32::MAX);
        assert_eq!(Program::new(vec![ACCEPT, back, ACCEPT]), Err(Unsound::Jump { at: 1 }));
        let onto_the_return = Instruction { code: op::JEQ, jt: 0, jf: 0, k: 0 };
        assert!(Program::new(vec![onto_the_return, ACCEPT]).is_ok());
    }

    #[test]
    fn what_the_kernel_refuses_is_refused() {
        let cases = [
            (vec![], Unsound::Length(0)),
            (vec![ACCEPT; INSTRUCTIONS_MAX + 1], Unsound::Length(INSTRUCTIONS_MAX + 1)),
            (vec![Instruction::plain(op::TAX, 0)], Unsound::NoReturn),
            (vec![Instruction::plain(op::DIV, 0), ACCEPT], Unsound::Operand { at: 0 }),
            (vec![Instruction::plain(op::LSH, 32), ACCEPT], Unsound::Operand { at: 0 }),
            (vec![Instruction::plain(op::ST, 16), ACCEPT], Unsound::Operand { at: 0 }),
            (vec![Instruction::plain(op::LD_B_ABS, 0x8000_0000), ACCEPT], Unsound::Operand { at: 0 }),
            (vec![Instruction::plain(0xff, 0), ACCEPT], Unsound::Code { at: 0, code: 0xff }),
        ];
        for (program, why) in cases {
            assert_eq!(Program::new(program), Err(why));
        }
    }
}
