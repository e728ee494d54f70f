//! Who says that an address is theirs: ARP and IPv6 neighbour discovery, per broadcast domain, VLAN and address.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use netcap_bundle::packets::Direction;
use netcap_bundle::{Mac, Role};

use super::TableFold;
use super::runs::{Runs, Sight};
use crate::engine::points::FoldContext;
use crate::engine::{Arp, DomainId, EchoKind, Eth, Fold, Ip, L4, Nd, NdKind, Net, PacketView, PointId, Tags};
use crate::tables::cap::Cap;

/// ARP operations (RFC 826).
const REQUEST: u16 = 1;
const REPLY: u16 = 2;

/// Hop limits that systems start with: a packet that has one was not routed.
const UNSPENT: [u8; 4] = [32, 64, 128, 255];
/// Addresses kept: a /16.
const KEYS_MAX: usize = 65_536;
/// Claims kept of all addresses, and dense stretches of them.
const CLAIMS_ALL_MAX: usize = 98_304;
const RUNS_ALL_MAX: usize = 196_608;
/// Claims (MAC and kind) kept of one address.
const CLAIMS_MAX: usize = 64;
/// Points remembered per claim.
const POINTS_MAX: usize = 8;
/// MACs remembered that ask DHCP servers for an address; when there are more, every MAC counts as one.
const SEEKERS_MAX: usize = 8_192;
/// Ports of DHCP (RFC 2131 section 4.1).
const DHCP: (u16, u16) = (68, 67);

/// An address in its broadcast domain and VLAN. Never the address alone: tenants overlap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct AddressKey {
    /// Broadcast domain.
    pub domain: DomainId,
    pub vlan: Tags,
    /// The address.
    pub ip: IpAddr,
}

/// How a MAC relates to an address (RFC 5227 section 1.1 for IPv4, RFC 4862 section 5.4 for IPv6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum ClaimKind {
    /// Asks whether anybody has it, without having it: SPA 0; IPv6 solicitation from `::`.
    Probe,
    /// Says unasked that it has it: SPA = TPA; unsolicited advertisement.
    Announce,
    /// Answers that it has it.
    Reply,
    /// Uses it as a sender.
    Use,
    /// Opens a conversation as its sender, seen at its own port with an unspent hop limit: not routed, not a load
    /// balancer's server, which only answers.
    Opens,
    /// An advertisement that replaces nothing: anycast or proxy.
    Soft,
}

/// Dense stretches of claims: two sightings at most DEFEND_INTERVAL (10 s, RFC 5227 section 1.1) apart.
pub(crate) type ClaimRuns = Runs<10_000>;

/// One MAC's claims of one kind.
#[derive(Debug, Clone)]
pub(crate) struct Claim {
    /// The MAC in the claim.
    pub mac: Mac,
    /// The Ethernet source when it differs from `mac`.
    pub sender: Option<Mac>,
    pub kind: ClaimKind,
    /// When and in which frames.
    pub runs: ClaimRuns,
    /// Where and in which direction, in order of appearance.
    pub seen: Vec<(PointId, Direction)>,
    /// How often at each of them.
    counts: Vec<u64>,
    /// Sightings at further places.
    pub elsewhere: u64,
}

/// All claims of one address.
#[derive(Debug, Clone, Default)]
pub(crate) struct Address {
    /// One for each MAC, sender and kind.
    pub claims: Vec<Claim>,
    /// Claims not kept because there were too many claimants.
    pub overflow: u64,
}

/// The finished table.
#[derive(Debug, Default)]
pub(crate) struct ClaimsTable {
    pub addresses: BTreeMap<AddressKey, Address>,
    /// Who asks a DHCP server for an address.
    seekers: BTreeSet<Mac>,
    /// Addresses not kept.
    pub overflow: u64,
    speakers: OnceLock<BTreeMap<Mac, (AddressKey, usize)>>,
}

