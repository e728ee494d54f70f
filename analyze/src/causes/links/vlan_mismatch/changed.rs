//! The VLAN in which packets left was another one while they were answered: somebody changed the port meanwhile.

use super::heard::Heard;
use crate::deaths::{Case, Death, Way};
use crate::engine::PacketKind;
use crate::tables::journeys::{Event, EventKind, Journey};
use crate::tables::runs::Sight;

/// Answered pings that make a contrast, and lost ones.
const PINGS_MIN: usize = 3;

/// The last of the answered pings of the same pair, if all of them left where this one was seen last, in one other VLAN.
pub(super) fn answered(case: &Case<'_, '_>, death: &Death) -> Option<Heard> {
    let from = case.group.place.from;
    if case.group.kind != PacketKind::EchoRequest
        || case.group.place.way != Way::Beyond
        || case.rest.len() < PINGS_MIN
    {
        return None;
    }
    let table = &case.view.tables.journeys;
    let ends = (case.group.src, case.group.dst);
    let of = |journey: &Journey| (journey.key.src, journey.key.dst);
    let begin = table.journeys.partition_point(|journey| of(journey) < ends);
    let pair = table.journeys.iter().skip(begin).take_while(|journey| of(journey) == ends);
    let pair = pair.filter(|journey| journey.key.protocol == case.group.protocol);
    let mut left: Vec<&Event> = Vec::new();
    for journey in pair {
        if table.replies(journey).iter().any(|reply| reply.kind == EventKind::Reply) {
            let here = |event: &&Event| (event.point, event.direction) == (from.point, from.direction);
            left.extend(table.requests(journey).iter().find(here));
        }
    }
    let vlan = left.first()?.facts.vlan;
    let one = left.len() >= PINGS_MIN && left.iter().all(|event| event.facts.vlan == vlan);
    let last = left.iter().max_by_key(|event| (event.at, event.frame))?;
    let sight = Sight { at: last.at, frame: last.frame };
    (one && vlan != death.facts.vlan).then_some(Heard { vlan, point: from.point, sight })
}
