//! Counting: which requests were lost, and which only seem so.

use std::collections::BTreeMap;
use std::net::IpAddr;

use netcap_bundle::Nanos;
use netcap_bundle::packets::Direction;
use netcap_words::wire::ip_protocol::TCP;

use crate::engine::{Failure, PointId};
use crate::fidelity::Trust;
use crate::tables::journeys::{Event, Journey};
use crate::view::View;

/// An answer may take this long; netcap's own pings wait as long, and `ping` prints later ones as late.
pub(super) const WAIT_NS: i64 = 2_000_000_000;
/// Lost requests this close belong to one burst.
const BURST_NS_MAX: i64 = 5_000_000_000;

/// One pair with losses.
#[derive(Debug)]
pub(super) struct PingPair {
    pub src: IpAddr,
    pub dst: IpAddr,
    /// Requests that count: answered, or lost where the capture can be trusted.
    pub sent: usize,
    /// Lost requests, each where it was last seen, in order of time.
    pub lost: Vec<Event>,
    /// Requests without an answer that prove nothing: the end of the capture, or losses of the capture.
    pub uncertain: usize,
    pub answered: usize,
    /// Of the lost requests those of which somebody on the way said that they did not arrive: where he was heard.
    pub refused: Vec<(Event, Failure)>,
    /// The least trust of all places where an answer was missed.
    pub trust: Trust,
    /// One end of the pair is at a recorded port of this host, where every answer has to pass.
    pub endpoint: bool,
}

/// A burst of losses.
#[derive(Debug, Clone, Copy)]
pub(super) struct Burst {
    pub from: Nanos,
    pub to: Nanos,
    pub count: usize,
}

/// Pairs that lost something, in order of address.
pub(super) fn pairs(view: &View<'_>) -> Vec<PingPair> {
    let mut out = Vec::new();
    for ((src, dst, protocol), journeys) in view.tables.journeys.pairs() {
        if protocol == TCP || is_group(view, dst) {
            continue;
        }
        let pair = count(view, src, dst, &journeys);
        if !pair.lost.is_empty() {
            out.push(pair);
        }
    }
    out
}

fn count(view: &View<'_>, src: IpAddr, dst: IpAddr, journeys: &[&Journey]) -> PingPair {
    let table = &view.tables.journeys;
    let mut pair = PingPair {
        src,
        dst,
        sent: 0,
        lost: Vec::new(),
        uncertain: 0,
        answered: 0,
        refused: Vec::new(),
        trust: Trust::Sound,
        endpoint: false,
    };
    // Every answer of the host's own address leaves by the port that has it: recorded, its silence tells.
    let home = view.host.topology().by_ip(dst).and_then(|(_, port)| view.points.by_name(&port.iface));
    pair.endpoint = home.is_some();
    for journey in journeys {
        let requests = table.requests(journey);
        pair.endpoint |= requests.iter().any(|e| is_endpoint(view, e));
        if !table.replies(journey).is_empty() {
            pair.answered += 1;
            continue;
        }
        let last = requests.iter().max_by_key(|e| (e.at, leaves(view, e), e.frame));
        match table.failed(journey).zip(last) {
            // A traceroute wants its requests to die on the way.
            Some(((_, Failure::Expired), _)) => continue,
            // Said in the capture, whatever it lost.
            Some(((event, why), last)) => {
                pair.refused.push((*event, why));
                pair.lost.push(*last);
                continue;
            }
            None => {}
        }
        // The answer has to pass wherever the request did; one place that lost packets may have lost it.
        let places =
            requests.iter().flat_map(|e| [Some(e.point), home].into_iter().flatten().map(|p| (p, e.at)));
        let trust = places.map(|(point, at)| view.fidelity.trust(point, at, at.plus(WAIT_NS))).min();
        match (trust, last) {
            (Some(trust @ (Trust::Sound | Trust::Unknown)), Some(last)) => {
                pair.trust = pair.trust.min(trust);
                pair.lost.push(*last);
            }
            _ => pair.uncertain += 1,
        }
    }
    pair.sent = pair.answered + pair.lost.len();
    pair.lost.sort_by_key(|e| e.at);
    pair
}

/// The request left the host's own port, or came in from a VM: the capture sits at its sender.
fn is_endpoint(view: &View<'_>, event: &Event) -> bool {
    use netcap_bundle::Role;
    match view.points.get(event.point).map(|info| &info.role) {
        Some(Role::Internal) => event.direction == Direction::Out,
        Some(Role::Vnet { .. }) => event.direction == Direction::In,
        _ => false,
    }
}

/// The request is on its way out of the switch there: of two sightings with one stamp the later one.
fn leaves(view: &View<'_>, event: &Event) -> bool {
    use netcap_bundle::Role;
    match view.points.get(event.point).map(|info| &info.role) {
        Some(Role::Internal) => event.direction == Direction::In,
        _ => event.direction == Direction::Out,
    }
}

/// Multicast, broadcast, and the broadcast address of one of the host's networks.
fn is_group(view: &View<'_>, ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => {
            v4.is_multicast() || v4.is_broadcast() || v4.octets()[3] == 255 || view.host.is_broadcast(v4)
        }
        IpAddr::V6(v6) => v6.is_multicast(),
    }
}

/// The place where most lost requests were last seen.
pub(super) fn last_seen(pair: &PingPair) -> Option<(PointId, usize)> {
    let mut counts: BTreeMap<PointId, usize> = BTreeMap::new();
    for event in &pair.lost {
        *counts.entry(event.point).or_default() += 1;
    }
    counts.into_iter().max_by_key(|(point, count)| (*count, std::cmp::Reverse(*point)))
}

/// Losses close to each other, as bursts.
pub(super) fn bursts(times: impl Iterator<Item = Nanos>) -> Vec<Burst> {
    let mut out: Vec<Burst> = Vec::new();
    for at in times {
        match out.last_mut() {
            Some(burst) if at.since(burst.to) <= BURST_NS_MAX => {
                burst.to = at;
                burst.count += 1;
            }
            _ => out.push(Burst { from: at, to: at, count: 1 }),
        }
    }
    out
}
