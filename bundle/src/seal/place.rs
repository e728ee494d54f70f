//! What happens to a run on the disk, in an order that a crash cannot spoil.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

use crate::files::Files;
use crate::run::{RunInfo, layout};
use crate::{BundleError, Op, Result};

/// Reads what a run knew at its start.
pub fn read_run(dir: &Path) -> Result<RunInfo> {
    let path = dir.join(layout::RUN);
    let bytes = fs::read(&path).map_err(BundleError::io(Op::Read, &path))?;
    serde_json::from_slice(&bytes).map_err(BundleError::json(path.display()))
}

/// Writes `value` as JSON so that the file is complete or absent, also after a power cut.
pub fn write_json<T: serde::Serialize>(path: &Path, value: &T) -> Result<()> {
    let partial = path.with_extension("partial");
    let mut text = serde_json::to_vec_pretty(value).map_err(BundleError::json(path.display()))?;
    text.push(b'\n');
    let write = || -> io::Result<()> {
        let mut file = File::create(&partial)?;
        file.write_all(&text)?;
        file.sync_all()
    };
    if let Err(e) = write() {
        // It may be the disk that is full.
        let _ = fs::remove_file(&partial);
        return Err(BundleError::io(Op::Write, &partial)(e));
    }
    fs::rename(&partial, path).map_err(BundleError::io(Op::Rename, &partial))?;
    sync_parent(path).map_err(BundleError::io(Op::Write, path))
}

/// Makes a new name in a directory survive a power cut.
pub fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent)?.sync_all()
}

/// Removes the directory of a run that is in its tar; what it says of itself goes last, so that a removal that was
/// interrupted is still the directory of a run. The tar's name is on the disk before anything goes.
pub fn remove_run(dir: &Path) -> Result<()> {
    if let Some(parent) = dir.parent().and_then(|parent| File::open(parent).ok()) {
        // Not every file system can; those that cannot keep the order by themselves.
        let _ = parent.sync_all();
    }
    let gone = |result: io::Result<()>, path: &Path| match result {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(BundleError::io(Op::Remove, path)(e)),
        _ => Ok(()),
    };
    for entry in fs::read_dir(dir).map_err(BundleError::io(Op::List, dir))? {
        let entry = entry.map_err(BundleError::io(Op::List, dir))?;
        let path = entry.path();
        if entry.file_name() == layout::RUN {
            continue;
        }
        let is_dir = entry.file_type().is_ok_and(|kind| kind.is_dir());
        gone(if is_dir { fs::remove_dir_all(&path) } else { fs::remove_file(&path) }, &path)?;
    }
    let run = dir.join(layout::RUN);
    gone(fs::remove_file(&run), &run)?;
    gone(fs::remove_dir(dir), dir)
}

pub(super) fn hash(path: &Path) -> Result<(u64, String)> {
    let mut file = File::open(path).map_err(BundleError::io(Op::Open, path))?;
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; 64 * 1024];
    let mut bytes = 0;
    loop {
        let n = file.read(&mut buffer).map_err(BundleError::io(Op::Read, path))?;
        if n == 0 {
            // The manifest vouches for these bytes: they are on the disk before it is.
            file.sync_data().map_err(BundleError::io(Op::Write, path))?;
            return Ok((bytes, hasher.finalize().to_hex().to_string()));
        }
        bytes += n as u64;
        hasher.update(buffer.get(..n).unwrap_or_default());
    }
}

/// Files that a crash left half written are not part of the run.
pub(super) fn remove_partial(dir: &Path) -> Result<()> {
    for path in Files::directory(dir)?.paths().filter(|p| p.ends_with(layout::PARTIAL_END)) {
        let full = dir.join(path);
        fs::remove_file(&full).map_err(BundleError::io(Op::Remove, &full))?;
    }
    Ok(())
}
