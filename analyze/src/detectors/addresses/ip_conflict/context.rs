//! What must be known of all addresses before one is judged.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use netcap_bundle::{Mac, Nanos};

use crate::engine::{DomainId, Tags};
use crate::host::macs::number;
use crate::tables::claims::{Address, AddressKey, ClaimKind, ClaimRuns};
use crate::view::View;

/// A MAC that answers for at least this many addresses, and uses none of them itself, answers for others (RFC 1027).
const PROXY_ADDRESSES_MIN: usize = 8;
/// A MAC that probes at least this many addresses and claims none of them checks for others: a DHCP server before it
/// offers one, a switch that tracks its devices.
const CHECKED_ADDRESSES_MIN: usize = 3;
/// Ports of one card have MACs this close together.
pub(super) const ADJACENT_MAX: u64 = 16;
/// Addresses that two MACs must share to be taken for one multihomed host.
const SHARED_MIN: usize = 2;
/// MACs of one address that are compared with each other: a fuzzed address has no pairs worth counting.
const MACS_MAX: usize = 8;
/// One host answers by all its cards at once: the same request reaches them within this.
const TOGETHER_NS: i64 = 100_000_000;
/// Shared addresses that are named.
const NAMED_MAX: usize = 8;

#[derive(Debug, Default)]
pub(super) struct Context {
    proxies: BTreeSet<Claimant>,
    checkers: BTreeSet<Claimant>,
    /// How many addresses each answers for.
    replied: BTreeMap<Claimant, usize>,
    shared: BTreeMap<(Claimant, Claimant), Shared>,
    /// Addresses that each uses, the first few, with the times.
    used: BTreeMap<Claimant, Vec<(IpAddr, Nanos, Nanos)>>,
}

/// What two MACs have in common.
#[derive(Debug, Default)]
struct Shared {
    /// Addresses that both claim.
    claimed: usize,
    /// Addresses that both answer for whenever one does.
    together: usize,
    /// The first of these.
    names: Vec<IpAddr>,
}

/// A MAC in a network; that of another VLAN is another device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Claimant {
    domain: DomainId,
    vlan: Tags,
    mac: Mac,
}

impl Claimant {
    /// One that claims this address.
    fn of(key: AddressKey, mac: Mac) -> Self {
        Self { domain: key.domain, vlan: key.vlan, mac }
    }

    fn pair(key: AddressKey, a: Mac, b: Mac) -> (Self, Self) {
        (Self::of(key, a.min(b)), Self::of(key, a.max(b)))
    }
}

impl Context {
    pub(super) fn new(view: &View<'_>) -> Self {
        let mut context = Self::default();
        let mut answers: BTreeMap<Claimant, usize> = BTreeMap::new();
        let mut checked: BTreeMap<Claimant, usize> = BTreeMap::new();
        for (key, address) in &view.tables.claims.addresses {
            let macs: BTreeSet<Mac> = address.claims.iter().map(|c| c.mac).collect();
            for mac in &macs {
                let only = |kinds: &[ClaimKind]| {
                    address.claims.iter().filter(|c| c.mac == *mac).all(|c| kinds.contains(&c.kind))
                };
                let who = Claimant::of(*key, *mac);
                *answers.entry(who).or_default() += usize::from(only(&[ClaimKind::Reply, ClaimKind::Soft]));
                *checked.entry(who).or_default() += usize::from(only(&[ClaimKind::Probe]));
                *context.replied.entry(who).or_default() += usize::from(replies(address, *mac).is_some());
                context.uses(who, key.ip, address);
            }
            if (2..=MACS_MAX).contains(&macs.len()) {
                for (a, b) in pairs(&macs) {
                    let shared = context.shared.entry(Claimant::pair(*key, a, b)).or_default();
                    shared.claimed += 1;
                    if together(replies(address, a), replies(address, b)) {
                        shared.together += 1;
                        shared.names.extend((shared.names.len() < NAMED_MAX).then_some(key.ip));
                    }
                }
            }
        }
        let at_least = |counts: BTreeMap<_, usize>, min| {
            counts.into_iter().filter(|(_, n)| *n >= min).map(|(who, _)| who).collect()
        };
        context.proxies = at_least(answers, PROXY_ADDRESSES_MIN);
        context.checkers = at_least(checked, CHECKED_ADDRESSES_MIN);
        context
    }

