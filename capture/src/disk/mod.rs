//! What a run has on the disk: its directory, the thread that writes, the one that syncs, and how much there may be.

pub mod budget;
pub mod free;
pub mod journal;
pub mod rundir;
pub mod syncer;
pub mod writer;