impl ClaimsTable {
    /// A claim that a MAC made or sent, of any address: it is somebody's.
    pub(crate) fn speaks(&self, mac: Mac) -> Option<&Claim> {
        let speakers = self.speakers.get_or_init(|| {
            let all = self.addresses.iter().flat_map(|(key, address)| {
                let claims = address.claims.iter().enumerate();
                claims.flat_map(move |(place, claim)| {
                    [Some(claim.mac), claim.sender].into_iter().flatten().map(move |mac| (mac, (*key, place)))
                })
            });
            let mut first = BTreeMap::new();
            for (mac, place) in all {
                first.entry(mac).or_insert(place);
            }
            first
        });
        let (key, place) = speakers.get(&mac)?;
        self.addresses.get(key)?.claims.get(*place)
    }
}

impl ClaimsTable {
    /// It asks DHCP servers for an address, or may do so.
    pub(crate) fn is_seeker(&self, mac: Mac) -> bool {
        self.seekers.len() >= SEEKERS_MAX || self.seekers.contains(&mac)
    }
}

#[derive(Debug)]
pub(crate) struct ClaimsFold {
    context: Arc<FoldContext>,
    map: HashMap<AddressKey, Address>,
    order: Vec<AddressKey>,
    seekers: BTreeSet<Mac>,
    overflow: u64,
    room: Budget,
}

/// What may still be kept.
#[derive(Debug, Clone, Copy)]
struct Budget {
    sharers: usize,
    claims: usize,
    runs: usize,
}

impl Budget {
    fn share_of(sharers: usize) -> Self {
        Self { sharers, claims: CLAIMS_ALL_MAX / sharers, runs: RUNS_ALL_MAX / sharers }
    }

    /// The state that takes the others in has all the room there is.
    fn grow(&mut self) {
        let (whole, part) = (Self::share_of(1), Self::share_of(self.sharers));
        self.claims += whole.claims - part.claims;
        self.runs += whole.runs - part.runs;
        self.sharers = 1;
    }
}

/// One claim as it comes off the wire.
struct Heard {
    ip: IpAddr,
    mac: Mac,
    kind: ClaimKind,
}

impl Fold for ClaimsFold {
    fn start(context: &Arc<FoldContext>) -> Self {
        let room = Budget::share_of(context.sharers());
        let (map, order, seekers) = (HashMap::new(), Vec::new(), BTreeSet::new());
        Self { context: Arc::clone(context), map, order, seekers, overflow: 0, room }
    }

    fn packet(&mut self, packet: &PacketView<'_>) {
        let heard = match packet.net {
            Net::Arp(arp) => of_arp(&arp, packet.eth),
            Net::Ip(Ip { l4: L4::Udp { sport, dport }, .. }) if (sport, dport) == DHCP => {
                let room = self.seekers.len() < SEEKERS_MAX;
                self.seekers.extend(packet.eth.map(|eth| eth.src).filter(|_| room));
                None
            }
            Net::Ip(Ip { src, l4: L4::Nd(nd), .. }) => of_nd(src, &nd, packet.eth),
            Net::Ip(ip) if opens(&ip) && self.at_its_own_port(packet) => of_opening(&ip, packet.eth),
            _ => None,
        };
        if let Some(heard) = heard {
            self.claim(packet, &heard);
        }
    }

    fn merge(&mut self, mut later: Self) {
        self.room.grow();
        self.overflow += later.overflow;
        let more = SEEKERS_MAX.saturating_sub(self.seekers.len());
        self.seekers.extend(std::mem::take(&mut later.seekers).into_iter().take(more));
        let mut room = self.room;
        for key in std::mem::take(&mut later.order) {
            let Some(address) = later.map.remove(&key) else { continue };
            if let Some(mine) = self.entry(key) {
                mine.overflow += address.overflow;
                for claim in address.claims {
                    mine.join(claim, &mut room);
                }
            }
        }
        self.room = room;
    }
}

impl TableFold for ClaimsFold {
    type Table = ClaimsTable;

