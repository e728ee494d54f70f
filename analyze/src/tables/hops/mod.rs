//! One packet seen at several points is one journey: what was seen where, matched by what does not change on the way.
//!
//! The fold keeps a sighting of 56 octets for each packet that is followed. Which packets are followed is decided by a
//! hash of what they carry, so that the same ones are followed at every point, whatever their number: when a table is
//! full, half of what is in it goes, and the share that is followed is said. The result does not depend on the order in
//! which segments are read, and absence of a followed packet is an absence.

mod between;
mod blocks;
pub(crate) mod clock;
mod hop;
mod intervals;
mod matching;
mod ranges;
mod returned;
mod sighting;
mod singles;
pub(crate) mod stop;
mod summary;
pub(crate) mod table;
mod tally;
mod translated;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use netcap_bundle::packets::Direction;

use super::TableFold;
use crate::engine::flow::FiveTuple;
use crate::engine::follow::{SIGHTINGS_MAX, is_chosen};
use crate::engine::hash::mix;
use crate::engine::identity::{self, Carried, Identity};
use crate::engine::points::FoldContext;
use crate::engine::{Eth, Facts, Fold, Net, PacketView};
use crate::tables::cap::Cap;

use blocks::{block_hash, blocks};
use sighting::{Flags, PROBE, Sighting};

pub(crate) use clock::HostClocks;
pub(crate) use returned::{Circling, Returned};
pub(crate) use stop::{Side, Stop};
pub(crate) use table::{HopStats, HopsTable, LostPacket, PairHop, PairKey, Passed};

/// Example frames kept, of one segment and in all.
const SAMPLES_SEGMENT_MAX: usize = 4_096;
const SAMPLES_MAX: usize = 32_768;
/// Octets of an example frame: the headers a filter asks for.
const SAMPLE_BYTES: usize = 128;
/// Flows remembered as having their example already.
const RECENT: usize = 256;

/// A packet of a flow at a stop, as an example.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ExampleFrame {
    /// The flow, before translation.
    pub tuple: FiveTuple,
    /// The first octets of the frame.
    pub bytes: Box<[u8]>,
    /// Octets on the wire.
    pub wire_len: u32,
    /// Addresses.
    pub eth: Eth,
}

/// What of a packet is one sighting: all of it, or a part of its sequence numbers.
#[derive(Clone, Copy)]
struct Part {
    content: u64,
    seq: u32,
    len: u32,
    flags: Flags,
}

#[derive(Debug)]
pub(crate) struct HopsFold {
    context: Arc<FoldContext>,
    shift: u32,
    sightings: Vec<Sighting>,
    samples: HashMap<(u64, Stop), ExampleFrame>,
    recent: Box<[u64; RECENT]>,
    /// Packets without a direction, which cannot be followed.
    undirected: u64,
    /// Frames that were not kept as examples.
    unsampled: u64,
}

impl Fold for HopsFold {
    fn start(context: &Arc<FoldContext>) -> Self {
        Self {
            context: Arc::clone(context),
            shift: context.follow.shift,
            sightings: Vec::new(),
            samples: HashMap::new(),
            recent: Box::new([0; RECENT]),
            undirected: 0,
            unsampled: 0,
        }
    }

    fn packet(&mut self, packet: &PacketView<'_>) {
        let follow = &self.context.follow;
        // A copy is no stop on the way.
        let Some(eth) = packet.eth.filter(|_| follow.on && packet.copy.is_none()) else { return };
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
            Carried::Single(content) => {
                self.keep(packet, eth, &identity, Part { content, seq: 0, len: 0, flags: Flags::empty() });
            }
            Carried::Range { seq, len, opens, probe } => {
                let mut flags = Flags::OPENS.when(opens);
                let content = if probe { PROBE } else { 0 };
                for (seq, len) in blocks(seq, len) {
                    if is_chosen(block_hash(seq), self.shift) {
                        self.keep(packet, eth, &identity, Part { content, seq, len, flags });
                    }
                    flags |= Flags::REST;
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

impl TableFold for HopsFold {
    type Table = HopsTable;

    fn finish(self) -> HopsTable {
        self.finish_on(&HostClocks::default())
    }

    fn given_up(table: &HopsTable) -> Vec<(Cap, u64)> {
        vec![
            (Cap::Unnamed, table.unnamed()),
            (Cap::Hops, table.overflow),
            (Cap::Thinned, if table.one_in > 1 { table.one_in } else { 0 }),
            (Cap::Translations, table.translations),
        ]
    }
}

impl HopsFold {
    fn keep(&mut self, packet: &PacketView<'_>, eth: Eth, identity: &Identity, part: Part) {
        let tuple = self.context.follow.nat.origin(identity.tuple);
        let flow = tuple.hash();
        let stop = Stop { point: packet.point, direction: packet.direction };
        let flags = part.flags
            | Flags::GROUP.when(eth.dst.is_multicast())
            | Flags::FRAGMENT.when(identity.fragment)
            | Flags::OUT.when(packet.direction == Direction::Out)
            | Flags::LATE.when(stop.is_late(&self.context));
        self.sightings.push(Sighting {
            flow,
            content: part.content,
            seq: part.seq,
            len: part.len,
            at: packet.at,
            file: packet.frame.file,
            number: u32::try_from(packet.frame.number).unwrap_or(u32::MAX),
            point: packet.point.0,
            ident: identity.ident,
            ttl: if let Net::Ip(ip) = packet.net { ip.ttl } else { 0 },
            flags,
            facts: Facts::of(packet),
        });
        self.sample(packet, eth, flow, tuple);
        self.thin(self.context.follow.segment_max);
    }

    /// Halves the share that is followed until what is kept fits.
    fn thin(&mut self, max: usize) {
        while self.sightings.len() > max && self.shift < u64::BITS {
            self.shift += 1;
            let shift = self.shift;
            self.sightings.retain(|s| is_chosen(s.choice(), shift));
        }
    }

    fn sample(&mut self, packet: &PacketView<'_>, eth: Eth, flow: u64, tuple: FiveTuple) {
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
            self.samples.insert((flow, stop), ExampleFrame { tuple, bytes, wire_len: packet.wire_len, eth });
        } else {
            self.unsampled += 1;
        }
    }

    /// What one of several hosts gave, for a context in which its points and files are counted from these numbers on.
    #[must_use]
    pub(crate) fn moved(mut self, points: u32, files: u32) -> Self {
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
    pub(crate) fn without(mut self, skip: impl Fn(Stop) -> bool) -> Self {
        self.sightings.retain(|sighting| !skip(sighting.stop()));
        self.samples.retain(|(_, stop), _| !skip(*stop));
        self
    }

    /// Follows the packets of hosts with these clocks.
    pub(crate) fn finish_on(self, clocks: &HostClocks) -> HopsTable {
        summary::finish(self, clocks)
    }
}

#[cfg(test)]
mod tests;
