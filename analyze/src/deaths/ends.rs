//! What the frames of requests and answers say of who is at both ends: whom they were handed to, and by which MACs.

use netcap_bundle::packets::Direction;
use netcap_bundle::{Mac, Role};
use netcap_words::wire::is_tag;

use super::sights::{home, kept, tuple};
use super::{Death, Group};
use crate::engine::flow::FiveTuple;
use crate::engine::{Eth, PointId, identity};
use crate::tables::hops::{Side, Stop};
use crate::tables::journeys::{Event, EventKind};
use crate::view::View;

/// Who had got a packet where it was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Got {
    /// The machine with the MAC that it was sent to: it leaves the switch by its port there.
    Machine,
    /// The host, whose own address it is for.
    Host,
}

/// Whoever the packet was sent to had it: what became of it then is not the network's matter.
pub(crate) fn got(view: &View<'_>, event: &Event) -> Option<Got> {
    let info = view.points.get(event.point)?;
    let stop = Stop { point: event.point, direction: event.direction };
    if !matches!(stop.side(&view.context), Side::Leave(_)) {
        return None;
    }
    match info.role {
        Role::Vnet { guest_mac: Some(mac), .. } => {
            kept(view, event).filter(|kept| kept.eth.dst == mac).map(|_| Got::Machine)
        }
        Role::Internal => (home(view, tuple(event).dst) == Some(event.point)).then_some(Got::Host),
        _ => None,
    }
}

/// What a packet was where it came into a switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EnteredAs {
    pub point: PointId,
    pub eth: Eth,
    /// The frame's own tag, else the access VLAN of the point; 0 without.
    pub vlan: u16,
}

/// What packets of a group's flow were where they came into the switch at which they were seen last; `None` when that was not
/// seen.
pub(crate) fn entered_as(view: &View<'_>, group: &Group<'_>, death: &Death) -> Option<EnteredAs> {
    let Group { src, dst, protocol, .. } = *group;
    let tuple = FiveTuple { src, dst, protocol, sport: death.ports.0, dport: death.ports.1 };
    let flow = view.context.follow.nat.origin(tuple).hash();
    let domain = view.points.domain(group.place.from.point)?;
    let both = [Direction::In, Direction::Out];
    let stops = view.points.iter().flat_map(|(point, _)| both.map(|direction| Stop { point, direction }));
    let mut entering = stops.filter(|stop| stop.side(&view.context) == Side::Enter(domain));
    entering.find_map(|stop| {
        let sample = view.tables.hops.samples.get(&(flow, stop))?;
        let own = vlan_of(&sample.bytes);
        let vlan = if own == 0 { view.access_vlan(stop.point) } else { own };
        Some(EnteredAs { point: stop.point, eth: sample.eth, vlan })
    })
}

/// The VLAN of a frame's own tag; 0 without.
fn vlan_of(frame: &[u8]) -> u16 {
    let word = |at: usize| frame.get(at..)?.first_chunk::<2>().map(|bytes| u16::from_be_bytes(*bytes));
    match word(12) {
        Some(kind) if is_tag(kind) => word(14).map_or(0, |tci| tci & 0x0fff),
        _ => 0,
    }
}

/// It came in for a port of this host that is recorded: whoever answers sends the answer in there.
pub(crate) fn is_for_port(view: &View<'_>, event: &Event) -> bool {
    let Some(info) = view.points.get(event.point).filter(|_| event.direction == Direction::In) else {
        return false;
    };
    let local = kept(view, event)
        .and_then(|kept| view.switch_points_at(event.at).local(event.point, info, kept.eth.dst));
    local.is_some_and(|exits| !exits.points.is_empty())
}

/// The MAC with which somebody asks, and the other one to which the machine that got the request sends the answer.
pub(crate) fn misaddressed(view: &View<'_>, requests: &[Event], replies: &[Event]) -> Option<(Mac, Mac)> {
    let mut pairs = requests.iter().filter_map(|event| Some(kept(view, event)?.eth));
    let reply = replies.iter().filter(|event| event.kind == EventKind::Reply);
    let reply = reply.max_by_key(|event| (event.at, event.frame)).and_then(|event| kept(view, event))?.eth;
    // Behind a router both ends have other MACs.
    let request = pairs.find(|eth| eth.dst == reply.src)?;
    let other = request.src != reply.dst && !reply.dst.is_multicast();
    other.then_some((request.src, reply.dst))
}

/// It is the first fragment of a packet.
pub(crate) fn is_fragment(view: &View<'_>, event: &Event) -> bool {
    let whole = usize::MAX;
    let identity = kept(view, event)
        .and_then(|kept| identity::of_frame(kept.example.bytes, kept.example.wire_len, whole, |_| true));
    identity.is_some_and(|identity| identity.fragment)
}
