//! Classic BPF instructions: the shape the kernel takes, and the opcodes this crate reads and writes.
//!
//! Source: `include/uapi/linux/bpf_common.h` and `include/uapi/linux/filter.h` of Linux; libpcap `pcap/bpf.h`.

/// One classic BPF instruction, laid out as `struct sock_filter` of `linux/filter.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instruction {
    /// What to do.
    pub code: u16,
    /// Instructions to skip when a conditional jump is taken.
    pub jt: u8,
    /// Instructions to skip when it is not.
    pub jf: u8,
    /// Operand: offset in bytes, constant, scratch slot or jump distance.
    pub k: u32,
}

impl Instruction {
    /// An instruction that is not a conditional jump.
    pub(crate) const fn plain(code: u16, k: u32) -> Self {
        Self { code, jt: 0, jf: 0, k }
    }

    /// The instruction's class, the lowest three bits of its code.
    pub(crate) const fn class(self) -> u16 {
        self.code & 0x07
    }

    /// Whether this is a conditional jump.
    pub(crate) const fn is_branch(self) -> bool {
        self.class() == op::CLASS_JMP && self.code != op::JA
    }

    /// How many bytes a packet load reads; 0 for everything else.
    pub(crate) const fn load_bytes(self) -> u32 {
        match self.code {
            op::LD_W_ABS | op::LD_W_IND => 4,
            op::LD_H_ABS | op::LD_H_IND => 2,
            op::LD_B_ABS | op::LD_B_IND | op::LDX_MSH => 1,
            _ => 0,
        }
    }
}

/// Longest program the kernel takes, in instructions (`BPF_MAXINSNS`, `linux/bpf_common.h`).
pub const INSTRUCTIONS_MAX: usize = 4096;

/// Bytes of a frame kept when nobody asks for fewer (`MAXIMUM_SNAPLEN` of libpcap and tcpdump).
pub const SNAPLEN_MAX_BYTES: u32 = 262_144;

/// Slots of scratch memory (`BPF_MEMWORDS`).
pub(crate) const SCRATCH_SLOTS: u32 = 16;

/// Loads from here up are not packet bytes but metadata (`SKF_AD_OFF`, `linux/filter.h`).
pub(crate) const METADATA: u32 = 0xffff_f000;
/// The tag in metadata, as TCI (`SKF_AD_VLAN_TAG`).
pub(crate) const METADATA_VLAN_TCI: u32 = METADATA + 44;
/// Whether there is a tag in metadata, 0 or 1 (`SKF_AD_VLAN_TAG_PRESENT`).
pub(crate) const METADATA_VLAN_PRESENT: u32 = METADATA + 48;
/// The ethertype of the tag in metadata (`SKF_AD_VLAN_TPID`, Linux 4.1).
pub(crate) const METADATA_VLAN_TPID: u32 = METADATA + 60;

/// Opcodes. `LD` loads into A, `LDX` into X; `ABS` at a constant offset, `IND` at X plus a constant.
pub(crate) mod op {
    pub(crate) const CLASS_JMP: u16 = 0x05;
    pub(crate) const CLASS_ALU: u16 = 0x04;

    pub(crate) const LD_IMM: u16 = 0x00;
    pub(crate) const LD_W_ABS: u16 = 0x20;
    pub(crate) const LD_H_ABS: u16 = 0x28;
    pub(crate) const LD_B_ABS: u16 = 0x30;
    pub(crate) const LD_W_IND: u16 = 0x40;
    pub(crate) const LD_H_IND: u16 = 0x48;
    pub(crate) const LD_B_IND: u16 = 0x50;
    pub(crate) const LD_MEM: u16 = 0x60;
    pub(crate) const LD_LEN: u16 = 0x80;
    pub(crate) const LDX_IMM: u16 = 0x01;
    pub(crate) const LDX_MEM: u16 = 0x61;
    pub(crate) const LDX_LEN: u16 = 0x81;
    pub(crate) const LDX_MSH: u16 = 0xb1;
    pub(crate) const ST: u16 = 0x02;
    pub(crate) const STX: u16 = 0x03;

    /// Bit of an ALU or jump code that takes X instead of the constant.
    pub(crate) const WITH_X: u16 = 0x08;
    pub(crate) const ADD: u16 = 0x04;
    pub(crate) const SUB: u16 = 0x14;
    pub(crate) const MUL: u16 = 0x24;
    pub(crate) const DIV: u16 = 0x34;
    pub(crate) const OR: u16 = 0x44;
    pub(crate) const AND: u16 = 0x54;
    pub(crate) const LSH: u16 = 0x64;
    pub(crate) const RSH: u16 = 0x74;
    pub(crate) const NEG: u16 = 0x84;
    pub(crate) const MOD: u16 = 0x94;
    pub(crate) const XOR: u16 = 0xa4;

    pub(crate) const JA: u16 = 0x05;
    pub(crate) const JEQ: u16 = 0x15;
    pub(crate) const JGT: u16 = 0x25;
    pub(crate) const JGE: u16 = 0x35;
    pub(crate) const JSET: u16 = 0x45;

    pub(crate) const RET_K: u16 = 0x06;
    pub(crate) const RET_A: u16 = 0x16;
    pub(crate) const TAX: u16 = 0x07;
    pub(crate) const TXA: u16 = 0x87;
}
