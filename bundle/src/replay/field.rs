//! The fields of a packet in a pipeline: where each is kept, under which names, and how its values are written.
//! ovs-fields(7) is the reference; `lib/meta-flow.h` has every spelling.

use super::bits::ones;
use crate::Mac;
use crate::sources::shared::text::number;
use netcap_words::wire::ip_protocol::{ICMP, ICMPV6, SCTP, TCP, UDP};

/// Where a value is kept, as in OVS's `struct flow` (include/openvswitch/flow.h): ICMP type and code share the places
/// of ports, an ARP packet's addresses those of IPv4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Slot {
    InPort,
    EthSrc,
    EthDst,
    EthType,
    /// The outermost tag: priority, presence, VLAN id; 0 without a tag.
    Tci,
    /// The tag behind it, which a pushed one hides.
    TciInner,
    Ip4Src,
    Ip4Dst,
    Ip6Src,
    Ip6Dst,
    Ip6Label,
    Proto,
    Tos,
    Ttl,
    Frag,
    TpSrc,
    TpDst,
    TcpFlags,
    ArpSha,
    ArpTha,
    NdTarget,
    NdSll,
    NdTll,
    Metadata,
    PktMark,
    TunId,
    /// Every other field of a tunnel: zero for a packet that came through none.
    Tunnel,
    CtState,
    CtZone,
    CtMark,
    CtLabel,
    /// The original tuple of a tracked packet.
    CtTuple,
    ConjId,
    RecircId,
    /// `xxreg0`…`xxreg3`: four registers each, the lowest-numbered in the highest bits.
    Wide0,
    Wide1,
    Wide2,
    Wide3,
}

/// How many places there are.
pub(super) const SLOTS: usize = Slot::Wide3 as usize + 1;

/// What a packet must be for a field to exist in it (ovs-fields(7), "Prerequisites").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    Nothing,
    Vlan,
    Arp,
    Ip4,
    Ip6,
    /// Either version.
    Ip,
    /// This protocol over either version.
    Proto(u8),
    /// ICMP of that protocol number over its own version.
    Icmp(u8),
}

/// How a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Number,
    Port,
    Mac,
    Ip4,
    Ip6,
    CtState,
    TcpFlags,
    Frag,
}

/// One field: bits of a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) slot: Slot,
    pub(super) first: u32,
    pub(super) width: u32,
    pub(super) kind: Kind,
    pub(super) need: Need,
}

/// Bit 12 of a tag's TCI, which OVS uses to say that there is a tag (`VLAN_CFI`).
pub(super) const TAGGED: u128 = 0x1000;

/// The field of that name in any of its spellings; `None` for one that is not followed here.
pub(super) fn field(name: &str) -> Option<Field> {
    let lower = name.trim().to_ascii_lowercase();
    let bare = ["nxm_of_", "nxm_nx_", "oxm_of_", "nxoxm_et_", "nxoxm_nsh_"]
        .iter()
        .find_map(|prefix| lower.strip_prefix(prefix))
        .unwrap_or(&lower);
    register(bare)
        .or_else(|| link(bare))
        .or_else(|| network(bare))
        .or_else(|| transport(bare))
        .or_else(|| meta(bare))
}

const fn of(slot: Slot, width: u32, kind: Kind, need: Need) -> Field {
    Field { slot, first: 0, width, kind, need }
}

fn register(name: &str) -> Option<Field> {
    let numbered = |prefix: &str| name.strip_prefix(prefix)?.parse::<u32>().ok();
    let (slot, first, width) = if let Some(n) = numbered("xxreg").filter(|n| *n < 4) {
        (n, 0, 128)
    } else if let Some(n) = numbered("xreg").or_else(|| numbered("pkt_reg")).filter(|n| *n < 8) {
        (n / 2, (1 - n % 2) * 64, 64)
    } else {
        let n = numbered("reg").filter(|n| *n < 16)?;
        (n / 4, (3 - n % 4) * 32, 32)
    };
    let slot = match slot {
        0 => Slot::Wide0,
        1 => Slot::Wide1,
        2 => Slot::Wide2,
        _ => Slot::Wide3,
    };
    Some(Field { slot, first, width, kind: Kind::Number, need: Need::Nothing })
}

