//! Lines one after the other, of a text or of a file however large it is.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::place::Stream;

/// Longest line read of a file; the rest of a longer one is passed over.
const LINE_MAX: u64 = 64 * 1024;
/// Bytes read from the file at once.
const BUFFER: usize = 128 * 1024;

/// Lines in order, each lent until the next one is asked for.
pub trait Lines {
    /// The next line without its end.
    fn next_line(&mut self) -> Option<Cow<'_, str>>;
}

impl Lines for std::str::Lines<'_> {
    fn next_line(&mut self) -> Option<Cow<'_, str>> {
        self.next().map(Cow::Borrowed)
    }
}

/// A file that is missing has no lines.
impl<L: Lines> Lines for Option<L> {
    fn next_line(&mut self) -> Option<Cow<'_, str>> {
        self.as_mut()?.next_line()
    }
}

/// The lines of a file. When it is dropped before its last line, the file counts as not read to its end.
pub struct FileLines<'a> {
    path: String,
    stream: BufReader<Stream>,
    line: Vec<u8>,
    /// All that there is has been read, or as much as may be read.
    ended: bool,
    budget: Budget<'a>,
}

/// What the files of an input may still give, and what was left over.
pub(super) struct Budget<'a> {
    /// Bytes read so far, of all files.
    pub(super) read: &'a AtomicU64,
    /// Bytes that may be read, of all files.
    pub(super) most: u64,
    /// Files that were not read to their end.
    pub(super) unread: &'a Mutex<BTreeSet<String>>,
}

impl<'a> FileLines<'a> {
    pub(super) fn new(path: &str, stream: Stream, budget: Budget<'a>) -> Self {
        let stream = BufReader::with_capacity(BUFFER, stream);
        Self { path: path.to_owned(), stream, line: Vec::new(), ended: false, budget }
    }

    /// Reads one line, cut where it is too long; false at the end.
    fn read(&mut self) -> bool {
        self.line.clear();
        // What was read before an error is worth having: a torn file is read up to the tear.
        let read = self.stream.by_ref().take(LINE_MAX).read_until(b'\n', &mut self.line);
        let cut = matches!(read, Ok(read) if read as u64 == LINE_MAX) && !self.line.ends_with(b"\n");
        if cut && self.stream.skip_until(b'\n').is_err() {
            return false;
        }
        let bytes = self.line.len() as u64;
        bytes > 0 && self.budget.read.fetch_add(bytes, Ordering::Relaxed) <= self.budget.most
    }
}

impl Lines for FileLines<'_> {
    fn next_line(&mut self) -> Option<Cow<'_, str>> {
        self.ended = self.ended || !self.read();
        if self.ended {
            return None;
        }
        while matches!(self.line.last(), Some(b'\n' | b'\r')) {
            self.line.pop();
        }
        Some(String::from_utf8_lossy(&self.line))
    }
}

impl Drop for FileLines<'_> {
    fn drop(&mut self) {
        if !self.ended && self.stream.fill_buf().is_ok_and(|more| !more.is_empty()) {
            let path = std::mem::take(&mut self.path);
            self.budget.unread.lock().unwrap_or_else(PoisonError::into_inner).insert(path);
        }
    }
}
