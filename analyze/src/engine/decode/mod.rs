//! From captured bytes to addresses and headers. Cut packets give the layers that are there.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use etherparse::{
    ArpPacketSlice, EtherType, Ethernet2Slice, Icmpv4Slice, Icmpv6Slice, LaxIpPayloadSlice, LaxIpSlice,
    LaxMacsecPayloadSlice, LaxMacsecSlice, SingleVlanSlice, TcpSlice, UdpSlice,
};
use netcap_bundle::Mac;
use netcap_bundle::packets::LinkType;
use netcap_words::wire::ip_protocol::{ICMP, ICMPV6, TCP, UDP, VRRP};
use netcap_words::wire::{ether_type, icmp, icmpv6, is_tag};

mod links;
pub(crate) mod opaque;
mod understood;

use links::Inside;

use super::view::{Arp, Echo, EchoKind, Eth, FailedEcho, Failure, Ip, L4, Nd, NdKind, Net, Tags};

/// `ar$hrd` is not checked: Ethernet, IEEE 802 and Fibre Channel all use 48-bit addresses (RFC 826).
const ARP_HW_LEN: u8 = 6;
const OPTION_SOURCE_MAC: u8 = 1;
const OPTION_TARGET_MAC: u8 = 2;
/// Headers between the addresses and the network layer that are looked behind: VLAN tags and MACsec, as the library does.
const LINK_EXTENSIONS_MAX: usize = 3;

/// What a frame says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Decoded {
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

/// Decodes a frame of the given link type; what is not read carries nothing, and [`opaque::Opaque`] says why.
///
/// Layer by layer with the library's slices, not with its whole sliced packet: that is 400 bytes moved by value for every
/// layer, measured as a sixth of the time to read a capture. For the same reason the steps of the common way are always
/// inlined: what they say is then written where it stays, and not moved along while it is still on its way to memory.
pub(crate) fn decode(link: LinkType, bytes: &[u8]) -> Decoded {
    if link.0 == links::ETHERNET {
        return ethernet(bytes);
    }
    match links::inside(link.0, bytes) {
        // Where the frame begins is not where its addresses are looked for later.
        Inside::Frame(frame) => Decoded { eth: None, ..ethernet(frame) },
        Inside::Typed(ether_type, rest) => behind(None, EtherType(ether_type), rest),
        Inside::Ip(rest) => Decoded { net: ip(rest), ..Decoded::NOTHING },
        Inside::Silence | Inside::Unread(_) => Decoded::NOTHING,
    }
}

#[allow(clippy::inline_always)] // see `decode`
#[inline(always)]
fn ethernet(bytes: &[u8]) -> Decoded {
    let Ok(link) = Ethernet2Slice::from_slice_without_fcs(bytes) else { return Decoded::NOTHING };
    let eth = Eth { dst: Mac(link.destination()), src: Mac(link.source()) };
    behind(Some(eth), link.ether_type(), link.payload_slice())
}

/// Tags, then the network layer. Of a tag that is cut the ethertype before it is all that is known.
#[allow(clippy::inline_always)] // see `decode`
#[inline(always)]
fn behind(eth: Option<Eth>, first: EtherType, rest: &[u8]) -> Decoded {
    let Untagged { tags, ethertype, next, rest } = untagged(first, rest);
    let net = match next {
        ether_type::ARP => {
            ArpPacketSlice::from_slice(rest).ok().and_then(|arp| arp_of(&arp)).map_or(Net::Other, Net::Arp)
        }
        ether_type::IPV4 | ether_type::IPV6 => ip(rest),
        other => within(other, rest),
    };
    Decoded { eth, tags, ethertype, net }
}

/// The network layer behind LLC, labels or a session of PPP.
fn within(ether_type: u16, rest: &[u8]) -> Net {
    match links::behind(ether_type, rest) {
        Inside::Typed(ether_type::ARP, rest) => {
            ArpPacketSlice::from_slice(rest).ok().and_then(|arp| arp_of(&arp)).map_or(Net::Other, Net::Arp)
        }
        Inside::Typed(ether_type::IPV4 | ether_type::IPV6, rest) | Inside::Ip(rest) => ip(rest),
        _ => Net::Other,
    }
}

/// A frame behind its addresses and tags.
struct Untagged<'a> {
    tags: Tags,
    /// The last Ethernet type that is not a tag's, as far as the frame was captured.
    ethertype: u16,
    /// That of what follows: behind MACsec without encryption another one.
    next: u16,
    rest: &'a [u8],
}