    fn uses(&mut self, who: Claimant, ip: IpAddr, address: &Address) {
        // Who gets no other address takes a link-local one: it shows that there is a conflict.
        if ip.is_ipv6() || is_link_local(ip) {
            return;
        }
        let claims = address.claims.iter();
        let of_its_own = |kind| !matches!(kind, ClaimKind::Probe | ClaimKind::Soft);
        let runs = || claims.clone().filter(|c| c.mac == who.mac && of_its_own(c.kind)).map(|c| &c.runs);
        let first = runs().filter_map(ClaimRuns::first).map(|sight| sight.at).min();
        let last = runs().filter_map(ClaimRuns::last).map(|sight| sight.at).max();
        let used = self.used.entry(who).or_default();
        used.extend(first.zip(last).filter(|_| used.len() < NAMED_MAX).map(|(from, to)| (ip, from, to)));
    }

    /// It answers for many addresses and has none of them.
    pub(super) fn is_proxy(&self, key: AddressKey, mac: Mac) -> bool {
        self.proxies.contains(&Claimant::of(key, mac))
    }

    /// It asks for many addresses whether they are free and takes none of them.
    pub(super) fn is_checker(&self, key: AddressKey, mac: Mac) -> bool {
        self.checkers.contains(&Claimant::of(key, mac))
    }

    /// Two neighbouring MACs of one card that claim several addresses together: one host, ARP flux.
    pub(super) fn one_host(&self, key: AddressKey, a: Mac, b: Mac) -> bool {
        let shared = self.shared.get(&Claimant::pair(key, a, b)).map_or(0, |shared| shared.claimed);
        let near = number(a).abs_diff(number(b)) <= ADJACENT_MAX;
        shared >= SHARED_MIN && near && !a.is_local() && !b.is_local()
    }

    /// Two MACs that answer for the same addresses, several of them, always at once, and for no others: these addresses.
    pub(super) fn flux(&self, key: AddressKey, a: Mac, b: Mac) -> Option<&[IpAddr]> {
        let shared = self.shared.get(&Claimant::pair(key, a, b))?;
        let all = |mac| self.replied.get(&Claimant::of(key, mac)) == Some(&shared.together);
        let alike = shared.together >= SHARED_MIN && shared.claimed == shared.together;
        (alike && all(a) && all(b) && shared.names.contains(&key.ip)).then_some(shared.names.as_slice())
    }

    /// Another address that a MAC uses, before and after that time.
    pub(super) fn other_address(&self, key: AddressKey, mac: Mac, at: Nanos) -> Option<IpAddr> {
        let used = self.used.get(&Claimant::of(key, mac))?;
        used.iter().find(|(ip, from, to)| *ip != key.ip && *from < at && at < *to).map(|(ip, ..)| *ip)
    }
}

/// Its answers for an address, when it answers with its own MAC.
fn replies(address: &Address, mac: Mac) -> Option<&ClaimRuns> {
    let own =
        address.claims.iter().find(|c| c.mac == mac && c.kind == ClaimKind::Reply && c.sender.is_none());
    own.map(|claim| &claim.runs)
}

/// Whenever one answered, the other did.
fn together(a: Option<&ClaimRuns>, b: Option<&ClaimRuns>) -> bool {
    let (Some(a), Some(b)) = (a, b) else { return false };
    let close = |x: Nanos, y: Nanos| x.since(y).saturating_abs() <= TOGETHER_NS;
    let alike = a.count() == b.count() && a.runs().len() == b.runs().len();
    let mut runs = a.runs().iter().zip(b.runs());
    alike && runs.all(|(x, y)| close(x.first.at, y.first.at) && close(x.last.at, y.last.at))
}

fn pairs(macs: &BTreeSet<Mac>) -> impl Iterator<Item = (Mac, Mac)> + '_ {
    macs.iter().flat_map(move |a| macs.range(..).filter(move |b| *b > a).map(move |b| (*a, *b)))
}

/// Hosts choose 169.254/16 addresses by themselves and settle it by themselves (RFC 3927).
pub(super) fn is_link_local(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V4(v4) if v4.is_link_local())
}
