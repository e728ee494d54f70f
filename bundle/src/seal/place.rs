//! What happens to a run on the disk, in an order that a crash cannot spoil.

use std::fs::File;
use std::io::{self, Read};

use serde::de::DeserializeOwned;

use crate::files::Files;
use crate::held::{Dir, Mistrust, mistrust};
use crate::run::{Change, Manifest, RunInfo, changes, layout};
use crate::{BundleError, Damage, Op, Result};

/// Bytes of what a run says of itself at its start at most: 4,096 points take a third of it.
const RUN_BYTES_MAX: u64 = 4 << 20;
/// Bytes of its changes: five times as many as are read.
const CHANGES_BYTES_MAX: u64 = 64 << 20;
/// Bytes of a manifest at most: 60,000 segments and 200,000 samples take as much.
const MANIFEST_BYTES_MAX: u64 = 64 << 20;
/// Values in it at most: each takes memory, however short it is written.
const VALUES_MAX: usize = 4_000_000;

/// Reads what a run knew at its start.
pub fn read_run(dir: &Dir) -> Result<RunInfo> {
    let bytes = dir.read_all(layout::RUN, RUN_BYTES_MAX).map_err(failed(Op::Read, dir, layout::RUN))?;
    let info: RunInfo = parse(dir, layout::RUN, &bytes)?;
    if info.run.contains(['/', '\0']) || matches!(info.run.as_str(), "" | "." | "..") {
        return Err(damaged(dir, layout::RUN, Damage::Name));
    }
    Ok(info)
}

/// Reads the manifest of a run; `None` when it was not sealed, or not to the end.
pub fn read_manifest(dir: &Dir) -> Result<Option<Manifest>> {
    let bytes = refused(dir.read_all(layout::MANIFEST, MANIFEST_BYTES_MAX));
    let Some(bytes) = bytes.map_err(failed(Op::Read, dir, layout::MANIFEST))? else { return Ok(None) };
    match parse(dir, layout::MANIFEST, &bytes) {
        Err(BundleError::Damaged { damage: Damage::Json(_), .. }) => Ok(None),
        done => done.map(Some),
    }
}

/// A manifest that lies elsewhere than in the directory of its run; `None` when it is none.
pub(super) fn parse_manifest(bytes: &[u8]) -> Option<Manifest> {
    if crowded(bytes) { None } else { serde_json::from_slice(bytes).ok() }
}

/// Who joined and left while a run was recorded.
pub fn read_changes(dir: &Dir) -> Result<Vec<Change>> {
    let bytes = refused(dir.read_all(layout::CHANGES, CHANGES_BYTES_MAX));
    let bytes = bytes.map_err(failed(Op::Read, dir, layout::CHANGES))?.unwrap_or_default();
    Ok(changes::parse(&String::from_utf8_lossy(&bytes)))
}

fn parse<T: DeserializeOwned>(dir: &Dir, path: &str, bytes: &[u8]) -> Result<T> {
    if crowded(bytes) {
        return Err(damaged(dir, path, Damage::TooManyValues { max: VALUES_MAX }));
    }
    serde_json::from_slice(bytes).map_err(|e| damaged(dir, path, Damage::Json(e)))
}

fn crowded(bytes: &[u8]) -> bool {
    bytes.iter().filter(|byte| matches!(byte, b',' | b'[' | b'{')).count() > VALUES_MAX
}

/// What is not there is nothing; neither is what cannot be read, unless it was refused.
pub(super) fn refused<T>(done: io::Result<T>) -> io::Result<Option<T>> {
    match done {
        Err(e) if mistrust(&e).is_some() => Err(e),
        done => Ok(done.ok()),
    }
}

/// Whether an error says that nothing has this name.
pub(super) fn absent(e: &io::Error) -> bool {
    matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// For `map_err`: an error about a file of a run.
pub(super) fn failed(op: Op, dir: &Dir, path: &str) -> impl FnOnce(io::Error) -> BundleError {
    BundleError::io(op, dir.path().join(path))
}

fn damaged(dir: &Dir, path: &str, damage: Damage) -> BundleError {
    BundleError::Damaged { what: dir.path().join(path).display().to_string(), damage }
}

/// Writes `value` as JSON so that the file is complete or absent, also after a power cut.
pub fn write_json<T: serde::Serialize>(dir: &Dir, path: &str, value: &T) -> Result<()> {
    let mut text = serde_json::to_vec_pretty(value).map_err(|e| damaged(dir, path, Damage::Json(e)))?;
    text.push(b'\n');
    dir.replace_with(path, &text).map_err(failed(Op::Write, dir, path))
}

/// Removes what a run's directory holds when all of it is in its tar, but for what it says of itself: a removal that was
/// interrupted is still the directory of a run. The tar's name is on the disk before anything goes.
pub fn clear_run(dir: &Dir) -> io::Result<()> {
    // Not every file system can; those that cannot keep the order by themselves.
    let _ = dir.beside().and_then(|beside| beside.sync());
    gone(dir.clear_but(layout::RUN))
}

/// Removes the rest of it. Whoever has a lock on what it says of itself has let it go: on NFS and FUSE a file that is open
/// keeps its directory.
pub fn remove_cleared(dir: &Dir) -> io::Result<()> {
    dir.remove_if_there(layout::RUN)?;
    gone(dir.remove_itself())
}

fn gone(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

/// Opens a file of a run. `check_network.sh` gives the log of a ping its old name as well, beside the run: a second name
/// that is found there is no stranger.
pub(super) fn open(dir: &Dir, path: &str) -> io::Result<File> {
    match dir.read(path) {
        Err(e) if mistrust(&e) == Some(&Mistrust::Linked { links: 2 }) => {
            let run = dir.path().file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let twins = layout::old_ping_names(run, path);
            let beside = dir.beside()?;
            twins.iter().find_map(|twin| dir.read_twin(path, &beside, twin).ok()).ok_or(e)
        }
        done => done,
    }
}

pub(super) fn hash(dir: &Dir, path: &str) -> Result<(u64, String)> {
    let mut file = open(dir, path).map_err(failed(Op::Open, dir, path))?;
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; 64 * 1024];
    let mut bytes = 0;
    loop {
        let n = file.read(&mut buffer).map_err(failed(Op::Read, dir, path))?;
        if n == 0 {
            // The manifest vouches for these bytes: they are on the disk before it is.
            file.sync_data().map_err(failed(Op::Write, dir, path))?;
            return Ok((bytes, hasher.finalize().to_hex().to_string()));
        }
        bytes += n as u64;
        hasher.update(buffer.get(..n).unwrap_or_default());
    }
}

/// Files that a crash left half written are not part of the run.
pub(super) fn remove_partial(dir: &Dir) -> Result<()> {
    for path in Files::below(dir)?.paths().filter(|path| path.ends_with(layout::PARTIAL_END)) {
        dir.remove(path).map_err(failed(Op::Remove, dir, path))?;
    }
    Ok(())
}
