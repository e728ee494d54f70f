//! What was recorded, as it came, and what was understood of it.

use super::outcome::Outcome;
use crate::Nanos;

/// One recorded sample as it comes out of a bundle (or, in the recorder's own inventory, fresh from the host).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawItem<'a> {
    /// The recipe's item name.
    pub item: &'a str,
    /// What `{}` stood for; empty when the recipe runs once.
    pub arg: &'a str,
    /// When it was taken.
    pub at: Nanos,
    /// How it ended.
    pub outcome: &'a Outcome,
    /// Standard output or file content, as it came.
    pub bytes: &'a [u8],
    /// True when `bytes` was cut at the recipe's cap.
    pub truncated: bool,
}

impl RawItem<'_> {
    /// The content as text; bytes that are not UTF-8 become U+FFFD, because a half-readable dump is worth more than none.
    pub fn text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(self.bytes)
    }
}

/// A parsed value and everything in its input that was not understood: never all or nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Parsed<T> {
    /// What was understood.
    pub value: T,
    /// What was not.
    pub defects: Vec<Defect>,
    /// Something was left out, though it can be read, to keep to the memory there is.
    pub partial: bool,
}

/// One place in a recorded item that the parser did not understand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Defect {
    /// Item and argument (`dump-flows vswitch0`).
    pub item: String,
    /// Line, counted from 1; 0 when the whole item is meant.
    pub line: usize,
    /// What is wrong, with the start of the text.
    pub why: String,
}

/// Defects kept per source; a hostile or foreign dump must not fill the memory with complaints.
pub(crate) const DEFECTS_MAX: usize = 64;

impl<T> Parsed<T> {
    /// Notes that something was left out to keep to the memory there is.
    pub fn give_up(&mut self, item: &RawItem<'_>, why: impl Into<String>) {
        self.partial = true;
        self.defect(item, 0, why);
    }

    /// Notes a place that was not understood, up to `DEFECTS_MAX`.
    pub fn defect(&mut self, item: &RawItem<'_>, line: usize, why: impl Into<String>) {
        if self.defects.len() < DEFECTS_MAX {
            let name = if item.arg.is_empty() {
                item.item.to_owned()
            } else {
                format!("{} {}", item.item, item.arg)
            };
            let why: String = why.into().chars().take(160).collect();
            self.defects.push(Defect { item: name, line, why });
        }
    }
}
