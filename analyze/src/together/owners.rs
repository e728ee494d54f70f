//! Whose addresses are whose: what a machine or the host itself sends tells where its address lives.

use std::collections::BTreeMap;
use std::net::IpAddr;

use netcap_bundle::Role;
use netcap_bundle::packets::Direction;

use super::Joined;
use crate::engine::HostId;
use crate::tables::hops::Stop;

/// The host of each address that was seen to begin a journey at a port of a machine or at a switch's own port. An address
/// of two hosts (a machine that moved, a conflict) belongs to none.
pub(super) fn owners(joined: &Joined<'_>) -> BTreeMap<IpAddr, HostId> {
    let mut found: BTreeMap<IpAddr, Option<HostId>> = BTreeMap::new();
    for ((_, stop), sample) in &joined.table.samples {
        let src = sample.tuple.src;
        if !begins(joined, *stop) || src.is_unspecified() || src.is_multicast() {
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
