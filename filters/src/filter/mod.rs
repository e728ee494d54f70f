//! A compiled filter: what runs in the kernel, and the same thing here.

mod english;
mod error;

use std::fmt::Write as _;

use netcap_words::foreign::clean;

use crate::language::diagnosis::Mistake;
use crate::language::lexer::{self, Token};
use crate::language::{locate, names};
use crate::program::disassemble;
use crate::program::instruction::{Instruction, SNAPLEN_MAX_BYTES, op};
use crate::program::libpcap::{Compiler, Complaint, ComplaintKind};
use crate::program::verified::{Program, Unsound};
use crate::program::vm::{self, Packet, VlanTag};
use crate::rewrite::{Reach, Unfit, rewrite};

pub use error::FilterError;

/// How VLAN tags are treated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum VlanMode {
    /// The expression is about the frame without its tags; `vlan` asks about the tags. The same packets match untagged,
    /// tagged in metadata, tagged in the payload (up to two tags), and tagged in both.
    #[default]
    AsMeant,
    /// libpcap's literal meaning: `icmp` is IPv4 at offset 12, and each `vlan` moves what follows it by four bytes.
    Literal,
}

/// How to compile.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// How VLAN tags are treated.
    pub vlan: VlanMode,
    /// Also match frames that carry, in VXLAN or Geneve, a frame for which the expression holds.
    pub inner: bool,
}

/// Longest expression that is read, in bytes. 4096 instructions hold about 2000 addresses of about 20 characters.
const EXPRESSION_BYTES_MAX: usize = 64 * 1024;

/// Most terms that are compiled. libpcap's optimizer takes time by the third power of their number: 256 hosts take
/// about a second and 256 ports three, on the machine where the program of 256 hosts was also about as long as the
/// kernel allows.
const TERMS_MAX: usize = 256;

/// A compiled, verified filter.
#[derive(Clone, Debug)]
pub struct Filter {
    expression: String,
    options: Options,
    differs_live: bool,
    program: Program,
}

impl Filter {
    /// Compiles an expression; an empty one matches everything.
    ///
    /// Nothing is looked up: port and protocol names come from a table in this crate, host names are refused.
    pub fn compile(expression: &str, options: Options) -> Result<Self, FilterError> {
        let as_meant = options.vlan == VlanMode::AsMeant;
        let tokens = read(expression, as_meant)?;
        let differs_live = !as_meant && tokens.iter().any(|token| token.is("vlan"));
        let compiler = Compiler::new().map_err(|complaint| libpcap_error(expression, complaint))?;
        let compiled = compiler
            .compile(&lexer::text(&tokens))
            .map_err(|complaint| explain(&compiler, &tokens, expression, complaint))?;
        let reach = Reach { tags: as_meant, inner: options.inner };
        let program = rewrite(&compiled, reach).map_err(|unfit| untranslatable(expression, unfit))?;
        Ok(Self { expression: expression.to_owned(), options, differs_live, program })
    }

    /// The expression as it was given.
    pub fn expression(&self) -> &str {
        &self.expression
    }

    /// How it was compiled.
    pub fn options(&self) -> Options {
        self.options
    }

    /// Whether libpcap would compile another program on an interface, where it knows that the kernel moves tags into
    /// metadata: only for [`VlanMode::Literal`] with `vlan` in the expression.
    pub fn differs_live(&self) -> bool {
        self.differs_live
    }

    /// The program for `SO_ATTACH_FILTER`; keeps [`SNAPLEN_MAX_BYTES`] of what matches.
    pub fn instructions(&self) -> &[Instruction] {
        self.program.instructions()
    }

    /// The program that keeps this many bytes of what matches; 0 means [`SNAPLEN_MAX_BYTES`].
    pub fn instructions_with_snaplen(&self, snaplen_bytes: u32) -> Vec<Instruction> {
        let keep = if snaplen_bytes == 0 { SNAPLEN_MAX_BYTES } else { snaplen_bytes };
        let set = |instruction: &Instruction| match instruction.code {
            op::RET_K if instruction.k > 0 => Instruction { k: keep, ..*instruction },
            _ => *instruction,
        };
        self.instructions().iter().map(set).collect()
    }

