//! The pass itself.

use std::sync::Arc;

use netcap_bundle::Nanos;
use netcap_bundle::input::{Input, Segment};
use netcap_bundle::packets::{Interface, PacketReader, Tail};

use super::decode::decode;
use super::fold::Fold;
use super::line::in_order;
use super::points::{PointId, Points, Scene};
use super::progress::Progress;
use super::view::{FrameRef, PacketView};

/// Packets between two signs of progress.
const PROGRESS_EVERY: u64 = 65_536;

/// What one file held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileStats {
    /// Name as the user knows it.
    pub name: String,
    /// Packets read.
    pub packets: u64,
    /// Their bytes on the wire.
    pub wire_bytes: u64,
    /// Earliest and latest stamp.
    pub span: Option<(Nanos, Nanos)>,
    /// How the file ended; `None` when it could not be opened.
    pub tail: Option<Tail>,
    /// Why it could not be read.
    pub error: Option<String>,
}

/// What a pass gives.
#[derive(Debug)]
pub struct Outcome<F> {
    /// The merged fold.
    pub fold: F,
    /// Every point.
    pub points: Points,
    /// Every file, in the input's order.
    pub files: Vec<FileStats>,
}

struct Part<F> {
    fold: F,
    file: FileStats,
    interfaces: Vec<(PointId, usize, Interface)>,
}

/// Reads every segment of the input, on the current rayon pool.
pub fn run<F: Fold>(input: &Input, scene: &Arc<Scene>, progress: &Progress) -> Outcome<F> {
    progress.expect_files(input.segments.len());
    let mut points = Points::new(scene);
    let mut files = Vec::with_capacity(input.segments.len());
    let jobs = jobs(&input.segments);
    let mut whole: Option<F> = None;
    in_order(
        &jobs,
        |job| read(job, scene, progress),
        |part| {
            match &mut whole {
                Some(fold) => fold.merge(part.fold),
                None => whole = Some(part.fold),
            }
            files.push(part.file);
            for (id, number, interface) in &part.interfaces {
                points.add(*id, *number, interface, scene);
            }
        },
    );
    Outcome { fold: whole.unwrap_or_else(|| F::start(scene)), points, files }
}

/// One segment with its number and, for files without a point, its number among these.
struct Job<'a> {
    segment: &'a Segment,
    file: u32,
    lonely: u32,
    /// Unfold it in a thread of its own: there are cores that no other segment needs.
    ahead: bool,
}

fn jobs(segments: &[Segment]) -> Vec<Job<'_>> {
    let mut lonely = 0u32;
    let ahead = segments.len() < rayon::current_num_threads();
    (0u32..)
        .zip(segments)
        .map(|(file, segment)| {
            let job = Job { segment, file, lonely, ahead };
            lonely = lonely.saturating_add(u32::from(segment.point.is_none()));
            job
        })
        .collect()
}

fn read<F: Fold>(job: &Job<'_>, scene: &Arc<Scene>, progress: &Progress) -> Part<F> {
    let mut fold = F::start(scene);
    let mut file = FileStats {
        name: job.segment.name.clone(),
        packets: 0,
        wire_bytes: 0,
        span: None,
        tail: None,
        error: None,
    };
    let mut interfaces = Vec::new();
    let stream = if job.ahead { job.segment.open_ahead() } else { job.segment.open() };
    match stream.map_err(|e| e.to_string()).and_then(|stream| {
        PacketReader::open(stream)
            .map_err(|e| e.to_string())?
            .ok_or_else(|| "not a pcap or pcapng file".to_owned())
    }) {
        Ok(mut reader) => {
            packets(&mut reader, job, scene, progress, &mut fold, &mut file);
            file.tail = reader.tail().cloned();
            for (number, interface) in (0u32..).zip(reader.interfaces()) {
                let id = scene.point(job.segment.point, job.lonely, number);
                interfaces.push((id, number as usize, interface.clone()));
            }
        }
        Err(why) => file.error = Some(why),
    }
    progress.file_done();
    Part { fold, file, interfaces }
}

fn packets<F: Fold>(
    reader: &mut PacketReader,
    job: &Job<'_>,
    scene: &Scene,
    progress: &Progress,
    fold: &mut F,
    file: &mut FileStats,
) {
    let mut untold = 0;
    while let Some(packet) = reader.next_packet() {
        let point = scene.point(job.segment.point, job.lonely, packet.interface);
        file.packets += 1;
        file.wire_bytes += u64::from(packet.wire_len);
        let (first, last) = file.span.unwrap_or((packet.at, packet.at));
        file.span = Some((first.min(packet.at), last.max(packet.at)));
        let decoded = decode(packet.link, packet.data);
        let mut vlan = decoded.tags;
        if vlan.is_untagged() {
            vlan.outer = scene.access_vlan(point);
        }
        fold.packet(&PacketView {
            at: packet.at,
            frame: FrameRef { file: job.file, number: packet.number },
            point,
            domain: scene.domain(point),
            direction: packet.direction,
            lost_before: packet.lost_before,
            wire_len: packet.wire_len,
            bytes: packet.data,
            eth: decoded.eth,
            ethertype: decoded.ethertype,
            vlan,
            net: decoded.net,
        });
        untold += 1;
        if untold == PROGRESS_EVERY {
            progress.add_packets(untold);
            untold = 0;
        }
    }
    progress.add_packets(untold);
}
