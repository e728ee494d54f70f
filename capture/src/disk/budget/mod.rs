//! The bytes a run may have on the disk, and the room the disk must keep for others.
//!
//! Everything that is written to a run asks here first, so both hold at every moment: the budget counts what was
//! promised, not what was found afterwards. When it is spent, the oldest closed segment of the point that holds the most
//! goes: a busy point does not push out what a quiet one has. Other people's need of the disk is no reason to throw
//! evidence away: when the free space falls to the floor, the run ends orderly with what it has. A small reserve is
//! allocated from the start and freed for that end, so that it finds room on a disk that others have filled.

mod metered;

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use netcap_bundle::held::Dir;
use netcap_bundle::layout;
use nix::fcntl::{FallocateFlags, fallocate};
use rust_i18n::t;

use super::free::disk_left;
use super::syncer::Syncer;
use crate::ui::units::human_bytes;

pub(crate) use metered::Metered;

/// Bytes each segment costs besides its own: manifest entry (twice: its file may grow beside it), tar header and padding.
const SEGMENT_PRICE: u64 = 3 * 1024;
/// Most bytes that are asked for ahead, so that not every write has to ask.
const LEASE_MAX: u64 = 256 * 1024;

/// What may be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// Bytes of the run's files, and of its tar while both exist.
    pub max: u64,
    /// Bytes that stay free on the disk.
    pub floor: u64,
    /// Bytes of the largest segment: bundling needs that much for a moment.
    pub segment: u64,
}

/// A run's account of the disk.
#[derive(Debug)]
pub(crate) struct Budget {
    bounds: Bounds,
    dir: Dir,
    store: Mutex<Store>,
    low: AtomicBool,
    /// Bytes written so far, those of removed segments included.
    written: AtomicU64,
    seen: Mutex<Seen>,
    syncer: Arc<Syncer>,
}

/// What others see of it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Seen {
    /// Bytes promised.
    pub(crate) used: u64,
    /// Segments removed.
    pub(crate) removed: u64,
}

#[derive(Debug, Clone)]
struct SizedFile {
    /// In the run.
    path: String,
    bytes: u64,
}

#[derive(Debug, Default)]
struct Store {
    used: u64,
    /// Files that hold room back.
    reserves: Vec<SizedFile>,
    /// Bytes of freed reserves that may still be written, whatever the disk has left.
    credit: u64,
    /// Closed segments by point, oldest first.
    closed: BTreeMap<String, VecDeque<SizedFile>>,
    removed: u64,
}

impl Budget {
    /// For a run in `dir` that has `used` bytes already.
    pub(crate) fn new(dir: &Dir, bounds: Bounds, used: u64) -> Arc<Self> {
        let store = Mutex::new(Store { used, ..Store::default() });
        let syncer = Arc::new(Syncer::new(dir));
        Arc::new(Self {
            bounds,
            dir: dir.clone(),
            store,
            low: AtomicBool::new(false),
            written: AtomicU64::new(0),
            seen: Mutex::new(Seen { used, removed: 0 }),
            syncer,
        })
    }

    /// Who makes sure that the run's files reach the disk.
    pub(crate) fn syncer(&self) -> &Arc<Syncer> {
        &self.syncer
    }

    /// Allocates the reserves: `bytes` for the ends of the files, and as much for sealing. A file system that cannot has
    /// to do without.
    pub(crate) fn reserve(&self, bytes: u64) -> io::Result<()> {
        for path in layout::RESERVES {
            self.take(bytes)?;
            let length = i64::try_from(bytes).unwrap_or(i64::MAX);
            let file = self.dir.create_new(path)?;
            if fallocate(file, FallocateFlags::empty(), 0, length).is_err() {
                self.give_back(bytes);
                return self.dir.remove(path);
            }
            self.store().reserves.push(SizedFile { path: path.to_owned(), bytes });
        }
        Ok(())
    }

    /// Makes each of the reserves larger by so much, for a point that joins. Where there are none, because the file system
    /// cannot or the run ends, nothing is done.
    pub(crate) fn reserve_more(&self, bytes: u64) -> io::Result<()> {
        for place in 0..layout::RESERVES.len() {
            let Some(SizedFile { path, bytes: had }) = self.store().reserves.get(place).cloned() else {
                return Ok(());
            };
            self.take(bytes)?;
            let numbers = i64::try_from(had).and_then(|had| Ok((had, i64::try_from(bytes)?)));
            let (from, length) = numbers.map_err(io::Error::other)?;
            // The end of a run may come meanwhile and take the file away: then the file is not made anew.
            let grown = self
                .dir
                .modify(&path)
                .and_then(|file| Ok(fallocate(file, FallocateFlags::empty(), from, length)?));
            let mut store = self.store();
            match store.reserves.get_mut(place).filter(|reserve| reserve.path == path) {
                Some(reserve) if grown.is_ok() => reserve.bytes = had.saturating_add(bytes),
                _ => {
                    drop(store);
                    self.give_back(bytes);
                    return grown;
                }
            }
        }
        Ok(())
    }

