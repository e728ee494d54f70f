//! The one place that talks to libpcap: expression in, instructions or its message out.

use pcap::{BpfProgram, Capture, Dead, Linktype};

use crate::instruction::Instruction;

/// A compiler for Ethernet without an interface.
pub(crate) struct Compiler(Capture<Dead>);

impl Compiler {
    /// A new compiler; the text says why there is none.
    pub(crate) fn new() -> Result<Self, String> {
        Capture::dead(Linktype::ETHERNET).map(Self).map_err(|error| error.to_string())
    }

    /// Compiles the text as it is.
    pub(crate) fn compile(&self, text: &str) -> Result<Vec<Instruction>, String> {
        compile_on(&self.0, text)
    }

    /// libpcap's message about the text, if it has one. Much faster than compiling: nothing is optimised.
    pub(crate) fn complaint(&self, text: &str) -> Option<String> {
        self.0.compile(text, false).err().map(message)
    }
}

/// Compiles the text as it is on any handle.
pub(crate) fn compile_on<S: pcap::Activated + ?Sized>(
    handle: &Capture<S>,
    text: &str,
) -> Result<Vec<Instruction>, String> {
    match handle.compile(text, true) {
        Ok(program) => read(&program).ok_or_else(|| "its program cannot be read".to_owned()),
        Err(error) => Err(message(error)),
    }
}

fn message(error: pcap::Error) -> String {
    match error {
        pcap::Error::PcapError(message) => message,
        error => error.to_string(),
    }
}

/// The crate keeps the fields of an instruction to itself but prints them: `code jt jf k`.
fn read(program: &BpfProgram) -> Option<Vec<Instruction>> {
    program.get_instructions().iter().map(|instruction| parse(&instruction.to_string())).collect()
}

fn parse(text: &str) -> Option<Instruction> {
    let mut fields = text.split_ascii_whitespace();
    let code = fields.next()?.parse().ok()?;
    let jt = fields.next()?.parse().ok()?;
    let jf = fields.next()?.parse().ok()?;
    let k = fields.next()?.parse().ok()?;
    fields.next().is_none().then_some(Instruction { code, jt, jf, k })
}
