//! Reading samples back, round by round, parsed by their source.

use std::collections::BTreeMap;

use super::IndexLine;
use crate::Nanos;
use crate::input::Files;
use crate::source::{Outcome, Parsed, RawItem, Snapshot};

/// Index lines kept: ten items every ten seconds for a month are 2.6 million.
const LINES_MAX: usize = 4_000_000;

/// The samples of one source that were taken together.
#[derive(Debug)]
pub struct Round<T> {
    /// When the first of them was started.
    pub at: Nanos,
    /// The file of each item, for evidence: (item, argument, path).
    pub files: Vec<(String, String, String)>,
    /// What they say.
    pub parsed: Parsed<T>,
    /// True when at least one item was obtained.
    pub ok: bool,
}

/// The index of host state of a bundle.
#[derive(Debug, Default)]
pub struct StateReader {
    by_source: BTreeMap<String, BTreeMap<u32, Vec<IndexLine>>>,
    /// Lines that were not understood.
    pub defects: usize,
}

impl StateReader {
    /// Reads the index.
    pub fn from_index(text: &str) -> Self {
        let mut reader = Self::default();
        for line in text.lines().filter(|l| !l.is_empty()).take(LINES_MAX) {
            match serde_json::from_str::<IndexLine>(line) {
                Ok(line) => {
                    let rounds = reader.by_source.entry(line.source.clone()).or_default();
                    rounds.entry(line.round).or_default().push(line);
                }
                Err(_) => reader.defects += 1,
            }
        }
        reader
    }

    /// True when the source was recorded at all, well or badly.
    pub fn has(&self, source: &str) -> bool {
        self.by_source.contains_key(source)
    }

    /// Every line, by source, round and item.
    pub fn lines(&self) -> impl Iterator<Item = &IndexLine> {
        self.by_source.values().flat_map(BTreeMap::values).flatten()
    }

    /// Parses every round of a source in which something changed, in order of time. One round is in memory at a time;
    /// `visit` returns false to stop.
    pub fn visit<T: Snapshot>(&self, files: &Files, mut visit: impl FnMut(Round<T>) -> bool) {
        let Some(rounds) = self.by_source.get(T::DEF.id) else { return };
        let mut before: Vec<(&str, &str, &str)> = Vec::new();
        for (index, lines) in rounds.values().enumerate() {
            let shape: Vec<_> =
                lines.iter().map(|l| (l.item.as_str(), l.arg.as_str(), l.path.as_str())).collect();
            if shape == before && index + 1 != rounds.len() {
                continue;
            }
            if !visit(round::<T>(files, lines)) {
                return;
            }
            before = shape;
        }
    }

    /// The first round of a source that holds anything.
    pub fn first<T: Snapshot>(&self, files: &Files) -> Option<Round<T>> {
        let mut found = None;
        self.visit::<T>(files, |round| {
            let go_on = !round.ok;
            found = Some(round);
            go_on
        });
        found.filter(|r: &Round<T>| r.ok)
    }

    /// The last round of a source that holds anything.
    pub fn last<T: Snapshot>(&self, files: &Files) -> Option<Round<T>> {
        let rounds = self.by_source.get(T::DEF.id)?;
        rounds.values().rev().map(|lines| round::<T>(files, lines)).find(|r| r.ok)
    }
}

fn round<T: Snapshot>(files: &Files, lines: &[IndexLine]) -> Round<T> {
    let bodies: Vec<Vec<u8>> = lines
        .iter()
        .map(|l| if l.path.is_empty() { Vec::new() } else { files.read_small(&l.path).unwrap_or_default() })
        .collect();
    let items: Vec<RawItem<'_>> = lines
        .iter()
        .zip(&bodies)
        .filter(|(line, body)| line.outcome == Outcome::Ok || !body.is_empty())
        .map(|(line, body)| RawItem {
            item: &line.item,
            arg: &line.arg,
            at: line.at,
            outcome: &line.outcome,
            bytes: body,
            truncated: line.truncated,
        })
        .collect();
    Round {
        at: lines.iter().map(|l| l.at).min().unwrap_or_default(),
        files: lines.iter().map(|l| (l.item.clone(), l.arg.clone(), l.path.clone())).collect(),
        ok: lines.iter().any(|l| l.outcome == Outcome::Ok),
        parsed: T::parse(&items),
    }
}
