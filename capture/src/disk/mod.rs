//! What a run has on the disk: its directory, the thread that writes, the one that syncs, and how much there may be.

pub(crate) mod budget;
pub(crate) mod free;
pub(crate) mod journal;
pub(crate) mod probe;
pub(crate) mod rundir;
pub(crate) mod syncer;
pub(crate) mod writer;