fn link(name: &str) -> Option<Field> {
    Some(match name {
        "in_port" | "in_port_oxm" => of(Slot::InPort, 16, Kind::Port, Need::Nothing),
        "dl_src" | "eth_src" => of(Slot::EthSrc, 48, Kind::Mac, Need::Nothing),
        "dl_dst" | "eth_dst" => of(Slot::EthDst, 48, Kind::Mac, Need::Nothing),
        "dl_type" | "eth_type" => of(Slot::EthType, 16, Kind::Number, Need::Nothing),
        "vlan_tci" => of(Slot::Tci, 16, Kind::Number, Need::Nothing),
        "vlan_vid" => of(Slot::Tci, 13, Kind::Number, Need::Vlan),
        "dl_vlan" => of(Slot::Tci, 12, Kind::Number, Need::Nothing),
        "dl_vlan_pcp" | "vlan_pcp" => {
            Field { slot: Slot::Tci, first: 13, width: 3, kind: Kind::Number, need: Need::Vlan }
        }
        _ => return None,
    })
}

fn network(name: &str) -> Option<Field> {
    Some(match name {
        "nw_src" | "ip_src" | "ipv4_src" => of(Slot::Ip4Src, 32, Kind::Ip4, Need::Ip4),
        "nw_dst" | "ip_dst" | "ipv4_dst" => of(Slot::Ip4Dst, 32, Kind::Ip4, Need::Ip4),
        "arp_spa" => of(Slot::Ip4Src, 32, Kind::Ip4, Need::Arp),
        "arp_tpa" => of(Slot::Ip4Dst, 32, Kind::Ip4, Need::Arp),
        "arp_sha" => of(Slot::ArpSha, 48, Kind::Mac, Need::Arp),
        "arp_tha" => of(Slot::ArpTha, 48, Kind::Mac, Need::Arp),
        "arp_op" => of(Slot::Proto, 8, Kind::Number, Need::Arp),
        "ipv6_src" => of(Slot::Ip6Src, 128, Kind::Ip6, Need::Ip6),
        "ipv6_dst" => of(Slot::Ip6Dst, 128, Kind::Ip6, Need::Ip6),
        "ipv6_label" | "ipv6_flabel" => of(Slot::Ip6Label, 20, Kind::Number, Need::Ip6),
        "nw_proto" | "ip_proto" => of(Slot::Proto, 8, Kind::Number, Need::Ip),
        "nw_tos" | "ip_tos" => of(Slot::Tos, 8, Kind::Number, Need::Ip),
        "ip_dscp" => Field { slot: Slot::Tos, first: 2, width: 6, kind: Kind::Number, need: Need::Ip },
        "nw_ecn" | "ip_ecn" => of(Slot::Tos, 2, Kind::Number, Need::Ip),
        "nw_ttl" | "ip_ttl" => of(Slot::Ttl, 8, Kind::Number, Need::Ip),
        "nw_frag" | "ip_frag" => of(Slot::Frag, 2, Kind::Frag, Need::Ip),
        "nd_target" => of(Slot::NdTarget, 128, Kind::Ip6, Need::Icmp(ICMPV6)),
        "nd_sll" => of(Slot::NdSll, 48, Kind::Mac, Need::Icmp(ICMPV6)),
        "nd_tll" => of(Slot::NdTll, 48, Kind::Mac, Need::Icmp(ICMPV6)),
        _ => return None,
    })
}

fn transport(name: &str) -> Option<Field> {
    let port = |slot, proto| of(slot, 16, Kind::Number, Need::Proto(proto));
    Some(match name {
        "tcp_src" => port(Slot::TpSrc, TCP),
        "tcp_dst" => port(Slot::TpDst, TCP),
        "udp_src" => port(Slot::TpSrc, UDP),
        "udp_dst" => port(Slot::TpDst, UDP),
        "sctp_src" => port(Slot::TpSrc, SCTP),
        "sctp_dst" => port(Slot::TpDst, SCTP),
        "tp_src" => of(Slot::TpSrc, 16, Kind::Number, Need::Ip),
        "tp_dst" => of(Slot::TpDst, 16, Kind::Number, Need::Ip),
        "icmp_type" | "icmpv4_type" => of(Slot::TpSrc, 8, Kind::Number, Need::Icmp(ICMP)),
        "icmp_code" | "icmpv4_code" => of(Slot::TpDst, 8, Kind::Number, Need::Icmp(ICMP)),
        "icmpv6_type" => of(Slot::TpSrc, 8, Kind::Number, Need::Icmp(ICMPV6)),
        "icmpv6_code" => of(Slot::TpDst, 8, Kind::Number, Need::Icmp(ICMPV6)),
        "tcp_flags" => of(Slot::TcpFlags, 12, Kind::TcpFlags, Need::Proto(TCP)),
        _ => return None,
    })
}

