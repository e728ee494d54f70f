//! Does a network filter's rule match a packet, and which rule decides?

use netcap_words::wire::{TPID_8021Q, ether_type, ip_protocol};
use std::fmt::Write as _;
use std::net::IpAddr;

use super::model::{Action, Direction, Nwfilter, Parameters, Protocol, Rule};
use crate::Mac;
use crate::sources::shared::text::number;
use crate::sources::shared::{MaskedIp, MaskedMac, PacketFields, Ternary, VlanTag};

/// What a filter's own rules say of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FilterVerdict<'a> {
    /// The first rule that matches.
    pub rule: &'a Rule,
    /// False when an earlier rule with another action may match too, or a rule was not understood.
    pub certain: bool,
}

impl Nwfilter {
    /// The rule that decides in libvirt's order: rules of that direction, lower priority first, then as written.
    ///
    /// Included filters are not followed. A platform that turns filters into flows may order them otherwise; compare
    /// with [`Nwfilter::ends`].
    pub fn verdict(
        &self,
        packet: &PacketFields,
        way: Direction,
        parameters: &Parameters,
    ) -> Option<FilterVerdict<'_>> {
        let mut rules: Vec<&Rule> = self.rules.iter().filter(|rule| rule.direction.covers(way)).collect();
        rules.sort_by_key(|rule| (rule.priority, rule.index));
        let mut perhaps: Vec<Action> = Vec::new();
        for rule in rules {
            match rule.matches(packet, parameters) {
                Ternary::No => {}
                _ if rule.action == Action::Continue => {}
                Ternary::Unknown => perhaps.push(rule.action),
                Ternary::Yes => {
                    return Some(FilterVerdict {
                        rule,
                        certain: self.unread.is_empty()
                            && perhaps.iter().all(|action| *action == rule.action),
                    });
                }
            }
        }
        None
    }

    /// The rules that certainly match and end the packet, in the order written and **of any direction**: the direction
    /// is a fact of the rule, but a platform may apply `in` to what the machine sends.
    pub fn ends(&self, packet: &PacketFields, parameters: &Parameters) -> Vec<&Rule> {
        let ending = self.rules.iter().filter(|rule| rule.action.ends_packet());
        ending.filter(|rule| rule.matches(packet, parameters) == Ternary::Yes).collect()
    }
}

/// The same over several filters: which rule of which filter ends the packet.
pub fn ends<'a>(
    filters: &[&'a Nwfilter],
    packet: &PacketFields,
    parameters: &Parameters,
) -> Vec<(&'a Nwfilter, &'a Rule)> {
    let pairs = filters
        .iter()
        .flat_map(|filter| filter.ends(packet, parameters).into_iter().map(|rule| (*filter, rule)));
    pairs.collect()
}

impl Rule {
    /// Whether the rule's protocol element matches, whatever its direction.
    pub fn matches(&self, packet: &PacketFields, parameters: &Parameters) -> Ternary {
        match &self.protocol {
            None => Ternary::Yes,
            Some(protocol) => protocol.matches(packet, parameters),
        }
    }

    /// `drop in priority 10 icmp dstipaddr=172.16.51.6 dstipmask=32`.
    pub fn describe(&self) -> String {
        let mut text = format!("{} {} priority {}", self.action.word(), self.direction.word(), self.priority);
        if let Some(protocol) = &self.protocol {
            text.push(' ');
            text.push_str(&protocol.name);
            for (name, value) in &protocol.attributes {
                let _ = write!(text, " {name}={value}");
            }
        }
        text
    }
}

impl Protocol {
    fn matches(&self, packet: &PacketFields, parameters: &Parameters) -> Ternary {
        let negated = self.attributes.get("match").is_some_and(|word| word == "no");
        let mut answer = self.is_of(packet);
        for (name, value) in &self.attributes {
            if matches!(name.as_str(), "match" | "comment") || is_companion(name) {
                continue;
            }
            let one = self.attribute(name, value, packet, parameters);
            answer = answer.and(if negated { one.negated() } else { one });
        }
        answer
    }

