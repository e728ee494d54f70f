//! Deaths of ARP requests: somebody at a recorded port asks for an address again and again, and no answer comes.
//!
//! The reply has to leave by the port of who asks, so what is not recorded elsewhere does not matter. Requests go to all, and
//! are not followed like packets for one: where they were seen is put together here.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use netcap_bundle::packets::Direction;
use netcap_bundle::{Mac, Role};

use super::asked::WAIT_NS;
use super::place::{Place, Places, Way, active_instead, is_backup, is_shown, standing};
use super::sights::{home, is_group};
use super::{Death, Example, Found, Key, Standing};
use crate::engine::flow::PROTOCOL_ARP;
use crate::engine::{FrameRef, PacketKind, PointId};
use crate::fidelity::Trust;
use crate::host::exits::Exits;
use crate::tables::claims::{AddressKey, ClaimKind};
use crate::tables::hops::{Side, Stop};
use crate::tables::questions::{ArpSight, QuestionKey, Questions};
use crate::view::View;

/// Requests in a row without an answer: the kernel sends as many before it gives up (`mcast_solicit`, `ucast_solicit`, arp(7)).
const ROW_MIN: usize = 3;
/// They are at least so far apart, for an answer may take its time: three requests a second apart, with some jitter.
const ROW_NS_MIN: i64 = 1_500_000_000;
/// Who asks again after a longer while did not wait for an answer.
const PAUSE_NS_MAX: i64 = 10_000_000_000;
/// Who asks for that many addresses in vain looks who is there.
const SCANNED_MIN: usize = 8;
/// A frame crosses a switch within this.
const FLOOD_NS: i64 = 500_000_000;
/// Stamps of two points differ by so much.
const JITTER_NS: i64 = 1_000_000;

/// One request, wherever it was seen.
struct Request<'t> {
    /// At the port of who asks.
    origin: &'t ArpSight,
    sights: Vec<&'t ArpSight>,
}

/// All of them, in order of who asks.
pub(super) fn all<'a>(view: &'a View<'a>, known: &BTreeSet<FrameRef>) -> Vec<Found<'a>> {
    let pairs = view.tables.questions.pairs.iter();
    let silent = pairs.map(|(key, questions)| (key, questions, silent(view, key, questions)));
    let silent: Vec<_> = silent.filter(|(.., rows)| !rows.is_empty()).collect();
    let mut targets: BTreeMap<(Mac, Ipv4Addr), usize> = BTreeMap::new();
    for (key, ..) in &silent {
        *targets.entry((key.mac, key.asker)).or_default() += 1;
    }
    let mut places = Places::new(view);
    let mut out: Vec<Found<'a>> = Vec::new();
    let mut replies = BTreeSet::new();
    for (key, questions, requests) in silent {
        if targets.get(&(key.mac, key.asker)).is_some_and(|count| *count >= SCANNED_MIN) {
            continue;
        }
        let fresh =
            requests.iter().filter(|request| !request.sights.iter().any(|s| known.contains(&s.frame)));
        let fresh = fresh.filter_map(|request| found(view, (key, questions), request, &mut places));
        // One reply may come in the time of several requests, and is followed from point to point besides.
        let once = fresh.filter(|found| {
            let frame = found.death.frame;
            found.key.kind != PacketKind::ArpReply || (!known.contains(&frame) && replies.insert(frame))
        });
        out.extend(once);
    }
    out
}

/// The requests that nobody answered, as far as they are several in a row.
fn silent<'t>(view: &View<'_>, key: &QuestionKey, questions: &'t Questions) -> Vec<Request<'t>> {
    if is_group(view, key.target.into()) {
        return Vec::new();
    }
    let mut row: Vec<Request<'t>> = Vec::new();
    let mut out = Vec::new();
    for request in requests(view, questions) {
        if row.last().is_some_and(|last| request.origin.at.since(last.origin.at) > PAUSE_NS_MAX) {
            keep(&mut out, &mut row);
        }
        if is_silent(view, &request, questions) {
            row.push(request);
        } else {
            keep(&mut out, &mut row);
        }
    }
    keep(&mut out, &mut row);
    out
}

fn keep<'t>(out: &mut Vec<Request<'t>>, row: &mut Vec<Request<'t>>) {
    let long = match (row.first(), row.last()) {
        (Some(first), Some(last)) => last.origin.at.since(first.origin.at) >= ROW_NS_MIN,
        _ => false,
    };
    if row.len() >= ROW_MIN && long {
        out.append(row);
    }
    row.clear();
}

