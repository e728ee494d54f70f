//! What of a request or its answer is known where it was seen: whose it is, its frame, whose port it is for.

use std::net::IpAddr;

use netcap_bundle::packets::Direction;
use netcap_words::wire::ip_protocol::{ICMP, ICMPV6};

use super::Example;
use crate::engine::flow::FiveTuple;
use crate::engine::{Eth, PointId};
use crate::tables::hops::Stop;
use crate::tables::journeys::{Event, EventKind, JourneyKey};
use crate::view::View;

/// The point of the port that has an address of the host.
pub(crate) fn home(view: &View<'_>, ip: IpAddr) -> Option<PointId> {
    let (_, port) = view.host.topology().by_ip(ip)?;
    view.points.by_name(&port.iface)
}

/// The port of this host that a packet is for, where it enters, if nobody recorded that port.
pub(crate) fn unrecorded_home(view: &View<'_>, event: &Event) -> Option<String> {
    let info = view.points.get(event.point).filter(|_| event.direction == Direction::In)?;
    let dst = kept(view, event)?.eth.dst;
    let exits = view.switch_points_at(event.at).local(event.point, info, dst)?;
    exits.unrecorded.into_iter().next()
}

/// Multicast, broadcast, and the broadcast address of one of the host's networks: none of them need answer.
pub(crate) fn is_group(view: &View<'_>, ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => {
            v4.is_multicast() || v4.is_broadcast() || v4.octets()[3] == 255 || view.host.is_broadcast(v4)
        }
        IpAddr::V6(v6) => v6.is_multicast(),
    }
}

/// What is kept of the frames of a flow at a stop.
pub(super) struct Kept<'a> {
    pub example: Example<'a>,
    pub eth: Eth,
}

pub(super) fn kept<'a>(view: &'a View<'a>, event: &Event) -> Option<Kept<'a>> {
    let stop = Stop { point: event.point, direction: event.direction };
    if let Some(sample) = view.tables.hops.samples.get(&(flow(view, event), stop)) {
        let example = Example { bytes: &sample.bytes, wire_len: sample.wire_len };
        return Some(Kept { example, eth: sample.eth });
    }
    let sample = view
        .tables
        .journeys
        .samples
        .get(&event.flow_at_point())
        .filter(|_| event.kind == EventKind::Request)?;
    Some(Kept { example: Example { bytes: &sample.bytes, wire_len: sample.wire_len }, eth: sample.eth })
}

/// The flow of a request or an answer, as packets are followed by it.
pub(super) fn flow(view: &View<'_>, event: &Event) -> u64 {
    view.context.follow.nat.origin(tuple(event)).hash()
}

pub(super) fn tuple(event: &Event) -> FiveTuple {
    let JourneyKey { src, dst, protocol, id, .. } = event.key;
    let [a, b, c, d] = id.to_be_bytes();
    let (high, low) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
    let (sport, dport) = if matches!(protocol, ICMP | ICMPV6) { (low, 0) } else { (high, low) };
    let asked = FiveTuple { src, dst, protocol, sport, dport };
    if event.kind == EventKind::Reply { asked.reversed() } else { asked }
}