    /// The packet is of the protocol the element names.
    fn is_of(&self, packet: &PacketFields) -> Ternary {
        let eth_type = |wanted: u16| Ternary::of(packet.eth_type.map(|known| known == wanted));
        let proto = |wanted: u8| Ternary::of(packet.ip_proto.map(|known| known == wanted));
        let name = self.name.strip_suffix("-ipv6");
        let family =
            if name.is_some() || self.name == "icmpv6" { ether_type::IPV6 } else { ether_type::IPV4 };
        match name.unwrap_or(&self.name) {
            "mac" => Ternary::Yes,
            "arp" => eth_type(ether_type::ARP),
            "rarp" => eth_type(ether_type::RARP),
            "ip" => eth_type(ether_type::IPV4),
            "ipv6" => eth_type(ether_type::IPV6),
            "vlan" => match packet.vlan {
                VlanTag::None => Ternary::No,
                VlanTag::Tagged { .. } => Ternary::Yes,
                VlanTag::Unknown => Ternary::Unknown,
            },
            "stp" => {
                let group = Mac([0x01, 0x80, 0xc2, 0, 0, 0]);
                Ternary::of(packet.eth_dst.map(|mac| mac == group))
            }
            "all" => eth_type(family),
            word => match protocol_number(word) {
                Some(wanted) => eth_type(family).and(proto(wanted)),
                None => Ternary::Unknown,
            },
        }
    }

    fn attribute(&self, name: &str, value: &str, packet: &PacketFields, parameters: &Parameters) -> Ternary {
        let Some(variable) = value.strip_prefix('$') else { return self.plain(name, value, packet) };
        // Several values: any of them. `$IP[@1]` combines lists in step, which is not modelled.
        match parameters.get(variable).filter(|values| !values.is_empty()) {
            None => Ternary::Unknown,
            Some(values) => {
                let none: Ternary =
                    values.iter().map(|value| self.plain(name, value, packet).negated()).collect();
                none.negated()
            }
        }
    }

    fn plain(&self, name: &str, value: &str, packet: &PacketFields) -> Ternary {
        match name {
            "srcmacaddr" => self.mac(value, "srcmacmask", packet.eth_src),
            "dstmacaddr" => self.mac(value, "dstmacmask", packet.eth_dst),
            "protocolid" => {
                Ternary::of(eth_type(value).and_then(|want| packet.eth_type.map(|known| known == want)))
            }
            "srcipaddr" => self.address(value, "srcipmask", packet.ip_src),
            "dstipaddr" => self.address(value, "dstipmask", packet.ip_dst),
            "srcipfrom" => self.address_range(value, "srcipto", packet.ip_src),
            "dstipfrom" => self.address_range(value, "dstipto", packet.ip_dst),
            "srcportstart" => self.range(value, "srcportend", packet.l4_src.map(u64::from)),
            "dstportstart" => self.range(value, "dstportend", packet.l4_dst.map(u64::from)),
            "type" => self.range(value, "typeend", packet.icmp_type.map(u64::from)),
            "code" => self.range(value, "codeend", packet.icmp_code.map(u64::from)),
            "protocol" => {
                Ternary::of(ip_protocol(value).and_then(|want| packet.ip_proto.map(|known| known == want)))
            }
            "opcode" => {
                Ternary::of(arp_opcode(value).and_then(|want| packet.arp_op.map(|known| known == want)))
            }
            "arpsrcmacaddr" => self.mac(value, "", packet.arp_sha),
            "arpdstmacaddr" => self.mac(value, "", packet.arp_tha),
            "arpsrcipaddr" => self.address(value, "arpsrcipmask", packet.arp_spa.map(IpAddr::V4)),
            "arpdstipaddr" => self.address(value, "arpdstipmask", packet.arp_tpa.map(IpAddr::V4)),
            "vlanid" => match packet.vlan {
                VlanTag::Tagged { vid, .. } => Ternary::of(number(value).map(|want| want == u64::from(vid))),
                VlanTag::None => Ternary::No,
                VlanTag::Unknown => Ternary::Unknown,
            },
            _ => Ternary::Unknown,
        }
    }

