//! The order of sightings at several hosts: their stamps are only as exact as their clocks were compared.

use netcap_bundle::packets::Direction;
use netcap_bundle::{Nanos, Role};

use super::HostClocks;
use super::hop::CROSSING_NS;
use super::sighting::Sighting;
use super::stop::Stop;
use crate::engine::points::FoldContext;

/// Sightings of one content that are looked at; more of one are a flood of equal packets, whose order says nothing.
const GROUP_MAX: usize = 64;

/// What came in at one host a little before it left another one came in after it: all that this host saw of it then is
/// moved, so that the order there stays. The sightings are sorted, and stay so.
pub(super) fn mend(sightings: &mut [Sighting], clocks: &HostClocks, context: &FoldContext) {
    let same = |a: &Sighting, b: &Sighting| {
        (a.flow, a.is_range(), a.content, a.seq) == (b.flow, b.is_range(), b.content, b.seq)
    };
    for group in sightings.chunk_by_mut(same).filter(|group| (2..=GROUP_MAX).contains(&group.len())) {
        let mut moved = false;
        for at in 0..group.len() {
            let Some(late) = group.get(at).and_then(|came| by(came, group, clocks, context)) else {
                continue;
            };
            moved = true;
            move_from(at, late, group, context);
        }
        if moved {
            group.sort_unstable_by_key(Sighting::order);
        }
    }
}

/// By how much it came in too early, as far as the clocks allow it.
fn by(came: &Sighting, group: &[Sighting], clocks: &HostClocks, context: &FoldContext) -> Option<i64> {
    if !enters_host(came.stop(), context) {
        return None;
    }
    let host = context.host(came.stop().point);
    let left =
        |other: &&Sighting| context.host(other.stop().point) != host && other.stop().leaves_host(context);
    let before = |other: &Sighting| (0..=CROSSING_NS).contains(&came.at.since(other.at));
    if group.iter().filter(left).any(before) {
        return None;
    }
    let late = group.iter().filter(left).filter_map(|other| {
        let ns = other.at.since(came.at);
        let bound = clocks.bound_ns(context.host(other.stop().point), host, other.at);
        (0 < ns && ns <= bound).then_some(ns)
    });
    late.min()
}

fn move_from(at: usize, late_ns: i64, group: &mut [Sighting], context: &FoldContext) {
    let Some((host, from)) = group.get(at).map(|s| (context.host(s.stop().point), s.at)) else { return };
    let here = |s: &&mut Sighting| {
        context.host(s.stop().point) == host && (0..=CROSSING_NS).contains(&s.at.since(from))
    };
    for sighting in group.iter_mut().filter(here) {
        sighting.at = Nanos(sighting.at.0.saturating_add(late_ns).saturating_add(1));
    }
}

/// It comes to its host from another one there.
fn enters_host(stop: Stop, context: &FoldContext) -> bool {
    let inside = matches!(context.role(stop.point), Some(Role::Vnet { .. } | Role::Internal));
    stop.direction == Direction::In && !inside
}
