//! Every sentence of this crate, in English. A program that speaks other languages has a sentence of its own for each
//! of these values, and matches on them as this file does.

use std::fmt::{Display, Formatter, Result};

use super::error::FilterError;
use crate::language::diagnosis::{Diagnosis, Reason, Suggestion};
use crate::language::presets::{Argument, PresetError};
use crate::program::instruction::INSTRUCTIONS_MAX;
use crate::program::verified::Unsound;
use crate::rewrite::{Advice, Unfit};

/// What makes a filter shorter.
const SHORTER: &str = "write networks instead of single hosts (`net 10.1.0.0/16`) and ranges instead of single ports \
                       (`portrange 8000-8010`), or give different points different filters";

impl Display for FilterError {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::At(diagnosis) => diagnosis.fmt(f),
            Self::MatchesNothing { expression } => write!(
                f,
                "the filter `{expression}` can match no packet at all: its parts exclude each other \
                 (`icmp and udp`); join alternatives with `or`"
            ),
            Self::TooLong { instructions } => write!(
                f,
                "the filter needs {instructions} instructions and the kernel takes {INSTRUCTIONS_MAX}: {SHORTER}"
            ),
            Self::TooLarge { bytes, bytes_max } => {
                write!(
                    f,
                    "the filter has {bytes} bytes, and at most {bytes_max} are read: use networks and ranges"
                )
            }
            Self::Untranslatable { expression, why } => {
                write!(f, "the filter `{expression}` cannot be used: {why}; {}", why.advice())
            }
            Self::TooManyTerms { terms, terms_max } => {
                write!(f, "the filter has {terms} terms, and at most {terms_max} are compiled: {SHORTER}")
            }
            Self::Libpcap { expression, message } => {
                write!(f, "libpcap cannot compile the filter `{expression}`: {message}")
            }
        }
    }
}

impl Display for Diagnosis {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "{}\n{}", self.reason, self.pointed())?;
        match &self.suggestion {
            Some(suggestion) => write!(f, "\n  did you mean {suggestion}?"),
            None => Ok(()),
        }
    }
}

impl Display for Reason {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::NoNetmask => write!(f, "`ip broadcast` needs a netmask, and a filter has none"),
            Self::Character(c) => write!(f, "the character `{c}` has no meaning in a filter"),
            Self::Direction(word) => {
                write!(f, "`{word}` is not a property of the frame; the direction is recorded with it")
            }
            Self::EndsEarly => write!(f, "the filter ends too early"),
            Self::UnknownEtherType(word) => {
                write!(f, "`{word}` is not a known ethertype; write the number, as in `0x88cc`")
            }
            Self::Misplaced(word) => write!(f, "`{word}` cannot stand here"),
            Self::Interface(word) => {
                write!(f, "`{word}` is not a property of the frame; choose the interfaces instead")
            }
            Self::BadIpv4(word) => write!(f, "`{word}` is not an IPv4 address: each number goes up to 255"),
            Self::BadIpv6OrMac(word) => {
                write!(f, "`{word}` is neither an IPv6 address nor a MAC address (six pairs of digits)")
            }
            Self::NumberTooLarge(word) => write!(f, "the number `{word}` does not fit into 32 bits"),
            Self::Libpcap(message) => f.write_str(message),
            Self::HostName(word) => {
                write!(f, "`{word}` is a name, and names are not looked up: write the address")
            }
            Self::BadOctal(word) => {
                write!(f, "the number `{word}` begins with 0, so it is octal, and octal has no 8 and 9")
            }
            Self::OpenParenthesis => write!(f, "a closing parenthesis is missing"),
            Self::UnknownPort(word) => write!(f, "`{word}` is not a known port name; write the number"),
            Self::Protochain => {
                write!(f, "`protochain` needs a loop, and filters in the kernel cannot loop")
            }
            Self::UnknownProtocol(word) => {
                write!(f, "`{word}` is not a known IP protocol; write the number")
            }
            Self::PortRange(word) => write!(f, "`{word}` is a range of ports"),
            Self::TagInList => write!(f, "a VLAN tag's ethertype cannot stand in a list of others"),
            Self::TooManyTags => write!(f, "a frame can be asked for at most three VLAN tags"),
            Self::VlanIdTooLarge => write!(f, "a VLAN id goes up to 4095"),
            Self::UnknownWord(word) => write!(f, "`{word}` is not a word of the filter language"),
        }
    }
}

impl Display for Suggestion {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Write(text) => write!(f, "`{text}`"),
            Self::Either(one, other) => write!(f, "`{one}` or `{other}`"),
            Self::AtEnd(text) => write!(f, "`{text}` at the end"),
            Self::Preset(name) => write!(f, "the preset `{name}`"),
            Self::Space => write!(f, "a space"),
            Self::NoQuotes => write!(f, "no quotes inside the filter"),
        }
    }
}

impl Display for Unfit {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Straddles { first, last } => write!(
                f,
                "bytes {first} to {last} of the frame lie on both sides of the place where a VLAN tag is inserted"
            ),
            Self::Code(code) => write!(f, "instruction code {code:#x} cannot be translated"),
            Self::Scratch => write!(f, "no scratch memory is left for the way into a tunnel"),
            Self::Loop => write!(f, "a jump leads backwards"),
            Self::Unsound(unsound) => unsound.fmt(f),
        }
    }
}

impl Display for Unsound {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Length(instructions) => {
                write!(f, "it has {instructions} instructions, and 1 to {INSTRUCTIONS_MAX} are allowed")
            }
            Self::Jump { at } => write!(f, "instruction {at} jumps backwards or out of the program"),
            Self::Code { at, code } => write!(f, "instruction {at} has the unknown code {code:#x}"),
            Self::Operand { at } => write!(f, "instruction {at} has an operand that is out of range"),
            Self::NoReturn => write!(f, "it does not end with a return"),
        }
    }
}

impl Display for Advice {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(match self {
            Self::CompareSides => {
                "compare the parts on each side by themselves, or use the literal meaning (--no-vlan)"
            }
            Self::Simplify => "simplify the arithmetic in the filter, or leave out --inner",
            Self::CheckOffsets => "check the offsets in brackets, no frame has such bytes",
            Self::NoComputing => {
                "write it without the part that computes, or use the literal meaning (--no-vlan)"
            }
        })
    }
}

impl Display for PresetError {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Unknown { name, suggestion: None } => {
                write!(f, "there is no preset `{name}`; `netcap presets` lists them")
            }
            Self::Unknown { name, suggestion: Some(near) } => {
                write!(f, "there is no preset `{name}`, did you mean `{near}`?; `netcap presets` lists them")
            }
            Self::Argument { name, takes, argument } => {
                let takes = match takes {
                    Argument::None => "no argument",
                    Argument::Ipv4 => "an IPv4 address",
                    Argument::Ipv6 => "an IPv6 address",
                    Argument::Ip => "an IPv4 or IPv6 address",
                };
                write!(f, "the preset `{name}` takes {takes}, not `{argument}`")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rewrite::tags;

    #[test]
    fn sentences_name_the_limits_as_they_are() {
        assert!(Reason::VlanIdTooLarge.to_string().ends_with(&tags::VID_MAX.to_string()));
        assert!(
            Reason::TooManyTags.to_string().contains("three") && tags::chain_fits(3) && !tags::chain_fits(4)
        );
    }
}