    /// Whether the frame matches. `wire_len` is its length on the wire in bytes, which `less`, `greater` and `len` see;
    /// `frame` may be cut. A filter that has to look beyond the cut does not match.
    pub fn matches(&self, frame: &[u8], wire_len: usize) -> bool {
        self.run(frame, wire_len, None)
    }

    /// Whether a frame matches whose outer tag travels beside it, as a packet socket gives it. `wire_len` is without
    /// that tag.
    pub fn matches_with_tag(&self, frame: &[u8], wire_len: usize, tag: VlanTag) -> bool {
        self.run(frame, wire_len, Some(tag))
    }

    fn run(&self, bytes: &[u8], wire_len: usize, tag: Option<VlanTag>) -> bool {
        let wire_len = u32::try_from(wire_len).unwrap_or(u32::MAX);
        vm::run(&self.program, Packet { bytes, wire_len, tag }) > 0
    }

    /// What runs, for people: the expression, the frames it applies to, and the program as `tcpdump -d` prints it.
    pub fn describe(&self) -> String {
        let mut out = String::new();
        let expression =
            if self.expression.trim().is_empty() { "(everything)" } else { self.expression.trim() };
        // Writing to a string cannot fail.
        let _ = writeln!(out, "# filter: {}", clean(expression));
        let _ = writeln!(out, "# frames: {}", self.frames());
        let _ =
            writeln!(out, "# program: {} instructions, in the kernel and offline", self.instructions().len());
        out.push_str(&disassemble::listing(self.instructions()));
        out
    }

    fn frames(&self) -> String {
        let tags = match self.options.vlan {
            VlanMode::AsMeant => {
                "untagged, tagged in offload metadata, and with one or two tags in the payload (0x8100, 0x88a8, 0x9100)"
            }
            VlanMode::Literal if self.differs_live => "as libpcap takes them offline",
            VlanMode::Literal => "as they are, VLAN tags not looked through",
        };
        let inner = if self.options.inner { "; and the frames inside VXLAN and Geneve" } else { "" };
        format!("{tags}{inner}")
    }
}

/// Splits and checks the expression.
fn read(expression: &str, as_meant: bool) -> Result<Vec<Token>, FilterError> {
    if expression.len() > EXPRESSION_BYTES_MAX {
        return Err(FilterError::TooLarge { bytes: expression.len(), bytes_max: EXPRESSION_BYTES_MAX });
    }
    let at = |mistake: Mistake| FilterError::At(Box::new(mistake.in_expression(expression)));
    let mut tokens = lexer::tokens(expression).map_err(at)?;
    let terms =
        1 + tokens.iter().filter(|token| token.is_one_of(&["and", "or", "&&", "||", "portrange"])).count();
    if terms > TERMS_MAX {
        return Err(FilterError::TooManyTerms { terms, terms_max: TERMS_MAX });
    }
    names::translate(&mut tokens, as_meant).map_err(at)?;
    Ok(tokens)
}

fn libpcap_error(expression: &str, complaint: Complaint) -> FilterError {
    FilterError::Libpcap { expression: expression.to_owned(), message: complaint.text }
}

/// Gives libpcap's complaint a place.
fn explain(compiler: &Compiler, tokens: &[Token], expression: &str, complaint: Complaint) -> FilterError {
    if complaint.kind == ComplaintKind::MatchesNothing {
        return FilterError::MatchesNothing { expression: expression.to_owned() };
    }
    if tokens.is_empty() {
        return libpcap_error(expression, complaint);
    }
    let mistake = locate::locate(compiler, tokens, &complaint, expression);
    FilterError::At(Box::new(mistake.in_expression(expression)))
}

fn untranslatable(expression: &str, why: Unfit) -> FilterError {
    match why {
        Unfit::Unsound(Unsound::Length(instructions)) => FilterError::TooLong { instructions },
        why => FilterError::Untranslatable { expression: expression.to_owned(), why },
    }
}
