//! The interpreter of classic BPF for frames that are already here (files, replay, analysis).
//!
//! Why one of our own: libpcap's interpreter only takes a program that libpcap compiled, and the programs here are
//! rewritten after that. What runs offline has to be the very program that the kernel runs. It is small because
//! classic BPF is: two registers, sixteen scratch words, forward jumps only. Tests run it against libpcap's on the same
//! programs and frames.
//!
//! A load outside the frame ends the program with "no match", as in libpcap and the kernel. An offset that wraps
//! around 32 bits also does, as in libpcap.

use super::instruction::{
    Instruction, METADATA_VLAN_PRESENT, METADATA_VLAN_TCI, METADATA_VLAN_TPID, SCRATCH_SLOTS, op,
};
use super::verified::Program;

/// A VLAN tag that travels beside the frame instead of in it (`PACKET_AUXDATA`, `skb->vlan_tci`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VlanTag {
    /// Ethertype of the tag: 0x8100 (IEEE 802.1Q) or 0x88a8 (802.1ad).
    pub tpid: u16,
    /// Priority (3 bits), drop eligible (1 bit), VLAN id (12 bits).
    pub tci: u16,
}

/// A frame as the program sees it.
#[derive(Clone, Copy)]
pub(crate) struct Packet<'a> {
    /// The captured bytes.
    pub(crate) bytes: &'a [u8],
    /// Its length on the wire, in bytes.
    pub(crate) wire_len: u32,
    /// The tag beside it.
    pub(crate) tag: Option<VlanTag>,
}

struct Machine<'a> {
    packet: Packet<'a>,
    a: u32,
    x: u32,
    scratch: [u32; SCRATCH_SLOTS as usize],
}

/// Runs the program and gives what it returns: 0 for no match, else how many bytes to keep.
pub(crate) fn run(program: &Program, packet: Packet<'_>) -> u32 {
    let mut machine = Machine { packet, a: 0, x: 0, scratch: [0; SCRATCH_SLOTS as usize] };
    let code = program.instructions();
    let mut at = 0_usize;
    // Each turn moves forward (`Program` admits no other jump), so this ends after `code.len()` turns.
    while let Some(instruction) = code.get(at) {
        match machine.step(*instruction) {
            Some(Next::Skip(distance)) => at = at.saturating_add(1).saturating_add(distance),
            Some(Next::Return(value)) => return value,
            None => return 0,
        }
    }
    0
}

enum Next {
    Skip(usize),
    Return(u32),
}

