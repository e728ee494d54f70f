//! What of a packet does not change on its way through a host, read straight from the frame's bytes.
//!
//! VLAN tags come and go, MACs and hop limits are rewritten, checksums are left to the card (at a VM's port they are
//! partial), one TCP super-segment is many segments behind the card: none of these is part of the identity. TCP is
//! known by the range of sequence numbers it carries; everything else by addresses, the IP identification and the first
//! bytes of its transport.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use netcap_words::wire::ether_type::{ARP, IPV4, IPV6};
use netcap_words::wire::ip_protocol::{ICMP, ICMPV6, TCP, UDP};
use netcap_words::wire::{TAG_BYTES, icmp, icmpv6, is_tag};

use super::flow::{FiveTuple, PROTOCOL_ARP};
use super::hash::{mix, mix_bytes};

/// Tags walked over; more of them occur in attacks only.
const TAGS_MAX: usize = 4;
/// Octets of an ARP packet for IPv4 over 48-bit addresses (RFC 826).
const ARP_BYTES: usize = 28;
/// IPv6 extension headers walked over.
const EXTENSIONS_MAX: usize = 8;
/// Octets of the transport layer that are part of an identity.
const CONTENT_BYTES: usize = 40;
/// A UDP datagram above this is several that the card will send (UDP_SEGMENT): it has no identity that lasts. The
/// largest frame that cards send otherwise is a jumbo frame of 9216 octets.
const DATAGRAM_MAX: usize = 9_216;

const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const PSH: u8 = 0x08;

/// What tells a packet besides its addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Carried {
    /// Sequence numbers of TCP: the first, and how many; SYN and FIN count one each (RFC 9293, 3.4).
    Range {
        /// First.
        seq: u32,
        /// Count, at least 1.
        len: u32,
        /// With SYN.
        opens: bool,
        /// One octet, not pushed: what a keep-alive repeats (RFC 9293, 3.8.4).
        probe: bool,
    },
    /// A packet of its own: a hash of what does not change, without addresses and ports.
    Single(u64),
}

/// A packet's identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity {
    /// Its flow.
    pub tuple: FiveTuple,
    pub carried: Carried,
    /// IP identification, 0 when there is none.
    pub ident: u16,
    /// More fragments follow.
    pub fragment: bool,
}

fn byte(bytes: &[u8], at: usize) -> Option<u8> {
    bytes.get(at).copied()
}

fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|b| u16::from_be_bytes(*b))
}

fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|b| u32::from_be_bytes(*b))
}

/// The network layer's part: what the transport needs of it.
struct Network {
    v6: bool,
    protocol: u8,
    ident: u16,
    fragment: bool,
    /// Where the transport begins, from the network layer's first octet.
    at: usize,
    /// Octets of the transport as the header says.
    length: usize,
}

/// The identity of an Ethernet frame; `None` when it has none that lasts: other protocols, later fragments, cut headers.
///
/// `reach` is how many octets of the network layer every point of the recording captured at least, so that the same
/// octets count everywhere. What is carried and not `wanted` has no identity either: most packets of a long recording are
/// not followed, and their addresses need not be read.
pub(crate) fn of_frame(
    frame: &[u8],
    wire_len: u32,
    reach: usize,
    wanted: impl Fn(Carried) -> bool,
) -> Option<Identity> {
    let mut at = 12;
    let mut ethertype = be16(frame, at)?;
    for _ in 0..TAGS_MAX {
        if !is_tag(ethertype) {
            break;
        }
        at += TAG_BYTES;
        ethertype = be16(frame, at)?;
    }
    let l3 = frame.get(at + 2..)?;
    let l3 = l3.get(..reach.min(l3.len()))?;
    let rest = (wire_len as usize).saturating_sub(at + 2);
    match ethertype {
        ARP => arp(l3, wanted),
        IPV4 => transport(l3, &ipv4(l3, rest)?, wanted),
        IPV6 => transport(l3, &ipv6(l3, rest)?, wanted),
        _ => None,
    }
}

fn arp(l3: &[u8], wanted: impl Fn(Carried) -> bool) -> Option<Identity> {
    let body = l3.get(..ARP_BYTES)?;
    let carried = Carried::Single(mix_bytes(2, body));
    if !wanted(carried) {
        return None;
    }
    let ip = |at: usize| be32(body, at).map(|bits| IpAddr::V4(Ipv4Addr::from_bits(bits)));
    let tuple = FiveTuple { src: ip(14)?, dst: ip(24)?, protocol: PROTOCOL_ARP, sport: 0, dport: 0 };
    Some(Identity { tuple, carried, ident: 0, fragment: false })
}

fn ipv4(l3: &[u8], rest: usize) -> Option<Network> {
    let first = byte(l3, 0)?;
    let header = usize::from(first & 0x0f) * 4;
    let (total, flags) = (usize::from(be16(l3, 2)?), be16(l3, 6)?);
    if first >> 4 != 4 || header < 20 || flags & 0x1fff != 0 {
        return None;
    }
    // A super-segment of 64 KiB or more does not fit the field and says 0 (net/ipv4/ip_output.c, BIG TCP).
    let total = if total == 0 { rest } else { total };
    Some(Network {
        v6: false,
        protocol: byte(l3, 9)?,
        ident: be16(l3, 4)?,
        fragment: flags & 0x2000 != 0,
        at: header,
        length: total.checked_sub(header)?,
    })
}

