//! One packet seen at several points is one journey: what was seen where, matched by what does not change on the way.
//!
//! The fold keeps a sighting of 48 octets for each packet that is followed. Which packets are followed is decided by a
//! hash of what they carry, so that the same ones are followed at every point, whatever their number: when a table is
//! full, half of what is in it goes, and the share that is followed is said. The result does not depend on the order in
//! which segments are read, and absence of a followed packet is an absence.

pub mod clock;
mod hop;
mod intervals;
mod matching;
mod ranges;
mod singles;
pub mod stop;
mod summary;
pub mod table;
mod tally;
mod translated;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use netcap_bundle::Nanos;
use netcap_bundle::packets::Direction;

use crate::engine::follow::{SIGHTINGS_MAX, is_chosen};
use crate::engine::identity::{self, Carried, Identity, Tuple, mix};
use crate::engine::points::Scene;
use crate::engine::{Eth, Fold, FrameRef, Net, PacketView, PointId};

pub use clock::Clocks;
pub use stop::{Side, Stop};
pub use table::{Counts, HopStats, HopsTable, Lost, PairHop, PairKey};

/// Sequence numbers of a flow are chosen by blocks of this many (a power of two), so that a super-segment and the
/// segments made of it are chosen alike.
const BLOCK_BITS: u32 = 18;
/// Example frames kept, of one segment and in all.
const SAMPLES_SEGMENT_MAX: usize = 4_096;
const SAMPLES_MAX: usize = 32_768;
/// Octets of an example frame: the headers a filter asks for.
const SAMPLE_BYTES: usize = 128;
/// Flows remembered as having their example already.
const RECENT: usize = 256;

/// The frame goes to a group: it leaves a switch at many ports or at none, rightly.
pub(crate) const GROUP: u8 = 1;
/// First octet of a connection.
pub(crate) const OPENS: u8 = 2;
/// The second part of a packet that reaches over the end of a block.
pub(crate) const REST: u8 = 4;
/// Fragments follow: further points may see other fragments.
pub(crate) const FRAGMENT: u8 = 8;
/// A copy of the packet before.
pub(crate) const COPY: u8 = 16;
/// Came back from the network behind an uplink.
pub(crate) const REFLECTED: u8 = 32;
/// It left by the interface.
const OUT: u8 = 64;
/// Comes later than others of one stamp.
const LATE: u8 = 128;
/// Content of a range that may be a keep-alive; that of others is 0.
pub(crate) const PROBE: u64 = 1;

/// One packet at one stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sighting {
    /// Hash of its flow, before translation.
    pub flow: u64,
    /// Hash of its content; 0 or [`PROBE`] for a range of TCP.
    pub content: u64,
    /// First sequence number of a range.
    pub seq: u32,
    /// Length of a range, 0 for all else.
    pub len: u32,
    pub at: Nanos,
    pub file: u32,
    pub number: u32,
    point: u32,
    pub ident: u16,
    /// Time to live: the same packet has less of it behind a router.
    pub ttl: u8,
    pub flags: u8,
}

impl Sighting {
    pub(crate) fn stop(&self) -> Stop {
        let direction = if self.flags & OUT == 0 { Direction::In } else { Direction::Out };
        Stop { point: PointId(self.point), direction }
    }

    pub(crate) fn frame(&self) -> FrameRef {
        FrameRef { file: self.file, number: u64::from(self.number) }
    }

    pub(crate) fn is_range(&self) -> bool {
        self.len > 0
    }

    /// What tells a packet whatever its addresses are: its content, or the first of its sequence numbers, which a
    /// super-segment and the first segment made of it share.
    fn mark(&self) -> u64 {
        if self.is_range() { mix(u64::from(self.seq), 11) } else { self.content }
    }

    /// In order of time; of one stamp in the order of the way.
    pub(crate) fn order(&self) -> (Nanos, u8, u32, u32, u8) {
        (self.at, self.flags & LATE, self.file, self.number, self.flags & REST)
    }

    /// By which it is chosen.
    fn choice(&self) -> u64 {
        if self.is_range() { block_hash(self.seq) } else { self.content }
    }
}

/// A range, cut at the ends of blocks: first number and length of each part.
fn blocks(mut seq: u32, mut left: u32) -> impl Iterator<Item = (u32, u32)> {
    std::iter::from_fn(move || {
        let len = left.min((1u32 << BLOCK_BITS) - (seq & ((1 << BLOCK_BITS) - 1)));
        let part = (len > 0).then_some((seq, len));
        seq = seq.wrapping_add(len);
        left -= len;
        part
    })
}

fn block_hash(seq: u32) -> u64 {
    mix(u64::from(seq >> BLOCK_BITS), 7)
}

/// A packet of a flow at a stop, as an example.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// The flow, before translation.
    pub tuple: Tuple,
    /// The first octets of the frame.
    pub bytes: Box<[u8]>,
    /// Octets on the wire.
    pub wire_len: u32,
    /// Addresses.
    pub eth: Eth,
}

/// The fold.
#[derive(Debug)]
pub struct HopsFold {
    scene: Arc<Scene>,
    shift: u32,
    sightings: Vec<Sighting>,
    samples: HashMap<(u64, Stop), Sample>,
    recent: Box<[u64; RECENT]>,
    /// Packets without a direction, which cannot be followed.
    undirected: u64,
    /// Frames that were not kept as examples.
    unsampled: u64,
}

impl Fold for HopsFold {
    fn start(scene: &Arc<Scene>) -> Self {
        Self {
            scene: Arc::clone(scene),
            shift: scene.follow.shift,
            sightings: Vec::new(),
            samples: HashMap::new(),
            recent: Box::new([0; RECENT]),
            undirected: 0,
            unsampled: 0,
        }
    }

