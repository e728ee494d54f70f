//! Does a packet match an OpenFlow rule? ovs-fields(7) is the reference.

use serde::Serialize;

use super::registers::Registers;
use crate::sources::shared::fields::{
    ETH_ARP, ETH_IPV4, ETH_IPV6, ETH_RARP, PROTO_ICMP, PROTO_ICMPV6, PROTO_SCTP, PROTO_TCP, PROTO_UDP,
};
use crate::sources::shared::{
    CtKnowledge, Masked, MaskedIp, MaskedMac, OfPort, PacketFields, Ternary, VlanTag,
};

/// The match of a rule: its fields in the order printed; a shorthand like `icmp` has an empty value.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct FlowMatch {
    /// Name and value as printed.
    pub fields: Vec<(String, String)>,
}

impl FlowMatch {
    /// The value of a field, as printed.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }

    /// The OpenFlow port matched, when it is given as a number.
    pub fn in_port(&self) -> Option<OfPort> {
        self.get("in_port")?.parse().ok()
    }

    /// Whether a packet matches. Every field must; registers, metadata, tunnels and whatever else is not a field of
    /// [`PacketFields`] make the answer unknown.
    pub fn matches(&self, packet: &PacketFields) -> Ternary {
        self.fields.iter().map(|(name, value)| field(name, value, packet)).collect()
    }

    /// The same inside a pipeline, where registers and metadata start at zero and are written by earlier rules.
    pub(super) fn matches_with(&self, packet: &PacketFields, registers: &Registers) -> Ternary {
        let one = |(name, value): &(String, String)| {
            registers.answer(name, value).unwrap_or_else(|| field(name, value, packet))
        };
        self.fields.iter().map(one).collect()
    }
}

fn field(name: &str, value: &str, packet: &PacketFields) -> Ternary {
    if value.is_empty() {
        return shorthand(name, packet);
    }
    match name {
        "in_port" | "in_port_oxm" => in_port(value, packet),
        "dl_src" | "eth_src" => mac(value, packet.eth_src),
        "dl_dst" | "eth_dst" => mac(value, packet.eth_dst),
        "dl_type" | "eth_type" => number(value, packet.eth_type.map(u64::from)),
        "dl_vlan" | "vlan_vid" | "vlan_tci" | "vlan_tci1" | "dl_vlan_pcp" | "vlan_pcp" => {
            vlan(name, value, packet.vlan)
        }
        "nw_src" | "ip_src" => address(value, packet.nw_src(), packet),
        "nw_dst" | "ip_dst" => address(value, packet.nw_dst(), packet),
        "ipv6_src" => address(value, packet.ip_src, packet),
        "ipv6_dst" => address(value, packet.ip_dst, packet),
        "nw_proto" | "ip_proto" if packet.is_arp() => number(value, packet.arp_op.map(u64::from)),
        "nw_proto" | "ip_proto" => number(value, packet.ip_proto.map(u64::from)),
        "icmp_type" | "icmpv4_type" | "icmpv6_type" => number(value, packet.icmp_type.map(u64::from)),
        "icmp_code" | "icmpv4_code" | "icmpv6_code" => number(value, packet.icmp_code.map(u64::from)),
        "tp_src" | "tp_dst" if packet.icmp_type.is_some() => icmp_as_port(name, value, packet),
        "tp_src" | "tcp_src" | "udp_src" | "sctp_src" => number(value, packet.l4_src.map(u64::from)),
        "tp_dst" | "tcp_dst" | "udp_dst" | "sctp_dst" => number(value, packet.l4_dst.map(u64::from)),
        "arp_op" => number(value, packet.arp_op.map(u64::from)),
        "arp_spa" => address(value, packet.arp_spa.map(Into::into), packet),
        "arp_tpa" => address(value, packet.arp_tpa.map(Into::into), packet),
        "arp_sha" => mac(value, packet.arp_sha),
        "arp_tha" => mac(value, packet.arp_tha),
        "ct_state" => ct_state(value, packet.ct),
        _ => Ternary::Unknown,
    }
}

