//! Classic BPF programs: written, verified, shown, run.

pub(crate) mod assemble;
pub(crate) mod disassemble;
pub(crate) mod instruction;
pub(crate) mod verified;
pub(crate) mod vm;