    /// Frees one of the reserves for what the end of the run still has to write.
    fn release(&self, least: usize) {
        let mut store = self.store();
        if store.reserves.len() > least
            && let Some(SizedFile { path, bytes }) = store.reserves.pop()
        {
            let _ = self.dir.remove(&path);
            store.used = store.used.saturating_sub(bytes);
            store.credit = store.credit.saturating_add(bytes);
        }
    }

    /// Frees what is held back for the files' ends: the run ends.
    pub(crate) fn ending(&self) {
        self.release(1);
    }

    /// Frees all that is held back: the run is sealed next.
    pub(crate) fn sealing(&self) {
        self.release(1);
        self.release(0);
    }

    /// Bytes asked for ahead by one file.
    fn lease(&self) -> u64 {
        (self.bounds.segment / 4).clamp(4096, LEASE_MAX)
    }

    /// What the files of the run may have, while room is kept for bundling the largest.
    fn limit(&self) -> u64 {
        self.bounds.max.saturating_sub(self.bounds.segment + LEASE_MAX)
    }

    /// Asks for bytes before they are written; removes what is oldest when there is no room.
    pub(crate) fn take(&self, bytes: u64) -> io::Result<()> {
        self.spare(bytes)?;
        let mut store = self.store();
        while store.used.saturating_add(bytes) > self.limit() {
            if !store.remove_oldest(&self.dir)? {
                let why = t!("budget.spent", max = human_bytes(self.bounds.max)).into_owned();
                return Err(io::Error::new(io::ErrorKind::StorageFull, why));
            }
        }
        store.used += bytes;
        Ok(())
    }

    /// Whether others keep their room when so many bytes are written now.
    fn spare(&self, bytes: u64) -> io::Result<()> {
        let left = disk_left(self.dir.path()).map_or(u64::MAX, |left| left.saturating_sub(bytes));
        if left < self.bounds.floor && !self.spend(bytes) {
            let why = t!("budget.floor", floor = human_bytes(self.bounds.floor)).into_owned();
            return Err(io::Error::new(io::ErrorKind::StorageFull, why));
        }
        // Ending needs a little room too: the session sees this and ends the run before the floor is reached.
        let margin = self.bounds.segment.saturating_mul(2);
        if self.bounds.floor > 0 && left < self.bounds.floor.saturating_add(margin) {
            self.low.store(true, Relaxed);
        }
        Ok(())
    }

    /// Below the floor: the run ends, and what its end takes comes out of the reserve.
    fn spend(&self, bytes: u64) -> bool {
        self.low.store(true, Relaxed);
        self.ending();
        let mut store = self.store();
        let rest = store.credit.checked_sub(bytes);
        store.credit = rest.unwrap_or(store.credit);
        rest.is_some()
    }

    /// Bytes written so far, those of removed segments included.
    pub(crate) fn written(&self) -> u64 {
        self.written.load(Relaxed)
    }

    /// So many bytes were written.
    pub(crate) fn wrote(&self, bytes: u64) {
        self.written.fetch_add(bytes, Relaxed);
    }

    /// Gives back what was asked for and not written.
    pub(crate) fn give_back(&self, bytes: u64) {
        let mut store = self.store();
        store.used = store.used.saturating_sub(bytes);
    }

    /// A segment is about to be opened: what it costs besides its bytes.
    pub(crate) fn open_segment(&self) -> io::Result<()> {
        self.take(SEGMENT_PRICE)
    }

    /// A segment is closed and in the index: from now on it may go.
    pub(crate) fn closed(&self, point: &str, path: String, bytes: u64) {
        self.store().closed.entry(point.to_owned()).or_default().push_back(SizedFile { path, bytes });
    }

    /// The free space is about to reach the floor.
    pub(crate) fn low(&self) -> bool {
        self.low.load(Relaxed)
    }

    pub(crate) fn bounds(&self) -> Bounds {
        self.bounds
    }

    /// Bytes promised and segments removed so far; the last numbers that were seen while somebody removes a file, for that
    /// waits for a disk that may not answer.
    pub(crate) fn seen(&self) -> Seen {
        let mut last = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Ok(store) = self.store.try_lock() {
            *last = Seen { used: store.used, removed: store.removed };
        }
        *last
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store {
    /// Removes the oldest segment of the point that holds the most; false when there is none.
    fn remove_oldest(&mut self, dir: &Dir) -> io::Result<bool> {
        let held =
            |list: &VecDeque<SizedFile>| list.iter().map(|file| file.bytes + SEGMENT_PRICE).sum::<u64>();
        let Some(list) = self.closed.values_mut().max_by_key(|list| held(list)) else { return Ok(false) };
        let Some(SizedFile { path, bytes }) = list.pop_front() else { return Ok(false) };
        dir.remove_if_there(&path)?;
        self.used = self.used.saturating_sub(bytes + SEGMENT_PRICE);
        self.removed += 1;
        Ok(true)
    }
}

/// Bytes of all files below a directory; what cannot be read counts nothing.
pub fn directory_bytes(dir: &Path) -> u64 {
    Dir::visit(dir).map_or(0, |dir| dir.bytes())
}

#[cfg(test)]
mod tests;
