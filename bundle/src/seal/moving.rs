//! Moving a sealed run into its tar: each file goes as soon as it is in, so that no second copy needs room.
//!
//! The tar is well formed after each batch and on the disk (`fdatasync`) before the files in it are removed, so a crash at
//! any moment loses nothing, and moving again goes on where it stopped. Manifest and run description stay in the
//! directory: as long as it exists it says what it is. Whoever moves a run removes the directory when the tar has its name.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Seek, SeekFrom};

use super::inside::{holds_all, is_member, listed, whole};
use super::place::{absent, failed, read_manifest};
use super::tar::{append_file, member_time};
use crate::files::{Files, Members};
use crate::held::{Dir, Mistrust};
use crate::run::layout;
use crate::{BundleError, Damage, Op, Result};

/// Files that stay in the directory to the end.
const KEPT: [&str; 2] = [layout::MANIFEST, layout::RUN];
/// Bytes moved in one batch, besides a larger file that goes alone: small files are many, and each batch waits for the disk.
/// A batch takes no more room than the largest file does.
const BATCH_BYTES: std::ops::RangeInclusive<u64> = 64 << 10..=8 << 20;
/// Bytes of a tar's end marker: two zero blocks.
const END: u64 = 1024;
/// Bytes of a tar block.
const BLOCK: u64 = 512;

