//! From the bytes of a frame to the fields OVS would extract (lib/flow.c, `miniflow_extract`).

use super::bits::Bits;
use super::field::{FRAG_ANY, FRAG_LATER, Slot, TAGGED};
use super::packet::Packet;
use crate::sources::shared::OfPort;
use netcap_words::wire::{TPIDS_KERNEL, ether_type, ip_protocol};

/// What an LLC frame without SNAP has for a type (`FLOW_DL_TYPE_NONE`, include/openvswitch/flow.h).
const NO_TYPE: u128 = 0x05ff;
/// Extension headers of IPv6 walked over; OVS has no limit, a packet of 160 bytes does.
const EXTENSIONS_MAX: usize = 8;

/// Every place of the layers above Ethernet.
const UPPER: [Slot; 17] = [
    Slot::Ip4Src,
    Slot::Ip4Dst,
    Slot::Ip6Src,
    Slot::Ip6Dst,
    Slot::Ip6Label,
    Slot::Proto,
    Slot::Tos,
    Slot::Ttl,
    Slot::Frag,
    Slot::TpSrc,
    Slot::TpDst,
    Slot::TcpFlags,
    Slot::ArpSha,
    Slot::ArpTha,
    Slot::NdTarget,
    Slot::NdSll,
    Slot::NdTll,
];

impl Packet {
    /// An Ethernet frame that comes in at a port. What a cut frame does not hold is not known; a frame with two tags is
    /// read by OVS as its `vlan-limit` says, so what is behind them is not known either.
    pub fn of_frame(port: Option<OfPort>, frame: &[u8]) -> Self {
        let mut packet = Self::blank();
        if let Some(port) = port {
            packet.set(Slot::InPort, u128::from(port.0));
        }
        let (dst, src) = (big(frame, 0, 6), big(frame, 6, 6));
        packet.put(Slot::EthDst, dst);
        packet.put(Slot::EthSrc, src);
        let Some(mut eth_type) = short(frame, 12) else { return packet };
        let mut at = 14;
        packet.set(Slot::Tci, 0);
        packet.set(Slot::TciInner, 0);
        if TPIDS_KERNEL.contains(&eth_type) {
            packet.put(
                Slot::Tci,
                short(frame, 14).map_or(Bits::UNKNOWN, |tci| Bits::known(u128::from(tci) | TAGGED)),
            );
            let Some(behind) = short(frame, 16).filter(|behind| !TPIDS_KERNEL.contains(behind)) else {
                return packet;
            };
            eth_type = behind;
            at = 18;
        }
        packet.network(eth_type, frame.get(at..).unwrap_or_default());
        packet
    }

    fn network(&mut self, eth_type: u16, body: &[u8]) {
        let eth_type = if eth_type >= 0x600 {
            u128::from(eth_type)
        } else {
            // LLC, and SNAP where it says so (IEEE 802.2).
            match body.first_chunk::<8>() {
                Some([0xaa, 0xaa, 3, 0, 0, 0, a, b]) => u128::from(u16::from_be_bytes([*a, *b])),
                _ => NO_TYPE,
            }
        };
        self.set(Slot::EthType, eth_type);
        for slot in UPPER {
            self.set(slot, 0);
        }
        match u16::try_from(eth_type).unwrap_or(0) {
            ether_type::IPV4 => self.ip4(body),
            ether_type::IPV6 => self.ip6(body),
            ether_type::ARP | ether_type::RARP => self.arp(body),
            _ => {}
        }
    }

    fn arp(&mut self, body: &[u8]) {
        let shape = body.first_chunk::<6>();
        if shape.is_some() && shape != Some(&[0, 1, 8, 0, 6, 4]) {
            return;
        }
        self.put(Slot::Proto, big(body, 6, 2));
        self.put(Slot::ArpSha, big(body, 8, 6));
        self.put(Slot::Ip4Src, big(body, 14, 4));
        self.put(Slot::ArpTha, big(body, 18, 6));
        self.put(Slot::Ip4Dst, big(body, 24, 4));
    }