    fn finish(self) -> ClaimsTable {
        let mut addresses = self.map.into_iter().collect::<BTreeMap<_, _>>();
        for address in addresses.values_mut() {
            for claim in &mut address.claims {
                claim.runs.settle();
            }
            address.claims.sort_by_key(|a| (a.mac, a.kind, a.sender));
        }
        ClaimsTable { addresses, seekers: self.seekers, overflow: self.overflow, speakers: OnceLock::new() }
    }

    fn given_up(table: &ClaimsTable) -> Vec<(Cap, u64)> {
        let claims = || table.addresses.values().flat_map(|address| &address.claims);
        vec![
            (Cap::Addresses, table.overflow),
            (Cap::Claims, table.addresses.values().map(|address| address.overflow).sum()),
            (Cap::CoarseClaims, claims().filter(|claim| claim.runs.is_coarse()).count() as u64),
            (Cap::Places, claims().map(|claim| claim.elsewhere).sum()),
        ]
    }
}

impl ClaimsFold {
    /// From a VM into its port, or from the host out of its own.
    fn at_its_own_port(&self, packet: &PacketView<'_>) -> bool {
        match self.context.role(packet.point) {
            Some(Role::Vnet { .. }) => packet.direction == Direction::In,
            Some(Role::Internal) => packet.direction == Direction::Out,
            _ => false,
        }
    }

    fn entry(&mut self, key: AddressKey) -> Option<&mut Address> {
        let full = self.map.len() >= KEYS_MAX / self.room.sharers;
        match self.map.entry(key) {
            Entry::Occupied(entry) => Some(entry.into_mut()),
            Entry::Vacant(_) if full => {
                self.overflow += 1;
                None
            }
            Entry::Vacant(entry) => {
                self.order.push(key);
                Some(entry.insert(Address::default()))
            }
        }
    }

    fn claim(&mut self, packet: &PacketView<'_>, heard: &Heard) {
        let key = AddressKey { domain: packet.domain, vlan: packet.vlan, ip: heard.ip };
        let sender = packet.eth.map(|eth| eth.src).filter(|src| *src != heard.mac);
        let sight = Sight { at: packet.at, frame: packet.frame };
        let place = (packet.point, packet.direction);
        let mut room = self.room;
        let Some(address) = self.entry(key) else { return };
        let same = |c: &Claim| c.mac == heard.mac && c.kind == heard.kind && c.sender == sender;
        if let Some(claim) = address.claims.iter_mut().find(|c| same(c)) {
            claim.runs.add_within(sight, &mut room.runs);
            claim.seen_at(place, 1);
        } else {
            let mut runs = Runs::default();
            runs.add_within(sight, &mut usize::MAX.clone());
            let (seen, counts) = (vec![place], vec![1]);
            let (mac, kind) = (heard.mac, heard.kind);
            let claim = Claim { mac, sender, kind, runs, seen, counts, elsewhere: 0 };
            address.push(claim, &mut room);
        }
        self.room = room;
    }
}

impl Claim {
    /// Frames: one that passes several points is one.
    pub(crate) fn frames(&self) -> u64 {
        self.counts.iter().copied().max().unwrap_or(0)
    }

    fn seen_at(&mut self, place: (PointId, Direction), count: u64) {
        let mut known = self.seen.iter().zip(&mut self.counts);
        if let Some((_, mine)) = known.find(|(seen, _)| **seen == place) {
            *mine = mine.saturating_add(count);
        } else if self.seen.len() < POINTS_MAX {
            self.seen.push(place);
            self.counts.push(count);
        } else {
            self.elsewhere += 1;
        }
    }
}

impl Address {
    /// The first claim of an address has its place; addresses are counted themselves.
    fn push(&mut self, claim: Claim, room: &mut Budget) {
        if self.claims.is_empty() {
            self.claims.reserve_exact(1);
            self.claims.push(claim);
        } else if self.claims.len() < CLAIMS_MAX && room.claims > 0 {
            room.claims -= 1;
            room.runs = room.runs.saturating_sub(claim.runs.runs().len());
            self.claims.push(claim);
        } else {
            self.overflow += claim.runs.count();
        }
    }

