//! Which MACs are sent from and arrive at the members of bonds, LLDP apart from everything else.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use netcap_bundle::Mac;
use netcap_bundle::packets::Direction;
use netcap_words::wire::ether_type::{LLDP, RARP, SLOW};

use super::TableFold;
use super::runs::{Runs, Sight};
use crate::engine::points::FoldContext;
use crate::engine::{Fold, Net, PacketView, PointId};
use crate::tables::cap::Cap;

/// MACs kept over all members.
const ENTRIES_MAX: usize = 32_768;
/// Dense stretches kept of all MACs together.
const RUNS_ALL_MAX: usize = 131_072;
/// LLDP frames kept of one MAC at one member: 30 s apart, these are 34 hours.
const LLDP_MAX: usize = 4_096;
/// LLDP frames kept of all MACs, and sample frames.
const LLDP_ALL_MAX: usize = 65_536;
const LLDP_SAMPLES_MAX: usize = 4_096;

/// Bytes kept of one LLDP frame: the TLVs that say who sent it come first.
const LLDP_BYTES: usize = 512;

/// Dense stretches: two sightings at most a second apart.
pub(crate) type MemberRuns = Runs<1_000>;

/// What a MAC did at one member of a bond in one direction.
#[derive(Debug, Clone, Default)]
pub(crate) struct MacAtMember {
    /// LLDP frames with this source, in order of time.
    pub lldp: Vec<Sight>,
    /// The first LLDP frame.
    pub lldp_sample: Vec<u8>,
    /// LLDP frames in all.
    pub lldp_count: u64,
    /// Announcements of a move (RARP, gratuitous ARP) and slow protocols.
    pub announced: MemberRuns,
    /// Everything else with this source.
    pub other: MemberRuns,
    /// Frames with this destination.
    pub towards: MemberRuns,
}

/// A MAC at a member of a bond, in one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct MemberKey {
    pub member: PointId,
    pub mac: Mac,
    /// Which way its frames went.
    pub direction: Direction,
}

/// The finished table.
#[derive(Debug, Default)]
pub(crate) struct BondedTable {
    /// By member, MAC and direction.
    pub entries: BTreeMap<MemberKey, MacAtMember>,
    /// Packets not kept.
    pub overflow: u64,
}

#[derive(Debug)]
pub(crate) struct BondedFold {
    context: Arc<FoldContext>,
    map: HashMap<MemberKey, MacAtMember>,
    order: Vec<MemberKey>,
    overflow: u64,
    room: Budget,
}

/// What may still be kept.
#[derive(Debug, Clone, Copy)]
struct Budget {
    sharers: usize,
    runs: usize,
    lldp: usize,
    samples: usize,
}

impl Budget {
    fn share_of(sharers: usize) -> Self {
        let (runs, lldp) = (RUNS_ALL_MAX / sharers, LLDP_ALL_MAX / sharers);
        Self { sharers, runs, lldp, samples: LLDP_SAMPLES_MAX / sharers }
    }

    /// The state that takes the others in has all the room there is.
    fn grow(&mut self) {
        let (whole, part) = (Self::share_of(1), Self::share_of(self.sharers));
        self.runs += whole.runs - part.runs;
        self.lldp += whole.lldp - part.lldp;
        self.samples += whole.samples - part.samples;
        self.sharers = 1;
    }
}

impl Fold for BondedFold {
    fn start(context: &Arc<FoldContext>) -> Self {
        let room = Budget::share_of(context.sharers());
        Self { context: Arc::clone(context), map: HashMap::new(), order: Vec::new(), overflow: 0, room }
    }

