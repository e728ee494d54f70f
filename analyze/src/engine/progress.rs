//! How far the pass is, readable from another thread.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counters that the pass moves and the command line shows. They never influence a result.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    packets: AtomicU64,
    files: AtomicU64,
    files_all: AtomicU64,
}

impl Progress {
    /// Packets read so far, over all inputs.
    pub(crate) fn packets(&self) -> u64 {
        self.packets.load(Ordering::Relaxed)
    }

    /// Files read and files known.
    pub(crate) fn files(&self) -> (u64, u64) {
        (self.files.load(Ordering::Relaxed), self.files_all.load(Ordering::Relaxed))
    }

    pub(super) fn add_packets(&self, count: u64) {
        self.packets.fetch_add(count, Ordering::Relaxed);
    }

    pub(super) fn file_done(&self) {
        self.files.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn expect_files(&self, count: usize) {
        self.files_all.fetch_add(count as u64, Ordering::Relaxed);
    }
}
