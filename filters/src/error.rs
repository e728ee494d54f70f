//! What is wrong with an expression, where, and what to write instead.

use std::fmt;
use std::ops::Range;

use thiserror::Error;

use crate::instruction::INSTRUCTIONS_MAX;
use crate::reason::Reason;

/// Why an expression gives no filter.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum FilterError {
    /// Something at one place of the expression.
    #[error("{0}")]
    At(Box<Diagnosis>),
    /// The parts contradict each other.
    #[error(
        "the filter `{expression}` can match no packet at all: its parts exclude each other (`icmp and udp`); \
         join alternatives with `or`"
    )]
    MatchesNothing {
        /// The expression.
        expression: String,
    },
    /// The program is longer than the kernel takes.
    #[error(
        "the filter needs {instructions} instructions and the kernel takes {INSTRUCTIONS_MAX}: write networks instead \
         of single hosts (`net 10.1.0.0/16`) and ranges instead of single ports (`portrange 8000-8010`), or give \
         different points different filters"
    )]
    TooLong {
        /// Instructions of the whole program.
        instructions: usize,
    },
    /// The expression itself is longer than anything sensible.
    #[error("the filter has {bytes} bytes, and at most {bytes_max} are read: use networks and ranges")]
    TooLarge {
        /// Its length.
        bytes: usize,
        /// The limit.
        bytes_max: usize,
    },
    /// The compiled program cannot be made to look through tags or into tunnels.
    #[error("the filter `{expression}` cannot be used: {why}; {advice}")]
    Untranslatable {
        /// The expression.
        expression: String,
        /// What stands in the way.
        why: String,
        /// What to do.
        advice: &'static str,
    },
    /// More terms than libpcap compiles in a time that a person waits.
    #[error(
        "the filter has {terms} terms, and at most {terms_max} are compiled: write networks instead of single hosts \
         (`net 10.1.0.0/16`) and ranges instead of single ports (`portrange 8000-8010`), or give different points \
         different filters"
    )]
    TooManyTerms {
        /// Terms joined by `and` and `or`; a range of ports counts twice.
        terms: usize,
        /// The limit.
        terms_max: usize,
    },
    /// libpcap itself failed.
    #[error("libpcap cannot compile the filter `{expression}`: {message}")]
    Libpcap {
        /// The expression.
        expression: String,
        /// Its message.
        message: String,
    },
}

impl FilterError {
    /// The place and the suggestion, when the error has one place.
    pub fn diagnosis(&self) -> Option<&Diagnosis> {
        match self {
            Self::At(diagnosis) => Some(diagnosis),
            _ => None,
        }
    }
}

/// A place in the expression and what is wrong there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnosis {
    /// The expression as it was given.
    pub expression: String,
    /// The bytes of it that are wrong; empty at the end when something is missing.
    pub span: Range<usize>,
    /// What is wrong.
    pub message: Reason,
    /// What to write instead.
    pub suggestion: Option<String>,
}

/// Columns of the expression that are shown; a longer one is cut around the place.
const COLUMNS_MAX: usize = 100;

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}", self.message, self.pointed())?;
        match &self.suggestion {
            Some(suggestion) => write!(f, "\n  did you mean {suggestion}?"),
            None => Ok(()),
        }
    }
}

impl Diagnosis {
    /// Two lines: the expression, and marks under the place.
    pub fn pointed(&self) -> String {
        let (before, wrong, after) = self.shown();
        let carets = columns(&wrong).max(1);
        let indent = columns(&before);
        format!("  {before}{wrong}{after}\n  {:indent$}{:^<carets$}", "", "")
    }

    /// The expression before, at and after the place, on one line and cut to a screen's width.
    fn shown(&self) -> (String, String, String) {
        let end = self.span.end.min(self.expression.len());
        let start = self.span.start.min(end);
        let part = |range: Range<usize>| one_line(self.expression.get(range).unwrap_or_default());
        let (before, wrong, after) = (part(0..start), part(start..end), part(end..self.expression.len()));
        let wrong: String = wrong.chars().take(COLUMNS_MAX / 2).collect();
        let side = COLUMNS_MAX / 2;
        let skip = before.chars().count().saturating_sub(side);
        let before = match skip {
            0 => before,
            _ => format!("…{}", before.chars().skip(skip).collect::<String>()),
        };
        let after = match after.char_indices().nth(side) {
            None => after,
            Some((cut, _)) => format!("{}…", after.get(..cut).unwrap_or_default()),
        };
        (before, wrong, after)
    }
}

/// Control characters would move the caret or talk to the terminal.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Columns of a terminal. East Asian wide characters take two (Unicode annex 11; the blocks that people type).
fn columns(text: &str) -> usize {
    let wide = |c: char| matches!(u32::from(c), 0x1100..=0x115f | 0x2e80..=0xa4cf | 0xac00..=0xd7a3 | 0xf900..=0xfaff | 0xfe30..=0xfe4f | 0xff01..=0xff60 | 0xffe0..=0xffe6 | 0x1f300..=0x1faff | 0x20000..=0x3fffd);
    text.chars().map(|c| if wide(c) { 2 } else { 1 }).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(expression: &str, span: Range<usize>) -> String {
        let suggestion = Some("`icmp`".to_owned());
        Diagnosis {
            expression: expression.to_owned(),
            span,
            message: Reason::of("libpcap", "wrong"),
            suggestion,
        }
        .to_string()
    }

    #[test]
    fn the_caret_stands_under_the_word() {
        assert_eq!(
            at("tcp or Icmp and x", 7..11),
            "wrong\n  tcp or Icmp and x\n         ^^^^\n  did you mean `icmp`?"
        );
        assert_eq!(at("（arp", 0..3), "wrong\n  （arp\n  ^^\n  did you mean `icmp`?");
        assert_eq!(at("tcp and", 7..7), "wrong\n  tcp and\n         ^\n  did you mean `icmp`?");
    }

    #[test]
    fn long_expressions_are_cut_and_odd_spans_do_not_panic() {
        let long = "host 10.0.0.1 or ".repeat(100);
        let text = at(&long, 850..854);
        assert!(text.lines().all(|line| line.chars().count() < 170), "{text}");
        at("é", 1..1);
        at("", 5..9);
        assert!(!at("a\x1b[31m b", 0..1).contains('\x1b'));
    }
}