    fn packet(&mut self, packet: &PacketView<'_>) {
        let follow = &self.scene.follow;
        let Some(eth) = packet.eth.filter(|_| follow.on) else { return };
        if packet.direction == Direction::Unknown {
            self.undirected += 1;
            return;
        }
        let shift = self.shift;
        let wanted = |carried: Carried| match carried {
            Carried::Single(content) => is_chosen(content, shift),
            Carried::Range { seq, len, .. } => {
                blocks(seq, len).any(|(seq, _)| is_chosen(block_hash(seq), shift))
            }
        };
        let Some(identity) = identity::of_frame(packet.bytes, packet.wire_len, follow.reach, wanted) else {
            return;
        };
        match identity.carried {
            Carried::Single(content) => self.keep(packet, eth, &identity, (content, 0, 0, 0)),
            Carried::Range { seq, len, opens, probe } => {
                let mut flags = if opens { OPENS } else { 0 };
                let content = if probe { PROBE } else { 0 };
                for (seq, len) in blocks(seq, len) {
                    if is_chosen(block_hash(seq), self.shift) {
                        self.keep(packet, eth, &identity, (content, seq, len, flags));
                    }
                    flags |= REST;
                }
            }
        }
    }

    fn merge(&mut self, later: Self) {
        self.undirected += later.undirected;
        self.unsampled += later.unsampled;
        if later.shift > self.shift {
            self.shift = later.shift;
            let shift = self.shift;
            self.sightings.retain(|s| is_chosen(s.choice(), shift));
        }
        let shift = self.shift;
        self.sightings.extend(later.sightings.into_iter().filter(|s| is_chosen(s.choice(), shift)));
        self.thin(SIGHTINGS_MAX);
        let samples: BTreeMap<_, _> = later.samples.into_iter().collect();
        for (key, sample) in samples {
            if self.samples.len() < SAMPLES_MAX || self.samples.contains_key(&key) {
                self.samples.entry(key).or_insert(sample);
            } else {
                self.unsampled += 1;
            }
        }
    }
}

impl HopsFold {
    fn keep(
        &mut self,
        packet: &PacketView<'_>,
        eth: Eth,
        identity: &Identity,
        (content, seq, len, flags): (u64, u32, u32, u8),
    ) {
        let tuple = self.scene.follow.nat.origin(identity.tuple);
        let flow = tuple.hash();
        let group = if eth.dst.0[0] & 1 == 1 { GROUP } else { 0 };
        let fragment = if identity.fragment { FRAGMENT } else { 0 };
        let out = if packet.direction == Direction::Out { OUT } else { 0 };
        let stop = Stop { point: packet.point, direction: packet.direction };
        let late = if stop.is_late(&self.scene) { LATE } else { 0 };
        self.sightings.push(Sighting {
            flow,
            content,
            seq,
            len,
            at: packet.at,
            file: packet.frame.file,
            number: u32::try_from(packet.frame.number).unwrap_or(u32::MAX),
            point: packet.point.0,
            ident: identity.ident,
            ttl: if let Net::Ip(ip) = packet.net { ip.ttl } else { 0 },
            flags: flags | group | fragment | out | late,
        });
        self.sample(packet, eth, flow, tuple);
        self.thin(self.scene.follow.segment_max);
    }

    /// Halves the share that is followed until what is kept fits.
    fn thin(&mut self, max: usize) {
        while self.sightings.len() > max && self.shift < u64::BITS {
            self.shift += 1;
            let shift = self.shift;
            self.sightings.retain(|s| is_chosen(s.choice(), shift));
        }
    }

    fn sample(&mut self, packet: &PacketView<'_>, eth: Eth, flow: u64, tuple: Tuple) {
        let stop = Stop { point: packet.point, direction: packet.direction };
        let mark = mix(flow, u64::from(stop.point.0) << 2 | stop.direction as u64) | 1;
        #[allow(clippy::cast_possible_truncation)] // an index below RECENT
        let slot = &mut self.recent[(mark >> 32) as usize % RECENT];
        if *slot == mark {
            return;
        }
        *slot = mark;
        if self.samples.contains_key(&(flow, stop)) {
            return;
        }
        if self.samples.len() < SAMPLES_SEGMENT_MAX {
            let bytes = packet.bytes.get(..SAMPLE_BYTES.min(packet.bytes.len())).unwrap_or_default().into();
            self.samples.insert((flow, stop), Sample { tuple, bytes, wire_len: packet.wire_len, eth });
        } else {
            self.unsampled += 1;
        }
    }

    /// What one of several hosts gave, for a scene in which its points and files are counted from these numbers on.
    #[must_use]
    pub fn moved(mut self, points: u32, files: u32) -> Self {
        for sighting in &mut self.sightings {
            sighting.point = sighting.point.saturating_add(points);
            sighting.file = sighting.file.saturating_add(files);
        }
        let samples = std::mem::take(&mut self.samples).into_iter().map(|((flow, mut stop), sample)| {
            stop.point.0 = stop.point.0.saturating_add(points);
            ((flow, stop), sample)
        });
        self.samples = samples.collect();
        self
    }

    /// Without what was seen at some stops.
    #[must_use]
    pub fn without(mut self, skip: impl Fn(Stop) -> bool) -> Self {
        self.sightings.retain(|sighting| !skip(sighting.stop()));
        self.samples.retain(|(_, stop), _| !skip(*stop));
        self
    }

    /// Follows the packets.
    pub fn finish(self, clocks: &Clocks) -> HopsTable {
        summary::finish(self, clocks)
    }
}

#[cfg(test)]
mod tests;
