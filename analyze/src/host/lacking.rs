//! Sources that said nothing in this recording, and why.

use netcap_bundle::input::Input;
use netcap_bundle::layout;
use netcap_bundle::source::{Outcome, Reason};

/// Why a source said nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Lack {
    /// Nobody asked it.
    NotRecorded,
    /// It never answered within its time limit.
    TimedOut,
    /// It could not be read.
    Failed,
    /// Its files are missing in the bundle.
    Gone,
}

/// Why a source said nothing; `None` when it said something, or when the host has no such thing.
pub(crate) fn lack(input: &Input, source: &str) -> Option<Lack> {
    let lines = || input.state.lines().filter(|line| line.source == source);
    if input.missing.paths.iter().any(|path| layout::kind(path) == source) {
        return Some(Lack::Gone);
    }
    if lines().next().is_none() {
        return Some(Lack::NotRecorded);
    }
    let here = |outcome: &Outcome| {
        !matches!(
            outcome,
            Outcome::Failed { reason: Reason::NoProgram | Reason::NoService | Reason::NoFile, .. }
        )
    };
    if lines().any(|line| line.outcome == Outcome::Ok) || !lines().any(|line| here(&line.outcome)) {
        return None;
    }
    let late = |outcome: &Outcome| {
        matches!(outcome, Outcome::TimedOut | Outcome::Failed { reason: Reason::NotTried, .. })
    };
    Some(if lines().any(|line| late(&line.outcome)) { Lack::TimedOut } else { Lack::Failed })
}
