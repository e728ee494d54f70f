//! The contract of a source of host state: a recipe that only the recorder executes, and a parser beside it.
//!
//! Recorded raw, parsed later: the bytes, time and exit status go into the bundle as they came, failures too, so a
//! parser mended tomorrow improves yesterday's bundle.

use serde::{Deserialize, Serialize};

use crate::Nanos;

/// One source: what to record, how often, how much.
#[derive(Debug)]
pub struct SourceDef {
    /// Stable name, also its folder in the bundle (`ovs-bond`).
    pub id: &'static str,
    /// One line for `netcap sources` and the manual.
    pub about: &'static str,
    /// When it is recorded besides start and end.
    pub cadence: Cadence,
    /// What is read or run.
    pub recipes: &'static [Recipe],
}

/// When a source is recorded; every source is recorded at the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cadence {
    /// At start and end: what changes only when somebody changes it.
    StartEnd,
    /// Also every ten seconds, kept only where it differs from the sample before.
    Periodic,
}

/// One file to read or command to run; a source has one or more.
#[derive(Debug)]
pub struct Recipe {
    /// Item name inside the source (`bond-show`).
    pub item: &'static str,
    /// What `{}` in the arguments or path stands for; the recipe is executed once for each.
    pub each: Each,
    /// The action.
    pub how: How,
    /// Bytes kept at most; the rest is cut and said so.
    pub bytes_max: usize,
    /// Milliseconds a command may take before it is killed and recorded as timed out.
    pub timeout_ms: u64,
}

/// What a recipe is repeated over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Each {
    /// Once.
    Once,
    /// For every Open vSwitch bridge.
    OvsBridge,
    /// For every libvirt domain.
    Domain,
    /// For every libvirt network filter.
    Nwfilter,
}

/// How an item is obtained. Commands must be read-only: netcap never changes the host.
#[derive(Debug, Clone, Copy)]
pub enum How {
    /// Run this program; `{}` is replaced by the element of [`Each`], `{db}` by the OVSDB socket.
    Command(&'static [&'static str]),
    /// Read this file, below the root given to the recorder.
    File(&'static str),
}

/// How recording one item ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "status")]
pub enum Outcome {
    /// It was read, or the command exited 0.
    Ok,
    /// The command exited with another status (128 + signal when killed by one).
    Exit {
        /// The exit status.
        code: i32,
    },
    /// The time-out passed.
    TimedOut,
    /// It could not be started or read: the reason in the system's words.
    Failed {
        /// The reason.
        why: String,
    },
}

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

    /// Notes a place that was not understood, up to [`DEFECTS_MAX`].
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

/// A typed state of the host, made from the items of one source taken at one time.
pub trait Snapshot: Sized + Default {
    /// What is recorded for it.
    const DEF: SourceDef;

    /// Makes the typed state. Items of other sources must not be passed; unknown item names are ignored.
    fn parse(items: &[RawItem<'_>]) -> Parsed<Self>;
}
