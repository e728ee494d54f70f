//! The network filter that is configured for a machine's port, and the rule in it that ends such packets.

use netcap_bundle::sources::shared::PacketFields;
use netcap_bundle::sources::vm::libvirt;
use netcap_bundle::sources::vm::libvirt::Libvirt;
use netcap_bundle::{Nanos, Role};

use crate::deaths::Case;
use crate::engine::PointInfo;
use crate::host::file_of_arg;

/// The network filter's rule that would end it.
#[derive(Debug, Clone)]
pub(super) struct FilterDrop {
    pub filter: String,
    pub index: usize,
    pub rule: String,
    pub file: String,
    pub at: Nanos,
    /// The port it is configured for.
    pub port: String,
}

/// The filter of the machine that sends them, else of the one that they are for. Of any direction: platforms differ in
/// which side they call `in`.
pub(super) fn find(case: &Case<'_, '_>, packet: &PacketFields) -> Option<FilterDrop> {
    let points = std::iter::once(case.group.place.from.point).chain(case.group.exits().iter().copied());
    let infos = points.filter_map(|point| case.view.points.get(point));
    infos.filter(|info| matches!(info.role, Role::Vnet { .. })).find_map(|info| of_port(case, info, packet))
}

fn of_port(case: &Case<'_, '_>, info: &PointInfo, packet: &PacketFields) -> Option<FilterDrop> {
    let round = case.view.host.libvirt()?;
    let libvirt: &Libvirt = &round.parsed.value;
    let guest = match &info.role {
        Role::Vnet { guest_mac: Some(mac), .. } => Some(*mac),
        _ => case.group.eth.map(|eth| eth.src),
    };
    let by_mac = || libvirt.by_mac(guest?);
    let (_, interface) = libvirt.by_target(&info.name).or_else(by_mac)?;
    let reference = interface.filter.as_ref()?;
    let filters = libvirt.nwfilter_with_refs(&reference.name);
    let ends = libvirt::ends(&filters, packet, &interface.parameters());
    let (filter, rule) = ends.into_iter().find(|(_, rule)| rule.action != libvirt::Action::Accept)?;
    Some(FilterDrop {
        filter: filter.name.clone(),
        index: rule.index,
        rule: rule.describe(),
        file: file_of_arg(round, "nwfilter", &filter.name).unwrap_or_default(),
        at: round.at,
        port: info.name.clone(),
    })
}
