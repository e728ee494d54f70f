//! What one recording says of addresses, small enough to be kept beside what others say.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use netcap_bundle::{Mac, Nanos};

use super::claimants::{Suspect, own_address, suspects};
use super::context::{Context, is_link_local};
use super::evidence::{kind_key, point_of};
use crate::engine::{DomainId, Tags};
use crate::finding::Evidence;
use crate::host::OwnAddress;
use crate::tables::claims::AddressKey;
use crate::text::Text;
use crate::view::View;

/// Owners kept of one input; what is beyond is counted.
const OWNERS_MAX: usize = 16_384;

/// One recording's addresses.
#[derive(Debug, Default)]
pub(crate) struct AddressBook {
    /// The host's name, or the input's where nothing names a host.
    pub(super) name: String,
    /// Seconds east of Greenwich there.
    pub(super) utc_offset_s: i32,
    /// The recorded host is known by its state.
    pub(super) host: bool,
    /// The host's own MACs.
    pub(super) macs: BTreeSet<Mac>,
    /// First and last packet of any point.
    pub(super) span: Option<(Nanos, Nanos)>,
    /// By broadcast domain and VLAN.
    pub(super) networks: Vec<Network>,
    /// Owners that were not kept.
    pub(super) given_up: u64,
}

/// One broadcast domain and VLAN of a recording.
#[derive(Debug)]
pub(super) struct Network {
    pub domain: String,
    pub named: bool,
    pub vlan: String,
    pub owners: BTreeMap<IpAddr, Vec<Owner>>,
}

/// Who has an address there.
#[derive(Debug)]
pub(super) struct Owner {
    pub mac: Mac,
    pub place: Text,
    /// The host itself has it, as its state says at the start and the end.
    pub own: Option<Evidence>,
    /// It says so in packets: first and last of them.
    pub heard: Option<Heard>,
}

/// What was heard of an owner.
#[derive(Debug)]
pub(super) struct Heard {
    pub first: Nanos,
    pub last: Nanos,
    /// It announced the address unasked.
    pub announced: bool,
    /// It only ever answered for it.
    pub only_answers: bool,
    /// The first packet, and the last where there are several.
    pub evidence: Vec<Evidence>,
}

impl AddressBook {
    /// Reads it from what is known of an input.
    pub(crate) fn read(view: &View<'_>) -> Self {
        let input = view.input;
        let info = input.info.as_ref();
        let host = info.map(|info| info.host.clone()).filter(|name| !name.is_empty());
        let spans = || view.files.iter().filter_map(|file| file.span);
        let mut book = Self {
            name: host.unwrap_or_else(|| input.name.clone()),
            utc_offset_s: info.map_or(0, |info| info.utc_offset_s),
            host: !view.host.macs().is_empty(),
            macs: view.host.macs().clone(),
            span: spans().map(|s| s.0).min().zip(spans().map(|s| s.1).max()),
            networks: Vec::new(),
            given_up: 0,
        };
        let networks = networks(view);
        let mut room = OWNERS_MAX;
        for ((domain, vlan), owners) in networks {
            let mut kept = BTreeMap::new();
            for (ip, owners) in owners {
                if owners.len() > room {
                    book.given_up += owners.len() as u64;
                    continue;
                }
                room -= owners.len();
                kept.insert(
                    ip,
                    owners.into_iter().map(|owner| owner.described(view, ip, &book.name)).collect(),
                );
            }
            book.networks.push(Network {
                domain: view.points.domain_name(domain).into_owned(),
                named: view.points.is_domain_named(domain),
                vlan: vlan.to_string(),
                owners: kept,
            });
        }
        book
    }

    /// Owners in it.
    pub(super) fn len(&self) -> usize {
        self.networks.iter().flat_map(|network| network.owners.values()).map(Vec::len).sum()
    }
}

/// An owner before it is put into words.
enum Raw {
    Own(OwnAddress),
    Heard(Suspect),
}

type Networks = BTreeMap<(DomainId, Tags), BTreeMap<IpAddr, Vec<Raw>>>;

fn networks(view: &View<'_>) -> Networks {
    let context = Context::new(view);
    let mut out = Networks::new();
    for (key, address) in &view.tables.claims.addresses {
        if is_link_local(key.ip) {
            continue;
        }
        let heard = suspects(view, &context, *key, address);
        let heard: Vec<Raw> = heard.into_iter().filter(|s| s.all.count() > 0).map(Raw::Heard).collect();
        if !heard.is_empty() {
            out.entry((key.domain, key.vlan)).or_default().insert(key.ip, heard);
        }
    }
    // An owner that is never heard has its address as well.
    let ips = view.host.ips();
    let domains: BTreeSet<(DomainId, u16)> = view
        .points
        .iter()
        .filter_map(|(id, _)| Some((view.points.domain(id)?, view.access_vlan(id))))
        .collect();
    for (domain, outer) in domains {
        let vlan = Tags { outer, inner: 0 };
        for ip in ips.iter().filter(|ip| !is_link_local(**ip) && !ip.is_loopback()) {
            let Some(own) = own_address(view, AddressKey { domain, vlan, ip: *ip }) else { continue };
            let owners = out.entry((domain, vlan)).or_default().entry(*ip).or_default();
            owners.insert(0, Raw::Own(own));
        }
    }
    out
}

impl Raw {
    fn described(self, view: &View<'_>, ip: IpAddr, book: &str) -> Owner {
        match self {
            Self::Own(own) => Owner {
                mac: own.mac,
                place: Text::new("place.on-host").with("port", &own.iface).with("host", book),
                own: Some(named(own.evidence, book)),
                heard: None,
            },
            Self::Heard(suspect) => {
                let place = view.place(suspect.mac, &suspect.seen);
                let place = if place.is("place.unknown") || place.is("place.seen") {
                    Text::new("place.heard-in").with("input", book)
                } else {
                    Text::new("place.in-input").with_text("place", place).with("input", book)
                };
                Owner { mac: suspect.mac, place, own: None, heard: heard(view, &suspect, ip, book) }
            }
        }
    }
}

fn heard(view: &View<'_>, suspect: &Suspect, ip: IpAddr, book: &str) -> Option<Heard> {
    let (first, last) = (suspect.all.first()?, suspect.all.last()?);
    let mut sights = vec![first];
    sights.extend((last != first).then_some(last));
    let frame = |sight| {
        let what = Text::new(kind_key(suspect, sight)).with("mac", suspect.mac).with("ip", ip);
        named(view.frame(sight, point_of(suspect), what), book)
    };
    Some(Heard {
        first: first.at,
        last: last.at,
        announced: suspect.announce.count() > 0,
        only_answers: suspect.only_answers,
        evidence: sights.into_iter().map(frame).collect(),
    })
}

/// With the recording it comes from; a bare capture is its own file.
fn named(evidence: Evidence, book: &str) -> Evidence {
    let beside = |file: String| if file == book { file } else { format!("{book}: {file}") };
    match evidence {
        Evidence::Frame { file, number, at, point, what } => {
            Evidence::Frame { file: beside(file), number, at, point, what }
        }
        Evidence::Snapshot { file, at, line, what } => {
            Evidence::Snapshot { file: beside(file), at, line, what }
        }
        other => other,
    }
}