/// Whether files that the manifest names are no longer there: the run has been moved in part.
pub fn half_moved(dir: &Dir) -> Result<bool> {
    let Some(manifest) = read_manifest(dir)? else { return Ok(false) };
    for (path, _) in listed(&manifest) {
        if gone(dir, &path).map_err(failed(Op::Read, dir, &path))? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether nothing has this name; a path that is none, or leads over a link, is an error.
fn gone(dir: &Dir, path: &str) -> io::Result<bool> {
    match dir.meta(path) {
        Ok(_) => Ok(false),
        Err(e) if absent(&e) => Ok(true),
        Err(e) => Err(e),
    }
}

/// Bytes that moving a run takes for a moment: the files of the largest batch, in the tar and still beside it.
pub fn room_to_move(dir: &Dir) -> Result<u64> {
    let batches = batches(dir, &BTreeSet::new())?;
    Ok(batches.iter().map(|batch| batch.room).max().unwrap_or(0).saturating_add(END))
}

/// Files that are moved together.
#[derive(Debug, Default)]
struct Batch {
    paths: Vec<String>,
    /// Their bytes by which a batch is measured.
    bytes: u64,
    /// Bytes of them in a tar, padded.
    room: u64,
}

/// The files of a run that are not `inside` the tar, the manifest first, in batches.
fn batches(dir: &Dir, inside: &BTreeSet<String>) -> Result<Vec<Batch>> {
    let files = Files::below(dir)?;
    let rest = files.paths().filter(|path| *path != layout::MANIFEST);
    let mut left = Vec::new();
    for path in std::iter::once(layout::MANIFEST).chain(rest).filter(|path| !inside.contains(*path)) {
        let meta = dir.meta(path).map_err(failed(Op::Read, dir, path))?;
        left.push((path.to_owned(), meta.len));
    }
    let largest = left.iter().map(|(_, size)| *size).max().unwrap_or(0);
    let batch_max = largest.clamp(*BATCH_BYTES.start(), *BATCH_BYTES.end());
    let (mut out, mut batch) = (Vec::new(), Batch::default());
    for (path, size) in left {
        if batch.bytes > 0 && batch.bytes + size > batch_max {
            out.push(std::mem::take(&mut batch));
        }
        // A long name has a member of its own.
        let long = if path.len() > 50 { 2 * BLOCK } else { 0 };
        batch.room += BLOCK + long + size.next_multiple_of(BLOCK);
        batch.bytes += size + BLOCK;
        batch.paths.push(path);
    }
    out.push(batch);
    Ok(out)
}

/// Moves a sealed run into the tar `done` of `out`, by way of `moving`, which must not be thrown away; gives the tar's size.
pub fn move_tar(dir: &Dir, run: &str, out: &Dir, moving: &str, done: &str) -> Result<u64> {
    if half_moved(dir)? && !out.has(moving) {
        if out.has_file(done) {
            // Only the removal of the directory was missing.
            let tar = Files::tar_in(out, done)?.filter(|tar| whole(tar).is_some());
            if !tar.map_or(Ok(false), |tar| holds_all(&tar, dir))? {
                return Err(failed(Op::Read, out, done)(Mistrust::NotOfThisRun.into()));
            }
            return finish(out, done);
        }
        let damage = Damage::MovedAway { moving: out.path().join(moving) };
        return Err(BundleError::Damaged { what: dir.path().display().to_string(), damage });
    }
    let file = match out.modify(moving) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => out.create_new(moving),
        done => done,
    };
    let mut file = file.map_err(failed(Op::Open, out, moving))?;
    let sizes = read_manifest(dir)?.iter().flat_map(listed).collect();
    let inside = resume(dir, run, &mut file, &sizes).map_err(failed(Op::Read, out, moving))?;
    remove_moved(dir, &inside)?;
    for batch in batches(dir, &inside)? {
        let paths: Vec<&str> = batch.paths.iter().map(String::as_str).collect();
        append(dir, run, &mut file, &paths)?;
    }
    file.sync_all().map_err(failed(Op::Write, out, moving))?;
    out.rename(moving, done).map_err(failed(Op::Rename, out, moving))?;
    finish(out, done)
}

fn finish(out: &Dir, done: &str) -> Result<u64> {
    // The new name must be on the disk before the last of the directory goes.
    out.sync().map_err(failed(Op::Write, out, done))?;
    Ok(out.meta(done).map_err(failed(Op::Read, out, done))?.len)
}

/// Removes files that are in the tar for certain. Of what a tar says only what the manifest says too is believed.
fn remove_moved(dir: &Dir, inside: &BTreeSet<String>) -> Result<()> {
    let manifest = read_manifest(dir)?;
    let listed: BTreeSet<String> = manifest.iter().flat_map(listed).map(|(path, _)| path).collect();
    for path in listed.intersection(inside).filter(|path| !KEPT.contains(&path.as_str())) {
        remove(dir, path)?;
    }
    Ok(())
}

/// Members of a tar that is moved into, and bytes of their names, at most: as many as a run has files that are read.
const MEMBERS_MAX: usize = 200_000;
const NAMES_BYTES_MAX: usize = 32 << 20;

/// Finds what an earlier attempt has moved, cuts off what is not certain, and leaves the file at the place where the
/// next member goes. A file that is gone from the directory was in the tar on the disk, and so was all before it. A tar
/// that says otherwise than the directory and its manifest was not written by netcap: then nothing is changed.
fn resume(
    dir: &Dir,
    run: &str,
    file: &mut File,
    sizes: &BTreeMap<String, u64>,
) -> io::Result<BTreeSet<String>> {
    let size = file.metadata()?.len();
    let (mut members, mut seen, mut certain, mut names) = (Vec::new(), BTreeSet::new(), 0, 0);
    for member in Members::new(file) {
        let Ok(member) = member else { break };
        let end = member.offset.saturating_add(member.length.next_multiple_of(BLOCK));
        let path = member.path.strip_prefix(run).ok().and_then(|path| path.to_str()).map(str::to_owned);
        let Some(path) = path.filter(|_| end <= size) else { break };
        let is_gone = gone(dir, &path)?;
        let other = is_gone && sizes.get(&path).is_some_and(|size| *size != member.length);
        names += path.len();
        if other || seen.len() >= MEMBERS_MAX || names > NAMES_BYTES_MAX || !seen.insert(path.clone()) {
            return Err(Mistrust::NotOfThisRun.into());
        }
        let is_kept = KEPT.contains(&path.as_str());
        members.push((path, member, end, is_gone));
        if is_gone && !is_kept {
            certain = members.len();
        }
    }
    members.truncate(certain);
    for (path, member, ..) in members.iter().filter(|(.., is_gone)| !is_gone) {
        if !is_member(dir, path, file, member)? {
            return Err(Mistrust::NotOfThisRun.into());
        }
    }
    let end = members.last().map_or(0, |(_, _, end, _)| *end);
    file.set_len(end)?;
    file.seek(SeekFrom::Start(end))?;
    Ok(members.into_iter().map(|(path, ..)| path).collect())
}

/// Appends files where the tar ends, makes sure of them, and removes them.
fn append(dir: &Dir, run: &str, file: &mut File, paths: &[&str]) -> Result<()> {
    let failed = || BundleError::io(Op::Write, "the bundle");
    let mut tar = tar::Builder::new(&mut *file);
    let mtime = member_time(dir);
    for path in paths {
        append_file(&mut tar, dir, run, path, mtime)?;
    }
    tar.into_inner().map_err(failed())?;
    file.sync_data().map_err(failed())?;
    let at = file.stream_position().map_err(failed())?;
    // The next member overwrites the end marker.
    file.seek(SeekFrom::Start(at.saturating_sub(END))).map_err(failed())?;
    for path in paths.iter().filter(|path| !KEPT.contains(path)) {
        remove(dir, path)?;
    }
    Ok(())
}

fn remove(dir: &Dir, path: &str) -> Result<()> {
    dir.remove_if_there(path).map_err(failed(Op::Remove, dir, path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, OpenOptions};
    use std::path::Path;

    use crate::run::{End, RunInfo};
    use crate::seal::place::{clear_run, remove_cleared};
    use proptest::prelude::*;

    fn held(dir: &Path) -> Dir {
        Dir::open(dir).unwrap()
    }

    /// A sealed run with files of these sizes.
    fn run(top: &Path, sizes: &[usize]) -> std::path::PathBuf {
        let dir = top.join("r");
        fs::create_dir_all(dir.join(layout::STATE)).unwrap();
        for (n, size) in sizes.iter().enumerate() {
            let name = format!("{}/{n:04}{}", layout::STATE, "x".repeat(n * 40 % 200));
            fs::write(dir.join(name), vec![u8::try_from(n % 251).unwrap(); *size]).unwrap();
        }
        let text = r#"{"schema":1,"tool":"t","run":"r","host":"h","started":{"realtime":1795217000999000000,"monotonic_ns":0},"points":[]}"#;
        fs::write(dir.join(layout::RUN), text).unwrap();
        let info: RunInfo = serde_json::from_str(text).unwrap();
        crate::seal::seal(&held(&dir), info, None, End::Recovered, Vec::new()).unwrap();
        dir
    }

    fn move_all(dir: &Path, top: &Path) -> u64 {
        let bytes = move_tar(&held(dir), "r", &held(top), "r.moving", "r.tar").unwrap();
        clear_run(&held(dir)).and_then(|()| remove_cleared(&held(dir))).unwrap();
        bytes
    }

    fn contents(files: &Files) -> Vec<(String, Vec<u8>)> {
        files.paths().map(|path| (path.to_owned(), files.read_small(path).unwrap())).collect()
    }

    #[test]
    fn everything_is_in_the_tar_and_the_directory_is_gone() {
        let top = tempfile::tempdir().unwrap();
        let dir = run(top.path(), &[0, 1, 511, 512, 513, 9 << 20, 70_000]);
        let before = contents(&Files::directory(&dir).unwrap());
        let (moving, done) = (top.path().join("r.moving"), top.path().join("r.tar"));
        assert!(!half_moved(&held(&dir)).unwrap());
        let room = room_to_move(&held(&dir)).unwrap();
        assert!((9 << 20..(9 << 20) + 4096).contains(&room), "the largest file, and little more: {room}");
        let bytes = move_all(&dir, top.path());
        assert!(!dir.exists() && !moving.exists() && bytes == fs::metadata(&done).unwrap().len());
        assert_eq!(contents(&Files::tar(&done).unwrap().unwrap()), before);
        let mut tar = tar::Archive::new(File::open(&done).unwrap());
        let times: Vec<u64> = tar.entries().unwrap().map(|e| e.unwrap().header().mtime().unwrap()).collect();
        assert!(times.len() > 7 && times.iter().all(|time| *time == 1_795_217_000), "{times:?}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        /// A crash: some files are in the tar and gone, the tar's end is torn anywhere behind them.
        #[test]
        fn a_move_that_was_cut_anywhere_goes_on(moved in 0usize..9, still in 0usize..3, torn in 0u64..6000, junk in 0usize..3000) {
            let top = tempfile::tempdir().unwrap();
            let dir = run(top.path(), &[3, 700, 0, 2000, 512, 1024, 5000, 77]);
            let before = contents(&Files::directory(&dir).unwrap());
            let (moving, done) = (top.path().join("r.moving"), top.path().join("r.tar"));
            let mut file = OpenOptions::new().read(true).write(true).create_new(true).open(&moving).unwrap();
            let files = Files::directory(&dir).unwrap();
            let order: Vec<&str> = std::iter::once(layout::MANIFEST).chain(files.paths().filter(|p| *p != layout::MANIFEST)).collect();
            append(&held(&dir), "r", &mut file, &order[..moved]).unwrap();
            let safe = file.stream_position().unwrap();
            // These were written and not yet certain: they are still in the directory.
            let copies: Vec<_> = order[moved..].iter().take(still).map(|p| (*p, fs::read(dir.join(p)).unwrap())).collect();
            append(&held(&dir), "r", &mut file, &order[moved..][..still.min(order.len() - moved)]).unwrap();
            for (path, bytes) in copies {
                fs::write(dir.join(path), bytes).unwrap();
            }
            let size = file.metadata().unwrap().len();
            file.set_len(size.saturating_sub(torn).max(safe)).unwrap();
            file.seek(SeekFrom::End(0)).unwrap();
            io::Write::write_all(&mut file, &vec![0xa5; junk]).unwrap();
            drop(file);
            move_all(&dir, top.path());
            prop_assert!(!dir.exists());
            prop_assert_eq!(contents(&Files::tar(&done).unwrap().unwrap()), before);
        }
    }
}
