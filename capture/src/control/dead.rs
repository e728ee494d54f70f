//! What runs that nobody holds any more have left behind in a directory of runs.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use netcap_bundle::{layout, seal};
use nix::fcntl::{Flock, FlockArg};
use serde::Serialize;

use super::pick::same;
use crate::disk::budget::directory_bytes;

/// Entries of a directory of runs that are looked at.
const ENTRIES_MAX: usize = 100_000;

/// The directory of a run that does not answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct DeadRun {
    /// `HOST-STAMP`.
    pub run: String,
    /// Where it is.
    pub dir: PathBuf,
    /// When it started, nanoseconds since the epoch.
    pub started_ns: i64,
    pub bytes: u64,
    /// A process holds it: it is being sealed, or its recorder cannot be asked.
    pub held: bool,
}

/// A run that is there: its name, and its directory if it says so.
pub(crate) type LiveRun<'a> = (&'a str, Option<&'a Path>);

/// The runs in `out` that are neither sealed nor among `live`, and those whose bundling was interrupted; by name.
pub(crate) fn list(out: &Path, live: &[LiveRun<'_>]) -> io::Result<Vec<DeadRun>> {
    let entries = match fs::read_dir(out) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    let dirs = entries.take(ENTRIES_MAX).flatten().map(|entry| entry.path());
    let mut left: Vec<DeadRun> = dirs.filter_map(|dir| look(dir, live)).collect();
    left.sort_by(|a, b| a.run.cmp(&b.run));
    Ok(left)
}

fn look(dir: PathBuf, live: &[LiveRun<'_>]) -> Option<DeadRun> {
    let info = seal::read_run(&dir).ok()?;
    let alive = live.iter().any(|(run, at)| at.map_or(*run == info.run, |at| same(at, &dir)));
    if alive || (dir.join(layout::MANIFEST).is_file() && !interrupted(&dir)) {
        return None;
    }
    let (held, bytes) = (held(&dir), directory_bytes(&dir));
    Some(DeadRun { run: info.run, dir, started_ns: info.started.realtime.0, bytes, held })
}

/// A sealed run of which a part is already elsewhere, or of which a tar was begun.
fn interrupted(dir: &Path) -> bool {
    let beside = |end: &str| {
        let mut name = dir.as_os_str().to_owned();
        name.push(end);
        PathBuf::from(name).exists()
    };
    let begun = format!("{}{}", layout::BUNDLE_END, layout::PARTIAL_END);
    let moving = format!("{}{}", layout::BUNDLE_END, layout::MOVING_END);
    beside(&begun) || beside(&moving) || seal::half_moved(dir)
}

/// Whether a process has the lock of the run. A shared lock for a moment does not keep a recorder from starting: it
/// tries again.
fn held(dir: &Path) -> bool {
    let Ok(file) = File::open(dir.join(layout::RUN)) else { return false };
    Flock::lock(file, FlockArg::LockSharedNonblock).is_err()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::rundir::{RunDir, Start};

    #[test]
    fn live_dead_sealed_and_interrupted_runs() {
        let out = tempfile::tempdir().unwrap();
        assert_eq!(list(&out.path().join("none"), &[]).unwrap(), []);
        let run = RunDir::create(out.path(), &[], Start::default()).unwrap();
        let (name, dir) = (run.info.run.clone(), run.path.clone());
        assert_eq!(list(out.path(), &[(&name, None)]).unwrap(), []);
        assert_eq!(list(out.path(), &[("x", Some(&dir))]).unwrap(), []);
        let elsewhere = list(out.path(), &[(&name, Some(Path::new("/elsewhere")))]).unwrap();
        assert_eq!(elsewhere.len(), 1, "a run of the same name somewhere else is another one");
        let of = || list(out.path(), &[]).unwrap().into_iter().map(|left| left.held).collect::<Vec<_>>();
        assert_eq!(of(), [true], "somebody holds it");
        let info = run.info.clone();
        drop(run);
        assert_eq!(of(), [false]);
        seal::seal(&dir, info, None, netcap_bundle::run::End::Recovered, vec![]).unwrap();
        assert_eq!(of(), [false; 0], "sealed and meant to stay (--no-bundle)");
        fs::write(out.path().join(format!("{name}.tar.partial")), "").unwrap();
        assert_eq!(of(), [false]);
    }
}
