//! One address at two MACs, each seen by another recording only: the asking PC's capture beside the host's bundle.
//!
//! Times of two recordings are compared no closer than their clocks may be apart.

use std::collections::BTreeSet;
use std::net::IpAddr;

use netcap_bundle::{Mac, Nanos};

use super::book::{AddressBook, Heard, Network, Owner};
use super::context::ADJACENT_MAX;
use crate::finding::{Claimant, Confidence, Exoneration, Finding, Severity, Subject, Victim};
use crate::host::macs::number;
use crate::text::Text;

/// Owners kept of all inputs; what is beyond is counted.
const OWNERS_MAX: usize = 65_536;
/// Findings made of all inputs.
const FINDINGS_MAX: usize = 200;
/// A MAC that has as many addresses of one recording answers for others, where it only answers (RFC 1027).
const ANSWERED_MIN: usize = 3;
/// Addresses that two MACs have in common, each in its recording, to be one device with two ports.
const SHARED_MIN: usize = 2;
/// Clocks that nobody compared are believed to be no further apart than this: what overlaps by more was at one time.
const CLOCKS_NS: i64 = 5_000_000_000;
/// A PC's clock may be set to another zone's time; what is further apart is another day's recording.
const ZONES_NS: i64 = 12 * 3_600_000_000_000;

/// What all recordings say of addresses.
#[derive(Debug, Default)]
pub(crate) struct Books {
    recordings: Vec<AddressBook>,
    owners: usize,
    given_up: u64,
}

/// How much speaks for two owners at one time in one network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Grounds {
    /// Both recordings know a third device by the same address and MAC.
    one_network: bool,
    /// The recordings overlap by their own clocks.
    one_time: bool,
}

/// One side of a conflict.
#[derive(Clone, Copy)]
struct Side<'a> {
    book: &'a AddressBook,
    network: &'a Network,
    owner: &'a Owner,
}

impl Books {
    /// Takes what one more recording says.
    fn add(&mut self, mut book: AddressBook) {
        self.given_up += book.given_up;
        if self.owners.saturating_add(book.len()) > OWNERS_MAX {
            self.given_up += book.len() as u64;
            book.networks.clear();
        }
        self.owners += book.len();
        self.recordings.push(book);
    }

    /// The same for what may be there.
    pub(crate) fn extend(&mut self, books: impl IntoIterator<Item = AddressBook>) {
        books.into_iter().for_each(|book| self.add(book));
    }

    /// Owners of addresses that were not kept.
    pub(crate) fn given_up(&self) -> u64 {
        self.given_up
    }

    /// The zone of the first recording.
    pub(crate) fn utc_offset_s(&self) -> i32 {
        self.recordings
            .iter()
            .find(|book| book.host)
            .or(self.recordings.first())
            .map_or(0, |book| book.utc_offset_s)
    }

    /// Addresses with two owners, each known to one recording only.
    pub(crate) fn findings(&self) -> Vec<Finding> {
        let mut out = Vec::new();
        let mut said: BTreeSet<(IpAddr, Mac, Mac)> = BTreeSet::new();
        for (number, one) in self.recordings.iter().enumerate() {
            for other in self.recordings.iter().skip(number + 1).filter(|other| one.is_near(other)) {
                for (ip, a, b) in contested(one, other) {
                    let Some(grounds) = grounds(ip, a, b) else { continue };
                    let macs = (a.owner.mac.min(b.owner.mac), a.owner.mac.max(b.owner.mac));
                    if out.len() < FINDINGS_MAX && said.insert((ip, macs.0, macs.1)) {
                        out.push(finding(ip, a, b, grounds));
                    }
                }
            }
        }
        Finding::sort(&mut out);
        out
    }
}

