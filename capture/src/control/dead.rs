//! What runs that nobody holds any more have left behind in a directory of runs.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use netcap_bundle::held::{Dir, Kind, mistrust};
use netcap_bundle::{BundleError, layout, seal};
use nix::fcntl::{Flock, FlockArg};
use rust_i18n::t;
use serde::Serialize;

use super::pick::same;
use crate::ui::wording;

/// Entries of a directory of runs that are looked at.
const ENTRIES_MAX: usize = 100_000;

/// The directory of a run that does not answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct DeadRun {
    /// `HOST-STAMP`.
    pub run: String,
    /// The directory that it left.
    pub dir: PathBuf,
    /// When it started, nanoseconds since the epoch.
    pub started_ns: i64,
    pub bytes: u64,
    /// A process holds it: it is being sealed, or its recorder cannot be asked.
    pub held: bool,
}

/// A run that is there: its name, and its directory if it says so.
pub(crate) type LiveRun<'a> = (&'a str, Option<&'a Path>);

/// What lies in a directory of runs.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// Runs that are neither sealed nor among the live ones, and those whose bundling was interrupted; by name.
    pub left: Vec<DeadRun>,
    /// Files of runs that are not looked at, and why.
    pub refused: Vec<(PathBuf, String)>,
}

/// How long a disk may take to say what dead runs left on it.
const LOOK_MAX: Duration = Duration::from_secs(10);

/// What dead runs left in `out`, unless its disk does not answer: then the thread that asks it ends with the program.
pub(crate) fn list_in_time(out: &Path, there: Vec<(String, Option<PathBuf>)>) -> io::Result<Found> {
    let (out, (sender, found)) = (out.to_owned(), mpsc::channel());
    thread::Builder::new().name("dead runs".into()).spawn(move || {
        let there: Vec<LiveRun<'_>> = there.iter().map(|(run, dir)| (run.as_str(), dir.as_deref())).collect();
        let _ = sender.send(list(&out, &there));
    })?;
    found.recv_timeout(LOOK_MAX).unwrap_or_else(|_| {
        Err(io::Error::other(t!("status.no_answer", seconds = LOOK_MAX.as_secs()).into_owned()))
    })
}

/// Looks through `out`. What others could have put there is no run.
pub(crate) fn list(out: &Path, live: &[LiveRun<'_>]) -> io::Result<Found> {
    let held = match Dir::open(out) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Found::default()),
        held => held?,
    };
    let mut found = Found::default();
    for (name, kind) in held.list(ENTRIES_MAX)? {
        let Some(dir) = Some(&name).filter(|_| kind == Kind::Dir).and_then(|name| held.dir(name).ok()) else {
            continue;
        };
        match look(&held, &dir, out.join(&name), live) {
            Ok(left) => found.left.extend(left),
            Err(BundleError::Io { source, path, .. }) if mistrust(&source).is_some() => {
                found.refused.push((path, wording::io(&source)));
            }
            Err(_) => {}
        }
    }
    found.left.sort_by(|a, b| a.run.cmp(&b.run));
    Ok(found)
}

fn look(out: &Dir, dir: &Dir, path: PathBuf, live: &[LiveRun<'_>]) -> netcap_bundle::Result<Option<DeadRun>> {
    let info = seal::read_run(dir)?;
    let alive = live.iter().any(|(run, at)| at.map_or(*run == info.run, |at| same(at, &path)));
    if alive || (seal::read_manifest(dir)?.is_some() && !interrupted(out, dir, &path)?) {
        return Ok(None);
    }
    let (held, bytes) = (held(dir), dir.bytes());
    Ok(Some(DeadRun { run: info.run, dir: path, started_ns: info.started.realtime.0, bytes, held }))
}

/// A sealed run of which a part is already elsewhere, or of which a tar was begun.
fn interrupted(out: &Dir, dir: &Dir, path: &Path) -> netcap_bundle::Result<bool> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let begun = |end| out.has_file(&format!("{name}{}{end}", layout::BUNDLE_END));
    Ok(begun(layout::PARTIAL_END) || begun(layout::MOVING_END) || seal::half_moved(dir)?)
}

/// Whether a process has the lock of the run. A shared lock for a moment does not keep a recorder from starting: it
/// tries again.
fn held(dir: &Dir) -> bool {
    let Ok(file) = dir.read(layout::RUN) else { return false };
    Flock::lock(file, FlockArg::LockSharedNonblock).is_err()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::rundir::{RunDir, Start};
    use std::fs;

    #[test]
    fn live_dead_sealed_and_interrupted_runs() {
        let out = tempfile::tempdir().unwrap();
        assert_eq!(list(&out.path().join("none"), &[]).unwrap(), Found::default());
        let run = RunDir::create(out.path(), &[], Start::default()).unwrap();
        let (name, dir) = (run.info.run.clone(), run.path.clone());
        assert_eq!(list(out.path(), &[(&name, None)]).unwrap(), Found::default());
        assert_eq!(list(out.path(), &[("x", Some(&dir))]).unwrap(), Found::default());
        let elsewhere = list(out.path(), &[(&name, Some(Path::new("/elsewhere")))]).unwrap();
        assert_eq!(elsewhere.left.len(), 1, "a run of the same name somewhere else is another one");
        let of = || list(out.path(), &[]).unwrap().left.into_iter().map(|left| left.held).collect::<Vec<_>>();
        assert_eq!(of(), [true], "somebody holds it");
        let info = run.info.clone();
        drop(run);
        assert_eq!(of(), [false]);
        seal::seal(&Dir::open(&dir).unwrap(), info, None, netcap_bundle::run::End::Recovered, vec![])
            .unwrap();
        assert_eq!(of(), [false; 0], "sealed and meant to stay (--no-bundle)");
        fs::write(out.path().join(format!("{name}.tar.partial")), "").unwrap();
        assert_eq!(of(), [false]);
    }
}
