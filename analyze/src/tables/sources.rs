//! From which machines' ports each address speaks, and when: one address at two ports at the same time is two machines.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use netcap_bundle::packets::Direction;
use netcap_bundle::{Mac, Role};

use super::TableFold;
use super::runs::Sight;
use crate::engine::points::FoldContext;
use crate::engine::{DomainId, Fold, Net, PacketView, PointId};
use crate::tables::cap::Cap;

/// Addresses at ports kept: a host has hundreds of machines, and what one sends is anything.
const KEYS_MAX: usize = 16_384;
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
    map: BTreeMap<SourceKey, Spoken>,
    /// The one before: mostly it is the same again.
    current: Option<(SourceKey, Spoken)>,
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
}

impl Fold for SourcesFold {
    fn start(context: &Arc<FoldContext>) -> Self {
        let most = KEYS_MAX / context.sharers();
        Self { context: Arc::clone(context), map: BTreeMap::new(), current: None, most, overflow: 0 }
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
        let ips = ip.filter(|ip| !ip.is_unspecified()).into_iter();
        match &mut self.current {
            Some((current, spoken)) if *current == key => {
                spoken.last = spoken.last.max(sight);
                spoken.first = spoken.first.min(sight);
                spoken.count += 1;
                name(&mut spoken.ips, ips);
            }
            _ => {
                self.park();
                self.current =
                    Some((key, Spoken { first: sight, last: sight, count: 1, ips: ips.collect() }));
            }
        }
    }

    fn merge(&mut self, mut later: Self) {
        self.park();
        later.park();
        self.most = KEYS_MAX;
        self.overflow = self.overflow.saturating_add(later.overflow);
        for (key, spoken) in later.map {
            self.add(key, spoken);
        }
    }
}

impl TableFold for SourcesFold {
    type Table = SourcesTable;

    fn finish(mut self) -> SourcesTable {
        self.park();
        SourcesTable { spoken: self.map, overflow: self.overflow }
    }

    fn given_up(table: &SourcesTable) -> Vec<(Cap, u64)> {
        vec![(Cap::Sources, table.overflow)]
    }
}

impl SourcesFold {
    fn park(&mut self) {
        if let Some((key, spoken)) = self.current.take() {
            self.add(key, spoken);
        }
    }

    fn add(&mut self, key: SourceKey, spoken: Spoken) {
        if let Some(mine) = self.map.get_mut(&key) {
            mine.first = mine.first.min(spoken.first);
            mine.last = mine.last.max(spoken.last);
            mine.count = mine.count.saturating_add(spoken.count);
            name(&mut mine.ips, spoken.ips.into_iter());
        } else if self.map.len() < self.most {
            self.map.insert(key, spoken);
        } else {
            self.overflow = self.overflow.saturating_add(spoken.count);
        }
    }
}

fn name(ips: &mut Vec<IpAddr>, more: impl Iterator<Item = IpAddr>) {
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
        fold.add(key(0), spoken(5));
        fold.add(key(1), spoken(6));
        fold.add(key(0), spoken(3));
        let table = fold.finish();
        assert_eq!(table.overflow, 2);
        let kept = &table.spoken[&key(0)];
        assert_eq!((kept.first.at, kept.last.at, kept.count), (Nanos(3), Nanos(5), 4));
    }
}
