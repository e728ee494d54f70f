//! Why an expression gives no filter.

use crate::language::diagnosis::Diagnosis;
use crate::rewrite::Unfit;

/// Why an expression gives no filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FilterError {
    /// Something at one place of the expression.
    At(Box<Diagnosis>),
    /// The parts contradict each other.
    MatchesNothing {
        /// As it was given.
        expression: String,
    },
    /// The program is longer than the kernel takes.
    TooLong {
        /// Instructions of the whole program.
        instructions: usize,
    },
    /// The expression itself is longer than anything sensible.
    TooLarge {
        /// Its length.
        bytes: usize,
        /// The limit.
        bytes_max: usize,
    },
    /// The compiled program cannot be made to look through tags or into tunnels.
    Untranslatable {
        /// As it was given.
        expression: String,
        /// What stands in the way.
        why: Unfit,
    },
    /// More terms than libpcap compiles in a time that a person waits.
    TooManyTerms {
        /// Terms joined by `and` and `or`; a range of ports counts twice.
        terms: usize,
        /// The limit.
        terms_max: usize,
    },
    /// libpcap itself failed.
    Libpcap {
        /// As it was given.
        expression: String,
        /// In English, as libpcap wrote it.
        message: String,
    },
}

impl std::error::Error for FilterError {}

impl FilterError {
    /// The place and the suggestion, when the error has one place.
    pub fn diagnosis(&self) -> Option<&Diagnosis> {
        match self {
            Self::At(diagnosis) => Some(diagnosis),
            _ => None,
        }
    }
}