fn ipv6(l3: &[u8], rest: usize) -> Option<Network> {
    let payload = usize::from(be16(l3, 4)?);
    if byte(l3, 0)? >> 4 != 6 {
        return None;
    }
    let end = if payload == 0 { rest } else { payload + 40 };
    let mut out = Network { v6: true, protocol: byte(l3, 6)?, ident: 0, fragment: false, at: 40, length: 0 };
    for _ in 0..EXTENSIONS_MAX {
        let size = match out.protocol {
            // Hop-by-hop, routing, destination options (RFC 8200, 4).
            0 | 43 | 60 => (usize::from(byte(l3, out.at + 1)?) + 1) * 8,
            44 => {
                let offset = be16(l3, out.at + 2)?;
                if offset & 0xfff8 != 0 {
                    return None;
                }
                out.fragment = offset & 1 != 0;
                out.ident = be16(l3, out.at + 6)?;
                8
            }
            _ => break,
        };
        out.protocol = byte(l3, out.at)?;
        out.at += size;
    }
    out.length = end.checked_sub(out.at)?;
    Some(out)
}

/// Source and destination address.
fn addresses(l3: &[u8], v6: bool) -> Option<(IpAddr, IpAddr)> {
    if v6 {
        let address =
            |at: usize| l3.get(at..)?.first_chunk::<16>().map(|b| IpAddr::V6(Ipv6Addr::from_octets(*b)));
        return Some((address(8)?, address(24)?));
    }
    let address = |at: usize| be32(l3, at).map(|bits| IpAddr::V4(Ipv4Addr::from_bits(bits)));
    Some((address(12)?, address(16)?))
}

fn transport(l3: &[u8], ip: &Network, wanted: impl Fn(Carried) -> bool) -> Option<Identity> {
    let l4 = l3.get(ip.at..)?;
    let l4 = l4.get(..ip.length.min(l4.len()))?;
    let (mut sport, mut dport) = (0, 0);
    let seed = mix(mix(3, u64::from(ip.ident)), u64::from(ip.protocol));
    let content = |from: usize| l4.get(from.min(l4.len())..CONTENT_BYTES.min(l4.len())).unwrap_or_default();
    let carried = match ip.protocol {
        TCP => {
            (sport, dport) = (be16(l4, 0)?, be16(l4, 2)?);
            tcp(l4, ip, seed)?
        }
        UDP => {
            (sport, dport) = (be16(l4, 0)?, be16(l4, 2)?);
            if ip.length > DATAGRAM_MAX {
                return None;
            }
            // Its checksum is partial where the card completes it.
            Carried::Single(mix_bytes(mix(seed, u64::from(be16(l4, 4)?)), content(8)))
        }
        ICMP | ICMPV6 => {
            let (kind, code) = (byte(l4, 0)?, byte(l4, 1)?);
            let echo = match ip.protocol {
                ICMP => matches!(kind, icmp::ECHO_REQUEST | icmp::ECHO_REPLY),
                _ => matches!(kind, icmpv6::ECHO_REQUEST | icmpv6::ECHO_REPLY),
            };
            if echo {
                sport = be16(l4, 4)?;
            }
            let seed = mix(seed, u64::from(kind) << 8 | u64::from(code));
            Carried::Single(mix_bytes(seed, content(if echo { 6 } else { 4 })))
        }
        _ => Carried::Single(mix_bytes(seed, content(0))),
    };
    if !wanted(carried) {
        return None;
    }
    let (src, dst) = addresses(l3, ip.v6)?;
    let tuple = FiveTuple { src, dst, protocol: ip.protocol, sport, dport };
    Some(Identity { tuple, carried, ident: ip.ident, fragment: ip.fragment })
}

fn tcp(l4: &[u8], ip: &Network, seed: u64) -> Option<Carried> {
    let (seq, ack) = (be32(l4, 4)?, be32(l4, 8)?);
    let (header, flags) = (usize::from(byte(l4, 12)? >> 4) * 4, byte(l4, 13)?);
    let data = ip.length.checked_sub(header.max(20))?;
    let marks = u32::from(flags & SYN != 0) + u32::from(flags & FIN != 0);
    let len = u32::try_from(data).ok()?.checked_add(marks)?;
    if len > 0 && flags & RST == 0 {
        let probe = data == 1 && flags & (SYN | FIN | PSH) == 0;
        return Some(Carried::Range { seq, len, opens: flags & SYN != 0, probe });
    }
    let window = be16(l4, 14)?;
    let numbers = mix(mix(seed, u64::from(seq)), u64::from(ack));
    Some(Carried::Single(mix(numbers, u64::from(window) << 8 | u64::from(flags))))
}

#[cfg(test)]
mod tests;
