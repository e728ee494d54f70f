//! Reading samples back, round by round, parsed by their source.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use super::IndexLine;
use super::unread::{Unread, Unreads, recorded};
use crate::Nanos;
use crate::files::{Files, Lines};
use crate::layout;
use crate::run::FileInfo;
use crate::source::{Outcome, Parsed, RawItem, Snapshot};

/// Index lines read: ten items every ten seconds for a month are 2.6 million.
const LINES_MAX: usize = 4_000_000;
/// Bytes of memory for the index. Rounds that are like the one before them are not kept.
const INDEX_BYTES_MAX: usize = 48 * 1024 * 1024;
/// Bytes of one line besides its words.
const LINE_BYTES: usize = std::mem::size_of::<IndexLine>() + 64;
/// Characters kept of one word of a line.
const WORD_MAX: usize = 512;
/// Rounds of a source that stay when the index has to be thinned.
const ROUNDS_MIN: usize = 4;
/// Lines of one round: a sample for every bridge, VM and filter of a host.
const ROUND_LINES_MAX: usize = 4_096;
/// Bytes of samples parsed together. A table of rules takes ten times its text in memory.
const ROUND_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Where a sample lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SampleFile {
    /// The recipe's item.
    pub item: String,
    /// What the recipe was repeated over; empty when once.
    pub arg: String,
    /// Path in the bundle; empty when there is nothing to read.
    pub path: String,
}

/// The samples of one source that were taken together.
#[derive(Debug)]
pub struct Round<T> {
    /// When the first of them was started.
    pub at: Nanos,
    /// The file of each item, for evidence.
    pub files: Vec<SampleFile>,
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
    /// Rounds that were left out to save memory, though they differ from the one before them.
    pub thinned: usize,
    bytes: usize,
    /// Sources of which a part was not looked at.
    partial: Mutex<BTreeSet<&'static str>>,
    /// What the manifest says of samples.
    recorded: BTreeMap<String, String>,
    /// Samples that cannot be used.
    unread: Mutex<Unreads>,
}

impl StateReader {
    /// Reads the index.
    pub fn from_index(text: &str) -> Self {
        Self::of_lines(text.lines())
    }

    /// Reads the lines of an index.
    pub(crate) fn of_lines(mut lines: impl Lines) -> Self {
        let (mut reader, mut read) = (Self::default(), 0);
        while let Some(line) = lines.next_line() {
            if line.is_empty() {
                continue;
            }
            match serde_json::from_str::<IndexLine>(&line) {
                Ok(line) => reader.take(line),
                Err(_) => reader.defects += 1,
            }
            read += 1;
            if read >= LINES_MAX {
                break;
            }
        }
        reader
    }

    /// The same with what the manifest says of the samples.
    #[must_use]
    pub(crate) fn with_recorded(mut self, files: &[FileInfo]) -> Self {
        self.recorded = recorded(files, layout::STATE);
        self
    }

    /// Samples, of all that were asked for so far, that cannot be used, by path; and how many more there are.
    pub fn unread(&self) -> (Vec<(String, Unread)>, usize) {
        self.unread.lock().unwrap_or_else(PoisonError::into_inner).all()
    }

    fn take(&mut self, mut line: IndexLine) {
        for word in [&mut line.source, &mut line.item, &mut line.arg, &mut line.path, &mut line.stderr] {
            if word.len() > WORD_MAX {
                *word = word.chars().take(WORD_MAX).collect();
            }
        }
        let rounds = self.by_source.entry(line.source.clone()).or_default();
        // A round is complete when the next one begins: then it can be compared with those before it. Of a stretch in
        // which nothing changed the first and the last are kept: from when and until when it was so.
        if !rounds.contains_key(&line.round) {
            let mut latest = rounds.iter().rev();
            if let (Some((newest, last)), Some((number, before)), Some((_, first))) =
                (latest.next(), latest.next(), latest.next())
                && *newest < line.round
                && same_files(last, before)
                && same_files(before, first)
            {
                let number = *number;
                self.bytes =
                    self.bytes.saturating_sub(rounds.remove(&number).iter().flatten().map(cost).sum());
            }
        }
        let round = rounds.entry(line.round).or_default();
        if round.len() >= ROUND_LINES_MAX {
            self.defects += 1;
            return;
        }
        self.bytes += cost(&line);
        round.push(line);
        if self.bytes > INDEX_BYTES_MAX {
            self.thin();
        }
    }

    /// Leaves out every other round of each source, never its first ones and its last.
    fn thin(&mut self) {
        for rounds in self.by_source.values_mut().filter(|rounds| rounds.len() > ROUNDS_MIN) {
            let last = rounds.len() - 1;
            let mut at = 0;
            rounds.retain(|_, lines| {
                let keep = at < ROUNDS_MIN / 2 || at == last || at % 2 == 0;
                at += 1;
                if !keep {
                    self.bytes = self.bytes.saturating_sub(lines.iter().map(cost).sum());
                    self.thinned += 1;
                }
                keep
            });
        }
        // Many sources with few rounds each.
        while self.bytes > INDEX_BYTES_MAX && self.by_source.len() > 1 {
            let Some((_, rounds)) = self.by_source.pop_last() else { return };
            self.bytes = self.bytes.saturating_sub(rounds.values().flatten().map(cost).sum());
            self.thinned += rounds.len();
        }
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
        for (number, _) in self.changed(T::DEF.id) {
            if self.read::<T>(files, number).is_some_and(|round| !visit(round)) {
                return;
            }
        }
    }

