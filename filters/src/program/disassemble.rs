//! Programs for people, in the notation of `tcpdump -d`.

use std::fmt::Write as _;

use super::instruction::{Instruction, METADATA_VLAN_PRESENT, METADATA_VLAN_TCI, METADATA_VLAN_TPID, op};

/// One line for each instruction.
pub(crate) fn listing(program: &[Instruction]) -> String {
    let mut out = String::new();
    for (at, instruction) in program.iter().enumerate() {
        let (name, operand) = words(at, *instruction);
        let line = format!("({at:03}) {name:<8} {operand}");
        // Writing to a string cannot fail.
        let _ = if instruction.is_branch() {
            let next = at + 1;
            let (jt, jf) = (next + usize::from(instruction.jt), next + usize::from(instruction.jf));
            writeln!(out, "{line:<31} jt {jt}\tjf {jf}")
        } else {
            writeln!(out, "{}", line.trim_end())
        };
    }
    out
}

fn words(at: usize, instruction: Instruction) -> (&'static str, String) {
    let Instruction { code, k, .. } = instruction;
    let constant_or_x = || if code & op::WITH_X == 0 { format!("#{k:#x}") } else { "x".to_owned() };
    match code {
        op::LD_W_ABS => ("ld", absolute(k)),
        op::LD_H_ABS => ("ldh", absolute(k)),
        op::LD_B_ABS => ("ldb", absolute(k)),
        op::LD_W_IND => ("ld", format!("[x + {k}]")),
        op::LD_H_IND => ("ldh", format!("[x + {k}]")),
        op::LD_B_IND => ("ldb", format!("[x + {k}]")),
        op::LDX_MSH => ("ldxb", format!("4*([{k}]&0xf)")),
        op::LD_IMM => ("ld", format!("#{k:#x}")),
        op::LDX_IMM => ("ldx", format!("#{k:#x}")),
        op::LD_LEN => ("ld", "#pktlen".to_owned()),
        op::LDX_LEN => ("ldx", "#pktlen".to_owned()),
        op::LD_MEM => ("ld", format!("M[{k}]")),
        op::LDX_MEM => ("ldx", format!("M[{k}]")),
        op::ST => ("st", format!("M[{k}]")),
        op::STX => ("stx", format!("M[{k}]")),
        op::RET_K => ("ret", format!("#{k}")),
        op::RET_A => ("ret", "a".to_owned()),
        op::TAX => ("tax", String::new()),
        op::TXA => ("txa", String::new()),
        op::NEG => ("neg", String::new()),
        op::JA => ("ja", format!("{}", u64::from(k) + at as u64 + 1)),
        _ => (arithmetic_or_jump(code & !op::WITH_X), constant_or_x()),
    }
}

const fn arithmetic_or_jump(code: u16) -> &'static str {
    match code {
        op::ADD => "add",
        op::SUB => "sub",
        op::MUL => "mul",
        op::DIV => "div",
        op::MOD => "mod",
        op::OR => "or",
        op::AND => "and",
        op::XOR => "xor",
        op::LSH => "lsh",
        op::RSH => "rsh",
        op::JEQ => "jeq",
        op::JGT => "jgt",
        op::JGE => "jge",
        op::JSET => "jset",
        _ => "?",
    }
}

fn absolute(k: u32) -> String {
    match k {
        METADATA_VLAN_PRESENT => "[vlanp]".to_owned(),
        METADATA_VLAN_TCI => "[vlan_tci]".to_owned(),
        METADATA_VLAN_TPID => "[vlan_tpid]".to_owned(),
        _ => format!("[{k}]"),
    }
}
