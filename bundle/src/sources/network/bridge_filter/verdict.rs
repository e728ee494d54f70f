//! What the rules do with a frame that a bridge forwards.

use std::net::IpAddr;

use netcap_words::wire::{ether_type, icmp, icmpv6, ip_protocol, ip_protocol_number};

use super::{BridgeFilter, Chain, FilterRule, Verdict};
use crate::Mac;
use crate::sources::shared::{MaskedIp, PacketFields, Ternary};

/// Chains called inside one another; the kernel allows sixteen (`NFT_JUMP_STACK_SIZE`, net/netfilter/nf_tables_core.c).
const DEPTH_MAX: usize = 16;
/// Rules looked at for one frame.
const RULES_MAX: usize = 100_000;
/// The hooks that a bridged frame passes, in this order (net/bridge/br_netfilter_hooks.c).
const HOOKS: [&str; 3] = ["prerouting", "forward", "postrouting"];

/// A frame on its way through a bridge.
#[derive(Debug, Clone, Copy)]
pub struct BridgedFrame<'a> {
    /// Its addresses, protocol and ports, as far as they are known.
    pub packet: &'a PacketFields,
    /// Where it came in.
    pub enters: &'a str,
    /// Where it is to leave.
    pub leaves: &'a str,
}

/// The rule at which a frame ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FilterEnd<'a> {
    /// The one that the rule is in, or whose policy drops.
    pub chain: &'a Chain,
    /// The rule; `None` when the chain drops what no rule decides.
    pub rule: Option<&'a FilterRule>,
    /// No rule before it may decide otherwise.
    pub certain: bool,
}

/// What became of a frame in a chain.
enum Fate<'a> {
    Passes,
    Returns,
    Ends(Option<&'a FilterRule>, &'a Chain),
}

struct Walk<'a, 'f> {
    chains: &'a [Chain],
    frame: &'f BridgedFrame<'f>,
    hook: &'static str,
    left: usize,
    certain: bool,
}