/// `icmp` and its like (lib/ofp-parse.c, `ofp_parse_protocol`).
fn shorthand(name: &str, packet: &PacketFields) -> Ternary {
    let (eth_type, proto) = match name {
        "ip" | "ipv4" => (ETH_IPV4, None),
        "icmp" => (ETH_IPV4, Some(PROTO_ICMP)),
        "tcp" => (ETH_IPV4, Some(PROTO_TCP)),
        "udp" => (ETH_IPV4, Some(PROTO_UDP)),
        "sctp" => (ETH_IPV4, Some(PROTO_SCTP)),
        "ipv6" | "ip6" => (ETH_IPV6, None),
        "icmp6" | "icmpv6" => (ETH_IPV6, Some(PROTO_ICMPV6)),
        "tcp6" => (ETH_IPV6, Some(PROTO_TCP)),
        "udp6" => (ETH_IPV6, Some(PROTO_UDP)),
        "sctp6" => (ETH_IPV6, Some(PROTO_SCTP)),
        "arp" => (ETH_ARP, None),
        "rarp" => (ETH_RARP, None),
        "mpls" => (0x8847, None),
        "mplsm" => (0x8848, None),
        _ => return Ternary::Unknown,
    };
    let right_type = Ternary::of(packet.eth_type.map(|known| known == eth_type));
    let right_proto =
        proto.map_or(Ternary::Yes, |proto| Ternary::of(packet.ip_proto.map(|known| known == proto)));
    right_type.and(right_proto)
}

fn number(text: &str, known: Option<u64>) -> Ternary {
    match Masked::parse(text) {
        None => Ternary::Unknown,
        Some(masked) => Ternary::of(known.map(|value| masked.matches(value))),
    }
}

fn mac(text: &str, known: Option<crate::Mac>) -> Ternary {
    match MaskedMac::parse(text) {
        None => Ternary::Unknown,
        Some(masked) => Ternary::of(known.map(|value| masked.matches(value))),
    }
}

/// An address field; a packet that certainly is not IP or ARP has none.
fn address(text: &str, known: Option<std::net::IpAddr>, packet: &PacketFields) -> Ternary {
    match (MaskedIp::parse(text), known) {
        (Some(masked), Some(ip)) => masked.matches(ip).into(),
        (Some(_), None) if packet.is_ip() == Some(false) && !packet.is_arp() => Ternary::No,
        _ => Ternary::Unknown,
    }
}

fn in_port(text: &str, packet: &PacketFields) -> Ternary {
    match text.parse::<OfPort>() {
        Ok(port) => Ternary::of(packet.of_port.map(|known| known == port)),
        Err(_) => Ternary::of(packet.port_name.as_deref().map(|known| known == text.trim_matches('"'))),
    }
}

/// OpenFlow 1.0 matches ICMP type and code through the port fields.
fn icmp_as_port(name: &str, text: &str, packet: &PacketFields) -> Ternary {
    let known = if name == "tp_src" { packet.icmp_type } else { packet.icmp_code };
    number(text, known.map(u64::from))
}

/// The bit that says "there is a tag" in `vlan_tci` and `vlan_vid` (`VLAN_CFI`, OFPVID_PRESENT).
const PRESENT: u64 = 0x1000;

fn vlan(name: &str, text: &str, tag: VlanTag) -> Ternary {
    let (vid, pcp) = match tag {
        VlanTag::Unknown => return Ternary::Unknown,
        VlanTag::None => (None, None),
        VlanTag::Tagged { vid, pcp } => (Some(u64::from(vid)), pcp.map(u64::from)),
    };
    let Some(masked) = Masked::parse(text) else { return Ternary::Unknown };
    match name {
        // 0xffff is OpenFlow 1.0's word for "no tag".
        "dl_vlan" if masked.value == 0xffff => Ternary::from(vid.is_none()),
        "dl_vlan" => Ternary::from(vid.is_some_and(|vid| masked.matches(vid))),
        "vlan_vid" => masked.matches(vid.map_or(0, |vid| vid | PRESENT)).into(),
        "vlan_tci" => tci(masked, vid, pcp),
        "dl_vlan_pcp" | "vlan_pcp" if vid.is_none() => Ternary::No,
        "dl_vlan_pcp" | "vlan_pcp" => Ternary::of(pcp.map(|pcp| masked.matches(pcp))),
        _ => Ternary::Unknown,
    }
}

/// Priority in bits 13-15, presence in bit 12, VLAN id below. A mask without the priority bits needs no priority.
fn tci(masked: Masked, vid: Option<u64>, pcp: Option<u64>) -> Ternary {
    const PCP: u64 = 0xe000;
    let masked = Masked { mask: masked.mask & 0xffff, ..masked };
    match (vid, pcp) {
        (None, _) => masked.matches(0).into(),
        (Some(vid), Some(pcp)) => masked.matches(vid | PRESENT | (pcp << 13)).into(),
        (Some(vid), None) => {
            let low = Ternary::from(Masked { mask: masked.mask & !PCP, ..masked }.matches(vid | PRESENT));
            if masked.mask & PCP == 0 { low } else { low.and(Ternary::Unknown) }
        }
    }
}

fn ct_state(text: &str, known: CtKnowledge) -> Ternary {
    crate::sources::ovs_datapath::ct_state(text, known)
}
