//! What a run says about itself: at its start ([`RunInfo`]) and when it is sealed ([`Manifest`]).

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::changes::ChangeKind;
use super::shed::Shed;
use crate::run::Change;
use crate::{Nanos, Point};

/// Version of the manifest's shape. Readers refuse a larger one with a sentence.
pub const SCHEMA: u32 = 1;

/// What is known when a run starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunInfo {
    /// [`SCHEMA`] of the recorder.
    pub schema: u32,
    /// `netcap 0.1.0`.
    pub tool: String,
    /// `HOST-STAMP`.
    pub run: String,
    /// Host name.
    pub host: String,
    /// Kernel release.
    #[serde(default)]
    pub kernel: String,
    /// Boot id: two runs of one boot share one monotonic clock.
    #[serde(default)]
    pub boot_id: String,
    /// The command line.
    #[serde(default)]
    pub options: Vec<String>,
    /// Seconds east of Greenwich on the recording host; reports are printed in this zone.
    #[serde(default)]
    pub utc_offset_s: i32,
    /// When the run started.
    pub started: Clock,
    /// What was recorded.
    pub points: Vec<Point>,
    /// Addresses that were pinged during the run.
    #[serde(default)]
    pub pings: Vec<String>,
    /// Where Open vSwitch was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ovs_rundir: Option<String>,
    /// What the recorder could still do to the host while it recorded; absent when it did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sandbox: Option<Sandbox>,
}

/// What the recorder could still do to the host, as the kernel confirmed it: `/proc/self/status` (proc(5)).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sandbox {
    /// False after `--no-sandbox`: then nothing below was tried.
    pub on: bool,
    /// The user it ran as.
    pub user: String,
    /// The capabilities it kept.
    pub capabilities: Vec<String>,
    /// Version of the kernel's Landlock interface that keeps its hands off files; absent where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub landlock_abi: Option<u32>,
    /// True when it had a root of its own, in which there is nothing but its results and what it reads.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub own_root: bool,
    /// True when its system calls were filtered.
    pub seccomp: bool,
    /// Layers that this kernel or host did not give, each with the reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
}

/// The host's clocks read together, so that a stepped wall clock can be told from lost time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Clock {
    /// `CLOCK_REALTIME`, nanoseconds since the epoch.
    pub realtime: Nanos,
    /// `CLOCK_MONOTONIC`, nanoseconds.
    pub monotonic_ns: i64,
}

/// A sealed run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// What was known at the start.
    #[serde(flatten)]
    pub info: RunInfo,
    /// When it ended; absent when the end was never reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Clock>,
    /// Why it ended.
    pub end: End,
    /// What became of the points meanwhile; those that joined are among `points` too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
    /// What each point counted.
    #[serde(default)]
    pub counts: Vec<PointCounts>,
    /// Every segment, in order of point and number.
    #[serde(default)]
    pub segments: Vec<SegmentInfo>,
    /// Segments that were removed again to keep to the disk budget, by point; points that lost none are left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pruned: Vec<Pruned>,
    /// What points gave up to spare the host or to keep up; those that gave up nothing are left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shed: Vec<Shed>,
    /// What the recording took of the host, until it was sealed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<Cost>,
    /// Every other file.
    #[serde(default)]
    pub files: Vec<FileInfo>,
    /// What a reader must know before trusting silence: what was lost, cut, repaired or not recorded.
    #[serde(default)]
    pub remarks: Vec<String>,
}

/// What a recording took of the host: the recorder, its privileged helper, and the commands they ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Cost {
    /// Milliseconds of wall clock it is about.
    pub wall_ms: u64,
    /// Processor time of the recorder in user mode, in milliseconds.
    pub user_ms: u64,
    /// Processor time of the recorder in the kernel, in milliseconds.
    pub system_ms: u64,
    /// Processor time of commands that it ran, both modes, in milliseconds.
    pub children_ms: u64,
    /// Greatest resident memory in bytes, rings included (`ru_maxrss`), and the helper's own at its greatest. Commands
    /// that ran for a moment are not in it.
    pub rss_max: u64,
    /// Bytes written to the run's files, removed segments included.
    pub written: u64,
    /// Times a thread of the recorder waited or was made to wait (`ru_nvcsw` + `ru_nivcsw`).
    pub switches: u64,
}

/// Why a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "reason")]
pub enum End {
    /// The duration asked for had passed.
    Duration,
    /// Somebody stopped it.
    Stopped {
        /// `SIGINT`, `SIGTERM`.
        by: String,
    },
    /// Recording could not go on.
    Failed {
        /// The reason.
        why: String,
    },
    /// It was killed; sealed afterwards from what was on the disk.
    Recovered,
}