#[allow(clippy::inline_always)] // see `decode`
#[inline(always)]
fn untagged(mut next: EtherType, mut rest: &[u8]) -> Untagged<'_> {
    let mut tags = Tags::default();
    let mut ethertype = next.0;
    for _ in 0..LINK_EXTENSIONS_MAX {
        match next {
            EtherType(tag) if is_tag(tag) => {
                let Ok(vlan) = SingleVlanSlice::from_slice(rest) else { break };
                let id = vlan.vlan_identifier().value();
                if tags.outer == 0 {
                    tags.outer = id;
                } else if tags.inner == 0 {
                    tags.inner = id;
                }
                next = vlan.ether_type();
                ethertype = next.0;
                rest = vlan.payload_slice();
            }
            etherparse::ether_type::MACSEC => {
                let Ok(macsec) = LaxMacsecSlice::from_slice(rest) else { break };
                let LaxMacsecPayloadSlice::Unmodified(clear) = macsec.payload else { break };
                (next, rest) = (clear.ether_type, clear.payload);
            }
            _ => break,
        }
    }
    Untagged { tags, ethertype, next: next.0, rest }
}

#[allow(clippy::inline_always)] // see `decode`
#[inline(always)]
fn ip(bytes: &[u8]) -> Net {
    let Ok((packet, stopped)) = LaxIpSlice::from_slice(bytes) else { return Net::Other };
    // Behind an extension header that cannot be read nothing is known.
    let readable = stopped.is_none();
    // The addresses go straight to where they stay: moved along as a tuple they cost as much as all the rest of this.
    match &packet {
        LaxIpSlice::Ipv4(ip) => {
            let header = ip.header();
            let first = header.fragments_offset().value() == 0;
            Net::Ip(Ip {
                src: header.source_addr().into(),
                dst: header.destination_addr().into(),
                ttl: header.ttl(),
                protocol: ip.payload().ip_number.0,
                l4: behind_ip(ip.payload(), readable, first),
            })
        }
        LaxIpSlice::Ipv6(ip) => {
            let header = ip.header();
            Net::Ip(Ip {
                src: header.source_addr().into(),
                dst: header.destination_addr().into(),
                ttl: header.hop_limit(),
                protocol: ip.payload().ip_number.0,
                l4: behind_ip(ip.payload(), readable, !ip.is_payload_fragmented()),
            })
        }
    }
}

