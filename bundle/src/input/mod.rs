//! Opening whatever a user hands in: a bundle (tar or directory), a bare capture, a directory of the old script.
//!
//! Inputs are hostile: names are checked, counts and sizes bounded, nothing is extracted to disk.

mod files;
mod legacy;
mod listports;
mod members;

pub use files::Files;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::changes::Change;
use crate::ledger::Ledger;
use crate::manifest::{End, Manifest, Pruned, RunInfo, SCHEMA, SegmentInfo};
use crate::packets::decompress::{self, Stream};
use crate::ping::PingLog;
use crate::point::Point;
use crate::state::StateReader;
use crate::{BundleError, Result, changes, layout};

/// Packet files read of one input: a week of minutes at six points.
const SEGMENTS_MAX: usize = 65_536;
/// Points of one input: all ports of a large host.
const POINTS_MAX: usize = 4_096;
/// Addresses pinged in one run.
const PINGS_MAX: usize = 256;
/// Remarks of the recorder that are passed on.
const REMARKS_MAX: usize = 1_000;
/// Values in one JSON file: 60,000 segments with thirteen each.
const JSON_VALUES_MAX: usize = 1_000_000;
/// Bytes that each of very many packet files may unfold before it is judged by its ratio.
const FREE_MIN: u64 = 1024 * 1024;

/// What an input is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A bundle, sealed or not.
    Bundle,
    /// One pcap or pcapng file.
    Capture,
    /// A directory of check_network.sh.
    Legacy,
}

/// An opened input.
#[derive(Debug)]
pub struct Input {
    /// As the user named it.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// What the run says about itself, if it is a bundle.
    pub info: Option<RunInfo>,
    /// How the run ended, if it was sealed.
    pub end: Option<End>,
    /// Points known before the packets are read.
    pub points: Vec<Point>,
    /// Points that joined, were renamed or left while it was recorded.
    pub changes: Vec<Change>,
    /// Packet files, in order of point and number.
    pub segments: Vec<Segment>,
    /// Host state.
    pub state: StateReader,
    /// Everything else.
    pub files: Files,
    /// Pings.
    pub pings: Vec<PingLog>,
    /// The file of each log of `pings`, as the user knows it.
    pub ping_files: Vec<String>,
    /// What each point took in, lost and wrote, second by second; empty for inputs that have none.
    pub ledger: Ledger,
    /// Segments that were removed to keep to the disk budget, by point.
    pub pruned: Vec<Pruned>,
    /// Files that the manifest names and that are not there, or only in part.
    pub missing: Missing,
    /// What a reader must know before trusting silence.
    pub remarks: Vec<String>,
    /// What was not read because there was too much of it: what and how many. Told in the reader's language.
    pub given_up: BTreeMap<&'static str, u64>,
}

/// What the manifest promises and the input does not hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Missing {
    /// Files and segments the manifest names.
    pub listed: usize,
    /// Those that are not there, or only in part, in order of path.
    pub paths: Vec<String>,
}

impl Missing {
    /// What is hit, in the user's words: the source of host state, the capture point, or the file itself.
    pub fn kinds(&self) -> BTreeSet<&str> {
        self.paths.iter().map(|path| layout::kind(path)).collect()
    }
}

/// One packet file.
#[derive(Debug, Clone)]
pub struct Segment {
    /// Index into [`Input::points`]; `None` in a bare capture, whose own interfaces are the points.
    pub point: Option<usize>,
    /// The file as the user knows it: its path in the bundle, or as given.
    pub name: String,
    /// What the manifest says about it.
    pub info: Option<SegmentInfo>,
    place: Place,
    /// Bytes it may unfold before it is judged by its ratio.
    free: u64,
}

/// Where bytes lie.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    /// A file.
    File(PathBuf),
    /// A part of a tar.
    Part { tar: Arc<Path>, offset: u64, length: u64 },
}

impl Place {
    pub(crate) fn open(&self) -> std::io::Result<Stream> {
        match self {
            Self::File(path) => Ok(Box::new(File::open(path)?)),
            Self::Part { tar, offset, length } => {
                let mut file = File::open(tar)?;
                file.seek(SeekFrom::Start(*offset))?;
                Ok(Box::new(file.take(*length)))
            }
        }
    }

    /// Bytes on disk.
    pub(crate) fn size(&self) -> u64 {
        match self {
            Self::File(path) => std::fs::metadata(path).map_or(0, |m| m.len()),
            Self::Part { length, .. } => *length,
        }
    }
}

impl Segment {
    fn new(point: Option<usize>, name: String, place: Place) -> Self {
        Self { point, name, info: None, place, free: decompress::FREE_BYTES }
    }

