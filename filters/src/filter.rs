//! A compiled filter: what runs in the kernel, and the same thing here.

use std::fmt::Write as _;

use crate::disassemble;
use crate::error::{Diagnosis, FilterError};
use crate::instruction::{Instruction, SNAPLEN_MAX_BYTES, op};
use crate::lexer::{self, Token};
use crate::libpcap::{self, Compiler};
use crate::locate;
use crate::names;
use crate::program::{Program, Unsound};
use crate::reason::Reason;
use crate::rewrite::{Reach, Unfit, rewrite};
use crate::vm::{self, Packet, VlanTag};

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
    needs_live_handle: bool,
    program: Program,
}

impl Filter {
    /// Compiles an expression; an empty one matches everything.
    ///
    /// Nothing is looked up: port and protocol names come from a table in this crate, host names are refused.
    pub fn compile(expression: &str, options: Options) -> Result<Self, FilterError> {
        let as_meant = options.vlan == VlanMode::AsMeant;
        let tokens = read(expression, as_meant)?;
        let needs_live_handle = !as_meant && tokens.iter().any(|token| token.is("vlan"));
        let compiler = Compiler::new().map_err(|message| libpcap_error(expression, message))?;
        let compiled = compiler
            .compile(&locate::text(&tokens))
            .map_err(|message| explain(&compiler, &tokens, expression, &message))?;
        let reach = Reach { tags: as_meant, inner: options.inner };
        let program = rewrite(&compiled, reach).map_err(|unfit| untranslatable(expression, unfit))?;
        Ok(Self { expression: expression.to_owned(), options, needs_live_handle, program })
    }

    /// Compiles an expression with libpcap's literal meaning on a handle of the caller, for filters for which
    /// [`Filter::needs_live_handle`] says so: only a live handle knows that the kernel moves tags into metadata.
    pub fn compile_on<S: pcap::Activated + ?Sized>(
        handle: &pcap::Capture<S>,
        expression: &str,
    ) -> Result<Self, FilterError> {
        let options = Options { vlan: VlanMode::Literal, inner: false };
        let tokens = read(expression, false)?;
        let compiled = match libpcap::compile_on(handle, &locate::text(&tokens)) {
            Ok(compiled) => compiled,
            Err(message) => {
                let compiler = Compiler::new().map_err(|message| libpcap_error(expression, message))?;
                return Err(explain(&compiler, &tokens, expression, &message));
            }
        };
        let reach = Reach { tags: false, inner: false };
        let program = rewrite(&compiled, reach).map_err(|unfit| untranslatable(expression, unfit))?;
        Ok(Self { expression: expression.to_owned(), options, needs_live_handle: false, program })
    }

    /// The expression as it was given.
    pub fn expression(&self) -> &str {
        &self.expression
    }

    /// How it was compiled.
    pub fn options(&self) -> Options {
        self.options
    }

    /// Whether live capture needs [`Filter::compile_on`]: only for [`VlanMode::Literal`] with `vlan` in the expression.
    pub fn needs_live_handle(&self) -> bool {
        self.needs_live_handle
    }

    /// Whether the filter keeps every frame.
    pub fn matches_everything(&self) -> bool {
        matches!(self.instructions().first(), Some(first) if first.code == op::RET_K && first.k > 0)
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
        let expression: String = expression.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        // Writing to a string cannot fail.
        let _ = writeln!(out, "# filter: {expression}");
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
            VlanMode::Literal if self.needs_live_handle => {
                "as libpcap takes them offline; live, the program is compiled on the interface"
            }
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
    let mut tokens =
        lexer::tokens(expression).map_err(|stray| at(expression, stray.span, stray.why, stray.suggestion))?;
    let terms =
        1 + tokens.iter().filter(|token| token.is_one_of(&["and", "or", "&&", "||", "portrange"])).count();
    if terms > TERMS_MAX {
        return Err(FilterError::TooManyTerms { terms, terms_max: TERMS_MAX });
    }
    names::translate(&mut tokens, as_meant)
        .map_err(|refusal| at(expression, refusal.span, refusal.message, refusal.suggestion))?;
    Ok(tokens)
}

fn at(
    expression: &str,
    span: std::ops::Range<usize>,
    message: Reason,
    suggestion: Option<String>,
) -> FilterError {
    FilterError::At(Box::new(Diagnosis { expression: expression.to_owned(), span, message, suggestion }))
}

fn libpcap_error(expression: &str, message: String) -> FilterError {
    FilterError::Libpcap { expression: expression.to_owned(), message }
}

/// Turns libpcap's message into one with a place.
fn explain(compiler: &Compiler, tokens: &[Token], expression: &str, message: &str) -> FilterError {
    if message.contains("rejects all packets") {
        return FilterError::MatchesNothing { expression: expression.to_owned() };
    }
    if tokens.is_empty() {
        return libpcap_error(expression, message.to_owned());
    }
    let found = locate::locate(compiler, tokens, message, expression);
    at(expression, found.span, found.message, found.suggestion)
}

fn untranslatable(expression: &str, unfit: Unfit) -> FilterError {
    let advice = match unfit {
        Unfit::Unsound(Unsound::Length(instructions)) => return FilterError::TooLong { instructions },
        Unfit::Straddles(..) => {
            "compare the parts on each side by themselves, or use the literal meaning (--no-vlan)"
        }
        Unfit::Scratch => "simplify the arithmetic in the filter, or leave out --inner",
        Unfit::Unsound(_) => "check the offsets in brackets, no frame has such bytes",
        Unfit::Code(_) | Unfit::Loop => {
            "write it without the part that computes, or use the literal meaning (--no-vlan)"
        }
    };
    FilterError::Untranslatable { expression: expression.to_owned(), why: unfit.to_string(), advice }
}