fn arp_of(arp: &ArpPacketSlice<'_>) -> Option<Arp> {
    if arp.hw_addr_size() != ARP_HW_LEN || arp.proto_addr_type().0 != ether_type::IPV4 {
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

/// `first`: not a later fragment. The first one has the transport header, and a ping of 3000 bytes is a ping.
#[allow(clippy::inline_always)] // see `decode`
#[inline(always)]
fn behind_ip(payload: &LaxIpPayloadSlice<'_>, readable: bool, first: bool) -> L4 {
    let protocol = payload.ip_number.0;
    let whole = readable && !payload.fragmented;
    if whole || (first && protocol != UDP) { transport(protocol, payload.payload) } else { L4::Other }
}

#[allow(clippy::inline_always)] // see `decode`
#[inline(always)]
fn transport(protocol: u8, payload: &[u8]) -> L4 {
    match protocol {
        ICMP => Icmpv4Slice::from_slice(payload).map_or(L4::Other, |message| icmp4(&message)),
        ICMPV6 => Icmpv6Slice::from_slice(payload).map_or(L4::Other, |message| icmp6(&message)),
        TCP => TcpSlice::from_slice(payload).map_or(L4::Other, |tcp| tcp_of(&tcp)),
        UDP => UdpSlice::from_slice_lax(payload)
            .map_or(L4::Other, |udp| L4::Udp { sport: udp.source_port(), dport: udp.destination_port() }),
        VRRP => vrrp(payload),
        _ => L4::Other,
    }
}

/// Version and type, VRID, priority. CARP has the same number, and MACs of virtual routers.
fn vrrp(payload: &[u8]) -> L4 {
    match payload {
        [0x21 | 0x31, group, priority, ..] => L4::Vrrp { group: *group, priority: *priority },
        _ => L4::Other,
    }
}

#[allow(clippy::inline_always)] // see `decode`
#[inline(always)]
fn tcp_of(tcp: &TcpSlice<'_>) -> L4 {
    L4::Tcp {
        sport: tcp.source_port(),
        dport: tcp.destination_port(),
        opens: tcp.syn() && !tcp.ack(),
        accepts: tcp.syn() && tcp.ack(),
        refuses: tcp.rst() && tcp.ack() && tcp.sequence_number() == 0,
        seq: tcp.sequence_number(),
        ack: tcp.acknowledgment_number(),
    }
}

fn icmp4(message: &Icmpv4Slice<'_>) -> L4 {
    match message.type_u8() {
        icmp::ECHO_REQUEST => echo(EchoKind::Request, message.bytes5to8()),
        icmp::ECHO_REPLY => echo(EchoKind::Reply, message.bytes5to8()),
        icmp::TIME_EXCEEDED => failed(message.payload(), Failure::Expired),
        icmp::UNREACHABLE => failed(message.payload(), unreachable4(message.code_u8())),
        _ => L4::Other,
    }
}

fn icmp6(message: &Icmpv6Slice<'_>) -> L4 {
    match message.type_u8() {
        icmpv6::ECHO_REQUEST => echo(EchoKind::Request, message.bytes5to8()),
        icmpv6::ECHO_REPLY => echo(EchoKind::Reply, message.bytes5to8()),
        icmpv6::TIME_EXCEEDED => failed(message.payload(), Failure::Expired),
        icmpv6::TOO_BIG => failed(message.payload(), Failure::TooBig),
        icmpv6::UNREACHABLE => failed(message.payload(), unreachable6(message.code_u8())),
        icmpv6::NEIGHBOR_SOLICITATION => nd(NdKind::Solicitation, message.slice(), OPTION_SOURCE_MAC),
        icmpv6::NEIGHBOR_ADVERTISEMENT => {
            let [flags, ..] = message.bytes5to8();
            let kind = NdKind::Advertisement { solicited: flags & 0x40 != 0, overrides: flags & 0x20 != 0 };
            nd(kind, message.slice(), OPTION_TARGET_MAC)
        }
        _ => L4::Other,
    }
}

fn echo(kind: EchoKind, bytes: [u8; 4]) -> L4 {
    let [a, b, c, d] = bytes;
    L4::Echo(Echo { kind, id: u16::from_be_bytes([a, b]), seq: u16::from_be_bytes([c, d]) })
}

/// Codes of RFC 792 and RFC 1812, section 5.2.7.1.
fn unreachable4(code: u8) -> Failure {
    match code {
        0 | 5 | 6 | 11 => Failure::NoRoute,
        1 | 7 | 12 => Failure::NoHost,
        4 => Failure::TooBig,
        9 | 10 | 13 => Failure::Prohibited,
        _ => Failure::Other,
    }
}

/// Codes of RFC 4443, section 3.1.
fn unreachable6(code: u8) -> Failure {
    match code {
        0 => Failure::NoRoute,
        3 => Failure::NoHost,
        1 | 5 | 6 => Failure::Prohibited,
        _ => Failure::Other,
    }
}

/// The request that an error message quotes: only its own headers are looked at, quotes inside quotes are not.
fn failed(quoted: &[u8], why: Failure) -> L4 {
    let Ok((packet, None)) = LaxIpSlice::from_slice(quoted) else { return L4::Other };
    let (src, dst): (IpAddr, IpAddr) = match &packet {
        LaxIpSlice::Ipv4(ip) => (ip.header().source_addr().into(), ip.header().destination_addr().into()),
        LaxIpSlice::Ipv6(ip) => (ip.header().source_addr().into(), ip.header().destination_addr().into()),
    };
    let payload = packet.payload();
    let inner = match payload.ip_number.0 {
        _ if payload.fragmented => None,
        ICMP => Icmpv4Slice::from_slice(payload.payload)
            .ok()
            .filter(|message| message.type_u8() == icmp::ECHO_REQUEST)
            .map(|message| message.bytes5to8()),
        ICMPV6 => Icmpv6Slice::from_slice(payload.payload)
            .ok()
            .filter(|message| message.type_u8() == icmpv6::ECHO_REQUEST)
            .map(|message| message.bytes5to8()),
        _ => None,
    };
    match inner.map(|bytes| echo(EchoKind::Request, bytes)) {
        Some(L4::Echo(request)) => L4::Failed(FailedEcho { src, dst, request, why }),
        _ => L4::Other,
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
mod tests;
