//! What a dead recorder left, as it lies there: readable by stock tools, without holes, up to the last second.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::UNIX_EPOCH;

use netcap_bundle::files::decompress;
use netcap_bundle::layout;
use netcap_bundle::packets::{Packet, PacketReader};
use netcap_bundle::run::SegmentInfo;
use netcap_tests::{files_below, said};

use super::traffic::{Traffic, parse};

/// The numbers of one point's frames that were found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Flow {
    /// First and last number; `None` when there is no frame.
    pub(crate) span: Option<(u64, u64)>,
    /// Frames.
    pub(crate) count: u64,
    /// Numbers that are missing between two that are there.
    pub(crate) holes: u64,
    /// Losses that the file tells of between them.
    pub(crate) stamped: u64,
    /// Numbers that came twice or went back.
    pub(crate) again: u64,
}

impl Flow {
    /// Takes in everything of one readable stream; gives its packets.
    fn read(&mut self, mut reader: PacketReader) -> u64 {
        while let Some(packet) = reader.next_packet() {
            self.take(&packet);
        }
        reader.packets()
    }

    /// Takes in one packet.
    pub(crate) fn take(&mut self, packet: &Packet<'_>) {
        self.stamped += packet.lost_before;
        if let Some((_, number)) = parse(packet.data) {
            self.add(number);
        }
    }

    fn add(&mut self, number: u64) {
        self.count += 1;
        self.span = match self.span {
            None => Some((number, number)),
            Some((first, last)) if number > last => {
                self.holes += number - last - 1;
                Some((first, number))
            }
            old => {
                self.again += 1;
                old
            }
        };
    }
}

/// What lies in a run's directory.
#[derive(Debug, Default)]
pub(crate) struct Lying {
    /// By point.
    pub(crate) flows: Vec<Flow>,
    /// Segments, and those of them that no index line speaks of.
    pub(crate) segments: usize,
    /// See `segments`.
    pub(crate) cut: usize,
    /// When the first segment of each point that is still there was made, if it is the first of all.
    born: Vec<Option<i64>>,
    /// Packets of closed segments that were removed to keep to the budget: any at all.
    pub(crate) pruned: bool,
}

/// Reads every segment with stock tools and then with our reader, which must agree.
///
/// # Panics
/// When anything is unreadable, torn, twice there or missing in the middle.
pub(crate) fn lying(dir: &Path, points: usize) -> Lying {
    let mut found = Lying { flows: vec![Flow::default(); points], ..Lying::default() };
    found.born = born(dir, points);
    let unfolded = tempfile::tempdir_in("/dev/shm").expect("memory for what is unfolded");
    let mut plain: Vec<(PathBuf, u64)> = Vec::new();
    for point in 0..points {
        let folder = dir.join(layout::point_dir(&format!("cap{point}")));
        let closed = index(&dir.join(layout::segment_index(&format!("cap{point}"))));
        found.pruned |=
            closed.iter().any(|info| !dir.join(layout::segment(&info.point, info.number)).exists());
        for path in files_below(&folder, layout::SEGMENT_END) {
            let name = path.strip_prefix(dir).unwrap().display().to_string();
            let (_, number) = layout::parse_segment(&name).expect("a segment");
            let size = path.metadata().unwrap().len();
            let whole = closed.iter().any(|info| info.number == number && info.file_bytes == size);
            found.segments += 1;
            found.cut += usize::from(!whole);
            let packets =
                match PacketReader::open(decompress::open(Box::new(File::open(&path).unwrap())).unwrap()) {
                    Ok(Some(reader)) => found.flows[point].read(reader),
                    // Not a byte had been flushed.
                    _ => 0,
                };
            let there = unfolded.path().join(format!("{point}-{number}.pcapng"));
            if unfold(&path, &there, whole) > 0 {
                plain.push((there, packets));
            } else {
                assert_eq!(packets, 0, "{}: stock zstd gives nothing", path.display());
            }
        }
        let flow = &found.flows[point];
        assert!(
            flow.again == 0 && flow.holes <= flow.stamped,
            "point {point} of {}: {flow:?}",
            dir.display()
        );
    }
    capinfos(&plain);
    found
}

