//! What is written reaches the disk: a thread that makes sure of it every second, so that nobody else has to wait.
//!
//! Only the run's own files are synced (`fdatasync`), never the whole file system: what the host's other programs have
//! in memory is not ours to push out. A power cut takes what was written since the last pass. The same pass notices when
//! somebody takes the run's directory or an open file away, for writing goes on without an error then.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use netcap_bundle::held::{Dir, is_leftover};
use netcap_words::quote;
use rust_i18n::t;

use crate::ui::wording;

/// Time between the beginnings of two passes.
const EVERY: Duration = Duration::from_secs(1);
/// Rest after a pass that took longer than that.
const REST: Duration = Duration::from_millis(200);

/// Files that are kept open for the next pass though nobody writes to them any more; further ones are opened again by
/// name, so that a disk that is slow does not use up the descriptors.
const CLOSED_MAX: usize = 128;

/// The files of a run that have to reach the disk.
#[derive(Debug)]
pub(crate) struct Syncer {
    dir: Dir,
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Debug, Default)]
struct State {
    files: Vec<(Arc<File>, Dirty)>,
    /// Written by others and closed again; directories with new entries.
    paths: BTreeSet<String>,
    over: bool,
    /// Why nothing more can be recorded, in words.
    failure: Option<String>,
}

/// Set by whoever has written to a file.
#[derive(Debug, Clone, Default)]
pub(crate) struct Dirty(Arc<AtomicBool>);

impl Dirty {
    /// There are new bytes.
    pub(crate) fn mark(&self) {
        self.0.store(true, Relaxed);
    }
}

impl Syncer {
    /// For the run in `dir`; nothing happens before [`Syncer::start`].
    pub(crate) fn new(dir: &Dir) -> Self {
        Self { dir: dir.clone(), state: Mutex::default(), wake: Condvar::new() }
    }

    /// Looks after a file until its last writer has let go of it and its last bytes are on the disk.
    pub(crate) fn watch(&self, file: &Arc<File>) -> Dirty {
        let dirty = Dirty::default();
        self.state().files.push((file.clone(), dirty.clone()));
        dirty
    }

    /// Nobody writes to this file any more; what was written has yet to reach the disk.
    pub(crate) fn closed(&self, file: &Arc<File>, path: &str) {
        let mut state = self.state();
        let closed = state.files.iter().filter(|(file, _)| Arc::strong_count(file) == 1).count();
        if closed >= CLOSED_MAX {
            state.files.retain(|(other, _)| !Arc::ptr_eq(other, file));
            state.paths.insert(path.to_owned());
        }
    }

    /// Lets go of every file: all writers are done, and what is open keeps its directory on NFS and FUSE.
    pub(crate) fn let_go(&self) {
        self.state().files.clear();
    }

    /// A file that was written and closed, or a directory that has a new entry.
    pub(crate) fn path(&self, path: String) {
        self.state().paths.insert(path);
    }

    /// Notes that the disk takes nothing more; the first reason stays.
    pub(crate) fn fail(&self, why: String) {
        self.state().failure.get_or_insert(why);
    }

    /// Why the disk takes nothing more, if so.
    pub(crate) fn failure(&self) -> Option<String> {
        self.state().failure.clone()
    }

    /// Starts the thread. It goes on after a failure, for what can still be saved should be.
    pub(crate) fn start(self: &Arc<Self>) -> io::Result<SyncerThread> {
        let syncer = self.clone();
        let thread = thread::Builder::new().name("syncer".into()).spawn(move || {
            let _ = crate::sys::io_goes_last();
            loop {
                let (began, over) = (Instant::now(), syncer.state().over);
                let fault = syncer.pass().err().map(|e| explain(&e)).or_else(|| syncer.vanished());
                if let Some(why) = fault {
                    syncer.fail(why);
                }
                if over {
                    return;
                }
                syncer.sleep(EVERY.saturating_sub(began.elapsed()).max(REST));
            }
        })?;
        Ok(SyncerThread { syncer: self.clone(), thread })
    }

    /// Syncs everything that has new bytes; the first error of all.
    fn pass(&self) -> io::Result<()> {
        let (files, paths) = {
            let mut state = self.state();
            // Files that nobody holds any more are done with after this pass.
            let (ours, open): (Vec<_>, Vec<_>) = std::mem::take(&mut state.files)
                .into_iter()
                .partition(|(file, _)| Arc::strong_count(file) == 1);
            state.files = open;
            let all: Vec<_> = state.files.iter().cloned().chain(ours).collect();
            (all, std::mem::take(&mut state.paths))
        };
        let mut first = Ok(());
        let mut note = |done: io::Result<()>| {
            if first.is_ok() {
                first = done;
            }
        };
        for (file, dirty) in &files {
            if dirty.0.swap(false, Relaxed) {
                note(file.sync_data());
            }
        }
        for path in paths {
            match self.dir.sync_below(&path) {
                // Removed to keep to the budget; a directory that somebody took away is noticed otherwise.
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                done => note(done),
            }
        }
        first
    }

