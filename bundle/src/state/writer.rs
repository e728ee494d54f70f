//! Writing samples: a file when the bytes are new, an index line always.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;

use super::IndexLine;
use crate::held::Dir;
use crate::run::layout;
use crate::source::{Outcome, Reason};
use crate::{BundleError, Nanos, Op, Result};

/// Samples from this size on are compressed: nightly flow dumps are megabytes of the same words.
const COMPRESS_FROM: usize = 16 * 1024;
/// zstd level of samples: they are few and compress 10 to 30 times.
const LEVEL: i32 = 3;
/// Bytes of standard error kept.
const STDERR_MAX: usize = 400;

/// One sample fresh from the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// The source's id.
    pub source: &'static str,
    /// The recipe's item.
    pub item: &'static str,
    /// What the recipe was repeated over; empty when once.
    pub arg: String,
    /// When it was started.
    pub at: Nanos,
    /// How long it took, in nanoseconds.
    pub took_ns: i64,
    /// How it ended.
    pub outcome: Outcome,
    /// Output.
    pub bytes: Vec<u8>,
    /// True when `bytes` was cut.
    pub truncated: bool,
    /// Standard error.
    pub stderr: Vec<u8>,
}

/// One item of one source, for one thing it is repeated over.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct ItemKey {
    source: &'static str,
    item: &'static str,
    arg: String,
}

/// What an item gave last, to notice that it gives the same again.
struct LastSample {
    hash: blake3::Hash,
    path: String,
}

/// What was written so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Written {
    /// Bytes, those of the index included.
    pub bytes: u64,
    /// Files besides the index.
    pub files: u64,
}

/// Appends samples to a run's directory, bounded by a byte budget.
pub struct StateWriter {
    dir: Dir,
    index: File,
    round: u32,
    /// Hash and path of the last sample of each item.
    last: BTreeMap<ItemKey, LastSample>,
    /// Samples with bytes of their own so far.
    numbers: BTreeMap<ItemKey, u32>,
    left: u64,
    refused: u64,
    written: Written,
    /// Paths written since they were last asked for.
    fresh: Vec<String>,
}

impl StateWriter {
    /// Starts in a run's directory; at most `budget` bytes are written.
    pub fn create(dir: &Dir, budget: u64) -> Result<Self> {
        let opened = dir.make_dir(layout::STATE).and_then(|()| dir.append(layout::STATE_INDEX));
        let index = opened.map_err(BundleError::io(Op::Create, dir.path().join(layout::STATE_INDEX)))?;
        let (last, numbers) = (BTreeMap::new(), BTreeMap::new());
        Ok(Self {
            dir: dir.clone(),
            index,
            round: 0,
            last,
            numbers,
            left: budget,
            refused: 0,
            written: Written::default(),
            fresh: Vec::new(),
        })
    }

    /// Writes the samples taken together.
    pub fn round(&mut self, taken: Vec<Taken>) -> Result<()> {
        self.round += 1;
        for sample in taken {
            self.sample(sample)?;
        }
        self.fresh.push(layout::STATE_INDEX.to_owned());
        self.index.flush().map_err(BundleError::io(Op::Write, layout::STATE_INDEX))
    }

    /// Samples whose bytes were left out because the budget was spent.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// What was written so far.
    pub fn written(&self) -> Written {
        self.written
    }

    /// Paths in the run of files with new bytes since this was last called: the caller sees to it that they reach the disk.
    pub fn take_fresh(&mut self) -> Vec<String> {
        std::mem::take(&mut self.fresh)
    }

    fn sample(&mut self, taken: Taken) -> Result<()> {
        let key = ItemKey { source: taken.source, item: taken.item, arg: taken.arg.clone() };
        let hash = blake3::hash(&taken.bytes);
        let mut outcome = taken.outcome;
        let path = match self.last.get(&key) {
            Some(last) if last.hash == hash => last.path.clone(),
            _ if taken.bytes.is_empty() => String::new(),
            _ => self.file(&key, &taken.bytes)?.unwrap_or_else(|| {
                outcome = Outcome::Failed {
                    reason: Reason::Budget,
                    why: "the byte budget for host state is spent".into(),
                };
                String::new()
            }),
        };
        self.last.insert(key, LastSample { hash, path: path.clone() });
        let stderr = String::from_utf8_lossy(&taken.stderr).chars().take(STDERR_MAX).collect();
        let line = IndexLine {
            round: self.round,
            source: taken.source.into(),
            item: taken.item.into(),
            arg: taken.arg,
            at: taken.at,
            took_ns: taken.took_ns,
            outcome,
            bytes: taken.bytes.len() as u64,
            truncated: taken.truncated,
            path,
            stderr,
        };
        let mut text = serde_json::to_vec(&line).map_err(BundleError::json(layout::STATE_INDEX))?;
        text.push(b'\n');
        self.written.bytes += text.len() as u64;
        self.index.write_all(&text).map_err(BundleError::io(Op::Write, layout::STATE_INDEX))
    }

    fn file(&mut self, key: &ItemKey, bytes: &[u8]) -> Result<Option<String>> {
        let compress = bytes.len() >= COMPRESS_FROM;
        let packed;
        let data = if compress {
            packed = zstd::encode_all(bytes, LEVEL).map_err(BundleError::io(Op::Compress, key.item))?;
            &packed[..]
        } else {
            bytes
        };
        let Some(left) = self.left.checked_sub(data.len() as u64) else {
            self.refused += 1;
            return Ok(None);
        };
        self.left = left;
        let number = self.numbers.entry(key.clone()).or_insert(0);
        *number += 1;
        let path = layout::sample(key.source, key.item, &key.arg, *number, compress);
        let failed = |op| BundleError::io(op, self.dir.path().join(&path));
        if let Some((folder, _)) = path.rsplit_once('/') {
            self.dir.make_dir(folder).map_err(failed(Op::Create))?;
        }
        let mut file = self.dir.create_new(&path).map_err(failed(Op::Create))?;
        file.write_all(data).map_err(failed(Op::Write))?;
        self.written.bytes += data.len() as u64;
        self.written.files += 1;
        self.fresh.push(path.clone());
        Ok(Some(path))
    }
}