    fn join(&mut self, claim: Claim, room: &mut Budget) {
        let same = |c: &&mut Claim| c.mac == claim.mac && c.kind == claim.kind && c.sender == claim.sender;
        if let Some(mine) = self.claims.iter_mut().find(same) {
            mine.elsewhere += claim.elsewhere;
            for (place, count) in claim.seen.into_iter().zip(claim.counts) {
                mine.seen_at(place, count);
            }
            mine.runs.merge_within(claim.runs, &mut room.runs);
        } else {
            self.push(claim, room);
        }
    }
}

/// ARP: nothing but requests and replies claims (RARP and inverse ARP have other operations).
fn of_arp(arp: &Arp, eth: Option<Eth>) -> Option<Heard> {
    if (arp.op != REQUEST && arp.op != REPLY) || arp.sha.is_zero() || arp.sha.is_multicast() {
        return None;
    }
    let (ip, kind) = if arp.spa.is_unspecified() {
        // A reply with SPA 0 says nothing. To one station only: whether it is still there, as switches ask.
        if arp.op != REQUEST || arp.tpa.is_unspecified() || is_for_one(eth) {
            return None;
        }
        (arp.tpa, ClaimKind::Probe)
    } else if arp.spa == arp.tpa {
        (arp.spa, ClaimKind::Announce)
    } else if arp.op == REPLY {
        (arp.spa, ClaimKind::Reply)
    } else {
        (arp.spa, ClaimKind::Use)
    };
    let nobody = ip.is_loopback() || ip.is_multicast() || ip.is_broadcast() || ip.octets()[0] == 0;
    (!nobody).then_some(Heard { ip: ip.into(), mac: arp.sha, kind })
}

/// Who wants an address for itself asks all (RFC 5227 section 2.1.1; RFC 4862 section 5.4.2).
fn is_for_one(eth: Option<Eth>) -> bool {
    eth.is_some_and(|eth| !eth.dst.is_multicast())
}

fn opens(ip: &Ip) -> bool {
    let request = matches!(ip.l4, L4::Echo(echo) if echo.kind == EchoKind::Request);
    (request || matches!(ip.l4, L4::Tcp { opens: true, .. })) && UNSPENT.contains(&ip.ttl)
}

fn of_opening(ip: &Ip, eth: Option<Eth>) -> Option<Heard> {
    let mac = eth?.src;
    let nobody =
        ip.src.is_unspecified() || ip.src.is_loopback() || ip.src.is_multicast() || mac.is_multicast();
    (!nobody).then_some(Heard { ip: ip.src, mac, kind: ClaimKind::Opens })
}

fn of_nd(src: IpAddr, nd: &Nd, eth: Option<Eth>) -> Option<Heard> {
    let sender = eth.map(|e| e.src);
    let (ip, mac, kind) = match nd.kind {
        NdKind::Solicitation if src.is_unspecified() && is_for_one(eth) => return None,
        NdKind::Solicitation if src.is_unspecified() => (IpAddr::V6(nd.target), sender?, ClaimKind::Probe),
        NdKind::Solicitation => (src, nd.mac?, ClaimKind::Use),
        NdKind::Advertisement { overrides: false, .. } => {
            (IpAddr::V6(nd.target), nd.mac.or(sender)?, ClaimKind::Soft)
        }
        NdKind::Advertisement { solicited: true, .. } => {
            (IpAddr::V6(nd.target), nd.mac.or(sender)?, ClaimKind::Reply)
        }
        NdKind::Advertisement { .. } => (IpAddr::V6(nd.target), nd.mac.or(sender)?, ClaimKind::Announce),
    };
    let nobody = ip.is_unspecified() || ip.is_multicast() || mac.is_zero() || mac.is_multicast();
    (!nobody).then_some(Heard { ip, mac, kind })
}