    /// The uncompressed stream.
    pub fn open(&self) -> Result<Stream> {
        let raw = self.place.open().map_err(BundleError::io("open", &self.name))?;
        decompress::open_within(raw, self.free).map_err(BundleError::io("read", &self.name))
    }

    /// The uncompressed stream, unfolded in a thread of its own: for a file that has cores to spare.
    pub fn open_ahead(&self) -> Result<Stream> {
        let raw = self.place.open().map_err(BundleError::io("open", &self.name))?;
        decompress::open_ahead(raw, self.free).map_err(BundleError::io("read", &self.name))
    }

    /// Bytes of the file as it lies on the disk, for progress.
    pub fn file_bytes(&self) -> u64 {
        self.place.size()
    }
}

impl Input {
    /// Opens an input of any kind.
    pub fn open(path: &Path) -> Result<Self> {
        let meta = std::fs::metadata(path).map_err(BundleError::io("open", path))?;
        if meta.is_dir() {
            let files = Files::directory(path)?;
            return if files.has(layout::RUN) || files.has(layout::MANIFEST) {
                Self::bundle(path, files)
            } else {
                legacy::open(path, files)
            };
        }
        if let Some(files) = Files::tar(path)? {
            return if files.has(layout::RUN) || files.has(layout::MANIFEST) {
                Self::bundle(path, files)
            } else {
                legacy::open(path, files)
            };
        }
        Self::capture(path)
    }

    fn capture(path: &Path) -> Result<Self> {
        let name = path.display().to_string();
        let segment = Segment::new(None, name.clone(), Place::File(path.to_owned()));
        let stream = segment.open()?;
        let known = crate::packets::PacketReader::open(stream).map_err(BundleError::io("read", path))?;
        if known.is_none() {
            return Err(BundleError::Unknown { path: path.to_owned() });
        }
        Ok(Self { segments: vec![segment], ..Self::empty(name, Kind::Capture, Files::default()) })
    }

    fn bundle(path: &Path, files: Files) -> Result<Self> {
        let name = path.display().to_string();
        let mut input = Self::empty(name.clone(), Kind::Bundle, files);
        input.remarks.append(&mut input.files.remarks());
        let mut manifest = input.json::<Manifest>(layout::MANIFEST);
        let info = match &manifest {
            Some(m) => Some(m.info.clone()),
            None => input.json::<RunInfo>(layout::RUN),
        };
        let Some(mut info) = info else {
            return Err(BundleError::Damaged {
                what: name,
                why: "neither manifest.json nor run.json can be read".into(),
            });
        };
        if info.schema > SCHEMA {
            let why = format!("written by a newer netcap (schema {}); use its netcap-analyze", info.schema);
            return Err(BundleError::Damaged { what: name, why });
        }
        if manifest.is_none() {
            input
                .remarks
                .push("the run was not sealed; `netcap seal DIR` closes what a crash left open".into());
        }
        let told = manifest.as_mut().map(|m| std::mem::take(&mut m.changes));
        input.changes = told.unwrap_or_else(|| changes::of(&input.files));
        if input.changes.len() >= changes::CHANGES_MAX {
            input.changes.truncate(changes::CHANGES_MAX);
            let most = changes::CHANGES_MAX;
            input.remarks.push(format!("more than {most} points joined or left: the rest was not read"));
        }
        changes::apply(&mut info, &input.changes);
        for (list, max, what) in
            [(info.points.len(), POINTS_MAX, "points"), (info.pings.len(), PINGS_MAX, "pings")]
        {
            if list > max {
                input.remarks.push(format!("more than {max} {what}: the rest was not read"));
            }
        }
        info.points.truncate(POINTS_MAX);
        info.pings.truncate(PINGS_MAX);
        input.points.clone_from(&info.points);
        input.info = Some(info);
        input.end = manifest.as_ref().map(|m| m.end.clone());
        input.remarks.extend(manifest.iter().flat_map(|m| m.remarks.iter().take(REMARKS_MAX).cloned()));
        if manifest.as_ref().is_some_and(|m| m.remarks.len() > REMARKS_MAX) {
            input
                .remarks
                .push(format!("more than {REMARKS_MAX} remarks of the recorder: the rest was left out"));
        }
        input.add_segments(manifest.as_ref());
        input.state = StateReader::read(|line| input.files.lines(layout::STATE_INDEX, line));
        input.add_pings();
        input.ledger = Ledger::read(&input.files);
        input.pruned = manifest.map(|m| m.pruned).unwrap_or_default();
        input.remark_thinned();
        Ok(input)
    }

