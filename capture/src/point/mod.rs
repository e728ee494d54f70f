//! One interface that is recorded: the thread from its ring to its segments, its numbers, and what it reports.

pub mod counters;
pub mod event;
pub mod recorder;
pub mod segments;
pub mod watchdog;