    /// What is said when the directory, or a file that is being written, is no longer where it was.
    fn vanished(&self) -> Option<String> {
        if !self.dir.is_in_place() {
            let dir = self.dir.path();
            let moved = self.dir.moved_to();
            let moved = moved.map(|to| t!("disk.moved", dir = dir.display(), to = to.display()));
            return Some(moved.unwrap_or_else(|| t!("disk.vanished", dir = quote::path(dir))).into_owned());
        }
        let state = self.state();
        let gone = |(file, _): &(Arc<File>, Dirty)| Arc::strong_count(file) > 1 && is_removed(file);
        state.files.iter().any(gone).then(|| t!("disk.removed", dir = self.dir.path().display()).into_owned())
    }

    fn sleep(&self, time: Duration) {
        let state = self.state();
        let _ = self.wake.wait_timeout_while(state, time, |state| !state.over);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a file has no name any more, or only the one that NFS and FUSE give to what is removed while it is open.
fn is_removed(file: &File) -> bool {
    if file.metadata().is_ok_and(|meta| meta.nlink() == 0) {
        return true;
    }
    let path = std::fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd())).unwrap_or_default();
    path.file_name().and_then(|name| name.to_str()).is_some_and(is_leftover)
}

/// The running thread.
pub(crate) struct SyncerThread {
    syncer: Arc<Syncer>,
    thread: JoinHandle<()>,
}

impl SyncerThread {
    /// One last pass, when all writers are done.
    pub(crate) fn end(self) {
        self.syncer.state().over = true;
        self.syncer.wake.notify_all();
        let _ = self.thread.join();
    }
}

/// What a failed write means and what to do about it.
pub(crate) fn explain(error: &io::Error) -> String {
    let key = match error.raw_os_error() {
        Some(libc::ENOSPC | libc::EDQUOT) => "disk.full",
        Some(libc::EROFS) => "disk.read_only",
        Some(libc::EIO | libc::ESTALE | libc::ENODEV | libc::ENXIO) => "disk.broken",
        Some(libc::ENOENT) => "disk.missing",
        // Worded already: a budget or the floor.
        None => return wording::io(error),
        _ => "disk.other",
    };
    t!(key, why = error).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::path::Path;

    fn held(dir: &Path) -> Dir {
        Dir::open(dir).unwrap()
    }

    use std::io::Write;

    #[test]
    fn a_file_is_kept_until_its_writer_lets_go_and_it_is_clean() {
        let dir = tempfile::tempdir().unwrap();
        let syncer = Arc::new(Syncer::new(&held(dir.path())));
        let file = Arc::new(File::create(dir.path().join("a")).unwrap());
        let dirty = syncer.watch(&file);
        (&*file).write_all(b"x").unwrap();
        dirty.mark();
        syncer.pass().unwrap();
        assert!(!dirty.0.load(Relaxed) && syncer.state().files.len() == 1);
        dirty.mark();
        drop(file);
        syncer.pass().unwrap();
        assert!(!dirty.0.load(Relaxed) && syncer.state().files.is_empty());
        syncer.path("gone".to_owned());
        assert!(syncer.pass().is_ok(), "a file that was removed again is no fault");
    }

    #[test]
    fn a_disk_that_is_slow_does_not_use_up_the_descriptors() {
        let dir = tempfile::tempdir().unwrap();
        let syncer = Syncer::new(&held(dir.path()));
        for n in 0..1000 {
            let path = n.to_string();
            let file = Arc::new(File::create(dir.path().join(&path)).unwrap());
            syncer.watch(&file).mark();
            syncer.closed(&file, &path);
        }
        let waiting = || {
            let state = syncer.state();
            (state.files.len(), state.paths.len())
        };
        assert_eq!(waiting(), (CLOSED_MAX, 1000 - CLOSED_MAX));
        fs::remove_file(dir.path().join("999")).unwrap();
        syncer.pass().unwrap();
        assert_eq!(waiting(), (0, 0));
    }

    #[test]
    fn what_is_taken_away_is_noticed() {
        rust_i18n::set_locale("en");
        let top = tempfile::tempdir().unwrap();
        let dir = top.path().join("run");
        fs::create_dir(&dir).unwrap();
        let syncer = Syncer::new(&held(&dir));
        let file = Arc::new(File::create(dir.join("a")).unwrap());
        syncer.watch(&file);
        assert_eq!(syncer.vanished(), None);
        let elsewhere = top.path().join("elsewhere");
        fs::rename(&dir, &elsewhere).unwrap();
        let (moved, to) = (syncer.vanished(), elsewhere.canonicalize().unwrap());
        assert!(moved.as_ref().is_some_and(|why| why.contains(to.to_str().unwrap())), "{moved:?}");
        fs::rename(&elsewhere, &dir).unwrap();
        fs::remove_file(dir.join("a")).unwrap();
        assert!(syncer.vanished().is_some_and(|why| why.contains("removed")));
        fs::remove_dir_all(&dir).unwrap();
        fs::create_dir(&dir).unwrap();
        drop(file);
        assert!(syncer.vanished().is_some());
    }

    #[test]
    fn each_fault_says_what_to_do() {
        rust_i18n::set_locale("en");
        for (code, word) in [
            (libc::ENOSPC, "--out"),
            (libc::EROFS, "read-only"),
            (libc::EIO, "dmesg"),
            (libc::ENOENT, "removed"),
            (libc::EPERM, "not permitted"),
        ] {
            let text = explain(&io::Error::from_raw_os_error(code));
            assert!(text.contains(word), "{word}: {text}");
        }
    }
}
