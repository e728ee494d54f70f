//! From which machines' ports each address speaks, and when: one address at two ports at the same time is two machines.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use netcap_bundle::packets::Direction;
use netcap_bundle::{Mac, Role};

use super::TableFold;
use super::runs::Sight;
use crate::engine::hash::mix;
use crate::engine::points::FoldContext;
use crate::engine::{DomainId, Fold, Net, PacketView, PointId};
use crate::tables::cap::Cap;

/// Addresses at ports kept: a host has hundreds of machines, and what one sends is anything.
const KEYS_MAX: usize = 16_384;
/// Keys whose rows are found without a look into the index.
const RECENT: usize = 256;
/// IP addresses named of one.
const IPS_MAX: usize = 4;

/// An address in a broadcast domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SourceKey {
    /// The switch.
    pub domain: DomainId,
    /// The frame's own tag, else the access VLAN of the port; 0 without.
    pub vlan: u16,
    /// The address.
    pub mac: Mac,
    /// The port from which it spoke.
    pub point: PointId,
}

/// What came from it there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Spoken {
    /// First.
    pub first: Sight,
    /// Last.
    pub last: Sight,
    /// How many frames.
    pub count: u64,
    /// IP addresses that it used there, the first ones.
    pub ips: Vec<IpAddr>,
}

#[derive(Debug)]
pub(crate) struct SourcesFold {
    context: Arc<FoldContext>,
    rows: Vec<(SourceKey, Spoken)>,
    index: BTreeMap<SourceKey, usize>,
    /// Rows of the last keys, by hash: the two ends of a connection speak in turns, and a look into the index takes three
    /// times as long (75 ns a packet against 25).
    recent: Box<[usize; RECENT]>,
    most: usize,
    overflow: u64,
}

/// The finished table.
#[derive(Debug, Default)]
pub(crate) struct SourcesTable {
    /// By domain, VLAN and address.
    pub spoken: BTreeMap<SourceKey, Spoken>,
    /// Frames of further ones.
    pub overflow: u64,
    by_mac: OnceLock<BTreeMap<Mac, Vec<SourceKey>>>,
}

impl SourcesTable {
    /// What came from one address, in every domain and VLAN.
    pub(crate) fn of(&self, mac: Mac) -> impl Iterator<Item = (&SourceKey, &Spoken)> {
        let by_mac = self.by_mac.get_or_init(|| {
            let mut keys: BTreeMap<Mac, Vec<SourceKey>> = BTreeMap::new();
            for key in self.spoken.keys() {
                keys.entry(key.mac).or_default().push(*key);
            }
            keys
        });
        by_mac.get(&mac).into_iter().flatten().filter_map(|key| self.spoken.get_key_value(key))
    }
}

impl Fold for SourcesFold {
    fn start(context: &Arc<FoldContext>) -> Self {
        Self {
            context: Arc::clone(context),
            rows: Vec::new(),
            index: BTreeMap::new(),
            recent: Box::new([0; RECENT]),
            most: KEYS_MAX / context.sharers(),
            overflow: 0,
        }
    }

    fn packet(&mut self, packet: &PacketView<'_>) {
        let from_machine = packet.direction == Direction::In
            && packet.copy.is_none()
            && matches!(self.context.role(packet.point), Some(Role::Vnet { .. }));
        let Some(eth) = packet.eth.filter(|eth| from_machine && !eth.src.is_multicast()) else { return };
        let (domain, vlan) = (packet.domain, packet.vlan.outer);
        let key = SourceKey { domain, vlan, mac: eth.src, point: packet.point };
        let ip = match packet.net {
            Net::Arp(arp) => Some(IpAddr::V4(arp.spa)),
            Net::Ip(ip) => Some(ip.src),
            Net::Other => None,
        };
        let sight = Sight { at: packet.at, frame: packet.frame };
        let Some(spoken) = self.row(key, sight) else {
            self.overflow = self.overflow.saturating_add(1);
            return;
        };
        spoken.first = spoken.first.min(sight);
        spoken.last = spoken.last.max(sight);
        spoken.count += 1;
        name(&mut spoken.ips, ip.filter(|ip| !ip.is_unspecified()));
    }

