//! Sealing a run: closing what a crash left open, the manifest, and the one file to send.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::path::Path;

use crate::index::{self, Indexes};
use crate::input::Files;
use crate::ledger::{Ledger, PointLedger};
use crate::manifest::{Clock, Cost, End, FileInfo, Manifest, RunInfo, SegmentInfo};
use crate::move_tar::sized;
use crate::time::NS_PER_S;
use crate::{BundleError, Result, changes, layout};

pub use crate::index::line as index_line;
pub use repair::repair_cut;

mod repair;

/// Reads what a run knew at its start.
pub fn read_run(dir: &Path) -> Result<RunInfo> {
    let path = dir.join(layout::RUN);
    let bytes = fs::read(&path).map_err(BundleError::io("read", &path))?;
    serde_json::from_slice(&bytes)
        .map_err(|e| BundleError::Damaged { what: path.display().to_string(), why: e.to_string() })
}

/// Writes `value` as JSON so that the file is complete or absent, also after a power cut.
pub fn write_json<T: serde::Serialize>(path: &Path, value: &T) -> Result<()> {
    let partial = path.with_extension("partial");
    let mut text = serde_json::to_vec_pretty(value)
        .map_err(|e| BundleError::Damaged { what: path.display().to_string(), why: e.to_string() })?;
    text.push(b'\n');
    let write = || -> io::Result<()> {
        let mut file = File::create(&partial)?;
        file.write_all(&text)?;
        file.sync_all()
    };
    if let Err(e) = write() {
        // It may be the disk that is full.
        let _ = fs::remove_file(&partial);
        return Err(BundleError::io("write", &partial)(e));
    }
    fs::rename(&partial, path).map_err(BundleError::io("rename", &partial))?;
    sync_parent(path).map_err(BundleError::io("write", path))
}

/// Makes a new name in a directory survive a power cut.
pub fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent)?.sync_all()
}

/// Closes a run in `dir`: repairs segments that were not finished, hashes every file, writes the manifest.
///
/// `remarks` is what the recorder wants a reader to know. Sealing twice gives the same manifest.
pub fn seal(
    dir: &Path,
    info: RunInfo,
    ended: Option<Clock>,
    end: End,
    remarks: Vec<String>,
) -> Result<Manifest> {
    seal_with_cost(dir, info, ended, end, remarks, None)
}

/// As [`seal`], by the recorder itself, which knows what it took of the host.
pub fn seal_with_cost(
    dir: &Path,
    mut info: RunInfo,
    ended: Option<Clock>,
    end: End,
    remarks: Vec<String>,
    cost: Option<Cost>,
) -> Result<Manifest> {
    let (counts, segments, files) = (Vec::new(), Vec::new(), Vec::new());
    let (pruned, shed) = (Vec::new(), Vec::new());
    let changes = changes::read(dir);
    changes::apply(&mut info, &changes);
    let mut manifest =
        Manifest { info, ended, end, changes, counts, segments, pruned, shed, cost, files, remarks };
    remove_partial(dir)?;
    let Indexes { there: indexed, pruned } = index::read(dir)?;
    manifest.pruned = pruned;
    let files = Files::directory(dir)?;
    let paths: Vec<String> = files.paths().map(str::to_owned).collect();
    for path in &paths {
        let Some((point, number)) = layout::parse_segment(path) else { continue };
        // After a crash the index may be on the disk and the segment may not: it is believed for its content only.
        let whole = |info: &&SegmentInfo| {
            manifest.ended.is_some() || hash(&dir.join(path)).is_ok_and(|(_, blake3)| blake3 == info.blake3)
        };
        if let Some(info) = indexed.get(path).filter(whole) {
            manifest.segments.push(info.clone());
            continue;
        }
        let (info, remark) = repair::close(dir, path, point, number)?;
        manifest.remarks.push(remark);
        manifest.segments.push(info);
    }
    manifest.segments.sort_by(|a, b| (&a.point, a.number).cmp(&(&b.point, b.number)));
    for path in &paths {
        if layout::parse_segment(path).is_none() && path != layout::MANIFEST {
            let (bytes, blake3) = hash(&dir.join(path))?;
            manifest.files.push(FileInfo { path: path.clone(), bytes, blake3 });
        }
    }
    manifest.sum_counts();
    let ledger = Ledger::read(&files);
    for count in &mut manifest.counts {
        count.filtered = ledger.point(&count.point).and_then(PointLedger::filtered);
    }
    manifest.shed = ledger.points.iter().filter_map(PointLedger::shed).collect();
    if manifest.ended.is_some() {
        // After a crash the last second is missing on one side or the other, and the remarks say so already.
        let imbalances = ledger.imbalances(&manifest);
        manifest.remarks.extend(imbalances);
    }
    write_json(&dir.join(layout::MANIFEST), &manifest)?;
    Ok(manifest)
}

