//! The one file that is made of a run: as a copy while there is room for one, else by moving file after file.

use std::io;
use std::path::{Path, PathBuf};

use netcap_bundle::files::Files;
use netcap_bundle::held::Dir;
use netcap_bundle::{BundleError, Op, layout, seal};
use netcap_words::quote;
use rust_i18n::t;

use super::RunResult;
use crate::disk::budget::Bounds;
use crate::disk::free::disk_left;
use crate::disk::rundir::RunDir;
use crate::error::{Error, Result};
use crate::ui::units::human_bytes;
use crate::ui::wording;

/// A tar that is complete.
pub(super) struct Tar {
    pub(super) path: PathBuf,
    pub(super) bytes: u64,
    /// That the directory it was made of could not be removed, as a sentence.
    pub(super) left: Option<String>,
}

impl Tar {
    /// One that is there, when the directory of its run is gone or to stay.
    pub(super) fn alone(path: PathBuf, bytes: u64) -> Self {
        Self { path, bytes, left: None }
    }

    /// The same, of which the directory is removed now.
    pub(super) fn without(self, run: &RunDir) -> Self {
        self.after(&run.path, || run.remove())
    }

    /// The same when `dir` has been removed. Where that fails nothing is lost and nothing more is to be done.
    pub(super) fn after(self, dir: &Path, remove: impl FnOnce() -> io::Result<()>) -> Self {
        Self { left: remove().err().map(|e| left(&self.path, dir, &e)), ..self }
    }
}

/// What is said of a directory that could not be removed.
fn left(tar: &Path, dir: &Path, why: &io::Error) -> String {
    let held = matches!(why.kind(), io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::ResourceBusy);
    let why = if held { t!("end.held").into_owned() } else { wording::io(why) };
    t!("end.left", tar = quote::path(tar), dir = quote::path(dir), why = why).into_owned()
}

/// Where a tar is to be.
pub(super) struct Target {
    dir: Dir,
    name: String,
    /// As the user knows it.
    pub(super) path: PathBuf,
}

impl Target {
    /// Beside the run.
    pub(super) fn beside(run: &RunDir) -> Self {
        Self { dir: run.out.clone(), name: run.tar_name(), path: run.tar_path() }
    }

    /// Where the user wants it.
    pub(super) fn named(path: &Path) -> Result<Self> {
        let (dir, name) = Dir::around(path).map_err(Error::run(path))?;
        Ok(Self { dir, name, path: path.to_owned() })
    }
}

/// What earlier attempts at a tar left, once there is a complete one.
pub(super) fn remove_attempts(dir: &Dir, done: &str) {
    for end in [layout::MOVING_END, layout::PARTIAL_END] {
        let _ = dir.remove(&format!("{done}{end}"));
    }
}

/// Bytes of a tar member besides the file's own: header and padding.
const MEMBER: u64 = 1024;

/// Whether a tar of the run may lie beside its directory for a while.
fn copy_fits(run: &RunDir, size: u64, bounds: Option<Bounds>) -> bool {
    let floor = bounds.map_or(0, |bounds| bounds.floor);
    let files = Files::below(&run.dir).map_or(0, |files| files.paths().count() as u64);
    let tar = size.saturating_add(MEMBER.saturating_mul(files + 2));
    let left = disk_left(run.out.path()).unwrap_or(u64::MAX);
    left.saturating_sub(floor) >= tar && bounds.is_none_or(|bounds| size.saturating_add(tar) <= bounds.max)
}

/// Bundles the run if wanted and possible. While there is room, the directory is removed only after the tar is complete
/// on the disk; else file by file.
pub(crate) fn wrap_up(run: &RunDir, bundle: bool, bounds: Option<Bounds>) -> RunResult {
    let size = run.dir.bytes();
    let as_directory = |no_tar| RunResult { path: run.place_now(), bytes: size, no_tar, left: None };
    if !bundle {
        return as_directory(None);
    }
    // Whoever moved it wants it there: it is neither removed nor copied.
    if run.dir.moved_to().is_some() {
        return as_directory(Some(t!("end.moved").into_owned()));
    }
    match make_tar(run, size, bounds) {
        Ok(tar) => tar.into(),
        Err(e) => as_directory(Some(e.to_string())),
    }
}

