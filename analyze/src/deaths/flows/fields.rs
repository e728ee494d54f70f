//! The packets of a group as flow tables see them where they enter a switch.

use std::net::IpAddr;

use netcap_bundle::sources::shared::{PacketFields, VlanTag};
use netcap_words::wire::ip_protocol::{ICMP, ICMPV6, SCTP, TCP, UDP};
use netcap_words::wire::{ether_type, icmp, icmpv6};

use crate::deaths::Group;
use crate::engine::PacketKind;
use crate::view::View;

/// The fields that are the same for all of them.
pub(crate) fn packet_fields(view: &View<'_>, group: &Group<'_>) -> PacketFields {
    let point = group.place.from.point;
    let name = view.points.name(point);
    let at = group.deaths.first().map(|death| death.at).unwrap_or_default();
    let port = view.host.topology_at(at).by_iface(name).map(|(_, port)| port);
    // Every attempt has a port of its own: only the one that all share is the same.
    let same = |of: fn(&(u16, u16)) -> u16| {
        let mut ports = group.deaths.iter().map(|death| of(&death.ports));
        let first = ports.next().filter(|_| matches!(group.protocol, TCP | UDP | SCTP))?;
        (first != 0 && ports.all(|port| port == first)).then_some(first)
    };
    let mut fields = PacketFields {
        of_port: port.and_then(|p| p.ofport),
        dp_port: port.and_then(|p| p.dp_port),
        port_name: Some(name.to_owned()),
        eth_src: group.eth.map(|eth| eth.src),
        eth_dst: group.eth.map(|eth| eth.dst),
        vlan: if group.vlan == view.access_vlan(point) {
            VlanTag::None
        } else {
            VlanTag::Tagged { vid: group.vlan, pcp: None }
        },
        ..PacketFields::default()
    };
    if group.is_arp() {
        arp(group, &mut fields);
        return fields;
    }
    let icmp_type = icmp_type(group.kind, group.dst);
    fields.eth_type = Some(if group.dst.is_ipv4() { ether_type::IPV4 } else { ether_type::IPV6 });
    fields.ip_src = Some(group.src);
    fields.ip_dst = Some(group.dst);
    fields.ip_proto = Some(group.protocol);
    fields.l4_src = same(|ports| ports.0);
    fields.l4_dst = same(|ports| ports.1);
    fields.icmp_type = icmp_type.filter(|_| matches!(group.protocol, ICMP | ICMPV6));
    fields.icmp_code = fields.icmp_type.map(|_| 0);
    fields
}

fn icmp_type(kind: PacketKind, dst: IpAddr) -> Option<u8> {
    match (kind, dst.is_ipv4()) {
        (PacketKind::EchoRequest, true) => Some(icmp::ECHO_REQUEST),
        (PacketKind::EchoRequest, false) => Some(icmpv6::ECHO_REQUEST),
        (PacketKind::EchoReply, true) => Some(icmp::ECHO_REPLY),
        (PacketKind::EchoReply, false) => Some(icmpv6::ECHO_REPLY),
        _ => None,
    }
}

fn arp(group: &Group<'_>, fields: &mut PacketFields) {
    let v4 = |ip| if let IpAddr::V4(ip) = ip { Some(ip) } else { None };
    fields.eth_type = Some(ether_type::ARP);
    fields.arp_op = Some(if group.kind == PacketKind::ArpRequest { 1 } else { 2 });
    (fields.arp_spa, fields.arp_tpa) = (v4(group.src), v4(group.dst));
}
