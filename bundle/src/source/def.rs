//! What to record: sources, their recipes, and when.

use super::elements::Each;

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

/// How an item is obtained. Commands must be read-only: netcap never changes the host.
#[derive(Debug, Clone, Copy)]
pub enum How {
    /// Run this program; `{}` is replaced by the element of [`Each`], `{db}` by the OVSDB socket.
    Command(&'static [&'static str]),
    /// Read this file, below the root given to the recorder.
    File(&'static str),
}
