//! Sealing a run: closing what a crash left open, the manifest, and the one file to send.

use index::Indexes;
use place::{hash, remove_partial};

use crate::Result;
use crate::files::Files;
use crate::held::Dir;
use crate::ledger::{Ledger, PointLedger};
use crate::run::layout;
use crate::run::{Clock, Cost, End, FileInfo, Manifest, RunInfo, SegmentInfo};

pub mod index;

mod inside;
mod place;
mod repair;
mod tar;

mod moving;

pub use inside::{holds_all, whole};
pub use moving::{half_moved, move_tar, room_to_move};
pub use place::{clear_run, read_changes, read_manifest, read_run, remove_cleared, write_json};
pub use repair::repair_cut;
pub use tar::write_tar;

/// Closes a run in `dir`: repairs segments that were not finished, hashes every file, writes the manifest.
///
/// `remarks` is what the recorder wants a reader to know. Sealing twice gives the same manifest.
pub fn seal(
    dir: &Dir,
    info: RunInfo,
    ended: Option<Clock>,
    end: End,
    remarks: Vec<String>,
) -> Result<Manifest> {
    seal_with_cost(dir, info, ended, end, remarks, None)
}

/// As [`seal`], by the recorder itself, which knows what it took of the host.
pub fn seal_with_cost(
    dir: &Dir,
    mut info: RunInfo,
    ended: Option<Clock>,
    end: End,
    remarks: Vec<String>,
    cost: Option<Cost>,
) -> Result<Manifest> {
    let (counts, segments, files) = (Vec::new(), Vec::new(), Vec::new());
    let (pruned, shed) = (Vec::new(), Vec::new());
    let changes = read_changes(dir)?;
    info.add_joined(&changes);
    let mut manifest =
        Manifest { info, ended, end, changes, counts, segments, pruned, shed, cost, files, remarks };
    remove_partial(dir)?;
    let Indexes { there: indexed, pruned } = index::read(dir)?;
    manifest.pruned = pruned;
    let files = Files::below(dir)?;
    let paths: Vec<String> = files.paths().map(str::to_owned).collect();
    for path in &paths {
        let Some((point, number)) = layout::parse_segment(path) else { continue };
        // After a crash the index may be on the disk and the segment may not: it is believed for its content only.
        let whole = |info: &&SegmentInfo| {
            manifest.ended.is_some() || hash(dir, path).is_ok_and(|(_, blake3)| blake3 == info.blake3)
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
            let (bytes, blake3) = hash(dir, path)?;
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
    write_json(dir, layout::MANIFEST, &manifest)?;
    Ok(manifest)
}

#[cfg(test)]
mod tests;
