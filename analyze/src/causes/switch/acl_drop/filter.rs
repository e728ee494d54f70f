//! The network filter that is configured for a machine's port, and the rule in it that ends such packets.

use netcap_bundle::sources::shared::PacketFields;
use netcap_bundle::sources::vm::libvirt;
use netcap_bundle::sources::vm::libvirt::{Action, Direction, DomainInterface, Libvirt, Nwfilter};
use netcap_bundle::{Nanos, Role};
use netcap_words::wire::ether_type;

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

/// The rule that libvirt puts between a port of the kernel's bridge and its machine, in libvirt's order and direction.
/// On such a bridge, unlike on a port of Open vSwitch, libvirt's rules are what decides.
pub(super) fn enforced(case: &Case<'_, '_>, packet: &PacketFields) -> Option<FilterDrop> {
    let from = case.group.place.from.point;
    let out = std::iter::once((from, Direction::Out));
    let mut ways = out.chain(case.group.exits().iter().map(|exit| (*exit, Direction::In)));
    ways.find_map(|(point, way)| {
        let info = case.view.points.get(point).filter(|info| matches!(info.role, Role::Vnet { .. }))?;
        let round = case.view.host.libvirt()?;
        let (interface, filters) = configured(case, info)?;
        let parameters = interface.parameters();
        let verdicts = filters.into_iter().filter(|filter| is_asked(filter, packet));
        let mut verdicts =
            verdicts.filter_map(|filter| Some((filter, filter.verdict(packet, way, &parameters)?)));
        let ends = |action| matches!(action, Action::Drop | Action::Reject);
        let (filter, verdict) = verdicts.find(|(_, verdict)| verdict.certain && ends(verdict.rule.action))?;
        Some(FilterDrop {
            filter: filter.name.clone(),
            index: verdict.rule.index,
            rule: verdict.rule.describe(),
            file: file_of_arg(round, "nwfilter", &filter.name).unwrap_or_default(),
            at: round.at,
            port: info.name.clone(),
        })
    })
}

/// A filter's chain is asked for such packets: it is named after what it is for (formatnwfilter, "filter chains").
fn is_asked(filter: &Nwfilter, packet: &PacketFields) -> bool {
    let chain = filter.chain.as_deref().unwrap_or("root");
    match chain.split('-').next().unwrap_or_default() {
        "ipv4" => packet.eth_type == Some(ether_type::IPV4),
        "ipv6" => packet.eth_type == Some(ether_type::IPV6),
        "arp" => packet.eth_type == Some(ether_type::ARP),
        "root" | "mac" => true,
        _ => false,
    }
}

/// The interface behind a port, and its filter with all that it includes.
fn configured<'v>(case: &Case<'v, '_>, info: &PointInfo) -> Option<(&'v DomainInterface, Vec<&'v Nwfilter>)> {
    let libvirt: &Libvirt = &case.view.host.libvirt()?.parsed.value;
    let guest = match &info.role {
        Role::Vnet { guest_mac: Some(mac), .. } => Some(*mac),
        _ => case.group.eth.map(|eth| eth.src),
    };
    let by_mac = || libvirt.by_mac(guest?);
    let (_, interface) = libvirt.by_target(&info.name).or_else(by_mac)?;
    let reference = interface.filter.as_ref()?;
    Some((interface, libvirt.nwfilter_with_refs(&reference.name)))
}

fn of_port(case: &Case<'_, '_>, info: &PointInfo, packet: &PacketFields) -> Option<FilterDrop> {
    let round = case.view.host.libvirt()?;
    let (interface, filters) = configured(case, info)?;
    let ends = libvirt::ends(&filters, packet, &interface.parameters());
    let (filter, rule) = ends.into_iter().find(|(_, rule)| rule.action != Action::Accept)?;
    Some(FilterDrop {
        filter: filter.name.clone(),
        index: rule.index,
        rule: rule.describe(),
        file: file_of_arg(round, "nwfilter", &filter.name).unwrap_or_default(),
        at: round.at,
        port: info.name.clone(),
    })
}
