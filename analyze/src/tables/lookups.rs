//! Questions of the domain name system and who answered them: an answer from an address that was not asked is none.
//!
//! A resolver takes an answer from the address and port that it asked only, at the port that it asked from (RFC 5452, 9.1), and
//! asks from another port each time. So a port of who asks, at one point, stands for a question; what it asked and who answered
//! is compared there, where both directions pass.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use netcap_bundle::Nanos;

use super::TableFold;
use super::runs::Sight;
use crate::engine::points::FoldContext;
use crate::engine::{Eth, Fold, Ip, L4, Net, PacketView, PointId};
use crate::tables::cap::Cap;

/// The port of name servers (RFC 1035, 4.2).
const DOMAIN: u16 = 53;
/// Ports of who asks that are kept: some minutes of a busy host.
const KEYS_MAX: usize = 65_536;
/// Questions and answers kept of one port: a resolver asks a few servers in turn, and asks again.
const SIGHTS_MAX: usize = 6;
/// An answer comes within this; resolvers give up before (resolv.conf(5) `timeout`).
const WAIT_NS: i64 = 10_000_000_000;

/// Who asks, where, and from which port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct AskerKey {
    point: PointId,
    client: IpAddr,
    port: u16,
}

/// A question or an answer, with the server's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Said {
    sight: Sight,
    server: IpAddr,
    mac: Option<netcap_bundle::Mac>,
}

/// What passed at one port of who asks.
#[derive(Debug, Clone, Default)]
struct Exchange {
    asked: Vec<Said>,
    answered: Vec<Said>,
}

#[derive(Debug)]
pub(crate) struct LookupsFold {
    map: HashMap<AskerKey, Exchange>,
    order: Vec<AskerKey>,
    most: usize,
    overflow: u64,
}

/// Questions of one to one server that somebody else answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ElsewhereKey {
    pub client: IpAddr,
    /// Who was asked.
    pub server: IpAddr,
    /// Who answered.
    pub other: IpAddr,
    /// Where.
    pub point: PointId,
}

/// How often, and in which frames.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Elsewhere {
    pub count: u64,
    /// The first question, and the answer to it.
    pub first: (Sight, Sight),
    /// The last answer.
    pub last: Sight,
    /// MAC of who sent the first answer.
    pub mac: Option<netcap_bundle::Mac>,
}

/// The finished table.
#[derive(Debug, Default)]
pub(crate) struct LookupsTable {
    /// Questions that nobody answered but somebody who was not asked.
    pub elsewhere: BTreeMap<ElsewhereKey, Elsewhere>,
    /// Questions that were answered by who was asked, by client and server.
    pub answered: BTreeMap<(IpAddr, IpAddr), u64>,
    /// Packets not kept.
    pub overflow: u64,
}

impl Fold for LookupsFold {
    fn start(context: &Arc<FoldContext>) -> Self {
        let most = KEYS_MAX / context.sharers();
        Self { map: HashMap::new(), order: Vec::new(), most, overflow: 0 }
    }

    fn packet(&mut self, packet: &PacketView<'_>) {
        let Net::Ip(Ip { src, dst, l4: L4::Udp { sport, dport }, .. }) = packet.net else { return };
        let asks = match (sport, dport) {
            (DOMAIN, DOMAIN) => return,
            (_, DOMAIN) => true,
            (DOMAIN, _) => false,
            _ => return,
        };
        if packet.copy.is_some() || dst.is_multicast() || is_broadcast(packet.eth) {
            return;
        }
        let (client, server, port) = if asks { (src, dst, sport) } else { (dst, src, dport) };
        let key = AskerKey { point: packet.point, client, port };
        let sight = Sight { at: packet.at, frame: packet.frame };
        self.add(key, asks, Said { sight, server, mac: packet.eth.map(|eth| eth.src) });
    }

    fn merge(&mut self, mut later: Self) {
        self.most = KEYS_MAX;
        self.overflow = self.overflow.saturating_add(later.overflow);
        for key in std::mem::take(&mut later.order) {
            let Some(Exchange { asked, answered }) = later.map.remove(&key) else { continue };
            for said in asked {
                self.add(key, true, said);
            }
            for said in answered {
                self.add(key, false, said);
            }
        }
    }
}

impl LookupsFold {
    fn add(&mut self, key: AskerKey, asks: bool, said: Said) {
        if !self.map.contains_key(&key) {
            if self.map.len() >= self.most {
                self.overflow = self.overflow.saturating_add(1);
                return;
            }
            self.order.push(key);
        }
        let exchange = self.map.entry(key).or_default();
        let list = if asks { &mut exchange.asked } else { &mut exchange.answered };
        if list.len() < SIGHTS_MAX {
            list.push(said);
        } else {
            self.overflow = self.overflow.saturating_add(1);
        }
    }
}

impl TableFold for LookupsFold {
    type Table = LookupsTable;

    fn finish(self) -> LookupsTable {
        let mut table = LookupsTable { overflow: self.overflow, ..LookupsTable::default() };
        let exchanges: BTreeMap<AskerKey, Exchange> = self.map.into_iter().collect();
        for (key, exchange) in exchanges {
            table.take(key, &exchange);
        }
        table
    }

    fn given_up(table: &LookupsTable) -> Vec<(Cap, u64)> {
        vec![(Cap::Lookups, table.overflow)]
    }
}

impl LookupsTable {
    fn take(&mut self, AskerKey { point, client, .. }: AskerKey, exchange: &Exchange) {
        let in_time = |asked: &Said, answer: &Said| within(asked.sight.at, answer.sight.at);
        for asked in &exchange.asked {
            let mut answers = exchange.answered.iter().filter(|answer| in_time(asked, answer));
            let Some(first) = answers.clone().min() else { continue };
            if answers.any(|answer| answer.server == asked.server) {
                *self.answered.entry((client, asked.server)).or_default() += 1;
                continue;
            }
            // The answer of another server that was asked from the same port is that one's.
            if exchange.asked.iter().any(|other| other.server == first.server && in_time(other, first)) {
                continue;
            }
            let key = ElsewhereKey { client, server: asked.server, other: first.server, point };
            let new =
                Elsewhere { count: 0, first: (asked.sight, first.sight), last: first.sight, mac: first.mac };
            let mine = self.elsewhere.entry(key).or_insert(new);
            mine.count += 1;
            mine.first = mine.first.min((asked.sight, first.sight));
            mine.last = mine.last.max(first.sight);
        }
    }
}

fn within(asked: Nanos, answered: Nanos) -> bool {
    asked <= answered && answered.since(asked) <= WAIT_NS
}

fn is_broadcast(eth: Option<Eth>) -> bool {
    eth.is_some_and(|eth| eth.dst.is_multicast())
}