/// Every request that was seen at the port of who asks.
fn requests<'t>(view: &View<'_>, questions: &'t Questions) -> Vec<Request<'t>> {
    let mut out: Vec<Request<'t>> = Vec::new();
    for origin in questions.requests.iter().filter(|sight| is_own_port(view, sight)) {
        out.push(Request { origin, sights: vec![origin] });
    }
    for sight in questions.requests.iter().filter(|sight| !is_own_port(view, sight)) {
        let next = out.partition_point(|request| request.origin.at <= sight.at.plus(JITTER_NS));
        let mine = next.checked_sub(1).and_then(|place| out.get_mut(place));
        if let Some(request) = mine.filter(|request| sight.at.since(request.origin.at) <= FLOOD_NS) {
            request.sights.push(sight);
        }
    }
    out
}

/// From a machine into its port, or from the host out of its own: the answer has to pass there.
fn is_own_port(view: &View<'_>, sight: &ArpSight) -> bool {
    match view.points.get(sight.point).map(|info| &info.role) {
        Some(Role::Vnet { guest_mac, .. }) => {
            sight.direction == Direction::In && guest_mac.is_none_or(|mac| mac == sight.eth.src)
        }
        Some(Role::Internal) => sight.direction == Direction::Out,
        _ => false,
    }
}

/// No reply was seen in its time, and at the port of who asks it would have been.
fn is_silent(view: &View<'_>, request: &Request<'_>, questions: &Questions) -> bool {
    let asked = request.origin.at;
    if replies(request, questions).any(|reply| reply.point == request.origin.point) {
        return false;
    }
    matches!(
        view.fidelity.trust(request.origin.point, asked, asked.plus(WAIT_NS)),
        Trust::Sound | Trust::Unknown
    )
}

/// The replies that came in its time, wherever they were seen.
fn replies<'t>(request: &Request<'_>, questions: &'t Questions) -> impl Iterator<Item = &'t ArpSight> {
    let asked = request.origin.at;
    let in_time =
        move |reply: &&ArpSight| asked.plus(-JITTER_NS) <= reply.at && reply.at.since(asked) <= WAIT_NS;
    questions.replies.iter().filter(in_time)
}

/// The reply that was missed, to ask filters with.
fn reply(key: &QuestionKey, vlan: Option<u16>) -> Vec<u8> {
    let who = Mac([2, 0, 0, 0, 0, 1]);
    let mut frame = [key.mac.0, who.0].concat();
    if let Some(vid) = vlan {
        frame.extend([0x81, 0x00]);
        frame.extend(vid.to_be_bytes());
    }
    frame.extend([0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 2]);
    frame.extend(who.0);
    frame.extend(key.target.octets());
    frame.extend(key.mac.0);
    frame.extend(key.asker.octets());
    frame.resize(frame.len().max(60), 0);
    frame
}

/// The VLAN of the frame's own tag there.
fn tag(view: &View<'_>, sight: &ArpSight) -> Option<u16> {
    let vlan = sight.facts.vlan;
    (vlan != 0 && vlan != view.access_vlan(sight.point)).then_some(vlan)
}

fn is_leaving(view: &View<'_>, sight: &ArpSight) -> bool {
    let stop = Stop { point: sight.point, direction: sight.direction };
    matches!(stop.side(&view.context), Side::Leave(_))
}

/// Where the request came to: the port of who has the address, an uplink, or no further than the port of who asks.
fn last<'t>(view: &View<'_>, request: &Request<'t>, target: Option<PointId>, exits: &Exits) -> &'t ArpSight {
    let left = || request.sights.iter().copied().filter(|sight| is_leaving(view, sight));
    let there = left().find(|sight| Some(sight.point) == target);
    let wanted = there.or_else(|| left().rfind(|sight| exits.points.contains(&sight.point)));
    // Of a switch of which not every way out is recorded, a copy of the flood shows that it passed.
    let any = || left().next_back().filter(|_| target.is_none() && exits.points.is_empty());
    wanted.or_else(any).unwrap_or(request.origin)
}

/// The recorded port of this host that has the address, with its machine's MAC: as the host knows it, or as the machine was
/// heard to use it there.
fn owner(view: &View<'_>, key: &QuestionKey, origin: &ArpSight) -> Option<(PointId, Option<Mac>)> {
    let guest = |point: PointId| match view.points.get(point).map(|info| &info.role) {
        Some(Role::Vnet { guest_mac, .. }) => *guest_mac,
        _ => None,
    };
    if let Some(point) = home(view, key.target.into()) {
        return Some((point, guest(point))).filter(|_| point != origin.point);
    }
    // Never the address alone: tenants overlap.
    let domain = view.context.domain(origin.point);
    let same = |known: &AddressKey| {
        known.ip == IpAddr::V4(key.target) && known.domain == domain && known.vlan.outer == origin.facts.vlan
    };
    let mut known = view.tables.claims.addresses.iter().filter(|(known, _)| same(known));
    known.find_map(|(_, address)| {
        let used = address.claims.iter().filter(|claim| claim.kind != ClaimKind::Probe);
        used.flat_map(|claim| claim.seen.iter().map(move |seen| (claim, seen))).find_map(
            |(claim, (point, direction))| {
                let info = view.points.get(*point)?;
                let own = matches!(info.role, Role::Vnet { .. }) && *direction == Direction::In;
                (own && *point != origin.point).then_some((*point, Some(claim.mac)))
            },
        )
    })
}

