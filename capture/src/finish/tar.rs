//! The one file that is made of a run: as a copy while there is room for one, else by moving file after file.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use netcap_bundle::files::Files;
use netcap_bundle::{BundleError, Op, layout, seal};
use rust_i18n::t;

use super::RunResult;
use crate::disk::budget::{Bounds, directory_bytes};
use crate::disk::free::disk_left;
use crate::disk::rundir::RunDir;
use crate::error::{Error, Result};
use crate::ui::units::human_bytes;

/// A tar that is complete.
pub(super) struct Tar {
    pub(super) path: PathBuf,
    pub(super) bytes: u64,
}

/// What earlier attempts at a tar left, once there is a complete one.
pub(super) fn remove_attempts(done: &Path) {
    for end in [layout::MOVING_END, layout::PARTIAL_END] {
        let _ = fs::remove_file(with_end(done, end));
    }
}

/// Bytes of a tar member besides the file's own: header and padding.
const MEMBER: u64 = 1024;

/// Whether a tar of the run may lie beside its directory for a while.
fn copy_fits(run: &RunDir, out: &Path, size: u64, bounds: Option<Bounds>) -> bool {
    let floor = bounds.map_or(0, |bounds| bounds.floor);
    let files = Files::directory(&run.path).map_or(0, |files| files.paths().count() as u64);
    let tar = size.saturating_add(MEMBER.saturating_mul(files + 2));
    let left = disk_left(out).unwrap_or(u64::MAX);
    left.saturating_sub(floor) >= tar && bounds.is_none_or(|bounds| size.saturating_add(tar) <= bounds.max)
}

/// Bundles the run if wanted and possible. While there is room, the directory is removed only after the tar is complete
/// on the disk; else file by file.
pub(crate) fn wrap_up(run: &RunDir, out: &Path, bundle: bool, bounds: Option<Bounds>) -> RunResult {
    let size = directory_bytes(&run.path);
    if !bundle {
        return RunResult { path: run.path.clone(), bytes: size, no_tar: None };
    }
    let done = out.join(format!("{}{}", run.info.run, layout::BUNDLE_END));
    let result = if !seal::half_moved(&run.path) && copy_fits(run, out, size, bounds) {
        write_bundle(run, done).and_then(|written| {
            seal::remove_run(&run.path)?;
            // A move that had begun and removed nothing yet.
            remove_attempts(&written.path);
            Ok(written)
        })
    } else {
        room_to_move(run, out, bounds).and_then(|()| move_bundle(run, done))
    };
    match result {
        Ok(Tar { path, bytes }) => RunResult { path, bytes, no_tar: None },
        Err(e) => RunResult { path: run.path.clone(), bytes: size, no_tar: Some(e.to_string()) },
    }
}

/// Moving takes the room of a segment for a moment. What others have left of the disk may be less by now, and the floor
/// holds for them.
fn room_to_move(run: &RunDir, out: &Path, bounds: Option<Bounds>) -> Result<()> {
    let floor = bounds.map_or(0, |bounds| bounds.floor);
    let left = disk_left(out).unwrap_or(u64::MAX);
    if floor == 0 || left.saturating_sub(floor) >= seal::room_to_move(&run.path)? {
        return Ok(());
    }
    let (left, floor) = (human_bytes(left), human_bytes(floor));
    Err(Error::Other(t!("end.no_room", left = left, floor = floor).into_owned()))
}

/// Streams the tar; it is complete or absent.
pub(super) fn write_bundle(run: &RunDir, path: PathBuf) -> Result<Tar> {
    let partial = with_end(&path, layout::PARTIAL_END);
    let write = || -> netcap_bundle::Result<u64> {
        let file = File::create(&partial).map_err(BundleError::io(Op::Create, &partial))?;
        seal::write_tar(&run.path, &run.info.run, &file)?;
        file.sync_all().map_err(BundleError::io(Op::Write, &partial))?;
        fs::rename(&partial, &path).map_err(BundleError::io(Op::Rename, &partial))?;
        // The directory it was made of goes next.
        seal::sync_parent(&path).map_err(BundleError::io(Op::Write, &path))?;
        Ok(file.metadata().map_or(0, |m| m.len()))
    };
    match write() {
        Ok(bytes) => Ok(Tar { path, bytes }),
        Err(e) => {
            // It may be the disk that is full; the run itself is still there.
            let _ = fs::remove_file(&partial);
            Err(e.into())
        }
    }
}

/// Moves the run into the tar: needs no room for a copy.
pub(super) fn move_bundle(run: &RunDir, path: PathBuf) -> Result<Tar> {
    let moving = with_end(&path, layout::MOVING_END);
    let bytes = seal::move_tar(&run.path, &run.info.run, &moving, &path)?;
    remove_attempts(&path);
    Ok(Tar { path, bytes })
}

fn with_end(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}