    fn packet(&mut self, packet: &PacketView<'_>) {
        let Some(eth) = packet.eth else { return };
        if !self.context.is_bonded(packet.point) {
            return;
        }
        let sight = Sight { at: packet.at, frame: packet.frame };
        let key = |mac: Mac| MemberKey { member: packet.point, mac, direction: packet.direction };
        // What arrives is asked by destination, what leaves by source; where the file does not say, both.
        let mut room = self.room;
        if packet.direction != Direction::Out
            && !eth.dst.is_multicast()
            && let Some(entry) = self.entry(key(eth.dst))
        {
            entry.towards.add_within(sight, &mut room.runs);
        }
        if packet.direction != Direction::In
            && !eth.src.is_multicast()
            && let Some(entry) = self.entry(key(eth.src))
        {
            match packet.ethertype {
                LLDP => entry.lldp(packet.bytes, sight, &mut room),
                RARP | SLOW => entry.announced.add_within(sight, &mut room.runs),
                _ if is_gratuitous(&packet.net) => entry.announced.add_within(sight, &mut room.runs),
                _ => entry.other.add_within(sight, &mut room.runs),
            }
        }
        self.room = room;
    }

    fn merge(&mut self, mut later: Self) {
        self.room.grow();
        self.overflow += later.overflow;
        let mut room = self.room;
        for key in std::mem::take(&mut later.order) {
            if let Some(theirs) = later.map.remove(&key)
                && let Some(mine) = self.entry(key)
            {
                mine.join(theirs, &mut room);
            }
        }
        self.room = room;
    }
}

impl MacAtMember {
    fn lldp(&mut self, frame: &[u8], sight: Sight, room: &mut Budget) {
        self.lldp_count += 1;
        if self.lldp_sample.is_empty() && room.samples > 0 {
            room.samples -= 1;
            self.lldp_sample.extend(frame.iter().take(LLDP_BYTES));
        }
        if self.lldp.len() < LLDP_MAX && room.lldp > 0 {
            room.lldp -= 1;
            self.lldp.push(sight);
        }
    }

    fn join(&mut self, theirs: Self, room: &mut Budget) {
        self.lldp_count += theirs.lldp_count;
        if self.lldp_sample.is_empty() && !theirs.lldp_sample.is_empty() && room.samples > 0 {
            room.samples -= 1;
            self.lldp_sample = theirs.lldp_sample;
        }
        let more = LLDP_MAX.saturating_sub(self.lldp.len()).min(room.lldp).min(theirs.lldp.len());
        room.lldp -= more;
        self.lldp.extend(theirs.lldp.into_iter().take(more));
        self.announced.merge_within(theirs.announced, &mut room.runs);
        self.other.merge_within(theirs.other, &mut room.runs);
        self.towards.merge_within(theirs.towards, &mut room.runs);
    }
}

impl TableFold for BondedFold {
    type Table = BondedTable;

    fn finish(self) -> BondedTable {
        let mut entries = self.map.into_iter().collect::<BTreeMap<_, _>>();
        for entry in entries.values_mut() {
            entry.lldp.sort_unstable();
            for runs in [&mut entry.announced, &mut entry.other, &mut entry.towards] {
                runs.settle();
            }
        }
        BondedTable { entries, overflow: self.overflow }
    }

    fn given_up(table: &BondedTable) -> Vec<(Cap, u64)> {
        let entries = || table.entries.values();
        let coarse = |entry: &MacAtMember| {
            [&entry.other, &entry.towards, &entry.announced].iter().any(|runs| runs.is_coarse())
        };
        let lldp = |entry: &MacAtMember| entry.lldp_count.saturating_sub(entry.lldp.len() as u64);
        vec![
            (Cap::BondMacs, table.overflow),
            (Cap::CoarseMacs, entries().filter(|entry| coarse(entry)).count() as u64),
            (Cap::Lldp, entries().map(lldp).sum()),
        ]
    }
}

impl BondedFold {
    fn entry(&mut self, key: MemberKey) -> Option<&mut MacAtMember> {
        if !self.map.contains_key(&key) {
            if self.map.len() >= ENTRIES_MAX / self.room.sharers {
                self.overflow += 1;
                return None;
            }
            self.order.push(key);
        }
        Some(self.map.entry(key).or_default())
    }
}

fn is_gratuitous(net: &Net) -> bool {
    matches!(net, Net::Arp(arp) if arp.spa == arp.tpa)
}