/// Where the first reply, which did not reach who asked, was last seen; at a member of a bond that takes nothing only when it was
/// seen at no other.
fn last_reply<'t>(view: &View<'_>, request: &Request<'_>, questions: &'t Questions) -> Option<&'t ArpSight> {
    let backup = |reply: &ArpSight| {
        view.points.get(reply.point).is_some_and(|info| is_backup(view, info, reply.at) == Some(true))
    };
    let first = replies(request, questions).map(|reply| reply.at).min()?;
    let same = replies(request, questions).filter(|reply| reply.at.since(first) <= FLOOD_NS);
    same.max_by_key(|reply| (!backup(reply), reply.at, reply.frame))
}

/// The death of a reply on its way to who asked.
fn astray<'a>(
    view: &'a View<'a>,
    key: &QuestionKey,
    origin: &ArpSight,
    reply: &ArpSight,
    places: &mut Places<'a>,
) -> Option<Found<'a>> {
    let from = Stop { point: reply.point, direction: reply.direction };
    let place = places.of(from, Some(reply.eth.dst), reply.at, &[])?;
    let trust = |point: PointId| view.fidelity.trust(point, reply.at, reply.at.plus(WAIT_NS));
    let info = view.points.get(reply.point)?;
    let trust = match place.way {
        Way::Backup => trust(active_instead(view, info, reply.at)?),
        Way::Switch | Way::Learned | Way::Beyond => trust(origin.point),
    };
    let standing = match trust {
        Trust::Sound | Trust::Unknown => Standing::Sure(trust),
        Trust::Lossy => Standing::Lossy,
        Trust::Blind => Standing::Unjudged,
    };
    let death = Death {
        at: reply.at,
        frame: reply.frame,
        packets: 1,
        facts: reply.facts,
        ports: (0, 0),
        followed: false,
        standing,
    };
    let key = Key {
        place,
        kind: reply.facts.kind,
        src: key.target.into(),
        dst: key.asker.into(),
        protocol: PROTOCOL_ARP,
        eth: Some((reply.eth.dst, reply.eth.src)),
        vlan: reply.facts.vlan,
    };
    Some(Found { key, death, example: None })
}

fn found<'a>(
    view: &'a View<'a>,
    (key, questions): (&QuestionKey, &'a Questions),
    request: &Request<'_>,
    places: &mut Places<'a>,
) -> Option<Found<'a>> {
    let origin = request.origin;
    let here = tag(view, origin);
    let answer = reply(key, here);
    let size = u32::try_from(answer.len()).unwrap_or(u32::MAX);
    if !view.fidelity.shows(origin.point, &answer, size) {
        return None;
    }
    if let Some(reply) = last_reply(view, request, questions) {
        return astray(view, key, origin, reply, places);
    }
    let (target, guest) = match owner(view, key, origin) {
        Some((point, mac)) => (Some(point), mac),
        None => (None, None),
    };
    let from = Stop { point: origin.point, direction: origin.direction };
    let place = places.of(from, Some(guest.unwrap_or(origin.eth.dst)), origin.at, &[])?;
    let last = last(view, request, target, &place.exits);
    // It is for a machine of this host that the switch does not know: where else the flood went says nothing.
    if target.is_some_and(|point| point != last.point && !place.exits.points.contains(&point)) {
        return None;
    }
    let place = if last.frame == origin.frame {
        place
    } else {
        let from = Stop { point: last.point, direction: last.direction };
        Place { from, way: Way::Beyond, exits: Exits::default() }
    };
    let sample = questions.samples.iter().find(|s| (s.point, s.direction) == (last.point, last.direction));
    let example = sample.map(|sample| Example { bytes: &sample.bytes, wire_len: sample.wire_len });
    let shown =
        |example: Example<'_>| is_shown(view, &place.exits.points, example.bytes, example.wire_len, false);
    let standing = match place.way {
        Way::Switch | Way::Learned => standing(view, &place, last.at, example.is_some_and(shown)),
        Way::Backup | Way::Beyond => {
            Standing::Sure(view.fidelity.trust(origin.point, origin.at, origin.at.plus(WAIT_NS)))
        }
    };
    let death = Death {
        at: last.at,
        frame: last.frame,
        packets: 1,
        facts: last.facts,
        ports: (0, 0),
        followed: false,
        standing,
    };
    let key = Key {
        place,
        kind: last.facts.kind,
        src: key.asker.into(),
        dst: key.target.into(),
        protocol: PROTOCOL_ARP,
        eth: Some((last.eth.dst, last.eth.src)),
        vlan: last.facts.vlan,
    };
    Some(Found { key, death, example })
}
