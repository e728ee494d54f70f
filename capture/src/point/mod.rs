//! One interface that is recorded: the thread from its ring to its segments, its numbers, and what it reports.

pub(crate) mod counters;
pub(crate) mod event;
pub(crate) mod recorder;
pub(crate) mod segments;
pub(crate) mod watchdog;