    fn mac(&self, value: &str, mask: &str, known: Option<Mac>) -> Ternary {
        let mask = match self.attributes.get(mask) {
            None => Some(Mac::BROADCAST),
            Some(text) => loose_mac(text),
        };
        let wanted = loose_mac(value).zip(mask).map(|(value, mask)| MaskedMac { value, mask });
        Ternary::of(wanted.zip(known).map(|(wanted, known)| wanted.matches(known)))
    }

    fn address(&self, value: &str, mask: &str, known: Option<IpAddr>) -> Ternary {
        let mask = self.attributes.get(mask).map(String::as_str);
        let wanted = value.trim().parse().ok().and_then(|value| MaskedIp::of(value, mask));
        Ternary::of(wanted.zip(known).map(|(wanted, known)| wanted.matches(known)))
    }

    fn address_range(&self, from: &str, to: &str, known: Option<IpAddr>) -> Ternary {
        let from: Option<IpAddr> = from.trim().parse().ok();
        let to: Option<IpAddr> = self.attributes.get(to).and_then(|text| text.trim().parse().ok());
        let range = from.zip(to.or(from));
        Ternary::of(range.zip(known).map(|((from, to), known)| from <= known && known <= to))
    }

    fn range(&self, from: &str, to: &str, known: Option<u64>) -> Ternary {
        let from = number(from);
        let to = self.attributes.get(to).map_or(from, |text| number(text));
        Ternary::of(from.zip(to).zip(known).map(|((from, to), known)| from <= known && known <= to))
    }
}

/// Attributes that only complete another one.
fn is_companion(name: &str) -> bool {
    name.ends_with("mask")
        || name.ends_with("portend")
        || matches!(name, "srcipto" | "dstipto" | "typeend" | "codeend")
}

/// libvirt writes `1:2:3:4:5:6` for 01:02:03:04:05:06.
fn loose_mac(text: &str) -> Option<Mac> {
    let mut mac = [0_u8; 6];
    let mut octets = text.trim().split(':');
    for byte in &mut mac {
        let octet = octets.next().filter(|octet| octet.len() <= 2)?;
        *byte = u8::from_str_radix(octet, 16).ok()?;
    }
    octets.next().is_none().then_some(Mac(mac))
}

/// Protocol elements and the numbers of IANA's registry.
fn protocol_number(word: &str) -> Option<u8> {
    Some(match word {
        "icmp" => ip_protocol::ICMP,
        "igmp" => 2,
        "tcp" => ip_protocol::TCP,
        "udp" => ip_protocol::UDP,
        "esp" => 50,
        "ah" => 51,
        "icmpv6" => ip_protocol::ICMPV6,
        "sctp" => ip_protocol::SCTP,
        "udplite" => 136,
        _ => return None,
    })
}

fn ip_protocol(text: &str) -> Option<u8> {
    protocol_number(text).or_else(|| u8::try_from(number(text)?).ok())
}

fn eth_type(text: &str) -> Option<u16> {
    Some(match text {
        "arp" => ether_type::ARP,
        "rarp" => ether_type::RARP,
        "ipv4" => ether_type::IPV4,
        "ipv6" => ether_type::IPV6,
        "vlan" => TPID_8021Q,
        other => u16::try_from(number(other)?).ok()?,
    })
}

/// Opcodes by libvirt's names (src/conf/nwfilter_conf.c, `arpOpcodeMap`) or number.
fn arp_opcode(text: &str) -> Option<u16> {
    Some(match text {
        "Request" => 1,
        "Reply" => 2,
        "Request_Reverse" => 3,
        "Reply_Reverse" => 4,
        "DRARP_Request" => 5,
        "DRARP_Reply" => 6,
        "DRARP_Error" => 7,
        "InARP_Request" => 8,
        "ARP_NAK" => 9,
        other => u16::try_from(number(other)?).ok()?,
    })
}
