//! What the tests share: the lab, the corpus, and the rule that a privileged test never skips in CI.

#![allow(clippy::print_stderr)] // a skipped test says so on stderr

pub mod bundle;
pub mod frames;
pub mod lab;
pub mod packets;
pub mod shift;

pub use lab::said;

use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

/// The root of the repository.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
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
    eprintln!("{test}: skipped, it needs root for network namespaces and packet sockets");
    false
}

/// The directory of third-party captures named by `NETCAP_CORPUS`, or `None` with a word about it: no clone needs it.
pub fn corpus(test: &str) -> Option<PathBuf> {
    let dir = std::env::var_os("NETCAP_CORPUS").map(PathBuf::from).filter(|d| d.join("INDEX.tsv").is_file());
    if dir.is_none() {
        eprintln!("{test}: skipped, NETCAP_CORPUS names no directory with an INDEX.tsv");
    }
    dir
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