fn make_tar(run: &RunDir, size: u64, bounds: Option<Bounds>) -> Result<Tar> {
    let done = Target::beside(run);
    if seal::half_moved(&run.dir)? || !copy_fits(run, size, bounds) {
        room_to_move(run, bounds)?;
        return move_bundle(run, &done);
    }
    let written = write_bundle(run, &done)?.without(run);
    // A move that had begun and removed nothing yet.
    remove_attempts(&run.out, &run.tar_name());
    Ok(written)
}

/// Moving takes the room of a segment for a moment. What others have left of the disk may be less by now, and the floor
/// holds for them.
fn room_to_move(run: &RunDir, bounds: Option<Bounds>) -> Result<()> {
    let floor = bounds.map_or(0, |bounds| bounds.floor);
    let left = disk_left(run.out.path()).unwrap_or(u64::MAX);
    if floor == 0 || left.saturating_sub(floor) >= seal::room_to_move(&run.dir)? {
        return Ok(());
    }
    let (left, floor) = (human_bytes(left), human_bytes(floor));
    Err(Error::Other(t!("end.no_room", left = left, floor = floor).into_owned()))
}

/// Streams the tar; it is complete or absent.
pub(super) fn write_bundle(run: &RunDir, done: &Target) -> Result<Tar> {
    let Target { dir, name, path } = done;
    let partial = format!("{name}{}", layout::PARTIAL_END);
    let file = dir.create_anew(&partial).map_err(BundleError::io(Op::Create, dir.path().join(&partial)))?;
    let write = || -> netcap_bundle::Result<u64> {
        let failed = || BundleError::io(Op::Write, path);
        seal::write_tar(&run.dir, &run.info.run, &file)?;
        file.sync_all().map_err(failed())?;
        dir.rename(&partial, name).map_err(BundleError::io(Op::Rename, dir.path().join(&partial)))?;
        // The directory it was made of goes next.
        dir.sync().map_err(failed())?;
        Ok(file.metadata().map_or(0, |meta| meta.len()))
    };
    match write() {
        Ok(bytes) => Ok(Tar::alone(path.clone(), bytes)),
        Err(e) => {
            // It may be the disk that is full; the run itself is still there.
            let _ = dir.remove(&partial);
            Err(e.into())
        }
    }
}

/// Moves the run into the tar: needs no room for a copy.
pub(super) fn move_bundle(run: &RunDir, done: &Target) -> Result<Tar> {
    let Target { dir, name, path } = done;
    let moving = format!("{name}{}", layout::MOVING_END);
    let bytes = seal::move_tar(&run.dir, &run.info.run, dir, &moving, name)?;
    remove_attempts(dir, name);
    Ok(Tar::alone(path.clone(), bytes).without(run))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::rundir::Start;
    use netcap_bundle::run::End;
    use std::fs;

    /// As NFS has it: a file that was removed while it is open keeps a name in its directory until it is closed.
    #[test]
    fn a_directory_that_somebody_keeps_does_not_hide_its_tar() {
        rust_i18n::set_locale("en");
        let out = tempfile::tempdir().unwrap();
        let run = RunDir::create(out.path(), &[], Start::default()).unwrap();
        seal::seal(&run.dir, run.info.clone(), None, End::Recovered, Vec::new()).unwrap();
        let dir = run.path.clone();
        // A directory cannot be unlinked, as a name of NFS' cannot while the file is open.
        let kept = dir.join(".nfs00000000002c01a700000012");
        fs::create_dir(&kept).unwrap();
        let result = wrap_up(&run, true, None);
        assert!(result.path == run.tar_path() && result.no_tar.is_none(), "{result:?}");
        let left = result.left.unwrap_or_default();
        assert!(left.contains("is whole") && left.contains(dir.to_str().unwrap()), "{left}");
        assert!(!dir.join(layout::RUN).exists() && kept.exists(), "no run any more");
        fs::remove_dir(&kept).unwrap();
        assert_eq!(super::super::seal_dead(&dir, true).unwrap(), 0);
        assert!(!dir.exists() && result.path.exists());
    }
}
