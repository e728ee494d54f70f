//! Classic BPF programs: compiled by libpcap, written, verified, shown, run.

pub(crate) mod assemble;
pub(crate) mod disassemble;
pub(crate) mod instruction;
pub(crate) mod libpcap;
pub(crate) mod verified;
pub(crate) mod vm;
