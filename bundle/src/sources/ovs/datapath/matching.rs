//! Does this packet use this datapath flow?

use super::model::DpFlow;
use crate::Mac;
use crate::sources::shared::text::{call, split_top};
use crate::sources::shared::{CtKnowledge, Masked, MaskedIp, MaskedMac, PacketFields, Ternary, VlanTag};

impl DpFlow {
    /// Whether a packet uses this flow. Fields that [`PacketFields`] does not have make it unknown, never yes.
    ///
    /// Only for the first pass is a packet's `ct` meaningful: after `recirc()` it has been changed on the way.
    pub fn matches(&self, packet: &PacketFields) -> Ternary {
        let mut answer = Ternary::Yes;
        for (key, inside) in &self.fields {
            answer = answer.and(self.field_matches(key, inside, packet));
            if answer == Ternary::No {
                break;
            }
        }
        if self.fields.contains_key("vlan") || !self.fields.contains_key("eth_type") {
            return answer;
        }
        // The kernel matches such a flow on untagged frames only (net/openvswitch/flow.c, `parse_vlan`: the tag's own
        // type comes first); the userspace datapath may have left the tag out of the mask, so a tag proves nothing.
        answer.and(match packet.vlan {
            VlanTag::None => Ternary::Yes,
            VlanTag::Tagged { .. } | VlanTag::Unknown => Ternary::Unknown,
        })
    }

    fn field_matches(&self, key: &str, inside: &str, packet: &PacketFields) -> Ternary {
        let tagged = self.fields.contains_key("vlan");
        match key.trim_start_matches("encap/") {
            // Which pass it is must be known to the caller; what a flow's statistics and metadata match is not here.
            "recirc_id" => Ternary::from(self.recirc_id == 0 || packet.ct != CtKnowledge::Untracked),
            "packet_type" => Ternary::from(inside.contains("ns=0,id=0")),
            "in_port" => in_port(inside, packet),
            "eth" => parts(inside, |part, value| eth(part, value, packet)),
            // The outermost of a tagged flow is the tag's own type.
            "eth_type" if tagged && key == "eth_type" => Ternary::Yes,
            "eth_type" => number(inside, packet.eth_type.map(u64::from)),
            "vlan" if key == "vlan" => parts(inside, |part, value| vlan(part, value, packet)),
            "ipv4" => parts(inside, |part, value| ip(part, value, packet, true)),
            "ipv6" => parts(inside, |part, value| ip(part, value, packet, false)),
            "arp" => parts(inside, |part, value| arp(part, value, packet)),
            "tcp" | "udp" | "sctp" => parts(inside, |part, value| l4(part, value, packet)),
            "icmp" | "icmpv6" => parts(inside, |part, value| icmp(part, value, packet)),
            "ct_state" => ct_state(inside, packet.ct),
            _ => metadata(inside),
        }
    }
}

/// All `part=value` of a field.
fn parts(inside: &str, check: impl Fn(&str, &str) -> Ternary) -> Ternary {
    split_top(inside, ',')
        .into_iter()
        .map(|piece| {
            piece.split_once('=').map_or(Ternary::Unknown, |(part, value)| check(part.trim(), value.trim()))
        })
        .collect()
}

/// Anything not modelled: certain only when its mask says that no bit matters (`skb_mark(0/0)`).
fn metadata(inside: &str) -> Ternary {
    let ignored = |value: &str| Masked::parse(value).is_some_and(|masked| masked.mask == 0);
    if ignored(inside) { Ternary::Yes } else { Ternary::Unknown }
}

fn number(text: &str, known: Option<u64>) -> Ternary {
    match Masked::parse(text) {
        None => Ternary::Unknown,
        Some(masked) if masked.mask == 0 => Ternary::Yes,
        Some(masked) => Ternary::of(known.map(|value| masked.matches(value))),
    }
}

fn mac(text: &str, known: Option<Mac>) -> Ternary {
    match MaskedMac::parse(text) {
        None => Ternary::Unknown,
        Some(masked) if masked.mask.is_zero() => Ternary::Yes,
        Some(masked) => Ternary::of(known.map(|value| masked.matches(value))),
    }
}

fn address(text: &str, known: Option<std::net::IpAddr>) -> Ternary {
    match MaskedIp::parse(text) {
        None => Ternary::Unknown,
        Some(masked) if masked.is_any() => Ternary::Yes,
        Some(masked) => Ternary::of(known.map(|value| masked.matches(value))),
    }
}

