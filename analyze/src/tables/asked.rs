//! Addresses that somebody at a recorded port asked for by ARP or neighbour discovery: when nobody ever answered, no ping
//! can.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use netcap_bundle::Role;
use netcap_bundle::packets::Direction;

use super::TableFold;
use super::runs::Sight;
use crate::engine::points::FoldContext;
use crate::engine::{Arp, Fold, Ip, L4, Nd, NdKind, Net, PacketView, PointId};
use crate::tables::cap::Cap;

/// ARP operation (RFC 826).
const REQUEST: u16 = 1;
/// Addresses kept: a /16.
const KEYS_MAX: usize = 65_536;

/// Questions for one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Asked {
    pub first: Sight,
    pub last: Sight,
    /// Where the first one was seen.
    pub point: PointId,
    /// How many.
    pub count: u64,
}

#[derive(Debug)]
pub(crate) struct AskedFold {
    context: Arc<FoldContext>,
    map: HashMap<IpAddr, Asked>,
    order: Vec<IpAddr>,
    most: usize,
    overflow: u64,
}

/// The finished table.
#[derive(Debug, Default)]
pub(crate) struct AskedTable {
    /// By address.
    pub addresses: BTreeMap<IpAddr, Asked>,
    /// Questions not kept.
    pub overflow: u64,
}

impl Fold for AskedFold {
    fn start(context: &Arc<FoldContext>) -> Self {
        let most = KEYS_MAX / context.sharers();
        Self { context: Arc::clone(context), map: HashMap::new(), order: Vec::new(), most, overflow: 0 }
    }

    fn packet(&mut self, packet: &PacketView<'_>) {
        let target = match packet.net {
            Net::Arp(arp) => of_arp(&arp),
            Net::Ip(Ip { src, l4: L4::Nd(nd), .. }) => of_nd(src, &nd),
            _ => None,
        };
        let Some(ip) = target.filter(|_| self.at_its_own_port(packet)) else { return };
        let sight = Sight { at: packet.at, frame: packet.frame };
        self.add(ip, Asked { first: sight, last: sight, point: packet.point, count: 1 });
    }

    fn merge(&mut self, mut later: Self) {
        self.most = KEYS_MAX;
        self.overflow += later.overflow;
        for ip in std::mem::take(&mut later.order) {
            if let Some(asked) = later.map.remove(&ip) {
                self.add(ip, asked);
            }
        }
    }
}

impl TableFold for AskedFold {
    type Table = AskedTable;

    fn finish(self) -> AskedTable {
        AskedTable { addresses: self.map.into_iter().collect(), overflow: self.overflow }
    }

    fn given_up(table: &AskedTable) -> Vec<(Cap, u64)> {
        vec![(Cap::Questions, table.overflow)]
    }
}

impl AskedFold {
    /// From a VM into its port, or from the host out of its own: the answer has to pass there.
    fn at_its_own_port(&self, packet: &PacketView<'_>) -> bool {
        match self.context.role(packet.point) {
            Some(Role::Vnet { .. }) => packet.direction == Direction::In,
            Some(Role::Internal) => packet.direction == Direction::Out,
            _ => false,
        }
    }

    fn add(&mut self, ip: IpAddr, asked: Asked) {
        if let Some(mine) = self.map.get_mut(&ip) {
            mine.last = mine.last.max(asked.last);
            if asked.first < mine.first {
                (mine.first, mine.point) = (asked.first, asked.point);
            }
            mine.count = mine.count.saturating_add(asked.count);
        } else if self.map.len() < self.most {
            self.order.push(ip);
            self.map.insert(ip, asked);
        } else {
            self.overflow = self.overflow.saturating_add(asked.count);
        }
    }
}

/// A question for another's address; a probe and an announcement ask for one's own.
fn of_arp(arp: &Arp) -> Option<IpAddr> {
    let asks = arp.op == REQUEST && !arp.spa.is_unspecified() && arp.spa != arp.tpa;
    (asks && !arp.tpa.is_unspecified()).then_some(arp.tpa.into())
}

fn of_nd(src: IpAddr, nd: &Nd) -> Option<IpAddr> {
    let asks = matches!(nd.kind, NdKind::Solicitation) && !src.is_unspecified();
    asks.then_some(nd.target.into())
}
