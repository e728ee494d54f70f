//! Where packets of a group came into the switch, wherever they were seen last.

use std::net::IpAddr;

use super::{Case, Death, Group};
use crate::engine::{PacketKind, PointId};
use crate::tables::hops::{Side, Stop};
use crate::tables::journeys::{Event, Journey};
use crate::tables::questions::{ArpSight, QuestionKey};
use crate::view::View;

/// Where a packet came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entered {
    pub point: PointId,
    /// Its VLAN there: the frame's own tag, else the access VLAN of the point; 0 without.
    pub vlan: u16,
}

impl<'c> Case<'c, '_> {
    /// Where one of the group came into the switch; `None` when that was not seen.
    pub(crate) fn entered(&self, death: &Death) -> Option<Entered> {
        let from = self.group.place.from;
        if self.enters(from) {
            return Some(Entered { point: from.point, vlan: death.facts.vlan });
        }
        if self.group.kind == PacketKind::ArpRequest {
            return self.question(death);
        }
        let first = first_in(self.view, self.group, death)?;
        Some(Entered { point: first.point, vlan: first.facts.vlan })
    }

    /// Every sighting of a request of the group; none of other packets.
    pub(crate) fn sightings(&self, death: &Death) -> &'c [Event] {
        let journey = journey(self.view, self.group, death);
        journey.map(|journey| self.view.tables.journeys.requests(journey)).unwrap_or_default()
    }

    /// Every point at which one ping or answer to a ping of the group came in or left; empty of other packets.
    pub(crate) fn seen_at(&self, death: &Death) -> Vec<PointId> {
        let (src, dst, table) = (self.group.src, self.group.dst, &self.view.tables.journeys);
        let (ends, replies) = match self.group.kind {
            PacketKind::EchoRequest => ((src, dst), false),
            PacketKind::EchoReply => ((dst, src), true),
            _ => return Vec::new(),
        };
        let of = |journey: &Journey| (journey.key.src, journey.key.dst);
        let begin = table.journeys.partition_point(|journey| of(journey) < ends);
        let pair = table.journeys.iter().skip(begin).take_while(|journey| of(journey) == ends);
        let events = |journey| if replies { table.replies(journey) } else { table.requests(journey) };
        let mut mine = pair.filter(|journey| journey.at <= death.at).map(events);
        let mine = mine.find(|events| events.iter().any(|event| event.frame == death.frame));
        mine.unwrap_or_default().iter().map(|event| event.point).collect()
    }

    /// Where an ARP request came in: its sighting there is the last one before it was seen where it ended.
    fn question(&self, death: &Death) -> Option<Entered> {
        let (IpAddr::V4(asker), IpAddr::V4(target)) = (self.group.src, self.group.dst) else { return None };
        let key = QuestionKey { mac: self.group.eth?.src, asker, target };
        let requests = &self.view.tables.questions.pairs.get(&key)?.requests;
        let entering =
            |sight: &&ArpSight| self.enters(Stop { point: sight.point, direction: sight.direction });
        let before = requests.partition_point(|sight| sight.at <= death.at);
        let first = requests.get(..before)?.iter().rev().find(entering)?;
        Some(Entered { point: first.point, vlan: first.facts.vlan })
    }

    fn enters(&self, stop: Stop) -> bool {
        matches!(stop.side(&self.view.context), Side::Enter(_))
    }
}

/// The first sighting of a ping where it came into a switch.
pub(super) fn first_in<'v>(view: &'v View<'_>, group: &Group<'_>, death: &Death) -> Option<&'v Event> {
    let requests = view.tables.journeys.requests(journey(view, group, death)?).iter();
    let enters = |event: &&Event| {
        let stop = Stop { point: event.point, direction: event.direction };
        matches!(stop.side(&view.context), Side::Enter(_))
    };
    requests.filter(enters).min_by_key(|event| (event.at, event.frame))
}

/// The ping that it was.
fn journey<'v>(view: &'v View<'_>, group: &Group<'_>, death: &Death) -> Option<&'v Journey> {
    if !matches!(group.kind, PacketKind::EchoRequest) {
        return None;
    }
    let table = &view.tables.journeys;
    let ends = (group.src, group.dst);
    let of = |journey: &Journey| (journey.key.src, journey.key.dst);
    // Its first sighting is not later than the last one.
    let begin = table.journeys.partition_point(|journey| of(journey) < ends);
    let pair = table.journeys.iter().skip(begin).take_while(|journey| of(journey) == ends);
    let mut mine = pair.filter(|journey| journey.at <= death.at);
    mine.find(|journey| table.requests(journey).iter().any(|event| event.frame == death.frame))
}
