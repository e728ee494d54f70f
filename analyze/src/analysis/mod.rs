//! One input from packets to verdict.

pub(crate) mod caps;
mod changes;
mod clocks;
mod consequences;
mod inputs;
mod ladder;
mod look;
pub(crate) mod registry;
mod relate;
mod remarks;
mod stale;
mod state;
mod turns;

use netcap_bundle::input::Input;

use crate::detectors::addresses::ip_conflict::AddressBook;
use crate::engine::Progress;
use crate::finding::Finding;
use crate::measure::Measured;
use crate::measure::opaque::NotUnderstood;
use crate::measure::recording::Recording;
use crate::measure::stats::Stats;
use crate::text::Text;
use crate::unit::NotEvaluated;
use crate::view::{self, View};
use look::Diagnosis;

/// What is said about one input.
#[derive(Debug)]
pub(crate) struct Verdict {
    /// The input as the user named it.
    pub name: String,
    /// Host and tool, when it is a bundle.
    pub run: Option<String>,
    /// Seconds east of Greenwich on the recording host: the zone of the report.
    pub utc_offset_s: i32,
    /// Worst and surest first.
    pub findings: Vec<Finding>,
    /// Detectors that looked for faults.
    pub looked: Vec<&'static str>,
    /// Detectors that could not look.
    pub not_evaluated: Vec<NotEvaluated>,
    /// Numbers that are no findings.
    pub measured: Measured,
    /// What of the input is gone, to be said before anything else.
    pub incomplete: Option<Text>,
    /// Frames that were not understood, the most first.
    pub not_understood: Vec<NotUnderstood>,
    /// Counts.
    pub stats: Stats,
    /// What the recording lost, gave up and removed.
    pub recording: Recording,
    /// What a reader must know before trusting silence.
    pub remarks: Vec<Text>,
}

impl Verdict {
    /// There are packets, not one of them was understood, and nothing else tells anything, as the log of pings does.
    pub(crate) fn understood_nothing(&self) -> bool {
        let opaque = self.not_understood.iter().map(|not| not.frames).fold(0, u64::saturating_add);
        let silent = self.findings.is_empty() && self.measured.latency.pairs.is_empty();
        silent && self.stats.packets > 0 && opaque >= self.stats.packets
    }
}

/// Explains an input, on the current rayon pool.
pub(crate) fn explain(input: &Input, only: Option<&[String]>, progress: &Progress) -> Verdict {
    view::read(input, progress, |view| verdict(view, only))
}

/// The same, with what is compared with other inputs.
pub(crate) fn explain_beside(
    input: &Input,
    only: Option<&[String]>,
    progress: &Progress,
) -> (Verdict, AddressBook) {
    view::read(input, progress, |view| (verdict(view, only), AddressBook::read(view)))
}

fn verdict(view: &View<'_>, only: Option<&[String]>) -> Verdict {
    let input = view.input;
    let diagnosis = look::look(view, only);
    let recording = Recording::of(input);
    let mut remarks = remarks::of(view, &recording);
    remarks.append(&mut caps::remarks(view, &diagnosis));
    let Diagnosis { findings, looked, not_evaluated, measured, .. } = diagnosis;
    Verdict {
        name: input.name.clone(),
        run: input.info.as_ref().map(|i| format!("{} ({})", i.run, i.tool)),
        utc_offset_s: input.info.as_ref().map_or(0, |i| i.utc_offset_s),
        findings,
        looked,
        not_evaluated,
        measured,
        incomplete: remarks::incomplete(input),
        not_understood: NotUnderstood::all(view),
        stats: Stats::of(view),
        remarks,
        recording,
    }
}
