//! What the tests share: the lab, the corpus, and the rule that a privileged test never skips in CI.

#![allow(clippy::print_stderr)] // a skipped test says so on stderr

pub mod lab;
pub mod shift;

pub use lab::said;

use std::path::{Path, PathBuf};

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
