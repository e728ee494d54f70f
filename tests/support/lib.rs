//! What the tests share: the lab, the corpus, and the rule that a privileged test never skips in CI.

#![allow(clippy::print_stderr)] // a skipped test says so on stderr

pub mod bundle;
pub mod frames;
pub mod lab;
pub mod packets;
pub mod samples;
pub mod shift;
pub mod tars;

pub use lab::said;
pub use samples::sample;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use netcap_bundle::{Point, RunInfo, layout};

/// The root of the repository.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// Says that a test does nothing, and why: past the test harness, which shows the words of failed tests only.
pub fn skipped(test: &str, why: &str) {
    let _ = writeln!(std::io::stderr(), "{test}: SKIPPED, {why}");
}

/// Whether a test that needs root may run. Without root it says why it does nothing; in CI that is a failure.
///
/// # Panics
/// In CI without root.
pub fn privileged(test: &str) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let uid = status.lines().find_map(|l| l.strip_prefix("Uid:")).and_then(|l| l.split_whitespace().nth(1));
    if uid == Some("0") {
        return true;
    }
    assert!(std::env::var_os("CI").is_none(), "{test} needs root, and in CI it must not skip");
    skipped(test, "it needs root for network namespaces and packet sockets");
    false
}

/// The directory of third-party captures named by `NETCAP_CORPUS`, or `None` with a word about it: no clone needs it.
pub fn corpus(test: &str) -> Option<PathBuf> {
    let why = match std::env::var_os("NETCAP_CORPUS").map(PathBuf::from) {
        Some(dir) if dir.join("INDEX.tsv").is_file() => return Some(dir),
        Some(dir) => format!("NETCAP_CORPUS is {}, where there is no INDEX.tsv", dir.display()),
        None => "NETCAP_CORPUS names no directory of captures".to_owned(),
    };
    skipped(test, &why);
    None
}

/// How long something may take that has to happen. It is not the time it takes: the machine may have twenty other things
/// to do.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// Waits until something is so.
///
/// # Panics
/// When it is not so after all that time.
#[track_caller]
pub fn wait_for(what: &str, mut so: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !so() {
        assert!(Instant::now() < until, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Measures how long a thread that wants to run has to wait for a processor: what a promise in seconds may be late by
/// without being broken.
pub struct Lag {
    watched: Arc<Watched>,
}

struct Watched {
    longest_ns: AtomicU64,
    over: AtomicBool,
}

impl Lag {
    /// Begins to measure.
    pub fn watch() -> Self {
        let watched = Arc::new(Watched { longest_ns: AtomicU64::new(0), over: AtomicBool::new(false) });
        let thread = Arc::clone(&watched);
        std::thread::spawn(move || {
            let nap = Duration::from_millis(10);
            while !thread.over.load(Ordering::Relaxed) {
                let begun = Instant::now();
                std::thread::sleep(nap);
                let late = u64::try_from(begun.elapsed().saturating_sub(nap).as_nanos()).unwrap_or(u64::MAX);
                thread.longest_ns.fetch_max(late, Ordering::Relaxed);
            }
        });
        Self { watched }
    }

    /// The longest time that it had to wait so far.
    pub fn longest(&self) -> Duration {
        Duration::from_nanos(self.watched.longest_ns.load(Ordering::Relaxed))
    }
}

impl Drop for Lag {
    fn drop(&mut self) {
        self.watched.over.store(true, Ordering::Relaxed);
    }
}

/// The directory of the only run in `out`, while it records or when it was not bundled.
pub fn run_in(out: &Path) -> Option<PathBuf> {
    let entries = std::fs::read_dir(out).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).find(|path| path.is_dir())
}

/// Whether each point of a run is listened to, and the first round of host state is there.
pub fn is_recording(run: &Path) -> bool {
    let text = std::fs::read_to_string(run.join(layout::RUN)).unwrap_or_default();
    let Ok(info) = serde_json::from_str::<RunInfo>(&text) else { return false };
    let listens = |point: &Point| run.join(layout::segment(&point.id, 1)).is_file();
    let state = std::fs::metadata(run.join(layout::STATE_INDEX)).is_ok_and(|index| index.len() > 0);
    info.points.iter().all(listens) && state
}

/// Waits for a child to end; one that takes longer than `most` is killed and gives `None`.
///
/// # Panics
/// When the system does not let it be waited for.
pub fn ended_within(child: &mut Child, most: Duration) -> Option<ExitStatus> {
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("a child can be waited for") {
            return Some(status);
        }
        if begun.elapsed() > most {
            let _ = child.kill();
            let _ = child.wait();
            return None;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Every file below `dir` whose name ends in `end`, in order.
pub fn files_below(dir: &Path, end: &str) -> Vec<PathBuf> {
    let mut out = Vec::new();
    let mut todo = vec![dir.to_owned()];
    while let Some(dir) = todo.pop() {
        let Ok(entries) = std::fs::read_dir(&dir) else { continue };
        for path in entries.flatten().map(|e| e.path()) {
            if path.is_dir() {
                todo.push(path);
            } else if path.to_string_lossy().ends_with(end) {
                out.push(path);
            }
        }
    }
    out.sort();
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn a_child_is_waited_for_and_no_longer_than_that() {
        let child = |script| Command::new("sh").args(["-c", script]).spawn().unwrap();
        let status = ended_within(&mut child("exit 3"), Duration::from_mins(1));
        assert_eq!(status.and_then(|s| s.code()), Some(3));
        let mut slow = child("exec sleep 60");
        assert!(ended_within(&mut slow, Duration::from_millis(50)).is_none());
        assert!(slow.try_wait().unwrap().is_some(), "and nothing is left of it");
    }
}