    fn ip4(&mut self, body: &[u8]) {
        self.put(Slot::Tos, big(body, 1, 1));
        self.put(Slot::Ttl, big(body, 8, 1));
        self.put(Slot::Proto, big(body, 9, 1));
        self.put(Slot::Ip4Src, big(body, 12, 4));
        self.put(Slot::Ip4Dst, big(body, 16, 4));
        let (Some(first), Some(fragment)) = (body.first(), short(body, 6)) else {
            return self.unknown_above(&[Slot::Frag]);
        };
        let later = fragment & 0x1fff != 0;
        if later || fragment & 0x2000 != 0 {
            // With `frags=normal` the ports of every fragment are hidden (`rule_dpif_lookup_from_table`).
            return self.set(Slot::Frag, FRAG_ANY | if later { FRAG_LATER } else { 0 });
        }
        let header = usize::from(first & 0x0f) * 4;
        match body.get(9) {
            Some(proto) => self.transport(*proto, body.get(header..).unwrap_or_default()),
            None => self.unknown_above(&[]),
        }
    }

    fn ip6(&mut self, body: &[u8]) {
        self.put(Slot::Tos, big(body, 0, 2).part(4, 8));
        self.put(Slot::Ip6Label, big(body, 0, 4).part(0, 20));
        self.put(Slot::Ttl, big(body, 7, 1));
        self.put(Slot::Ip6Src, big(body, 8, 16));
        self.put(Slot::Ip6Dst, big(body, 24, 16));
        let (mut next, mut at) = (body.get(6).copied(), 40);
        for _ in 0..EXTENSIONS_MAX {
            let units = body.get(at + 1).copied();
            let (following, length) = match (next, units) {
                (Some(0 | 43 | 60 | 135), Some(units)) => (body.get(at), (usize::from(units) + 1) * 8),
                // Authentication counts in units of four bytes (RFC 4302, section 2.2).
                (Some(51), Some(units)) => (body.get(at), (usize::from(units) + 2) * 4),
                (Some(44), _) => return self.fragment6(body, at),
                _ => break,
            };
            next = following.copied();
            at += length;
        }
        match next {
            Some(0 | 43 | 44 | 51 | 60 | 135) | None => self.unknown_above(&[Slot::Proto, Slot::Frag]),
            Some(proto) => {
                self.set(Slot::Proto, u128::from(proto));
                self.transport(proto, body.get(at..).unwrap_or_default());
            }
        }
    }

    fn fragment6(&mut self, body: &[u8], at: usize) {
        let (Some(next), Some(offset)) = (body.get(at), short(body, at + 2)) else {
            return self.unknown_above(&[Slot::Proto, Slot::Frag]);
        };
        self.set(Slot::Proto, u128::from(*next));
        let later = offset & 0xfff8 != 0;
        if later || offset & 1 != 0 {
            return self.set(Slot::Frag, FRAG_ANY | if later { FRAG_LATER } else { 0 });
        }
        // An atomic fragment (RFC 6946) is a whole packet.
        self.transport(*next, body.get(at + 8..).unwrap_or_default());
    }

    fn transport(&mut self, proto: u8, body: &[u8]) {
        match proto {
            ip_protocol::TCP | ip_protocol::UDP | ip_protocol::SCTP => {
                self.put(Slot::TpSrc, big(body, 0, 2));
                self.put(Slot::TpDst, big(body, 2, 2));
                if proto == ip_protocol::TCP {
                    self.put(Slot::TcpFlags, big(body, 12, 2).part(0, 12));
                }
            }
            ip_protocol::ICMP | ip_protocol::ICMPV6 => {
                self.put(Slot::TpSrc, big(body, 0, 1));
                self.put(Slot::TpDst, big(body, 1, 1));
                if proto == ip_protocol::ICMPV6 && matches!(body.first(), Some(135 | 136)) {
                    self.put(Slot::NdTarget, big(body, 8, 16));
                    // The options are not read: rules on them are rare, and a guess is worse than none.
                    self.put(Slot::NdSll, Bits::UNKNOWN);
                    self.put(Slot::NdTll, Bits::UNKNOWN);
                }
            }
            _ => {}
        }
    }

    /// The transport layer and these are not in the bytes.
    fn unknown_above(&mut self, also: &[Slot]) {
        for slot in [Slot::TpSrc, Slot::TpDst, Slot::TcpFlags, Slot::NdTarget].iter().chain(also) {
            self.put(*slot, Bits::UNKNOWN);
        }
    }
}

/// `length` bytes from `at` as a number; not known when they are not all there.
fn big(bytes: &[u8], at: usize, length: usize) -> Bits {
    match bytes.get(at..at + length) {
        Some(part) => Bits::known(part.iter().fold(0, |sum, byte| sum << 8 | u128::from(*byte))),
        None => Bits::UNKNOWN,
    }
}

fn short(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk::<2>().map(|pair| u16::from_be_bytes(*pair))
}