    /// The rounds of a source in which something changed, and the last one: number and time, in order.
    pub fn changed(&self, source: &str) -> Vec<(u32, Nanos)> {
        let Some(rounds) = self.by_source.get(source) else { return Vec::new() };
        let mut before: &[IndexLine] = &[];
        let mut out = Vec::new();
        for (index, (number, lines)) in rounds.iter().enumerate() {
            if same_files(lines, before) && index + 1 != rounds.len() {
                continue;
            }
            out.push((*number, began(lines)));
            before = lines;
        }
        out
    }

    /// When a source was asked, changed or not, in order.
    pub fn readings(&self, source: &str) -> Vec<Nanos> {
        let rounds = self.by_source.get(source);
        rounds.into_iter().flat_map(BTreeMap::values).map(|lines| began(lines)).collect()
    }

    /// Those of [`Self::changed`] that gave something.
    pub fn obtained(&self, source: &str) -> Vec<(u32, Nanos)> {
        let mut rounds = self.changed(source);
        rounds.retain(|(number, _)| self.is_obtained(source, *number));
        rounds
    }

    /// The last of them before a time, or the first of all.
    pub fn obtained_at(&self, source: &str, at: Nanos) -> Option<u32> {
        let rounds = self.obtained(source);
        let next = rounds.partition_point(|(_, then)| *then <= at);
        rounds.get(next.saturating_sub(1)).map(|(number, _)| *number)
    }

    /// A round of a source gave something.
    pub fn is_obtained(&self, source: &str, number: u32) -> bool {
        let lines = self.by_source.get(source).and_then(|rounds| rounds.get(&number));
        lines.is_some_and(|lines| lines.iter().any(|line| line.outcome == Outcome::Ok))
    }

    /// One round of a source.
    pub fn read<T: Snapshot>(&self, files: &Files, number: u32) -> Option<Round<T>> {
        let lines = self.by_source.get(T::DEF.id)?.get(&number)?;
        Some(self.round::<T>(files, lines))
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

    /// Sources of which something that was recorded did not fit in memory, of all that were asked for so far.
    pub fn partial(&self) -> Vec<&'static str> {
        self.partial.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
    }

    fn round<T: Snapshot>(&self, files: &Files, lines: &[IndexLine]) -> Round<T> {
        let mut left = ROUND_BYTES_MAX;
        let mut cut = false;
        let bodies: Vec<(Vec<u8>, bool)> = lines
            .iter()
            .map(|line| {
                // No recorder keeps more than the recipe says.
                let most = recipe_bytes::<T>(&line.item).min(left);
                let (body, more) = files.read_part(&line.path, most).unwrap_or_default();
                left -= body.len();
                cut |= more;
                if !more && !body.is_empty() {
                    let mut unread = self.unread.lock().unwrap_or_else(PoisonError::into_inner);
                    unread.compare(line, &body, &self.recorded);
                }
                (body, more)
            })
            .collect();
        let items: Vec<RawItem<'_>> = lines
            .iter()
            .zip(&bodies)
            .filter(|(line, (body, _))| line.outcome == Outcome::Ok || !body.is_empty())
            .map(|(line, (body, more))| RawItem {
                item: &line.item,
                arg: &line.arg,
                at: line.at,
                outcome: &line.outcome,
                bytes: body,
                truncated: line.truncated || *more,
            })
            .collect();
        let parsed = T::parse(&items);
        if !parsed.defects.is_empty() {
            let mut unread = self.unread.lock().unwrap_or_else(PoisonError::into_inner);
            unread.take(lines, &parsed.defects);
        }
        if cut || parsed.partial {
            self.partial.lock().unwrap_or_else(PoisonError::into_inner).insert(T::DEF.id);
        }
        Round {
            at: began(lines),
            files: lines.iter().map(SampleFile::of).collect(),
            ok: lines.iter().any(|l| l.outcome == Outcome::Ok),
            parsed,
        }
    }

    /// The last round of a source that holds anything.
    pub fn last<T: Snapshot>(&self, files: &Files) -> Option<Round<T>> {
        let rounds = self.by_source.get(T::DEF.id)?;
        rounds.values().rev().map(|lines| self.round::<T>(files, lines)).find(|r| r.ok)
    }
}

/// When a round began.
fn began(lines: &[IndexLine]) -> Nanos {
    lines.iter().map(|line| line.at).min().unwrap_or_default()
}

impl SampleFile {
    fn of(line: &IndexLine) -> Self {
        Self { item: line.item.clone(), arg: line.arg.clone(), path: line.path.clone() }
    }
}

/// Whether two rounds ended alike and are in the same files: then nothing changed between them.
fn same_files(one: &[IndexLine], other: &[IndexLine]) -> bool {
    one.len() == other.len()
        && one
            .iter()
            .zip(other)
            .all(|(a, b)| (&a.item, &a.arg, &a.path, &a.outcome) == (&b.item, &b.arg, &b.path, &b.outcome))
}

/// Bytes of memory that a line takes.
fn cost(line: &IndexLine) -> usize {
    let words = [&line.source, &line.item, &line.arg, &line.path, &line.stderr];
    LINE_BYTES + words.iter().map(|word| word.capacity()).sum::<usize>()
}

/// Bytes that the recorder keeps of an item; nothing of one that no recipe makes.
fn recipe_bytes<T: Snapshot>(item: &str) -> usize {
    T::DEF.recipes.iter().find(|recipe| recipe.item == item).map_or(0, |recipe| recipe.bytes_max)
}
