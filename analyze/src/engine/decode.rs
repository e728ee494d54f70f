//! From captured bytes to addresses and headers. Cut packets give the layers that are there.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use etherparse::{
    ArpPacketSlice, EtherType, Icmpv4Slice, Icmpv6Slice, LaxIpPayloadSlice, LaxLinkExtSlice, LaxNetSlice,
    LaxSlicedPacket, LinkSlice, TcpSlice, TransportSlice,
};
use netcap_bundle::Mac;
use netcap_bundle::packets::LinkType;

use super::view::{Arp, Echo, EchoKind, Eth, Ip, L4, Nd, NdKind, Net, Tags};

// Link types: <https://www.tcpdump.org/linktypes.html>
const NULL: u16 = 0;
const ETHERNET: u16 = 1;
/// DLT_RAW differs between systems; 12 and 14 appear in files of old programs.
const RAW: [u16; 5] = [12, 14, 101, 228, 229];
const LOOP: u16 = 108;
const LINUX_SLL: u16 = 113;
const LINUX_SLL2: u16 = 276;

/// `ar$hrd` is not checked: Ethernet, IEEE 802 and Fibre Channel all use 48-bit addresses (RFC 826).
const ARP_HW_LEN: u8 = 6;
const ARP_IPV4: u16 = 0x0800;
const ECHO_REPLY_V4: u8 = 0;
const ECHO_REQUEST_V4: u8 = 8;
const ECHO_REQUEST_V6: u8 = 128;
const ECHO_REPLY_V6: u8 = 129;
const TIME_EXCEEDED_V4: u8 = 11;
const TIME_EXCEEDED_V6: u8 = 3;
const NEIGHBOR_SOLICITATION: u8 = 135;
const NEIGHBOR_ADVERTISEMENT: u8 = 136;
const OPTION_SOURCE_MAC: u8 = 1;
const OPTION_TARGET_MAC: u8 = 2;
const ICMP: u8 = 1;
const TCP: u8 = 6;
const ICMPV6: u8 = 58;

/// What a frame says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decoded {
    /// Ethernet addresses.
    pub eth: Option<Eth>,
    /// Tags in the frame.
    pub tags: Tags,
    /// Ethertype behind the tags, 0 when there is none.
    pub ethertype: u16,
    /// What it carries.
    pub net: Net,
}

impl Decoded {
    const NOTHING: Self =
        Self { eth: None, tags: Tags { outer: 0, inner: 0 }, ethertype: 0, net: Net::Other };
}

/// Decodes a frame of the given link type; frames of unknown link types carry nothing.
pub fn decode(link: LinkType, bytes: &[u8]) -> Decoded {
    match link.0 {
        ETHERNET => LaxSlicedPacket::from_ethernet(bytes).map_or(Decoded::NOTHING, |p| sliced(&p)),
        NULL | LOOP => bytes.get(4..).map_or(Decoded::NOTHING, ip_only),
        LINUX_SLL => cooked(bytes, 14, 16),
        LINUX_SLL2 => cooked(bytes, 0, 20),
        other if RAW.contains(&other) => ip_only(bytes),
        _ => Decoded::NOTHING,
    }
}

/// Raw IP: the version in the first nibble says which. The address family of BSD loopback differs between systems.
fn ip_only(bytes: &[u8]) -> Decoded {
    LaxSlicedPacket::from_ip(bytes).map_or(Decoded::NOTHING, |packet| sliced(&packet))
}

/// Linux cooked capture: the protocol field is an ethertype for everything that matters here.
fn cooked(bytes: &[u8], protocol_at: usize, header: usize) -> Decoded {
    let protocol = bytes.get(protocol_at..).and_then(<[u8]>::first_chunk::<2>);
    match (protocol, bytes.get(header..)) {
        (Some(protocol), Some(payload)) => {
            let ethertype = u16::from_be_bytes(*protocol);
            let mut out = sliced(&LaxSlicedPacket::from_ether_type(EtherType(ethertype), payload));
            if out.ethertype == 0 {
                out.ethertype = ethertype;
            }
            out
        }
        _ => Decoded::NOTHING,
    }
}