fn meta(name: &str) -> Option<Field> {
    let free = |slot, width| of(slot, width, Kind::Number, Need::Nothing);
    Some(match name {
        "metadata" => free(Slot::Metadata, 64),
        "pkt_mark" => free(Slot::PktMark, 32),
        "tun_id" | "tunnel_id" => free(Slot::TunId, 64),
        "conj_id" => free(Slot::ConjId, 32),
        "recirc_id" => free(Slot::RecircId, 32),
        "ct_state" => of(Slot::CtState, 32, Kind::CtState, Need::Nothing),
        "ct_zone" => free(Slot::CtZone, 16),
        "ct_mark" => free(Slot::CtMark, 32),
        "ct_label" => free(Slot::CtLabel, 128),
        "ct_nw_proto" | "ct_tp_src" | "ct_tp_dst" => free(Slot::CtTuple, 16),
        "ct_nw_src" | "ct_nw_dst" => of(Slot::CtTuple, 32, Kind::Ip4, Need::Nothing),
        "ct_ipv6_src" | "ct_ipv6_dst" => of(Slot::CtTuple, 128, Kind::Ip6, Need::Nothing),
        "tun_src" | "tun_dst" => of(Slot::Tunnel, 32, Kind::Ip4, Need::Nothing),
        "tun_ipv6_src" | "tun_ipv6_dst" => of(Slot::Tunnel, 128, Kind::Ip6, Need::Nothing),
        other if other.starts_with("tun_") => free(Slot::Tunnel, 128),
        _ => return None,
    })
}

impl Field {
    /// Reads `value` or `value/mask` as bits of the field (not of its place).
    pub(super) fn parse(&self, text: &str) -> Option<(u128, u128)> {
        let all = ones(self.width);
        match self.kind {
            Kind::CtState => return ct_state(text),
            Kind::TcpFlags => return tcp_flags(text),
            Kind::Frag => return frag(text),
            _ => {}
        }
        let (value, mask) = text.split_once('/').map_or((text, None), |(value, mask)| (value, Some(mask)));
        let value = self.one(value)?;
        let mask = match mask {
            None => all,
            Some(length) if is_decimal(length) && matches!(self.kind, Kind::Ip4 | Kind::Ip6) => {
                let length: u32 = length.parse().ok().filter(|length| *length <= self.width)?;
                all & !ones(self.width - length)
            }
            Some(mask) => self.one(mask)?,
        };
        (value & !all == 0).then_some((value & mask, mask & all))
    }

    fn one(&self, text: &str) -> Option<u128> {
        let text = text.trim();
        match self.kind {
            Kind::Mac => text.parse().ok().filter(|_| text.contains(':')).map(mac),
            Kind::Ip4 if text.contains('.') => {
                Some(u128::from(text.parse::<std::net::Ipv4Addr>().ok()?.to_bits()))
            }
            Kind::Ip6 if text.contains(':') => Some(text.parse::<std::net::Ipv6Addr>().ok()?.to_bits()),
            Kind::Port => Some(u128::from(text.parse::<crate::sources::shared::OfPort>().ok()?.0)),
            _ => wide_number(text),
        }
    }
}

fn is_decimal(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// An Ethernet address as a number.
pub(super) fn mac(mac: Mac) -> u128 {
    mac.0.iter().fold(0, |sum, byte| sum << 8 | u128::from(*byte))
}

/// Decimal, or hexadecimal of up to 128 bits.
pub(super) fn wide_number(text: &str) -> Option<u128> {
    let text = text.trim();
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(hex) => u128::from_str_radix(hex, 16).ok(),
        None => number(text).map(u128::from),
    }
}

/// Flags of `ct_state` from bit 0 up (include/openvswitch/packets.h, `CS_STATES`).
const CT_FLAGS: [&str; 8] = ["new", "est", "rel", "rpl", "inv", "trk", "snat", "dnat"];
/// The same as masks.
pub(super) const CT_NEW: u128 = 0x01;
pub(super) const CT_EST: u128 = 0x02;
pub(super) const CT_REL: u128 = 0x04;
pub(super) const CT_RPL: u128 = 0x08;
pub(super) const CT_INV: u128 = 0x10;
pub(super) const CT_TRK: u128 = 0x20;
pub(super) const CT_SNAT: u128 = 0x40;
pub(super) const CT_DNAT: u128 = 0x80;

/// `+est-rel`, `est|trk`, `0x21/0x20`.
fn ct_state(text: &str) -> Option<(u128, u128)> {
    flags(text, 32, |name| CT_FLAGS.iter().position(|flag| *flag == name))
}

