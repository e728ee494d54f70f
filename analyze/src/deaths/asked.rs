//! Pings and connection attempts: whether the answer reached who asked, and if not, what died, and where it was last seen.

use std::collections::BTreeSet;

use netcap_bundle::packets::Direction;
use netcap_bundle::{Mac, Role};
use netcap_words::wire::ip_protocol::TCP;

use super::ends::{Got, got};
use super::place::{Places, Way, is_shown, standing};
use super::sights::{flow, home, is_group, kept, tuple};
use super::{CROSSING_NS, Death, Found, Key, Standing};
use crate::engine::{Failure, FrameRef, PointId};
use crate::fidelity::Trust;
use crate::host::copies::outlets;
use crate::host::macs::is_virtual_router;
use crate::tables::hops::{Side, Stop};
use crate::tables::journeys::{Event, Journey};
use crate::tables::sources::SourceKey;
use crate::view::View;

/// An answer may take this long; netcap's own pings wait as long, and `ping` prints later ones as late.
pub(crate) const WAIT_NS: i64 = 2_000_000_000;

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Its answer reached who asked, or was seen where nobody can tell.
    Answered,
    /// It was not answered, or its answer did not reach who asked.
    Lost(LastSight),
    /// Somebody on the way says why it did not arrive: where that was heard, why, and where the request was last seen.
    Refused(Event, Failure, Event),
    /// Its hop limit ran out, as a traceroute wants it.
    Expired,
    /// The capture cannot be trusted there.
    Uncertain,
}

/// Where a request that was lost, or its answer, was last seen on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LastSight {
    /// The request, or the answer that did not reach who asked.
    pub event: Event,
    /// The answer went to another port than the one of who asked.
    pub astray: bool,
    /// The least trust of all places where it was missed.
    pub trust: Trust,
}

/// What became of a request. `home` is the point of the port that has the destination's address, if it is recorded: every
/// answer leaves by it.
pub(crate) fn fate(view: &View<'_>, journey: &Journey, home: Option<PointId>) -> Fate {
    let table = &view.tables.journeys;
    let (requests, replies) = (table.requests(journey), table.replies(journey));
    if !replies.is_empty() {
        return answer(view, requests, replies);
    }
    let Some(last) = latest(view, requests) else { return Fate::Uncertain };
    match table.failed(journey) {
        // A traceroute wants its requests to die on the way.
        Some((_, Failure::Expired)) => return Fate::Expired,
        // Said in the capture, whatever it lost.
        Some((event, why)) => return Fate::Refused(*event, why, *last),
        None => {}
    }
    // The answer has to pass wherever the request did; one place that lost packets may have lost it.
    let places = requests.iter().flat_map(|e| [Some(e.point), home].into_iter().flatten().map(|p| (p, e.at)));
    match places.map(|(point, at)| view.fidelity.trust(point, at, at.plus(WAIT_NS))).min() {
        Some(trust @ (Trust::Sound | Trust::Unknown)) => {
            Fate::Lost(LastSight { event: *last, astray: false, trust })
        }
        _ => Fate::Uncertain,
    }
}

/// The latest sighting; of two with one stamp the later one on its way.
fn latest<'e>(view: &View<'_>, events: &'e [Event]) -> Option<&'e Event> {
    let on_way = events.iter().filter(|event| !came_back(view, event, events));
    let on_way = on_way.filter(|event| !is_flood_beside(view, event, events));
    on_way.max_by_key(|e| (e.at, leaves(view, e), e.frame))
}

/// It leaves by another port than the one of the machine that it is for, where the same frame was seen as well: the switch
/// floods it, and where the machine is, it was delivered.
fn is_flood_beside(view: &View<'_>, event: &Event, events: &[Event]) -> bool {
    let eth = |e: &Event| kept(view, e).map(|kept| kept.eth);
    if !leaves(view, event) || got(view, event).is_some() {
        return false;
    }
    let delivered = events.iter().filter(|e| got(view, e) == Some(Got::Machine));
    let mine = eth(event);
    mine.is_some() && delivered.into_iter().any(|e| eth(e) == mine)
}

