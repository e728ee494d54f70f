//! Whose addresses are whose: what a machine or the host itself sends tells where its address lives.

use std::collections::BTreeMap;
use std::net::IpAddr;

use netcap_bundle::Role;
use netcap_bundle::packets::Direction;

use super::Joined;
use crate::engine::{HostId, PointId};
use crate::tables::hops::Stop;

/// The host of each address that was seen to begin a journey at a port of a machine or at a switch's own port, or that left
/// it by an uplink and had come in by none: its machine's port was not recorded. An address
/// of two hosts (a machine that moved, a conflict) belongs to none.
pub(super) fn owners(joined: &Joined<'_>) -> BTreeMap<IpAddr, HostId> {
    let mut found: BTreeMap<IpAddr, Option<HostId>> = BTreeMap::new();
    for ((flow, stop), sample) in &joined.table.samples {
        let src = sample.tuple.src;
        let mine = begins(joined, *stop) || leaves_first(joined, *flow, *stop);
        if !mine || src.is_unspecified() || src.is_multicast() {
            continue;
        }
        let host = joined.context.host(stop.point);
        found.entry(src).and_modify(|had| *had = had.filter(|h| *h == host)).or_insert(Some(host));
    }
    found.into_iter().filter_map(|(ip, host)| Some((ip, host?))).collect()
}

fn begins(joined: &Joined<'_>, stop: Stop) -> bool {
    match joined.context.role(stop.point) {
        Some(Role::Vnet { .. }) => stop.direction == Direction::In,
        Some(Role::Internal) => stop.direction == Direction::Out,
        _ => false,
    }
}

/// The flow leaves its host there and came to it by no uplink, as what is bridged through it or sent back to it does.
fn leaves_first(joined: &Joined<'_>, flow: u64, stop: Stop) -> bool {
    let uplink = |point| matches!(joined.context.role(point), Some(Role::Uplink { .. }));
    let host = joined.context.host(stop.point);
    let came = |(_, other): &(u64, Stop)| {
        other.direction == Direction::In && uplink(other.point) && joined.context.host(other.point) == host
    };
    let first = Stop { point: PointId(0), direction: Direction::Unknown };
    stop.direction == Direction::Out
        && uplink(stop.point)
        && !joined
            .table
            .samples
            .range((flow, first)..)
            .map(|(key, _)| key)
            .take_while(|key| key.0 == flow)
            .any(came)
}