/// `+syn-ack`, `syn|ack`, `0x002/0x012` (RFC 9293, section 3.1, from FIN up).
fn tcp_flags(text: &str) -> Option<(u128, u128)> {
    const NAMES: [&str; 9] = ["fin", "syn", "rst", "psh", "ack", "urg", "ece", "cwr", "ns"];
    flags(text, 12, |name| NAMES.iter().position(|flag| *flag == name))
}

fn flags(text: &str, width: u32, bit: impl Fn(&str) -> Option<usize>) -> Option<(u128, u128)> {
    let text = text.trim();
    if text.starts_with(['+', '-']) {
        let (mut value, mut mask) = (0, 0);
        for (at, sign) in text.char_indices().filter(|(_, c)| matches!(c, '+' | '-')) {
            let rest = text.get(at + 1..)?;
            let name = rest.split(['+', '-']).next()?.trim();
            let flag = 1_u128 << bit(name)?;
            mask |= flag;
            if sign == '+' {
                value |= flag;
            }
        }
        return Some((value, mask));
    }
    if text.starts_with(|c: char| c.is_ascii_digit()) {
        let (value, mask) = text.split_once('/').map_or((text, None), |(v, m)| (v, Some(m)));
        let mask = mask.map_or(Some(ones(width)), wide_number)?;
        return Some((wide_number(value)? & mask, mask));
    }
    let mut value = 0;
    for name in text.split('|') {
        value |= 1_u128 << bit(name.trim())?;
    }
    Some((value, ones(width)))
}

/// A fragment, and not the first (`FLOW_NW_FRAG_ANY`, `FLOW_NW_FRAG_LATER`).
pub(super) const FRAG_ANY: u128 = 1;
pub(super) const FRAG_LATER: u128 = 2;

fn frag(text: &str) -> Option<(u128, u128)> {
    let both = FRAG_ANY | FRAG_LATER;
    Some(match text.trim() {
        "no" => (0, both),
        "yes" => (FRAG_ANY, FRAG_ANY),
        "first" => (FRAG_ANY, both),
        "later" => (both, both),
        "not_later" => (0, FRAG_LATER),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_is_one_field() {
        let one = |names: &[&str]| {
            for name in names {
                assert_eq!(field(name), field(names[0]), "{name}");
                assert!(field(name).is_some(), "{name}");
            }
        };
        one(&["dl_dst", "eth_dst", "NXM_OF_ETH_DST", "OXM_OF_ETH_DST"]);
        one(&["nw_src", "ip_src", "NXM_OF_IP_SRC", "OXM_OF_IPV4_SRC"]);
        one(&["reg3", "NXM_NX_REG3"]);
        one(&["xreg1", "OXM_OF_PKT_REG1"]);
        one(&["ct_label", "NXM_NX_CT_LABEL"]);
        assert_eq!((field("reg16"), field("xreg8"), field("surprise")), (None, None, None));
        let (reg0, reg1, wide) = (field("reg0").unwrap(), field("reg1").unwrap(), field("xreg0").unwrap());
        assert_eq!((reg0.first, reg1.first, wide.first), (96, 64, 64));
    }

    #[test]
    fn values_and_masks() {
        let parse = |name: &str, text: &str| field(name).unwrap().parse(text);
        assert_eq!(parse("nw_src", "10.0.0.0/8"), Some((0x0a00_0000, 0xff00_0000)));
        assert_eq!(parse("nw_src", "10.1.0.0/255.0.0.0"), Some((0x0a00_0000, 0xff00_0000)));
        assert_eq!(parse("tp_dst", "0x16/0xfffe"), Some((0x16, 0xfffe)));
        assert_eq!(parse("dl_dst", "01:00:00:00:00:00/01:00:00:00:00:00"), Some((1 << 40, 1 << 40)));
        assert_eq!(parse("ct_state", "+new-est+trk"), Some((0x21, 0x23)));
        assert_eq!(parse("ct_state", "0x21/0x23"), Some((0x21, 0x23)));
        assert_eq!(parse("tcp_flags", "syn|ack"), Some((0x12, 0xfff)));
        assert_eq!(parse("tcp_flags", "+syn-ack"), Some((0x02, 0x12)));
        assert_eq!(parse("ip_frag", "later"), Some((3, 3)));
        assert_eq!(parse("in_port", "LOCAL"), Some((0xfffe, 0xffff)));
        for (name, text) in
            [("nw_src", "garbage"), ("ct_state", "+nonsense"), ("tp_dst", "70000"), ("nw_src", "1.1.1.1/33")]
        {
            assert_eq!(parse(name, text), None, "{name}={text}");
        }
    }
}