fn sliced(packet: &LaxSlicedPacket<'_>) -> Decoded {
    let (mut eth, mut ethertype) = (None, 0);
    match &packet.link {
        Some(LinkSlice::Ethernet2(link)) => {
            eth = Some(Eth { dst: Mac(link.destination()), src: Mac(link.source()) });
            ethertype = link.ether_type().0;
        }
        Some(LinkSlice::EtherPayload(payload)) => ethertype = payload.ether_type.0,
        _ => {}
    }
    let mut tags = Tags::default();
    for ext in &packet.link_exts {
        if let LaxLinkExtSlice::Vlan(vlan) = ext {
            let id = vlan.vlan_identifier().value();
            if tags.outer == 0 {
                tags.outer = id;
            } else if tags.inner == 0 {
                tags.inner = id;
            }
            ethertype = vlan.ether_type().0;
        }
    }
    let net = match &packet.net {
        Some(LaxNetSlice::Arp(arp)) => arp_of(arp).map_or(Net::Other, Net::Arp),
        Some(LaxNetSlice::Ipv4(ip)) => {
            let header = ip.header();
            let first = header.fragments_offset().value() == 0;
            let (src, dst) = (header.source_addr(), header.destination_addr());
            ip_of((src.into(), dst.into(), header.ttl()), ip.payload(), packet.transport.as_ref(), first)
        }
        Some(LaxNetSlice::Ipv6(ip)) => {
            let header = ip.header();
            let (src, dst) = (header.source_addr(), header.destination_addr());
            ip_of(
                (src.into(), dst.into(), header.hop_limit()),
                ip.payload(),
                packet.transport.as_ref(),
                !ip.is_payload_fragmented(),
            )
        }
        None => Net::Other,
    };
    Decoded { eth, tags, ethertype, net }
}

fn arp_of(arp: &ArpPacketSlice<'_>) -> Option<Arp> {
    if arp.hw_addr_size() != ARP_HW_LEN || arp.proto_addr_type().0 != ARP_IPV4 {
        return None;
    }
    let ip = |bytes: &[u8]| <[u8; 4]>::try_from(bytes).ok().map(Ipv4Addr::from);
    Some(Arp {
        op: arp.operation().0,
        sha: Mac::from_slice(arp.sender_hw_addr())?,
        spa: ip(arp.sender_protocol_addr())?,
        tha: Mac::from_slice(arp.target_hw_addr())?,
        tpa: ip(arp.target_protocol_addr())?,
    })
}

/// `first`: not a later fragment. The library reads no transport header of a fragment, but the first one has it, and
/// a ping of 3000 bytes is a ping.
fn ip_of(
    (src, dst, ttl): (IpAddr, IpAddr, u8),
    payload: &LaxIpPayloadSlice<'_>,
    transport: Option<&TransportSlice<'_>>,
    first: bool,
) -> Net {
    let protocol = payload.ip_number.0;
    let l4 = match transport {
        Some(TransportSlice::Icmpv4(icmp)) => icmp4(icmp),
        Some(TransportSlice::Icmpv6(icmp)) => icmp6(icmp),
        Some(TransportSlice::Tcp(tcp)) => tcp_of(tcp),
        Some(TransportSlice::Udp(udp)) => L4::Udp { sport: udp.source_port(), dport: udp.destination_port() },
        _ if first => first_fragment(protocol, payload.payload),
        _ => L4::Other,
    };
    Net::Ip(Ip { src, dst, ttl, protocol, l4 })
}

fn first_fragment(protocol: u8, payload: &[u8]) -> L4 {
    match protocol {
        ICMP => Icmpv4Slice::from_slice(payload).map_or(L4::Other, |icmp| icmp4(&icmp)),
        ICMPV6 => Icmpv6Slice::from_slice(payload).map_or(L4::Other, |icmp| icmp6(&icmp)),
        TCP => TcpSlice::from_slice(payload).map_or(L4::Other, |tcp| tcp_of(&tcp)),
        _ => L4::Other,
    }
}