/// Addresses that each of two recordings knows at another MAC; the host's own side comes first.
fn contested<'a>(
    one: &'a AddressBook,
    other: &'a AddressBook,
) -> impl Iterator<Item = (IpAddr, Side<'a>, Side<'a>)> {
    let sides = |book: &'a AddressBook| {
        let networks = book.networks.iter();
        networks.flat_map(move |network| {
            let owners = network.owners.iter();
            owners.flat_map(move |(ip, owners)| {
                owners.iter().map(move |owner| (*ip, Side { book, network, owner }))
            })
        })
    };
    sides(one).flat_map(move |(ip, a)| {
        let there = other.networks.iter().flat_map(move |network| {
            let owners = network.owners.get(&ip).into_iter().flatten();
            owners.map(move |owner| Side { book: other, network, owner })
        });
        there.filter(move |b| b.owner.mac != a.owner.mac).map(move |b| {
            if b.owner.own.is_some() && a.owner.own.is_none() { (ip, b, a) } else { (ip, a, b) }
        })
    })
}

/// `None` where the two are one device, one after the other, or may be of different networks.
fn grounds(ip: IpAddr, a: Side<'_>, b: Side<'_>) -> Option<Grounds> {
    // Who saw both has judged them by one clock.
    if a.book.knows(ip, b.owner.mac) || b.book.knows(ip, a.owner.mac) || one_device(a, b) {
        return None;
    }
    if answers_for_others(a, b) || answers_for_others(b, a) {
        return None;
    }
    let grounds = Grounds { one_network: one_network(ip, a.network, b.network), one_time: one_time(a, b)? };
    // A bare capture says nothing of where it was taken; the user put it beside the host's recording.
    let asked_beside = a.owner.own.is_some() && !b.book.host;
    (asked_beside || (grounds.one_network && grounds.one_time)).then_some(grounds)
}

impl AddressBook {
    /// Recordings of other days have nothing to do with each other.
    fn is_near(&self, other: &Self) -> bool {
        let apart = |(a, b): ((Nanos, Nanos), (Nanos, Nanos))| a.0.max(b.0).since(a.1.min(b.1));
        self.span.zip(other.span).is_some_and(|spans| apart(spans) <= ZONES_NS)
    }

    fn knows(&self, ip: IpAddr, mac: Mac) -> bool {
        let owners = self.networks.iter().filter_map(|network| network.owners.get(&ip));
        owners.flatten().any(|owner| owner.mac == mac)
    }
}

impl Network {
    /// Addresses of a MAC.
    fn of(&self, mac: Mac) -> impl Iterator<Item = (IpAddr, &Owner)> {
        let all = self.owners.iter().flat_map(|(ip, owners)| owners.iter().map(move |owner| (*ip, owner)));
        all.filter(move |(_, owner)| owner.mac == mac)
    }
}

/// Ports of one card; interfaces of one host; two ports of one machine, which have their addresses in common.
fn one_device(a: Side<'_>, b: Side<'_>) -> bool {
    let (x, y) = (a.owner.mac, b.owner.mac);
    let near = number(x).abs_diff(number(y)) <= ADJACENT_MAX && !x.is_local() && !y.is_local();
    let of_host = |book: &AddressBook| book.macs.contains(&x) && book.macs.contains(&y);
    let one_host = a.book.host && b.book.host && a.book.name == b.book.name;
    let theirs: BTreeSet<IpAddr> = a.network.of(x).map(|(ip, _)| ip).collect();
    let shared = b.network.of(y).filter(|(ip, _)| theirs.contains(ip)).count();
    near || of_host(a.book) || of_host(b.book) || one_host || shared >= SHARED_MIN
}

/// Proxy ARP: a device with an address of its own, in either recording, that only ever answers for this one; or that
/// only ever answers for several.
fn answers_for_others(a: Side<'_>, b: Side<'_>) -> bool {
    let only_answers = |owner: &Owner| owner.heard.as_ref().is_some_and(|heard| heard.only_answers);
    if !only_answers(a.owner) {
        return false;
    }
    let mac = a.owner.mac;
    let lives = [a.network, b.network].iter().any(|network| network.of(mac).any(|(_, o)| !only_answers(o)));
    let elsewhere = b.network.of(mac).next().is_some();
    lives || elsewhere || a.network.of(mac).count() >= ANSWERED_MIN
}

