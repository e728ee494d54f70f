//! Reading ledgers.

use serde::Deserialize;

use super::joined::{Joins, Kept};
use super::sums::Sums;
use crate::Nanos;
use crate::files::{Files, Lines};
use crate::run::ShedLine;
use crate::run::layout;
use crate::run::{HostSpan, PointSpan};

/// Lines read of one ledger: a month of seconds.
const LINES_MAX: usize = 2_678_400;
/// Steps of load shedding kept of one ledger.
const STEPS_MAX: usize = 4_096;
/// Ledgers read of one run: as many as points.
const LEDGERS_MAX: usize = 4_096;

/// What one point took in, lost and gave up over the run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PointLedger {
    /// The point's id.
    pub point: String,
    /// In order of time.
    pub spans: Vec<PointSpan>,
    /// What it gave up, and when; the last few thousand.
    pub steps: Vec<ShedLine>,
    /// Lines that were not understood; one torn last line is normal after a crash.
    pub defects: usize,
    /// There were so many lines that neighbouring ones, first those without a loss, were joined: sums are exact, times
    /// are coarser.
    pub joined: bool,
}

/// All that the ledgers of a run say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ledger {
    /// By point, in the order of their ids.
    pub points: Vec<PointLedger>,
    /// Host-wide losses before any point; only spans with a loss or at a heartbeat.
    pub host: Vec<HostSpan>,
    /// Ledgers that were not read: more than points may be.
    pub unread: u64,
}

impl PointLedger {
    /// Reads the lines of a ledger.
    pub fn from_lines(point: &str, text: &str) -> Self {
        Self::read(point, 1, text.lines())
    }

    /// Reads lines, in the memory that one of that many ledgers may have.
    fn read(point: &str, ledgers: usize, source: impl Lines) -> Self {
        let mut steps = std::collections::VecDeque::new();
        let step = |line: &str| {
            let Ok(step) = serde_json::from_str(line) else { return false };
            steps.push_back(step);
            if steps.len() > STEPS_MAX {
                steps.pop_front();
            }
            true
        };
        let (kept, defects) = lines(ledgers, source, step);
        let (point, steps) = (point.to_owned(), steps.into());
        Self { point, spans: kept.lines, steps, defects, joined: kept.joined }
    }

    /// Sums over the whole run.
    pub fn sums(&self) -> Sums {
        let mut sums = Sums::default();
        self.spans.iter().for_each(|span| sums.add(span));
        sums
    }

    /// Packets that the filter did not want, over the whole run; absent when no line tells.
    pub fn filtered(&self) -> Option<u64> {
        self.spans.iter().filter_map(|span| span.filtered).reduce(u64::saturating_add)
    }
}

impl Ledger {
    /// The ledgers among the files of a bundle; empty for bundles that have none.
    pub fn read(files: &Files) -> Self {
        let mut points: Vec<&str> = files.paths().filter_map(layout::parse_ledger).collect();
        let unread = points.len().saturating_sub(LEDGERS_MAX) as u64;
        points.truncate(LEDGERS_MAX);
        let ledgers = points.len() + 1;
        let read = |point: &&str| PointLedger::read(point, ledgers, files.lines(&layout::ledger(point)));
        let host = lines(ledgers, files.lines(layout::SOFTNET), |_| false).0.lines;
        let points = points.iter().map(read).collect();
        Self { points, host, unread }
    }

    /// The ledger of a point.
    pub fn point(&self, id: &str) -> Option<&PointLedger> {
        self.points.iter().find(|ledger| ledger.point == id)
    }
}

/// The spans among lines, and how many lines were not understood, by `other` neither.
fn lines<T: serde::de::DeserializeOwned + Joins>(
    ledgers: usize,
    mut source: impl Lines,
    mut other: impl FnMut(&str) -> bool,
) -> (Kept<T>, usize) {
    let (mut kept, mut defects, mut read) = (Kept::share_of(ledgers), 0, 0);
    while let Some(line) = source.next_line() {
        if line.trim().is_empty() {
            continue;
        }
        match serde_json::from_str(&line) {
            Ok(span) => kept.push(span),
            Err(_) if other(&line) || is_of_another_kind(&line) => {}
            Err(_) => defects += 1,
        }
        read += 1;
        if read >= LINES_MAX {
            break;
        }
    }
    (kept, defects)
}

/// A line with a time that is none of ours: a newer recorder's, left out like a field that nobody knows.
fn is_of_another_kind(line: &str) -> bool {
    #[derive(Deserialize)]
    struct Timed {
        #[serde(rename = "at")]
        _at: Nanos,
    }
    serde_json::from_str::<Timed>(line).is_ok()
}
