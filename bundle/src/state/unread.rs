//! Samples that were recorded and cannot be used, found while they are parsed.

use std::collections::BTreeMap;

use super::IndexLine;
use crate::Nanos;
use crate::run::FileInfo;
use crate::source::Defect;

/// Files named; the rest is counted.
const UNREAD_MAX: usize = 256;

/// Why a sample cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// So many places of it were not understood; what is wrong with the first one.
    NotUnderstood {
        /// How many, as far as they were counted.
        places: usize,
        /// The first one.
        first: String,
    },
    /// It is not what the manifest says was recorded.
    Altered,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    /// Id of the source.
    pub source: String,
    /// Item and argument.
    pub item: String,
    /// When it was taken.
    pub at: Nanos,
    /// Why.
    pub fault: Fault,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Unreads {
    files: BTreeMap<String, Unread>,
    more: usize,
}

impl Unreads {
    fn note(&mut self, line: &IndexLine, fault: Fault) {
        if self.files.len() >= UNREAD_MAX && !self.files.contains_key(&line.path) {
            self.more += 1;
            return;
        }
        let item = format!("{} {}", line.item, line.arg).trim_end().to_owned();
        let unread = Unread { source: line.source.clone(), item, at: line.at, fault };
        let had = self.files.entry(line.path.clone()).or_insert_with(|| unread.clone());
        // What was changed need not be understood.
        if unread.fault == Fault::Altered {
            had.fault = Fault::Altered;
        }
    }

    /// Compares what was read with what was recorded.
    pub(super) fn compare(&mut self, line: &IndexLine, body: &[u8], recorded: &BTreeMap<String, String>) {
        if let Some(hash) = recorded.get(&line.path)
            && *hash != blake3::hash(body).to_hex().as_str()
        {
            self.note(line, Fault::Altered);
        }
    }

    /// Takes what a parser did not understand of a round.
    pub(super) fn take(&mut self, lines: &[IndexLine], defects: &[Defect]) {
        for line in lines {
            let name = format!("{} {}", line.item, line.arg);
            let mut mine = defects.iter().filter(|defect| defect.item == name.trim_end()).peekable();
            let Some(first) = mine.peek().map(|defect| defect.why.clone()) else { continue };
            self.note(line, Fault::NotUnderstood { places: mine.count(), first });
        }
    }

    /// By path, and how many further ones there are.
    pub(super) fn all(&self) -> (Vec<(String, Unread)>, usize) {
        let files = self.files.iter().map(|(path, unread)| (path.clone(), unread.clone()));
        (files.collect(), self.more)
    }
}

/// Hashes of samples, by path.
pub(super) fn recorded(files: &[FileInfo], prefix: &str) -> BTreeMap<String, String> {
    let samples = files.iter().filter(|file| file.path.starts_with(prefix));
    samples.map(|file| (file.path.clone(), file.blake3.clone())).collect()
}