/// It left by an uplink before and comes in by one of the same switch with the addresses it left with: the network outside
/// floods it, to a backup member for one, which tells nothing of where it went.
fn came_back(view: &View<'_>, event: &Event, events: &[Event]) -> bool {
    let uplink = |e: &Event, direction: Direction| {
        let info = view.points.get(e.point).filter(|_| e.direction == direction)?;
        matches!(info.role, Role::Uplink { .. }).then_some(info)
    };
    let Some(info) = uplink(event, Direction::In) else { return false };
    let Some(eth) = kept(view, event).map(|kept| kept.eth) else { return false };
    let left = |e: &&Event| {
        e.at <= event.at && uplink(e, Direction::Out).is_some_and(|out| out.vswitch == info.vswitch)
    };
    events.iter().filter(left).any(|e| kept(view, e).is_some_and(|kept| kept.eth == eth))
}

/// It is on its way out of the switch there.
fn leaves(view: &View<'_>, event: &Event) -> bool {
    match view.points.get(event.point).map(|info| &info.role) {
        Some(Role::Internal) => event.direction == Direction::In,
        _ => event.direction == Direction::Out,
    }
}

/// Where answers have to appear to reach who asked.
enum Gate {
    /// At the port of the machine or the host that asked, in that direction.
    Port(PointId, Direction),
    /// Leaving by one of the uplinks of the switch by which the request came in.
    Uplinks(Vec<PointId>),
}

impl Gate {
    /// `None` when it is not recorded who asked.
    fn of(view: &View<'_>, requests: &[Event]) -> Option<Self> {
        let first = requests.iter().min_by_key(|e| (e.at, leaves(view, e), e.frame))?;
        let info = view.points.get(first.point).filter(|info| info.vswitch.is_some())?;
        match (&info.role, first.direction) {
            (Role::Vnet { .. }, Direction::In) => Some(Self::Port(first.point, Direction::Out)),
            (Role::Internal, Direction::Out) => Some(Self::Port(first.point, Direction::In)),
            (Role::Uplink { .. }, Direction::In) => {
                let switch = view.switch_points_at(first.at);
                let (switches, whole) = switch.topology.joined(info.vswitch.as_deref()?);
                let outward = |role: &Role| matches!(role, Role::Uplink { .. } | Role::Tunnel { .. });
                let hidden = outlets(&switches)
                    .any(|port| outward(&port.role) && view.points.by_name(&port.iface).is_none());
                let points = switch.others(first.point, info);
                let mut uplinks: Vec<PointId> =
                    points.filter(|(_, p)| matches!(p.role, Role::Uplink { .. })).map(|(id, _)| id).collect();
                uplinks.push(first.point);
                (whole && !hidden && !switches.is_empty()).then_some(Self::Uplinks(uplinks))
            }
            _ => None,
        }
    }

    fn lets_through(&self, view: &View<'_>, reply: &Event) -> bool {
        match self {
            Self::Port(point, direction) => {
                reply.point == *point
                    && [*direction, Direction::Unknown].contains(&reply.direction)
                    && takes(view, reply)
            }
            Self::Uplinks(points) => points.contains(&reply.point) && reply.direction != Direction::In,
        }
    }

    fn points(&self) -> &[PointId] {
        match self {
            Self::Port(point, _) => std::slice::from_ref(point),
            Self::Uplinks(points) => points,
        }
    }
}

/// The machine takes what is delivered to it there: it has that address, speaks with it, or is a router's spare.
fn takes(view: &View<'_>, reply: &Event) -> bool {
    let Some(Role::Vnet { guest_mac: Some(own), .. }) = view.points.get(reply.point).map(|info| &info.role)
    else {
        return true;
    };
    let Some(dst) = kept(view, reply).map(|kept| kept.eth.dst) else { return true };
    let speaks = || {
        let Some(domain) = view.points.domain(reply.point) else { return true };
        let key = SourceKey { domain, vlan: reply.facts.vlan, mac: dst, point: reply.point };
        view.tables.sources.spoken.contains_key(&key)
    };
    dst == *own || dst.is_multicast() || is_virtual_router(dst) || speaks()
}

/// An answer was seen; whether it reached who asked.
fn answer(view: &View<'_>, requests: &[Event], replies: &[Event]) -> Fate {
    let Some(gate) = Gate::of(view, requests) else { return Fate::Answered };
    if replies.iter().any(|reply| gate.lets_through(view, reply)) {
        return Fate::Answered;
    }
    let Some(last) = latest(view, replies) else { return Fate::Answered };
    let nat = &view.context.follow.nat;
    let (src, dst) = (last.key.src, last.key.dst);
    let points = gate.points().iter();
    let trust = points.map(|id| view.fidelity.trust(*id, last.at, last.at.plus(CROSSING_NS))).min();
    let shown = gate.points().iter().all(|id| would_show(view, last, *id));
    match trust {
        Some(trust @ (Trust::Sound | Trust::Unknown))
            if shown && !nat.touches(src, dst) && !nat.touches(dst, src) =>
        {
            let stop = Stop { point: last.point, direction: last.direction };
            let astray = matches!(stop.side(&view.context), Side::Leave(_));
            Fate::Lost(LastSight { event: *last, astray, trust })
        }
        _ => Fate::Answered,
    }
}