fn in_port(inside: &str, packet: &PacketFields) -> Ternary {
    match inside.parse::<u32>() {
        Ok(port) => Ternary::of(packet.dp_port.map(|known| known == port)),
        Err(_) => Ternary::of(packet.port_name.as_deref().map(|known| known == inside)),
    }
}

fn eth(part: &str, value: &str, packet: &PacketFields) -> Ternary {
    match part {
        "src" => mac(value, packet.eth_src),
        "dst" => mac(value, packet.eth_dst),
        _ => Ternary::Unknown,
    }
}

fn vlan(part: &str, value: &str, packet: &PacketFields) -> Ternary {
    match (part, packet.vlan) {
        (_, VlanTag::None) => Ternary::No,
        ("vid", VlanTag::Tagged { vid, .. }) => number(value, Some(u64::from(vid))),
        ("pcp", VlanTag::Tagged { pcp, .. }) => number(value, pcp.map(u64::from)),
        _ => Ternary::Unknown,
    }
}

fn ip(part: &str, value: &str, packet: &PacketFields, v4: bool) -> Ternary {
    let family = |known: Option<std::net::IpAddr>| match known {
        Some(ip) if ip.is_ipv4() != v4 => Ternary::No,
        known => address(value, known),
    };
    match part {
        "src" => family(packet.ip_src),
        "dst" => family(packet.ip_dst),
        "proto" => number(value, packet.ip_proto.map(u64::from)),
        // Fragments have no ports; a packet whose ports or ICMP type are known is none.
        "frag" if value == "no" => {
            Ternary::of((packet.l4_dst.is_some() || packet.icmp_type.is_some()).then_some(true))
        }
        _ => metadata(value),
    }
}

fn arp(part: &str, value: &str, packet: &PacketFields) -> Ternary {
    match part {
        "sip" => address(value, packet.arp_spa.map(Into::into)),
        "tip" => address(value, packet.arp_tpa.map(Into::into)),
        "op" => number(value, packet.arp_op.map(u64::from)),
        "sha" => mac(value, packet.arp_sha),
        "tha" => mac(value, packet.arp_tha),
        _ => Ternary::Unknown,
    }
}

fn l4(part: &str, value: &str, packet: &PacketFields) -> Ternary {
    match part {
        "src" => number(value, packet.l4_src.map(u64::from)),
        "dst" => number(value, packet.l4_dst.map(u64::from)),
        _ => Ternary::Unknown,
    }
}

fn icmp(part: &str, value: &str, packet: &PacketFields) -> Ternary {
    match part {
        "type" => number(value, packet.icmp_type.map(u64::from)),
        "code" => number(value, packet.icmp_code.map(u64::from)),
        _ => Ternary::Unknown,
    }
}

/// `-trk`, `+new-est`, `0x21/0x20`. `trk` is bit 0x20 (include/openvswitch/packets.h, `CS_TRACKED_BIT`).
fn ct_state(inside: &str, known: CtKnowledge) -> Ternary {
    const TRACKED: u64 = 0x20;
    if let Some(masked) = Masked::parse(inside) {
        return match known {
            _ if masked.mask == 0 => Ternary::Yes,
            CtKnowledge::Untracked => masked.matches(0).into(),
            CtKnowledge::Tracked if masked.mask & TRACKED != 0 && masked.value & TRACKED == 0 => Ternary::No,
            CtKnowledge::Tracked if masked.mask == TRACKED => Ternary::Yes,
            _ => Ternary::Unknown,
        };
    }
    let bare = call(inside).map_or(inside, |(_, inside)| inside);
    let mut answer = Ternary::Yes;
    for (at, sign) in bare.char_indices().filter(|(_, c)| matches!(c, '+' | '-')) {
        let rest = bare.get(at + 1..).unwrap_or_default();
        let flag = rest.split(['+', '-', '|']).next().unwrap_or_default().trim();
        answer = answer.and(match (known, flag) {
            (CtKnowledge::Untracked, _) => Ternary::from(sign == '-'),
            (CtKnowledge::Tracked, "trk") => Ternary::from(sign == '+'),
            _ => Ternary::Unknown,
        });
    }
    if bare.starts_with(['+', '-']) { answer } else { Ternary::Unknown }
}