/// When the first segment of each point was made, if it is still there.
pub(crate) fn born(dir: &Path, points: usize) -> Vec<Option<i64>> {
    let of = |point| {
        let meta = fs::metadata(dir.join(layout::segment(&format!("cap{point}"), 1))).ok()?;
        let born = meta.created().expect("the file system knows when");
        i64::try_from(born.duration_since(UNIX_EPOCH).unwrap().as_nanos()).ok()
    };
    (0..points).map(of).collect()
}

/// The lines of a point's index that are whole.
fn index(path: &Path) -> Vec<SegmentInfo> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// What stock zstd makes of a segment: a whole one without complaint, a cut one as far as it goes. Gives the bytes.
fn unfold(path: &Path, there: &Path, whole: bool) -> u64 {
    let mut zstd = Command::new("zstd");
    zstd.arg("-dcq").arg(path).stdout(File::create(there).unwrap()).stderr(Stdio::piped());
    let output = zstd.output().expect("zstd is installed");
    assert!(output.status.success() || !whole, "{}: {}", path.display(), said(&output));
    there.metadata().unwrap().len()
}

/// capinfos counts in each file what our reader counted.
fn capinfos(files: &[(PathBuf, u64)]) {
    if files.is_empty() {
        return;
    }
    // Tab-separated, without a head, exact numbers; also after a file that is cut in the middle of a packet.
    let mut command = Command::new("capinfos");
    let output = command.args(["-TrMc"]).args(files.iter().map(|(path, _)| path)).output();
    let output: Output = output.expect("capinfos is installed");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let counted: BTreeSet<(&str, &str)> = text.lines().filter_map(|line| line.split_once('\t')).collect();
    for (path, packets) in files {
        let (path, packets) = (path.display().to_string(), packets.to_string());
        let so = counted.contains(&(path.as_str(), packets.as_str()));
        assert!(so, "{path}: we read {packets}\n{}", said(&output));
    }
}

impl Lying {
    /// Nothing lies there although these were made.
    pub(crate) fn nothing(born: Vec<Option<i64>>) -> Self {
        Self { flows: vec![Flow::default(); born.len()], born, ..Self::default() }
    }

    /// Points of which nothing is there were begun then all the same.
    pub(crate) fn begun(&mut self, born: &[Option<i64>]) {
        for (mine, live) in self.born.iter_mut().zip(born) {
            *mine = mine.or(*live);
        }
    }

    /// How long before `when` the oldest frame was sent that is not there, in nanoseconds, at the worst point; 0 when
    /// nothing is missing, or nothing was being recorded yet.
    pub(crate) fn missing_ns(&self, traffic: &Traffic, when: i64) -> i64 {
        let of = |(point, flow): (usize, &Flow)| {
            let sent = traffic.sent(point);
            let first = match (flow.span, self.born[point]) {
                (Some((_, last)), _) => usize::try_from(last).unwrap() + 1,
                (None, Some(born)) => sent.partition_point(|at| *at < born),
                (None, None) => return 0,
            };
            sent.get(first).map_or(0, |at| (when - at).max(0))
        };
        self.flows.iter().enumerate().map(of).max().unwrap_or(0)
    }

    /// The first frame sent after a point's first segment was made is there: recording begins when it says so.
    pub(crate) fn begins_at_once(&self, traffic: &Traffic) {
        for (point, (flow, born)) in self.flows.iter().zip(&self.born).enumerate() {
            let (Some((first, _)), Some(born)) = (flow.span, born) else { continue };
            let sent = traffic.sent(point);
            let due = sent.partition_point(|at| at < born) as u64;
            assert!(
                first <= due,
                "point {point} begins at {first}, {due} was sent after its segment was made"
            );
        }
    }
}