impl BridgeFilter {
    /// The rule that drops a frame, if one does. What is not known of the frame or not understood of a rule makes the answer
    /// uncertain, never a drop.
    pub fn drops(&self, frame: &BridgedFrame<'_>) -> Option<FilterEnd<'_>> {
        let chains = &self.chains;
        let mut walk = Walk { chains, frame, hook: "", left: RULES_MAX, certain: self.complete };
        HOOKS.into_iter().find_map(|hook| walk.at(hook, |_| true))
    }

    /// The rule that drops a frame at a device, before a switch gets it or after one let it go.
    pub fn drops_at_devices(&self, frame: &BridgedFrame<'_>) -> Option<FilterEnd<'_>> {
        let (chains, certain) = (&self.device_chains, self.devices_complete == Some(true));
        let mut walk = Walk { chains, frame, hook: "", left: RULES_MAX, certain };
        let at = |device: &str, chain: &Chain| chain.devices.iter().any(|name| name == device);
        walk.at("ingress", |chain| at(frame.enters, chain))
            .or_else(|| walk.at("egress", |chain| at(frame.leaves, chain)))
    }
}

impl<'a> Walk<'a, '_> {
    /// Asks the chains of a hook, in their order.
    fn at(&mut self, hook: &'static str, wanted: impl Fn(&Chain) -> bool) -> Option<FilterEnd<'a>> {
        self.hook = hook;
        let mine = self.chains.iter().filter(|chain| chain.hook.as_deref() == Some(hook) && wanted(chain));
        let mut mine: Vec<&Chain> = mine.collect();
        mine.sort_by_key(|chain| chain.priority);
        for chain in mine {
            let (rule, chain) = match self.chain(chain, 0) {
                Fate::Ends(rule, chain) => (rule, chain),
                Fate::Returns if chain.drops => (None, chain),
                Fate::Passes | Fate::Returns => continue,
            };
            return Some(FilterEnd { chain, rule, certain: self.certain });
        }
        None
    }

    fn chain(&mut self, chain: &'a Chain, depth: usize) -> Fate<'a> {
        for rule in &chain.rules {
            let Some(left) = self.left.checked_sub(1).filter(|_| depth < DEPTH_MAX) else {
                self.certain = false;
                return Fate::Passes;
            };
            self.left = left;
            match self.matches(rule) {
                Ternary::No => continue,
                Ternary::Unknown => {
                    self.certain &= rule.verdict == Verdict::Continue;
                    continue;
                }
                Ternary::Yes => {}
            }
            let called = |name: &str| {
                self.chains.iter().find(|other| other.table == chain.table && other.name == name)
            };
            match &rule.verdict {
                Verdict::Continue => {}
                Verdict::Accept => return Fate::Passes,
                Verdict::Drop => return Fate::Ends(Some(rule), chain),
                Verdict::Return => return Fate::Returns,
                Verdict::Unread => self.certain = false,
                Verdict::Jump(name) => match called(name).map(|other| self.chain(other, depth + 1)) {
                    Some(Fate::Returns) => {}
                    Some(fate) => return fate,
                    None => self.certain = false,
                },
                Verdict::Goto(name) => {
                    return called(name).map_or(Fate::Returns, |other| self.chain(other, depth + 1));
                }
            }
        }
        Fate::Returns
    }

    fn matches(&self, rule: &FilterRule) -> Ternary {
        let mut words: Vec<&str> = rule.matches.iter().map(String::as_str).collect();
        let mut answer = Ternary::Yes;
        while !words.is_empty() {
            let (one, used) = self.first(&words);
            answer = answer.and(one);
            if used == 0 {
                return answer.and(Ternary::Unknown);
            }
            words.drain(..used.min(words.len()));
        }
        answer
    }

    /// The answer of the first match among the words, and how many words it is; 0 when it is not understood.
    fn first(&self, words: &[&str]) -> (Ternary, usize) {
        let (key, rest): (&[&str], &[&str]) = match words {
            ["iifname" | "iif" | "oifname" | "oif", rest @ ..] => (&words[..1], rest),
            ["meta" | "ether" | "ip" | "ip6" | "arp" | "icmp" | "icmpv6" | "tcp" | "udp", _, rest @ ..] => {
                (&words[..2], rest)
            }
            _ => return (Ternary::Unknown, 0),
        };
        let (negated, value, used) = match rest {
            ["!=", value, ..] => (true, *value, key.len() + 2),
            ["==", value, ..] => (false, *value, key.len() + 2),
            // `arp saddr ip 10.0.0.1`, `arp saddr ether …`.
            ["ip" | "ether", "!=", value, ..] => (true, *value, key.len() + 3),
            ["ip" | "ether", value, ..] if key.first() == Some(&"arp") => (false, *value, key.len() + 2),
            [value, ..] => (false, *value, key.len() + 1),
            [] => return (Ternary::Unknown, 0),
        };
        if value.starts_with(['{', '@', '&', '|', '<', '>']) {
            return (Ternary::Unknown, 0);
        }
        let kind = rest.first().copied().filter(|word| matches!(*word, "ip" | "ether"));
        let one = self.field(key, kind, value.trim_matches('"'));
        (if negated { one.negated() } else { one }, used)
    }

    fn field(&self, key: &[&str], kind: Option<&str>, value: &str) -> Ternary {
        let packet = self.frame.packet;
        match (key, kind) {
            (["iifname" | "iif"] | ["meta", "iifname" | "iif"], _) => named(self.frame.enters, value),
            (["oifname" | "oif"] | ["meta", "oifname" | "oif"], _)
                if matches!(self.hook, "prerouting" | "ingress") =>
            {
                Ternary::No
            }
            (["oifname" | "oif"] | ["meta", "oifname" | "oif"], _) => named(self.frame.leaves, value),
            (["ether", "saddr"], _) => mac(value, packet.eth_src),
            (["ether", "daddr"], _) => mac(value, packet.eth_dst),
            (["ether", "type"] | ["meta", "protocol"], _) => {
                Ternary::of(eth_type(value).zip(packet.eth_type).map(|(want, known)| want == known))
            }
            (["ip", "protocol"], _) => self.of(ether_type::IPV4).and(protocol(value, packet)),
            (["ip6", "nexthdr"], _) => self.of(ether_type::IPV6).and(protocol(value, packet)),
            (["meta", "l4proto"], _) => protocol(value, packet),
            (["ip", "saddr"], _) => self.of(ether_type::IPV4).and(address(value, packet.ip_src)),
            (["ip", "daddr"], _) => self.of(ether_type::IPV4).and(address(value, packet.ip_dst)),
            (["ip6", "saddr"], _) => self.of(ether_type::IPV6).and(address(value, packet.ip_src)),
            (["ip6", "daddr"], _) => self.of(ether_type::IPV6).and(address(value, packet.ip_dst)),
            (["icmp", "type"], _) => {
                self.carries(ip_protocol::ICMP).and(icmp_type(value, &ICMP_TYPES, packet.icmp_type))
            }
            (["icmpv6", "type"], _) => {
                self.carries(ip_protocol::ICMPV6).and(icmp_type(value, &ICMPV6_TYPES, packet.icmp_type))
            }
            (["tcp", "sport"], _) => self.carries(ip_protocol::TCP).and(port(value, packet.l4_src)),
            (["tcp", "dport"], _) => self.carries(ip_protocol::TCP).and(port(value, packet.l4_dst)),
            (["udp", "sport"], _) => self.carries(ip_protocol::UDP).and(port(value, packet.l4_src)),
            (["udp", "dport"], _) => self.carries(ip_protocol::UDP).and(port(value, packet.l4_dst)),
            (["arp", "saddr"], Some("ip")) => address(value, packet.arp_spa.map(IpAddr::V4)),
            (["arp", "daddr"], Some("ip")) => address(value, packet.arp_tpa.map(IpAddr::V4)),
            (["arp", "saddr"], Some("ether")) => mac(value, packet.arp_sha),
            _ => Ternary::Unknown,
        }
    }

    /// The packet carries that protocol of IP.
    fn carries(&self, wanted: u8) -> Ternary {
        Ternary::of(self.frame.packet.ip_proto.map(|known| known == wanted))
    }

    /// The frame carries that protocol.
    fn of(&self, wanted: u16) -> Ternary {
        Ternary::of(self.frame.packet.eth_type.map(|known| known == wanted))
    }
}

/// Names of types of ICMP and ICMPv6 (nft(8), "ICMP type", "ICMPv6 type"), those of pings.
const ICMP_TYPES: [(&str, u8); 2] = [("echo-reply", icmp::ECHO_REPLY), ("echo-request", icmp::ECHO_REQUEST)];
const ICMPV6_TYPES: [(&str, u8); 2] =
    [("echo-reply", icmpv6::ECHO_REPLY), ("echo-request", icmpv6::ECHO_REQUEST)];

fn icmp_type(value: &str, names: &[(&str, u8)], known: Option<u8>) -> Ternary {
    let named = names.iter().find(|(name, _)| *name == value).map(|(_, number)| *number);
    Ternary::of(named.or_else(|| value.parse().ok()).zip(known).map(|(want, known)| want == known))
}

/// Numbers only: names of services are the host's.
fn port(value: &str, known: Option<u16>) -> Ternary {
    Ternary::of(value.parse::<u16>().ok().zip(known).map(|(want, known)| want == known))
}

/// `vnet0`, `vnet*`.
fn named(port: &str, value: &str) -> Ternary {
    value.strip_suffix('*').map_or(port == value, |start| port.starts_with(start)).into()
}

fn mac(value: &str, known: Option<Mac>) -> Ternary {
    Ternary::of(value.parse::<Mac>().ok().zip(known).map(|(want, known)| want == known))
}

fn address(value: &str, known: Option<IpAddr>) -> Ternary {
    Ternary::of(MaskedIp::parse(value).zip(known).map(|(want, known)| want.matches(known)))
}

fn protocol(value: &str, packet: &PacketFields) -> Ternary {
    Ternary::of(ip_protocol_number(value).zip(packet.ip_proto).map(|(want, known)| want == known))
}

fn eth_type(value: &str) -> Option<u16> {
    match value {
        "ip" => Some(ether_type::IPV4),
        "ip6" => Some(ether_type::IPV6),
        "arp" => Some(ether_type::ARP),
        "vlan" | "8021q" => Some(0x8100),
        number => number.strip_prefix("0x").and_then(|hex| u16::from_str_radix(hex, 16).ok()),
    }
}