fn tcp_of(tcp: &TcpSlice<'_>) -> L4 {
    L4::Tcp {
        sport: tcp.source_port(),
        dport: tcp.destination_port(),
        opens: tcp.syn() && !tcp.ack(),
        seq: tcp.sequence_number(),
    }
}

fn icmp4(icmp: &Icmpv4Slice<'_>) -> L4 {
    match icmp.type_u8() {
        ECHO_REQUEST_V4 => echo(EchoKind::Request, icmp.bytes5to8()),
        ECHO_REPLY_V4 => echo(EchoKind::Reply, icmp.bytes5to8()),
        TIME_EXCEEDED_V4 => expired(icmp.payload()),
        _ => L4::Other,
    }
}

fn icmp6(icmp: &Icmpv6Slice<'_>) -> L4 {
    match icmp.type_u8() {
        ECHO_REQUEST_V6 => echo(EchoKind::Request, icmp.bytes5to8()),
        ECHO_REPLY_V6 => echo(EchoKind::Reply, icmp.bytes5to8()),
        TIME_EXCEEDED_V6 => expired(icmp.payload()),
        NEIGHBOR_SOLICITATION => nd(NdKind::Solicitation, icmp.slice(), OPTION_SOURCE_MAC),
        NEIGHBOR_ADVERTISEMENT => {
            let [flags, ..] = icmp.bytes5to8();
            let kind = NdKind::Advertisement { solicited: flags & 0x40 != 0, overrides: flags & 0x20 != 0 };
            nd(kind, icmp.slice(), OPTION_TARGET_MAC)
        }
        _ => L4::Other,
    }
}

fn echo(kind: EchoKind, bytes: [u8; 4]) -> L4 {
    let [a, b, c, d] = bytes;
    L4::Echo(Echo { kind, id: u16::from_be_bytes([a, b]), seq: u16::from_be_bytes([c, d]) })
}

/// The request that an error message quotes: only its own headers are looked at, quotes inside quotes are not.
fn expired(quoted: &[u8]) -> L4 {
    let Ok(packet) = LaxSlicedPacket::from_ip(quoted) else { return L4::Other };
    let (src, dst): (IpAddr, IpAddr) = match &packet.net {
        Some(LaxNetSlice::Ipv4(ip)) => {
            (ip.header().source_addr().into(), ip.header().destination_addr().into())
        }
        Some(LaxNetSlice::Ipv6(ip)) => {
            (ip.header().source_addr().into(), ip.header().destination_addr().into())
        }
        _ => return L4::Other,
    };
    let inner = match &packet.transport {
        Some(TransportSlice::Icmpv4(icmp)) if icmp.type_u8() == ECHO_REQUEST_V4 => icmp.bytes5to8(),
        Some(TransportSlice::Icmpv6(icmp)) if icmp.type_u8() == ECHO_REQUEST_V6 => icmp.bytes5to8(),
        _ => return L4::Other,
    };
    match echo(EchoKind::Request, inner) {
        L4::Echo(request) => L4::Expired(src, dst, request),
        other => other,
    }
}

/// Target behind eight bytes of header, then options: type, length in units of eight bytes, value (RFC 4861, 4.6).
fn nd(kind: NdKind, message: &[u8], option: u8) -> L4 {
    let Some(target) = message.get(8..).and_then(<[u8]>::first_chunk::<16>) else { return L4::Other };
    let mut options = message.get(24..).unwrap_or_default();
    let mut mac = None;
    while let [code, units, ..] = options {
        let length = usize::from(*units) * 8;
        if length == 0 {
            break;
        }
        if *code == option {
            mac = options.get(2..8).and_then(Mac::from_slice);
            break;
        }
        options = options.get(length..).unwrap_or_default();
    }
    L4::Nd(Nd { kind, target: Ipv6Addr::from(*target), mac })
}

#[cfg(test)]
#[path = "decode_tests.rs"]
mod tests;