/// The filter at a point would have shown an answer that was seen at another one.
fn would_show(view: &View<'_>, reply: &Event, point: PointId) -> bool {
    let filter = |id: PointId| view.points.get(id).map(|info| info.filter.as_str()).unwrap_or_default();
    if filter(point).is_empty() || filter(point) == filter(reply.point) {
        return true;
    }
    let stop = Stop { point: reply.point, direction: reply.direction };
    let sample = view.tables.hops.samples.get(&(flow(view, reply), stop));
    sample.is_some_and(|sample| view.fidelity.shows(point, &sample.bytes, sample.wire_len))
}

/// Frames of requests whose answer reached who asked: wherever they were not seen, they arrived.
pub(super) fn answered(view: &View<'_>) -> BTreeSet<FrameRef> {
    let table = &view.tables.journeys;
    let arrived = table.journeys.iter().filter(|journey| is_answered(view, journey));
    arrived.flat_map(|journey| table.requests(journey)).map(|event| event.frame).collect()
}

/// Its answer reached who asked.
pub(super) fn is_answered(view: &View<'_>, journey: &Journey) -> bool {
    let table = &view.tables.journeys;
    let (requests, replies) = (table.requests(journey), table.replies(journey));
    !replies.is_empty() && answer(view, requests, replies) == Fate::Answered
}

/// The MACs to which requests went whose answers reached who asked.
pub(super) fn answering(view: &View<'_>) -> BTreeSet<Mac> {
    let table = &view.tables.journeys;
    let answered = table.journeys.iter().filter(|journey| is_answered(view, journey));
    let requests = answered.flat_map(|journey| table.requests(journey));
    requests.filter_map(|event| Some(kept(view, event)?.eth.dst)).collect()
}

/// Deaths of pings that are not among those of followed packets: what left the host and was never answered, and what could
/// not be followed.
pub(super) fn all<'a>(view: &'a View<'a>, known: &BTreeSet<FrameRef>) -> Vec<Found<'a>> {
    let mut places = Places::new(view);
    let journeys = view.tables.journeys.journeys.iter();
    let pings = journeys.filter(|j| j.key.protocol != TCP && !is_group(view, j.key.dst));
    pings
        .filter_map(|journey| match fate(view, journey, home(view, journey.key.dst)) {
            Fate::Lost(last) if !known.contains(&last.event.frame) => found(view, &last, &mut places),
            Fate::Refused(_, _, event) if !known.contains(&event.frame) => {
                found(view, &LastSight { event, astray: false, trust: Trust::Sound }, &mut places)
            }
            _ => None,
        })
        .collect()
}

fn found<'a>(view: &'a View<'a>, last: &LastSight, places: &mut Places<'a>) -> Option<Found<'a>> {
    let event = &last.event;
    let kept = kept(view, event);
    let eth = kept.as_ref().map(|kept| kept.eth);
    let from = Stop { point: event.point, direction: event.direction };
    let mut place = places.of(from, eth.map(|eth| eth.dst), event.at, &[])?;
    let tuple = tuple(event);
    let shown = || {
        let kept = kept.as_ref()?;
        let (example, translated) = (&kept.example, view.context.follow.nat.touches(tuple.src, tuple.dst));
        Some(is_shown(view, &place.exits.points, example.bytes, example.wire_len, translated))
    };
    let standing = match place.way {
        Way::Switch | Way::Learned => standing(view, &place, event.at, shown().unwrap_or(false)),
        Way::Backup | Way::Beyond => Standing::Sure(last.trust),
    };
    if last.astray {
        place.way = Way::Beyond;
    }
    let death = Death {
        at: event.at,
        frame: event.frame,
        packets: 1,
        facts: event.facts,
        ports: (tuple.sport, tuple.dport),
        followed: false,
        standing,
    };
    let key = Key {
        place,
        kind: event.facts.kind,
        src: tuple.src,
        dst: tuple.dst,
        protocol: tuple.protocol,
        eth: eth.map(|eth| (eth.dst, eth.src)),
        vlan: event.facts.vlan,
    };
    Some(Found { key, death, example: kept.map(|kept| kept.example) })
}