    /// Segments are taken from the files that are there; the manifest only adds what it knows about them.
    fn add_segments(&mut self, manifest: Option<&Manifest>) {
        let listed = manifest.map(|m| m.segments.as_slice()).unwrap_or_default();
        let known: BTreeMap<_, _> =
            listed.iter().map(|info| (layout::segment(&info.point, info.number), info)).collect();
        let mut found = Vec::new();
        for (path, place) in self.files.under(layout::PACKETS) {
            let Some((point, number)) = layout::parse_segment(path) else { continue };
            if found.len() >= SEGMENTS_MAX {
                self.remarks.push(format!("more than {SEGMENTS_MAX} packet files: the rest was not read"));
                break;
            }
            found.push((point.to_owned(), number, path.to_owned(), place.clone()));
        }
        found.sort_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
        let mut indices: BTreeMap<String, usize> =
            self.points.iter().enumerate().rev().map(|(index, point)| (point.id.clone(), index)).collect();
        for (point, _, path, place) in found {
            let Some(index) = self.point_index(&mut indices, point) else { continue };
            let info = known.get(&path).map(|i| (*i).clone());
            self.segments.push(Segment { info, ..Segment::new(Some(index), path, place) });
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
            let remark = format!("more than {POINTS_MAX} points: packet files of the rest were not read");
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

    /// Many small files may unfold together what one may.
    fn share(&mut self) {
        let share = decompress::FREE_BYTES / (self.segments.len() as u64).max(1);
        for segment in &mut self.segments {
            segment.free = share.max(FREE_MIN);
        }
    }

    fn add_pings(&mut self) {
        let addresses = self.info.as_ref().map(|i| i.pings.clone()).unwrap_or_default();
        for address in &addresses {
            let path = layout::ping_lines(address);
            if self.files.has(&path) {
                let read = |line: &mut dyn FnMut(&str) -> bool| self.files.lines(&path, line);
                self.pings.push(PingLog::read_lines(address, addresses.len(), read));
                self.ping_files.push(path);
            }
        }
    }

    /// What was left out of the records of a run to keep to the memory there is.
    fn remark_thinned(&mut self) {
        self.give_up("folders", self.files.deep());
        self.give_up("ledgers", self.ledger.unread);
        self.give_up("ping-gaps", self.pings.iter().fold(0, |sum, log| sum.saturating_add(log.skipped)));
        for (log, file) in self.pings.iter().zip(&self.ping_files).filter(|(log, _)| log.thinned > 0) {
            let (all, kept) = (log.thinned, log.records.len());
            self.remarks.push(format!(
                "{file}: {all} records are more than fit in memory; {kept} were kept, the lost ones first, so that shares \
                 of lost pings are too high"
            ));
        }
        for ledger in self.ledger.points.iter().filter(|ledger| ledger.joined) {
            self.remarks.push(format!(
                "{}: so long that neighbouring lines were joined; sums are exact, times of losses may be coarser",
                layout::ledger(&ledger.point)
            ));
        }
        for file in self.files.unread() {
            self.remarks.push(format!("{file}: has more lines than are read; the rest was not looked at"));
        }
        if self.state.thinned > 0 {
            self.remarks.push(format!(
                "{}: {} rounds of host state did not fit in memory and were left out",
                layout::STATE_INDEX,
                self.state.thinned
            ));
        }
    }

    fn json<T: serde::de::DeserializeOwned>(&mut self, path: &str) -> Option<T> {
        let bytes = self.files.read_small(path)?;
        // Every value takes memory, however short it is written.
        if bytes.iter().filter(|b| matches!(b, b',' | b'[' | b'{')).count() > JSON_VALUES_MAX {
            self.remarks.push(format!("{path} cannot be read: more than {JSON_VALUES_MAX} values"));
            return None;
        }
        match serde_json::from_slice(&bytes) {
            Ok(value) => Some(value),
            Err(err) => {
                self.remarks.push(format!("{path} cannot be read: {err}"));
                None
            }
        }
    }

    fn empty(name: String, kind: Kind, files: Files) -> Self {
        Self {
            name,
            kind,
            info: None,
            end: None,
            points: Vec::new(),
            changes: Vec::new(),
            segments: Vec::new(),
            state: StateReader::default(),
            files,
            pings: Vec::new(),
            ping_files: Vec::new(),
            ledger: Ledger::default(),
            pruned: Vec::new(),
            missing: Missing::default(),
            remarks: Vec::new(),
            given_up: BTreeMap::new(),
        }
    }

    fn give_up(&mut self, what: &'static str, count: u64) {
        if count > 0 {
            self.given_up.insert(what, count);
        }
    }
}

#[cfg(test)]
mod tests;
