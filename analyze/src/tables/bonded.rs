//! Which MACs are sent from and arrive at the members of bonds, LLDP apart from everything else.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use netcap_bundle::Mac;
use netcap_bundle::packets::Direction;

use super::runs::{Runs, Sight};
use crate::engine::points::Scene;
use crate::engine::{Fold, Net, PacketView, PointId};

/// IEEE 802.1AB.
const LLDP: u16 = 0x88cc;
/// RFC 903: OVS and QEMU announce moved addresses with it.
const RARP: u16 = 0x8035;
/// IEEE 802.3 slow protocols: LACP.
const SLOW: u16 = 0x8809;

/// MACs kept over all members.
const ENTRIES_MAX: usize = 65_536;
/// LLDP frames kept of one MAC at one member: 30 s apart, these are 34 hours.
const LLDP_MAX: usize = 4_096;

/// Bytes kept of one LLDP frame: the TLVs that say who sent it come first.
const LLDP_BYTES: usize = 512;

/// Dense stretches: two sightings at most a second apart.
pub type MemberRuns = Runs<1_000>;

/// What a MAC did at one member of a bond in one direction.
#[derive(Debug, Clone, Default)]
pub struct MacAtMember {
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

/// Member, MAC, direction.
pub type MemberKey = (PointId, Mac, Direction);

/// The finished table.
#[derive(Debug, Default)]
pub struct BondedTable {
    /// By member, MAC and direction.
    pub entries: BTreeMap<MemberKey, MacAtMember>,
    /// Packets not kept.
    pub overflow: u64,
}

/// The fold.
#[derive(Debug)]
pub struct BondedFold {
    scene: Arc<Scene>,
    map: HashMap<MemberKey, MacAtMember>,
    order: Vec<MemberKey>,
    overflow: u64,
}

impl Fold for BondedFold {
    fn start(scene: &Arc<Scene>) -> Self {
        Self { scene: Arc::clone(scene), map: HashMap::new(), order: Vec::new(), overflow: 0 }
    }

    fn packet(&mut self, packet: &PacketView<'_>) {
        let Some(eth) = packet.eth else { return };
        if !self.scene.is_bonded(packet.point) {
            return;
        }
        let sight = Sight { at: packet.at, frame: packet.frame };
        // What arrives is asked by destination, what leaves by source; where the file does not say, both.
        if packet.direction != Direction::Out
            && !eth.dst.is_multicast()
            && let Some(entry) = self.entry((packet.point, eth.dst, packet.direction))
        {
            entry.towards.add(sight);
        }
        if packet.direction == Direction::In || eth.src.is_multicast() {
            return;
        }
        let Some(entry) = self.entry((packet.point, eth.src, packet.direction)) else { return };
        match packet.ethertype {
            LLDP => {
                entry.lldp_count += 1;
                if entry.lldp_sample.is_empty() {
                    entry.lldp_sample.extend(packet.bytes.iter().take(LLDP_BYTES));
                }
                if entry.lldp.len() < LLDP_MAX {
                    entry.lldp.push(sight);
                }
            }
            RARP | SLOW => entry.announced.add(sight),
            _ if is_gratuitous(&packet.net) => entry.announced.add(sight),
            _ => entry.other.add(sight),
        }
    }

    fn merge(&mut self, mut later: Self) {
        self.overflow += later.overflow;
        for key in std::mem::take(&mut later.order) {
            let Some(theirs) = later.map.remove(&key) else { continue };
            if let Some(mine) = self.entry(key) {
                mine.lldp_count += theirs.lldp_count;
                if mine.lldp_sample.is_empty() {
                    mine.lldp_sample = theirs.lldp_sample;
                }
                let room = LLDP_MAX.saturating_sub(mine.lldp.len());
                mine.lldp.extend(theirs.lldp.into_iter().take(room));
                mine.announced.merge(theirs.announced);
                mine.other.merge(theirs.other);
                mine.towards.merge(theirs.towards);
            }
        }
    }
}

impl BondedFold {
    /// The finished table.
    pub fn finish(self) -> BondedTable {
        let mut entries = self.map.into_iter().collect::<BTreeMap<_, _>>();
        for entry in entries.values_mut() {
            entry.lldp.sort_unstable();
            for runs in [&mut entry.announced, &mut entry.other, &mut entry.towards] {
                runs.settle();
            }
        }
        BondedTable { entries, overflow: self.overflow }
    }

    fn entry(&mut self, key: MemberKey) -> Option<&mut MacAtMember> {
        if !self.map.contains_key(&key) {
            if self.map.len() >= ENTRIES_MAX {
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
