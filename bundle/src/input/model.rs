//! What an opened input is.

use std::collections::{BTreeMap, BTreeSet};

use crate::files::{Files, Place, Stream, decompress};
use crate::input::listports::Listing;
use crate::input::ping::PingLog;
use crate::input::remark::Remark;
use crate::ledger::Ledger;
use crate::run::{Change, End, Point, Pruned, RunInfo, SegmentInfo, layout};
use crate::state::StateReader;
use crate::{BundleError, Op, Result};

/// Packet files read of one input: a week of minutes at six points.
pub(super) const SEGMENTS_MAX: usize = 65_536;
/// Points of one input: all ports of a large host.
pub(super) const POINTS_MAX: usize = 4_096;
/// Addresses pinged in one run.
pub(super) const PINGS_MAX: usize = 256;
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
    /// Who made it, and so what may be missing in it.
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
    /// The ports that the old script listed; nothing in a bundle, whose state says more.
    pub listing: Listing,
    /// What came back, by pinged address.
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
    pub remarks: Vec<Remark>,
    /// What was not read because there was too much of it: what and how many. Told in the reader's language.
    pub given_up: BTreeMap<Unread, u64>,
}

/// What of an input is not read when there is too much of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unread {
    /// Folders that lie deeper than is looked.
    Folders,
    /// Ledgers of further points.
    Ledgers,
    /// The rest of a listing of ports.
    Listing,
    /// Numbers of pings that a log leaves out.
    PingGaps,
    /// Runs in a directory.
    Runs,
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

impl Segment {
    pub(super) fn new(point: Option<usize>, name: String, place: Place) -> Self {
        Self { point, name, info: None, place, free: decompress::FREE_BYTES }
    }

    /// The uncompressed stream.
    pub fn open(&self) -> Result<Stream> {
        let raw = self.place.open().map_err(BundleError::io(Op::Open, &self.name))?;
        decompress::open_within(raw, self.free).map_err(BundleError::io(Op::Read, &self.name))
    }

    /// The uncompressed stream, unfolded in a thread of its own: for a file that has cores to spare.
    pub fn open_ahead(&self) -> Result<Stream> {
        let raw = self.place.open().map_err(BundleError::io(Op::Open, &self.name))?;
        decompress::open_ahead(raw, self.free).map_err(BundleError::io(Op::Read, &self.name))
    }

    /// Bytes of the file as it lies on the disk, for progress.
    pub fn file_bytes(&self) -> u64 {
        self.place.size()
    }
}

impl Input {
    pub(super) fn empty(name: String, kind: Kind, files: Files) -> Self {
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
            listing: Listing::default(),
            pings: Vec::new(),
            ping_files: Vec::new(),
            ledger: Ledger::default(),
            pruned: Vec::new(),
            missing: Missing::default(),
            remarks: Vec::new(),
            given_up: BTreeMap::new(),
        }
    }

    pub(super) fn give_up(&mut self, what: Unread, count: u64) {
        if count > 0 {
            self.given_up.insert(what, count);
        }
    }

    /// Many small files may unfold together what one may.
    pub(super) fn share(&mut self) {
        let share = decompress::FREE_BYTES / (self.segments.len() as u64).max(1);
        for segment in &mut self.segments {
            segment.free = share.max(FREE_MIN);
        }
    }

    /// What was left out of the records of a run to keep to the memory there is.
    pub(super) fn remark_thinned(&mut self) {
        self.give_up(Unread::Folders, self.files.deep());
        self.give_up(Unread::Ledgers, self.ledger.unread);
        self.give_up(Unread::PingGaps, self.pings.iter().fold(0, |sum, log| sum.saturating_add(log.skipped)));
        for (log, file) in self.pings.iter().zip(&self.ping_files).filter(|(log, _)| log.thinned > 0) {
            let (all, kept) = (log.thinned, log.records.len());
            self.remarks.push(Remark::ThinnedPings { file: file.clone(), all, kept });
        }
        for ledger in self.ledger.points.iter().filter(|ledger| ledger.joined) {
            self.remarks.push(Remark::JoinedLedger { file: layout::ledger(&ledger.point) });
        }
        for file in self.files.unread() {
            self.remarks.push(Remark::TooManyLines { file });
        }
        if self.state.thinned > 0 {
            self.remarks.push(Remark::ThinnedState { rounds: self.state.thinned });
        }
    }
}