/// A third device that both know by one address and MAC.
fn one_network(ip: IpAddr, a: &Network, b: &Network) -> bool {
    a.owners.iter().filter(|(other, _)| **other != ip).any(|(other, owners)| {
        let there = b.owners.get(other).into_iter().flatten();
        there.into_iter().any(|known| owners.iter().any(|owner| owner.mac == known.mac))
    })
}

/// Whether both had the address at one time; `None` when it was handed over, or on another day.
fn one_time(a: Side<'_>, b: Side<'_>) -> Option<bool> {
    let span = |side: Side<'_>| match (&side.owner.own, &side.owner.heard) {
        // The state at the start and the end says so.
        (Some(_), _) => side.book.span,
        (None, heard) => heard.as_ref().map(|heard: &Heard| (heard.first, heard.last)),
    };
    let (x, y) = (span(a)?, span(b)?);
    let own = a.owner.own.is_some() || b.owner.own.is_some();
    let overlap = x.1.min(y.1).since(x.0.max(y.0));
    if own {
        let near = |ns: i64| overlap >= ns.saturating_neg();
        return near(ZONES_NS).then(|| near(CLOCKS_NS));
    }
    let announced = |side: Side<'_>| side.owner.heard.as_ref().is_some_and(|heard| heard.announced);
    (overlap >= CLOCKS_NS && !announced(a) && !announced(b)).then_some(true)
}

fn finding(ip: IpAddr, a: Side<'_>, b: Side<'_>, grounds: Grounds) -> Finding {
    let claimant = |side: Side<'_>| Claimant { mac: side.owner.mac, place: side.owner.place.clone() };
    let sure = grounds.one_network && grounds.one_time;
    let (from, to) = span(a, b);
    let evidence = [a, b].into_iter().flat_map(|side| {
        let heard = side.owner.heard.iter().flat_map(|heard| heard.evidence.clone());
        side.owner.own.clone().into_iter().chain(heard)
    });
    Finding {
        from,
        to,
        claim: Text::new(if sure { "ip-conflict.claim.across" } else { "ip-conflict.claim.across-maybe" })
            .with("ip", ip)
            .with_text("a", claimant(a).words())
            .with_text("b", claimant(b).words()),
        evidence: evidence.collect(),
        exonerations: exonerations(a, b, grounds),
        remedy: Text::new(if sure { "ip-conflict.remedy" } else { "ip-conflict.remedy.across" })
            .with("ip", ip)
            .with("mac", b.owner.mac),
        victims: vec![Victim::Address(ip)],
        ..Finding::new(
            super::DETECTOR.unit.id,
            if sure { Severity::Error } else { Severity::Warning },
            // What one recording says is not seen by the other.
            if sure { Confidence::Likely } else { Confidence::CannotTell },
            Subject::Address {
                ip,
                domain: a.network.domain.clone(),
                vlan: a.network.vlan.clone(),
                claimants: vec![claimant(a), claimant(b)],
                named: a.network.named,
            },
        )
    }
}

fn span(a: Side<'_>, b: Side<'_>) -> (Option<Nanos>, Option<Nanos>) {
    let heard = || [a, b].into_iter().filter_map(|side| side.owner.heard.as_ref());
    (heard().map(|h| h.first).min(), heard().map(|h| h.last).max())
}

fn exonerations(a: Side<'_>, b: Side<'_>, grounds: Grounds) -> Vec<Exoneration> {
    let ruled_out = |key| Exoneration::RuledOut(Text::new(key));
    let open = |key| Exoneration::Open(Text::new(key).with("a", &a.book.name).with("b", &b.book.name));
    vec![
        if grounds.one_network {
            ruled_out("ip-conflict.not.other-network")
        } else {
            open("ip-conflict.not.other-network-maybe")
        },
        if grounds.one_time {
            ruled_out("ip-conflict.not.other-time")
        } else {
            open("ip-conflict.not.other-time-maybe")
        },
        ruled_out("ip-conflict.not.router"),
        ruled_out("ip-conflict.not.one-device"),
        ruled_out("ip-conflict.not.proxy"),
    ]
}

#[cfg(test)]
mod tests;