    fn merge(&mut self, later: Self) {
        self.most = KEYS_MAX;
        self.overflow = self.overflow.saturating_add(later.overflow);
        // In the order of addresses, so that it is the same ones that find no room.
        for (key, row) in later.index {
            if let Some((_, spoken)) = later.rows.get(row) {
                self.add(key, spoken);
            }
        }
    }
}

impl TableFold for SourcesFold {
    type Table = SourcesTable;

    fn finish(self) -> SourcesTable {
        SourcesTable {
            spoken: self.rows.into_iter().collect(),
            overflow: self.overflow,
            by_mac: OnceLock::new(),
        }
    }

    fn given_up(table: &SourcesTable) -> Vec<(Cap, u64)> {
        vec![(Cap::Sources, table.overflow)]
    }
}

impl SourcesFold {
    /// The row of a key, which is new when it was not seen before; `None` when there is no room for it.
    fn row(&mut self, key: SourceKey, sight: Sight) -> Option<&mut Spoken> {
        let mac = key.mac.0.iter().fold(0, |number, octet| number << 8 | u64::from(*octet));
        let hash = mix(mac, u64::from(key.point.0) << 16 | u64::from(key.vlan));
        #[allow(clippy::cast_possible_truncation)] // an index below RECENT
        let slot = &mut self.recent[(hash >> 32) as usize % RECENT];
        if self.rows.get(*slot).is_none_or(|(had, _)| *had != key) {
            let known = self.index.get(&key).copied();
            let full = self.rows.len() >= self.most;
            let row = known.or((!full).then_some(self.rows.len()))?;
            if known.is_none() {
                self.index.insert(key, row);
                self.rows.push((key, Spoken { first: sight, last: sight, count: 0, ips: Vec::new() }));
            }
            *slot = row;
        }
        self.rows.get_mut(*slot).map(|(_, spoken)| spoken)
    }

    fn add(&mut self, key: SourceKey, spoken: &Spoken) {
        match self.row(key, spoken.first) {
            Some(mine) => {
                mine.first = mine.first.min(spoken.first);
                mine.last = mine.last.max(spoken.last);
                mine.count = mine.count.saturating_add(spoken.count);
                name(&mut mine.ips, spoken.ips.iter().copied());
            }
            None => self.overflow = self.overflow.saturating_add(spoken.count),
        }
    }
}

fn name(ips: &mut Vec<IpAddr>, more: impl IntoIterator<Item = IpAddr>) {
    for ip in more {
        if ips.len() < IPS_MAX && !ips.contains(&ip) {
            ips.push(ip);
        }
    }
}

#[cfg(test)]
mod tests {
    use netcap_bundle::Nanos;

    use super::*;
    use crate::engine::FrameRef;

    #[test]
    fn what_is_not_kept_is_counted_and_what_is_kept_grows() {
        let context = Arc::new(FoldContext::default());
        let mut fold = SourcesFold { most: 1, ..SourcesFold::start(&context) };
        let key = |point| SourceKey { domain: DomainId(0), vlan: 0, mac: Mac([2; 6]), point: PointId(point) };
        let spoken = |at: i64| {
            let sight = Sight { at: Nanos(at), frame: FrameRef { file: 0, number: 1 } };
            Spoken { first: sight, last: sight, count: 2, ips: Vec::new() }
        };
        fold.add(key(0), &spoken(5));
        fold.add(key(1), &spoken(6));
        fold.add(key(0), &spoken(3));
        let table = fold.finish();
        assert_eq!(table.overflow, 2);
        let kept = &table.spoken[&key(0)];
        assert_eq!((kept.first.at, kept.last.at, kept.count), (Nanos(3), Nanos(5), 4));
    }
}