impl Machine<'_> {
    /// One instruction; `None` when the packet is too short or a division is by zero.
    fn step(&mut self, instruction: Instruction) -> Option<Next> {
        let Instruction { code, k, .. } = instruction;
        match code {
            op::RET_K => return Some(Next::Return(k)),
            op::RET_A => return Some(Next::Return(self.a)),
            op::JA => return Some(Next::Skip(usize::try_from(k).ok()?)),
            op::LD_IMM => self.a = k,
            op::LDX_IMM => self.x = k,
            op::LD_LEN => self.a = self.packet.wire_len,
            op::LDX_LEN => self.x = self.packet.wire_len,
            op::LD_MEM => self.a = *self.scratch.get(usize::try_from(k).ok()?)?,
            op::LDX_MEM => self.x = *self.scratch.get(usize::try_from(k).ok()?)?,
            op::ST => *self.scratch.get_mut(usize::try_from(k).ok()?)? = self.a,
            op::STX => *self.scratch.get_mut(usize::try_from(k).ok()?)? = self.x,
            op::TAX => self.x = self.a,
            op::TXA => self.a = self.x,
            op::LDX_MSH => self.x = 4 * (self.load(k, 1)? & 0x0f),
            op::LD_W_ABS | op::LD_H_ABS | op::LD_B_ABS => {
                self.a = self.absolute(k, instruction.load_bytes())?;
            }
            op::LD_W_IND | op::LD_H_IND | op::LD_B_IND => {
                self.a = self.load(self.x.checked_add(k)?, instruction.load_bytes())?;
            }
            _ if instruction.class() == op::CLASS_ALU => self.a = self.compute(code, k)?,
            _ if instruction.is_branch() => return Some(Next::Skip(self.branch(instruction))),
            _ => return None,
        }
        Some(Next::Skip(0))
    }

    fn absolute(&self, k: u32, bytes: u32) -> Option<u32> {
        let tag = self.packet.tag;
        match k {
            METADATA_VLAN_PRESENT => Some(u32::from(tag.is_some())),
            METADATA_VLAN_TCI => Some(tag.map_or(0, |tag| u32::from(tag.tci))),
            METADATA_VLAN_TPID => Some(tag.map_or(0, |tag| u32::from(tag.tpid))),
            _ => self.load(k, bytes),
        }
    }

    fn load(&self, offset: u32, bytes: u32) -> Option<u32> {
        let start = usize::try_from(offset).ok()?;
        let end = start.checked_add(usize::try_from(bytes).ok()?)?;
        let field = self.packet.bytes.get(start..end)?;
        Some(field.iter().fold(0, |value, byte| (value << 8) | u32::from(*byte)))
    }

    fn compute(&self, code: u16, k: u32) -> Option<u32> {
        let a = self.a;
        let b = if code & op::WITH_X == 0 { k } else { self.x };
        Some(match code & !op::WITH_X {
            op::ADD => a.wrapping_add(b),
            op::SUB => a.wrapping_sub(b),
            op::MUL => a.wrapping_mul(b),
            op::DIV => a.checked_div(b)?,
            op::MOD => a.checked_rem(b)?,
            op::OR => a | b,
            op::AND => a & b,
            op::XOR => a ^ b,
            op::LSH => a.checked_shl(b).unwrap_or(0),
            op::RSH => a.checked_shr(b).unwrap_or(0),
            op::NEG => a.wrapping_neg(),
            _ => return None,
        })
    }

    fn branch(&self, instruction: Instruction) -> usize {
        let Instruction { code, jt, jf, k } = instruction;
        let b = if code & op::WITH_X == 0 { k } else { self.x };
        let taken = match code & !op::WITH_X {
            op::JEQ => self.a == b,
            op::JGT => self.a > b,
            op::JGE => self.a >= b,
            _ => self.a & b != 0,
        };
        usize::from(if taken { jt } else { jf })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(code: &[(u16, u32)], bytes: &[u8]) -> u32 {
        let code = code.iter().map(|(code, k)| Instruction::plain(*code, *k)).collect();
        run(&Program::new(code).unwrap(), Packet { bytes, wire_len: 1000, tag: None })
    }

    #[test]
    fn arithmetic_is_unsigned_and_wraps() {
        let eval = |alu: u16, a: u32, k: u32| result(&[(op::LD_IMM, a), (alu, k), (op::RET_A, 0)], &[]);
        assert_eq!(eval(op::SUB, 0, 1), u32::MAX);
        assert_eq!(eval(op::MUL, 0x8000_0000, 2), 0);
        assert_eq!(eval(op::NEG, 1, 0), u32::MAX);
        assert_eq!(eval(op::MOD, 17, 5), 2);
        assert_eq!(eval(op::RSH, 0x8000_0000, 31), 1);
    }

    #[test]
    fn dividing_or_shifting_by_a_register_does_not_panic() {
        let by_x = |alu: u16, x: u32| {
            result(&[(op::LD_IMM, 7), (op::LDX_IMM, x), (alu | op::WITH_X, 0), (op::RET_A, 0)], &[])
        };
        assert_eq!(by_x(op::DIV, 0), 0);
        assert_eq!(by_x(op::MOD, 0), 0);
        assert_eq!(by_x(op::LSH, 32), 0);
        assert_eq!(by_x(op::RSH, 40), 0);
    }

    #[test]
    fn loads_are_big_endian_and_end_at_the_last_byte() {
        let frame = [0x45, 1, 2, 3];
        assert_eq!(result(&[(op::LD_W_ABS, 0), (op::RET_A, 0)], &frame), 0x4501_0203);
        assert_eq!(result(&[(op::LD_H_ABS, 3), (op::RET_A, 0)], &frame), 0);
        assert_eq!(result(&[(op::LDX_MSH, 0), (op::TXA, 0), (op::RET_A, 0)], &frame), 20);
        let wrapped = [(op::LDX_IMM, u32::MAX), (op::LD_B_IND, 2), (op::RET_A, 0)];
        assert_eq!(result(&wrapped, &frame), 0);
    }

    #[test]
    fn the_length_is_the_one_on_the_wire() {
        assert_eq!(result(&[(op::LD_LEN, 0), (op::RET_A, 0)], &[1, 2]), 1000);
    }
}
