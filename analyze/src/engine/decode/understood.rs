//! Whether a frame was understood, asked a second time of those that say little.

use etherparse::{EtherType, Ethernet2Slice, LaxIpSlice};
use netcap_bundle::packets::LinkType;
use netcap_words::wire::ether_type::{ARP, IPV4, IPV6};
use netcap_words::wire::ip_protocol::{ICMP, ICMPV6, TCP, UDP};
use netcap_words::wire::{TAG_BYTES, is_tag};

use super::links::{self, Inside};
use super::opaque::Opaque;
use super::{Untagged, untagged};
use crate::engine::view::{L4, Net};

impl Opaque {
    /// Why a frame says less than it could; `None` for one that was understood. It walks the frame a second time, so only
    /// those are asked for that [`may_be`](Self::may_be) one of these.
    #[cold]
    pub(crate) fn of(link: LinkType, bytes: &[u8], wire_len: u32, net: &Net) -> Option<Self> {
        let cut = (bytes.len() as u64) < u64::from(wire_len);
        let short = || Some(if cut { Self::Cut } else { Self::Malformed });
        match network(link, bytes) {
            Inside::Unread(Self::Cut) => short(),
            Inside::Unread(why) => Some(why),
            // ARP of other kinds than IPv4 on Ethernet concerns nobody here.
            Inside::Typed(ARP, rest) => (rest.len() < ARP_BYTES).then(short).flatten(),
            Inside::Typed(IPV4 | IPV6, rest) | Inside::Ip(rest) => match net {
                Net::Ip(ip) => (cut && ip.l4 == L4::Other && is_headless(rest)).then_some(Self::Cut),
                _ => short(),
            },
            Inside::Typed(..) | Inside::Frame(_) | Inside::Silence => None,
        }
    }

    /// It may be what looks at once whether there is anything to ask.
    pub(crate) fn may_be(net: &Net) -> bool {
        match net {
            Net::Arp(_) => false,
            Net::Ip(ip) => ip.l4 == L4::Other,
            Net::Other => true,
        }
    }
}

/// The network layer of a frame, by the same way as it is decoded.
fn network(link: LinkType, bytes: &[u8]) -> Inside<'_> {
    let typed = match links::inside(link.0, bytes) {
        Inside::Frame(frame) => match Ethernet2Slice::from_slice_without_fcs(frame) {
            Ok(frame) => (frame.ether_type(), frame.payload_slice()),
            Err(_) => return Inside::Unread(Opaque::Cut),
        },
        Inside::Typed(ether_type, rest) => (EtherType(ether_type), rest),
        other => return other,
    };
    let Untagged { next, rest, .. } = untagged(typed.0, typed.1);
    match next {
        ARP | IPV4 | IPV6 => Inside::Typed(next, rest),
        // The frame ends within the tag.
        tag if is_tag(tag) && rest.len() < TAG_BYTES => Inside::Unread(Opaque::Cut),
        other => match links::behind(other, rest) {
            Inside::Typed(inner, rest) if !matches!(inner, ARP | IPV4 | IPV6) => {
                match links::behind(inner, rest) {
                    Inside::Typed(..) => Inside::Silence,
                    inside => inside,
                }
            }
            inside => inside,
        },
    }
}

/// Octets of an ARP packet for IPv4 over 48-bit addresses (RFC 826).
const ARP_BYTES: usize = 28;

/// The first fragment of a packet whose transport begins behind the end of what was captured.
fn is_headless(ip: &[u8]) -> bool {
    let Ok((packet, stopped)) = LaxIpSlice::from_slice(ip) else { return true };
    let first = match &packet {
        LaxIpSlice::Ipv4(ip) => ip.header().fragments_offset().value() == 0,
        LaxIpSlice::Ipv6(ip) => !ip.is_payload_fragmented(),
    };
    let payload = packet.payload();
    // What is read of each header at least (RFC 792, RFC 4443, RFC 9293, RFC 768).
    let least = match payload.ip_number.0 {
        ICMP | ICMPV6 | UDP => 8,
        TCP => 20,
        _ => return stopped.is_some(),
    };
    first && payload.payload.len() < least
}