/// Sums over all segments of one point.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PointCounts {
    /// The point's id.
    pub point: String,
    /// Packets that passed the filter, as the kernel counted them for the socket (written + dropped).
    pub received: u64,
    /// Packets written.
    pub written: u64,
    /// Packets the kernel dropped because the ring was full.
    pub dropped: u64,
    /// Packets taken from the ring and not recorded, because the point was shed to spare the host.
    #[serde(default, skip_serializing_if = "super::zero::is_zero")]
    pub shed: u64,
    /// Bytes on the wire of the packets written.
    pub wire_bytes: u64,
    /// Packets that crossed the interface and that the filter did not want, as the ledger tells
    /// (`crate::ledger::PointSpan::filtered`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filtered: Option<u64>,
}

/// What is known of a closed segment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentInfo {
    /// The point's id.
    pub point: String,
    /// Counted from 1.
    pub number: u32,
    /// Packets written.
    pub packets: u64,
    /// Bytes on the wire of these packets.
    pub wire_bytes: u64,
    /// Compressed, as it lies on the disk.
    pub file_bytes: u64,
    /// First and last packet stamp; absent when there is no packet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<Nanos>,
    /// See `first`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Nanos>,
    /// When the segment was opened: from here on silence means silence.
    #[serde(default)]
    pub opened: Nanos,
    /// When it was closed.
    #[serde(default)]
    pub closed: Nanos,
    /// Packets the kernel counted for the socket while the segment was open.
    pub received: u64,
    /// Packets the kernel dropped while the segment was open.
    pub dropped: u64,
    /// Packets taken from the ring and not recorded while it was open.
    #[serde(default, skip_serializing_if = "super::zero::is_zero")]
    pub shed: u64,
    /// BLAKE3 of the file, hex.
    pub blake3: String,
    /// True when the segment was cut by a crash and closed again by `netcap seal`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub repaired: bool,
    /// True when it was cut by a crash and there was no room to close it: what it holds can be read as far as it goes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
}

/// Segments of one point that were removed to keep to the disk budget: sums of what was in them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pruned {
    /// The point's id.
    pub point: String,
    /// How many.
    pub segments: u64,
    /// Packets in them.
    pub packets: u64,
    /// Bytes on the wire of these packets.
    pub wire_bytes: u64,
    /// Packets the kernel counted while they were open.
    pub received: u64,
    /// Packets the kernel dropped while they were open.
    pub dropped: u64,
    /// Packets taken from the ring and not recorded while they were open.
    #[serde(default, skip_serializing_if = "super::zero::is_zero")]
    pub shed: u64,
    /// When the first of them was opened.
    pub from: Nanos,
    /// When the last of them was closed: before this time silence means nothing.
    pub until: Nanos,
}

impl Pruned {
    /// Counts one more segment that went.
    pub fn add(&mut self, info: &SegmentInfo) {
        self.merge(&Self {
            point: info.point.clone(),
            segments: 1,
            packets: info.packets,
            wire_bytes: info.wire_bytes,
            received: info.received,
            dropped: info.dropped,
            shed: info.shed,
            from: info.opened,
            until: info.closed,
        });
    }

    /// Adds others.
    pub fn merge(&mut self, other: &Self) {
        let first = self.segments == 0;
        self.from = if first { other.from } else { self.from.min(other.from) };
        self.until = if first { other.until } else { self.until.max(other.until) };
        self.segments = self.segments.saturating_add(other.segments);
        self.packets = self.packets.saturating_add(other.packets);
        self.wire_bytes = self.wire_bytes.saturating_add(other.wire_bytes);
        self.received = self.received.saturating_add(other.received);
        self.dropped = self.dropped.saturating_add(other.dropped);
        self.shed = self.shed.saturating_add(other.shed);
    }
}

/// One file that is not a segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileInfo {
    /// Path in the bundle.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// BLAKE3, hex.
    pub blake3: String,
}

impl RunInfo {
    /// Adds the points that joined to those of the start; twice is once.
    pub fn add_joined(&mut self, changes: &[Change]) {
        let mut known: BTreeSet<String> = self.points.iter().map(|p| p.id.clone()).collect();
        for change in changes {
            if let ChangeKind::Joined { point } = &change.what
                && known.insert(point.id.clone())
            {
                self.points.push((**point).clone());
            }
        }
    }
}

impl Manifest {
    /// Sums the segments by point, in the order of `info.points`.
    pub fn sum_counts(&mut self) {
        self.counts = self
            .info
            .points
            .iter()
            .map(|point| {
                let mut sum = PointCounts { point: point.id.clone(), ..PointCounts::default() };
                for seg in self.segments.iter().filter(|s| s.point == point.id) {
                    sum.received = sum.received.saturating_add(seg.received);
                    sum.written = sum.written.saturating_add(seg.packets);
                    sum.dropped = sum.dropped.saturating_add(seg.dropped);
                    sum.shed = sum.shed.saturating_add(seg.shed);
                    sum.wire_bytes = sum.wire_bytes.saturating_add(seg.wire_bytes);
                }
                sum
            })
            .collect();
    }
}
