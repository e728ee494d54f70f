//! The pass itself.

use std::sync::{Arc, Mutex, PoisonError};

use netcap_bundle::Nanos;
use netcap_bundle::input::{Input, Segment};
use netcap_bundle::packets::{Batch, Interface, Packet, PacketReader, Tail, Version};

use super::decode::{Decoded, decode};
use super::fold::Fold;
use super::ids::PointId;
use super::line::{ALIVE_MAX, in_order};
use super::points::{FoldContext, Points};
use super::progress::Progress;
use super::view::{FrameRef, PacketView};

/// Packets between two signs of progress.
const PROGRESS_EVERY: u64 = 65_536;

/// Batches of a lonely file between reading and folding: some 256 KiB of packets each, and twice that of what they say.
const BATCHES_MAX: usize = 4;

/// What one file held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileStats {
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
    /// Packets without a stamp of their own.
    pub timeless: u64,
    /// A version of its format that is not known.
    pub strange: Option<Version>,
    /// Why it could not be read.
    pub error: Option<String>,
}

/// What a pass gives.
#[derive(Debug)]
pub(crate) struct Outcome<F> {
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
    interfaces: Vec<FileInterface>,
}

/// An interface that a file describes.
struct FileInterface {
    point: PointId,
    /// Its number in the file.
    number: usize,
    interface: Interface,
}

/// Reads every segment of the input, on the current rayon pool.
pub(crate) fn run<F: Fold>(input: &Input, context: &Arc<FoldContext>, progress: &Progress) -> Outcome<F> {
    progress.expect_files(input.segments.len());
    let mut points = Points::new(context);
    let mut files = Vec::with_capacity(input.segments.len());
    let jobs = jobs(&input.segments);
    let mut whole: Option<F> = None;
    let mut take = |part: Part<F>| {
        match &mut whole {
            Some(fold) => fold.merge(part.fold),
            None => whole = Some(part.fold),
        }
        files.push(part.file);
        for FileInterface { point, number, interface } in &part.interfaces {
            points.add(*point, *number, interface, context);
        }
    };
    match jobs.as_slice() {
        [job] => take(read(job, context, progress, side_by_side)),
        jobs => in_order(ALIVE_MAX, jobs.iter(), |job| read(job, context, progress, one_by_one), take),
    }
    Outcome { fold: whole.unwrap_or_else(|| F::start(context)), points, files }
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

fn read<F: Fold>(
    job: &Job<'_>,
    context: &Arc<FoldContext>,
    progress: &Progress,
    packets: impl FnOnce(&mut PacketReader, &mut Pass<'_, F>),
) -> Part<F> {
    let mut fold = F::start(context);
    let mut file = FileStats {
        name: job.segment.name.clone(),
        packets: 0,
        wire_bytes: 0,
        span: None,
        tail: None,
        timeless: 0,
        strange: None,
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
            let mut pass = Pass { job, context, progress, fold: &mut fold, file: &mut file, unreported: 0 };
            packets(&mut reader, &mut pass);
            progress.add_packets(pass.unreported);
            file.tail = reader.tail().cloned();
            (file.timeless, file.strange) = (reader.timeless(), reader.strange_version());
            for (number, interface) in (0u32..).zip(reader.interfaces()) {
                let id = context.point(job.segment.point, job.lonely, reader.alike(number));
                let (number, interface) = (number as usize, interface.clone());
                interfaces.push(FileInterface { point: id, number, interface });
            }
        }
        Err(why) => file.error = Some(why),
    }
    progress.file_done();
    Part { fold, file, interfaces }
}

/// What the packets of one file go into.
struct Pass<'a, F> {
    job: &'a Job<'a>,
    context: &'a FoldContext,
    progress: &'a Progress,
    fold: &'a mut F,
    file: &'a mut FileStats,
    /// Packets since the last sign of progress.
    unreported: u64,
}

/// Reads and decodes in this thread; other files have other threads.
fn one_by_one<F: Fold>(reader: &mut PacketReader, pass: &mut Pass<'_, F>) {
    while let Some(packet) = reader.next_packet() {
        pass.packet(&packet, &decode(packet.link, packet.data));
    }
}

/// A lonely file: whoever is free reads on, decodes what was read, or folds what is decoded, each in the order of the file.
fn side_by_side<F: Fold>(reader: &mut PacketReader, pass: &mut Pass<'_, F>) {
    let used = Mutex::new(Vec::new());
    let spare = || used.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default();
    in_order(
        BATCHES_MAX,
        std::iter::from_fn(|| {
            let (batch, decoded): (Batch, Vec<Decoded>) = spare();
            Some((reader.next_batch(batch)?, decoded))
        }),
        |(batch, mut decoded)| {
            decoded.clear();
            decoded.extend(batch.packets().map(|packet| decode(packet.link, packet.data)));
            (batch, decoded)
        },
        |(batch, decoded)| {
            for (packet, decoded) in batch.packets().zip(&decoded) {
                pass.packet(&packet, decoded);
            }
            used.lock().unwrap_or_else(PoisonError::into_inner).push((batch, decoded));
        },
    );
}

impl<F: Fold> Pass<'_, F> {
    fn packet(&mut self, packet: &Packet<'_>, decoded: &Decoded) {
        let point = self.context.point(self.job.segment.point, self.job.lonely, packet.interface);
        self.file.packets += 1;
        self.file.wire_bytes += u64::from(packet.wire_len);
        let (first, last) = self.file.span.unwrap_or((packet.at, packet.at));
        self.file.span = Some((first.min(packet.at), last.max(packet.at)));
        let mut vlan = decoded.tags;
        if vlan.is_untagged() {
            vlan.outer = self.context.access_vlan(point);
        }
        let direction = self.context.sides.direction(point, packet.direction, decoded.eth);
        self.fold.packet(&PacketView {
            at: packet.at,
            frame: FrameRef { file: self.job.file, number: packet.number },
            point,
            domain: self.context.domain_of(point, packet.link, packet.data),
            direction,
            lost_before: packet.lost_before,
            wire_len: packet.wire_len,
            link: packet.link,
            bytes: packet.data,
            eth: decoded.eth,
            ethertype: decoded.ethertype,
            vlan,
            net: decoded.net,
            copy: self.context.copies.of(point, direction, packet.at, decoded.eth, vlan),
        });
        self.unreported += 1;
        if self.unreported == PROGRESS_EVERY {
            self.progress.add_packets(self.unreported);
            self.unreported = 0;
        }
    }
}
