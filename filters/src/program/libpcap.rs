//! The one place that talks to libpcap: expression in, instructions or its complaint out.

use pcap::{BpfProgram, Capture, Dead, Linktype};

use crate::program::instruction::Instruction;

/// A compiler for Ethernet without an interface.
pub(crate) struct Compiler(Capture<Dead>);

/// What libpcap has against a text. It says so in prose only, which is read here and nowhere else (`pcap_compile`,
/// grammar.y and gencode.c of libpcap 1.9 and 1.10).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Complaint {
    pub(crate) kind: ComplaintKind,
    /// Its own words.
    pub(crate) text: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ComplaintKind {
    /// The grammar has no such sentence.
    Syntax,
    /// The sentence holds for no packet.
    MatchesNothing,
    /// An address of a network has bits behind its prefix.
    HostBits,
    /// A qualifier stands before something of another kind.
    Qualifier {
        qualifier: String,
        object: String,
    },
    Other,
}

impl Complaint {
    fn of(text: &str) -> Self {
        let text = text.trim_start_matches("can't parse filter expression: ");
        let kind = match text.strip_prefix('\'').and_then(|rest| rest.split_once("' modifier applied to ")) {
            Some((qualifier, object)) => {
                ComplaintKind::Qualifier { qualifier: qualifier.to_owned(), object: object.to_owned() }
            }
            None if text.contains("syntax error") => ComplaintKind::Syntax,
            None if text.contains("rejects all packets") => ComplaintKind::MatchesNothing,
            None if text.contains("non-network bits") => ComplaintKind::HostBits,
            None => ComplaintKind::Other,
        };
        Self { kind, text: text.to_owned() }
    }
}

impl Compiler {
    /// A new compiler, or why there is none.
    pub(crate) fn new() -> Result<Self, Complaint> {
        Capture::dead(Linktype::ETHERNET).map(Self).map_err(|error| complaint(&error))
    }

    /// Compiles the text as it is.
    pub(crate) fn compile(&self, text: &str) -> Result<Vec<Instruction>, Complaint> {
        let program = self.0.compile(text, true).map_err(|error| complaint(&error))?;
        read(&program).ok_or_else(|| Complaint::of("its program cannot be read"))
    }

    /// What libpcap has against the text, if anything. Much faster than compiling: nothing is optimised.
    pub(crate) fn complaint(&self, text: &str) -> Option<Complaint> {
        self.0.compile(text, false).err().as_ref().map(complaint)
    }
}

fn complaint(error: &pcap::Error) -> Complaint {
    match error {
        pcap::Error::PcapError(message) => Complaint::of(message),
        error => Complaint::of(&error.to_string()),
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The library that is linked says what this file reads.
    #[test]
    fn complaints_are_understood() {
        let compiler = Compiler::new().unwrap();
        let qualifier = |qualifier: &str, object: &str| ComplaintKind::Qualifier {
            qualifier: qualifier.to_owned(),
            object: object.to_owned(),
        };
        for (text, kind) in [
            ("arp and and icmp", ComplaintKind::Syntax),
            ("icmp and udp", ComplaintKind::MatchesNothing),
            ("net 10.1.2.3/24", ComplaintKind::HostBits),
            ("icmp host 10.0.0.1", qualifier("icmp", "host")),
            ("ip6 host 10.0.0.1", qualifier("ip6", "ip host")),
            ("ip host fe80::1", qualifier("ip", "ip6 host")),
            ("port 99999", ComplaintKind::Other),
        ] {
            let complaint = compiler.compile(text).unwrap_err();
            assert_eq!(complaint.kind, kind, "{text}: {}", complaint.text);
        }
    }
}
