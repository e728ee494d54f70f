//! A run that was recorded by netcap, sealed or not.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::model::{Input, Kind, Missing, PINGS_MAX, POINTS_MAX, SEGMENTS_MAX, Segment};
use super::ping::PingLog;
use super::remark::{Limited, Remark, Unreadable};
use crate::files::{Files, Place};
use crate::ledger::Ledger;
use crate::run::{Manifest, Point, RunInfo, SCHEMA, changes, layout};
use crate::state::StateReader;
use crate::{BundleError, Damage, Result};

/// Remarks of the recorder that are passed on.
const REMARKS_MAX: usize = 1_000;
/// Values in one JSON file: 60,000 segments with thirteen each.
const JSON_VALUES_MAX: usize = 1_000_000;

/// Opens a bundle, sealed or not.
pub(super) fn open(path: &Path, files: Files) -> Result<Input> {
    let name = path.display().to_string();
    let mut input = Input::empty(name.clone(), Kind::Bundle, files);
    input.remarks.extend(input.files.remarks().into_iter().map(Remark::Files));
    let mut manifest = input.json::<Manifest>(layout::MANIFEST);
    let info = match &manifest {
        Some(m) => Some(m.info.clone()),
        None => input.json::<RunInfo>(layout::RUN),
    };
    let Some(mut info) = info else {
        return Err(BundleError::Damaged { what: name, damage: Damage::Undescribed });
    };
    if info.schema > SCHEMA {
        return Err(BundleError::Damaged { what: name, damage: Damage::Newer { schema: info.schema } });
    }
    if manifest.is_none() {
        input.remarks.push(Remark::Unsealed);
    }
    let sealed = manifest.as_mut().map(|m| std::mem::take(&mut m.changes));
    input.changes =
        sealed.unwrap_or_else(|| changes::parse(&input.files.text(layout::CHANGES).unwrap_or_default()));
    if input.changes.len() >= changes::CHANGES_MAX {
        input.changes.truncate(changes::CHANGES_MAX);
        input.remarks.push(Remark::TooMany { what: Limited::Changes, max: changes::CHANGES_MAX });
    }
    info.add_joined(&input.changes);
    for (list, max, what) in
        [(info.points.len(), POINTS_MAX, Limited::Points), (info.pings.len(), PINGS_MAX, Limited::Pings)]
    {
        if list > max {
            input.remarks.push(Remark::TooMany { what, max });
        }
    }
    info.points.truncate(POINTS_MAX);
    info.pings.truncate(PINGS_MAX);
    input.points.clone_from(&info.points);
    input.info = Some(info);
    input.end = manifest.as_ref().map(|m| m.end.clone());
    let own = manifest.iter().flat_map(|m| m.remarks.iter().take(REMARKS_MAX).cloned());
    input.remarks.extend(own.map(Remark::Recorder));
    if manifest.as_ref().is_some_and(|m| m.remarks.len() > REMARKS_MAX) {
        input.remarks.push(Remark::TooMany { what: Limited::Remarks, max: REMARKS_MAX });
    }
    input.add_segments(manifest.as_ref());
    let files = manifest.as_ref().map(|m| m.files.as_slice()).unwrap_or_default();
    input.state = StateReader::of_lines(input.files.lines(layout::STATE_INDEX)).with_recorded(files);
    input.add_pings();
    input.ledger = Ledger::read(&input.files);
    input.pruned = manifest.map(|m| m.pruned).unwrap_or_default();
    input.remark_thinned();
    Ok(input)
}

/// A segment that lies in the input, by its path.
struct PacketFile {
    point: String,
    number: u32,
    path: String,
    place: Place,
}

impl Input {
    /// Segments are taken from the files that are there; the manifest only adds what it knows about them.
    fn add_segments(&mut self, manifest: Option<&Manifest>) {
        let listed = manifest.map(|m| m.segments.as_slice()).unwrap_or_default();
        let known: BTreeMap<_, _> =
            listed.iter().map(|info| (layout::segment(&info.point, info.number), info)).collect();
        let mut found = Vec::new();
        for (path, place) in self.files.under(layout::PACKETS) {
            let Some((point, number)) = layout::parse_segment(path) else { continue };
            if found.len() >= SEGMENTS_MAX {
                self.remarks.push(Remark::TooMany { what: Limited::PacketFiles, max: SEGMENTS_MAX });
                break;
            }
            let (point, path, place) = (point.to_owned(), path.to_owned(), place.clone());
            found.push(PacketFile { point, number, path, place });
        }
        found.sort_by(|a, b| (&a.point, a.number).cmp(&(&b.point, b.number)));
        let mut indices: BTreeMap<String, usize> =
            self.points.iter().enumerate().rev().map(|(index, point)| (point.id.clone(), index)).collect();
        for PacketFile { point, path, place, .. } in found {
            let Some(index) = self.point_index(&mut indices, point) else { continue };
            let info = known.get(&path).map(|i| (*i).clone());
            let mut segment = Segment::new(Some(index), path, place);
            segment.info = info;
            self.segments.push(segment);
        }
        self.share();
        let others = manifest.into_iter().flat_map(|m| &m.files).map(|file| file.path.as_str());
        let listed: BTreeSet<&str> = known.keys().map(String::as_str).chain(others).collect();
        let paths = listed.iter().filter(|path| !self.files.is_whole(path)).map(|path| (*path).to_owned());
        self.missing = Missing { listed: listed.len(), paths: paths.collect() };
    }

    /// The index of a point; one that nothing described is added as it is.
    fn point_index(&mut self, indices: &mut BTreeMap<String, usize>, id: String) -> Option<usize> {
        if let Some(index) = indices.get(&id) {
            return Some(*index);
        }
        if self.points.len() >= POINTS_MAX {
            let remark = Remark::TooMany { what: Limited::PointsWithFiles, max: POINTS_MAX };
            if !self.remarks.contains(&remark) {
                self.remarks.push(remark);
            }
            return None;
        }
        // The folder's name is the id, safe or not: that is how its segments are found.
        self.points.push(Point { id: id.clone(), ..Point::bare(&id) });
        indices.insert(id, self.points.len() - 1);
        Some(self.points.len() - 1)
    }

    fn add_pings(&mut self) {
        let addresses = self.info.as_ref().map(|i| i.pings.clone()).unwrap_or_default();
        for address in &addresses {
            let path = layout::ping_lines(address);
            if self.files.has(&path) {
                self.pings.push(PingLog::read_lines(address, addresses.len(), self.files.lines(&path)));
                self.ping_files.push(path);
            }
        }
    }

    fn json<T: serde::de::DeserializeOwned>(&mut self, path: &str) -> Option<T> {
        let bytes = self.files.read_small(path)?;
        // Every value takes memory, however short it is written.
        if bytes.iter().filter(|b| matches!(b, b',' | b'[' | b'{')).count() > JSON_VALUES_MAX {
            let why = Unreadable::TooManyValues { max: JSON_VALUES_MAX };
            self.remarks.push(Remark::Unreadable { file: path.to_owned(), why });
            return None;
        }
        match serde_json::from_slice(&bytes) {
            Ok(value) => Some(value),
            Err(err) => {
                let why = Unreadable::Json(err.to_string());
                self.remarks.push(Remark::Unreadable { file: path.to_owned(), why });
                None
            }
        }
    }
}
