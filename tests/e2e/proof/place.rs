//! Disks of our own: file systems in files, small enough to fill and to copy, and what is going on on them.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use netcap::testing::disk_left;
use netcap_tests::said;
use tempfile::TempDir;

/// A mounted file system; unmounted when it is dropped.
pub(crate) struct Mounted {
    /// Where.
    pub(crate) place: PathBuf,
    _dir: TempDir,
}

impl Mounted {
    /// `mount WORDS PLACE`.
    pub(crate) fn new(words: &[&str]) -> Self {
        let dir = tempfile::tempdir().expect("a place to mount");
        let place = dir.path().to_owned();
        insist(Command::new("mount").args(words).arg(&place));
        Self { place, _dir: dir }
    }

    /// A tmpfs of so many bytes and files.
    pub(crate) fn tmpfs(bytes: u64, files: u64) -> Self {
        Self::new(&["-t", "tmpfs", "-o", &format!("size={bytes},nr_inodes={files}"), "proof"])
    }

    /// The ext4 in a file, by way of a loop device, with the options that everybody has: data=ordered, barriers, commit=5.
    pub(crate) fn ext4(image: &Path) -> Self {
        Self::new(&["-t", "ext4", "-o", "loop", &image.display().to_string()])
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // A process that has just been killed may hold it for a moment.
        for _ in 0..50 {
            let done = Command::new("umount").arg(&self.place).output();
            if done.is_ok_and(|done| done.status.success()) {
                return;
            }
            thread::sleep(Duration::from_millis(100));
        }
        let _ = Command::new("umount").arg("-l").arg(&self.place).status();
    }
}

/// Runs a command that must succeed.
pub(crate) fn insist(command: &mut Command) {
    let output = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    assert!(output.status.success(), "{command:?}: {}", said(&output));
}

/// Makes an ext4 in a file of so many bytes, without blocks reserved for root.
pub(crate) fn ext4_image(path: &Path, bytes: u64) {
    File::create(path).and_then(|file| file.set_len(bytes)).expect("room for an image");
    insist(Command::new("mkfs.ext4").args(["-q", "-F", "-m", "0"]).arg(path));
}

/// The most and the least that was seen, by looking every two milliseconds.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Most bytes of netcap's files.
    pub(crate) most: AtomicU64,
    /// Most bytes of the blocks they take.
    pub(crate) most_blocks: AtomicU64,
    /// Most bytes by which netcap's files grew while the disk was below its floor.
    pub(crate) trespass: AtomicU64,
    /// Least bytes that were free.
    pub(crate) least_free: AtomicU64,
}

/// Watches what the recorder takes, beside a file of others.
pub(crate) struct Watcher {
    seen: Arc<Seen>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// Time between two looks.
const LOOK: Duration = Duration::from_millis(2);

impl Watcher {
    /// Watches the entries of `place` other than `others`; below `floor` free bytes netcap must not grow. The lock is
    /// held while others write, so that their bytes are not taken for netcap's.
    pub(crate) fn start(place: &Path, others: &'static str, floor: u64, turn: Arc<Mutex<()>>) -> Self {
        let seen = Arc::new(Seen { least_free: u64::MAX.into(), ..Seen::default() });
        let over = Arc::new(AtomicBool::new(false));
        let (place, all, flag) = (place.to_owned(), seen.clone(), over.clone());
        let thread = thread::spawn(move || {
            // What netcap had when the floor was crossed; and at the look before.
            let (mut low, mut before): (Option<u64>, u64) = (None, 0);
            while !flag.load(Relaxed) {
                let held = turn.lock().unwrap_or_else(PoisonError::into_inner);
                let (bytes, blocks) = usage(&place, others);
                let free = disk_left(&place).unwrap_or(u64::MAX);
                drop(held);
                all.most.fetch_max(bytes, Relaxed);
                all.most_blocks.fetch_max(blocks, Relaxed);
                all.least_free.fetch_min(free, Relaxed);
                low = (free < floor).then(|| low.unwrap_or(blocks.max(before)));
                all.trespass.fetch_max(low.map_or(0, |had| blocks.saturating_sub(had)), Relaxed);
                before = blocks;
                thread::sleep(LOOK);
            }
        });
        Self { seen, over, thread: Some(thread) }
    }

    /// Ends it; gives what it saw.
    pub(crate) fn end(mut self) -> Arc<Seen> {
        self.over.store(true, Relaxed);
        self.thread.take().expect("it was started").join().expect("the watcher");
        self.seen.clone()
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.over.store(true, Relaxed);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// Bytes of the files below a directory and of their blocks, but for one name. What vanishes meanwhile counts nothing.
fn usage(dir: &Path, others: &str) -> (u64, u64) {
    let mut sum = (0, 0);
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.file_name() == others || entry.file_name() == "lost+found" {
            continue;
        }
        let Ok(meta) = entry.metadata() else { continue };
        let below =
            if meta.is_dir() { usage(&entry.path(), others) } else { (meta.len(), meta.blocks() * 512) };
        sum = (sum.0 + below.0, sum.1 + below.1);
    }
    sum
}