/// Removes the directory of a run that is in its tar; what it says of itself goes last, so that a removal that was
/// interrupted is still the directory of a run. The tar's name is on the disk before anything goes.
pub fn remove_run(dir: &Path) -> Result<()> {
    if let Some(parent) = dir.parent().and_then(|parent| File::open(parent).ok()) {
        // Not every file system can; those that cannot keep the order by themselves.
        let _ = parent.sync_all();
    }
    let gone = |result: io::Result<()>, path: &Path| match result {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(BundleError::io("remove", path)(e)),
        _ => Ok(()),
    };
    for entry in fs::read_dir(dir).map_err(BundleError::io("list", dir))? {
        let entry = entry.map_err(BundleError::io("list", dir))?;
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

/// Streams a sealed run as a tar whose top folder is the run's name; the manifest comes first.
pub fn write_tar(dir: &Path, run: &str, out: impl Write) -> Result<()> {
    let files = Files::directory(dir)?;
    let mut tar = tar::Builder::new(BufWriter::with_capacity(1 << 20, out));
    let rest = files.paths().filter(|p| *p != layout::MANIFEST);
    let mtime = member_time(dir);
    for path in std::iter::once(layout::MANIFEST).chain(rest) {
        append_file(&mut tar, dir, run, path, mtime)?;
    }
    let mut out = tar.into_inner().map_err(BundleError::io("finish", "the bundle"))?;
    out.flush().map_err(BundleError::io("write", "the bundle"))
}

/// Seconds since the epoch that every member of a run's tar carries: when the run started, so that bundling twice gives
/// the same bytes; 0 when the run does not say.
pub(crate) fn member_time(dir: &Path) -> u64 {
    read_run(dir).map_or(0, |info| u64::try_from(info.started.realtime.0 / NS_PER_S).unwrap_or(0))
}

/// One file of a run as a member of its tar.
pub(crate) fn append_file(
    tar: &mut tar::Builder<impl Write>,
    dir: &Path,
    run: &str,
    path: &str,
    mtime: u64,
) -> Result<()> {
    let full = dir.join(path);
    let (file, size) = sized(&full)?;
    let mut header = tar::Header::new_gnu();
    header.set_size(size);
    header.set_mode(0o600);
    header.set_mtime(mtime);
    header.set_entry_type(tar::EntryType::Regular);
    tar.append_data(&mut header, format!("{run}/{path}"), file).map_err(BundleError::io("bundle", &full))
}

fn hash(path: &Path) -> Result<(u64, String)> {
    let mut file = File::open(path).map_err(BundleError::io("open", path))?;
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; 64 * 1024];
    let mut bytes = 0;
    loop {
        let n = file.read(&mut buffer).map_err(BundleError::io("read", path))?;
        if n == 0 {
            // The manifest vouches for these bytes: they are on the disk before it is.
            file.sync_data().map_err(BundleError::io("write", path))?;
            return Ok((bytes, hasher.finalize().to_hex().to_string()));
        }
        bytes += n as u64;
        hasher.update(buffer.get(..n).unwrap_or_default());
    }
}

/// Files that a crash left half written are not part of the run.
fn remove_partial(dir: &Path) -> Result<()> {
    for path in Files::directory(dir)?.paths().filter(|p| p.ends_with(layout::PARTIAL_END)) {
        let full = dir.join(path);
        fs::remove_file(&full).map_err(BundleError::io("remove", &full))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
