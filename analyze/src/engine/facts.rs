//! What a packet is, in eight octets: kept of every packet that is followed, so that those that died can be told from those
//! that passed.

use netcap_words::wire::ether_type::IPV4;
use netcap_words::wire::{TAG_BYTES, is_tag};

use super::view::{EchoKind, L4, Net, PacketView};

/// Tags walked over; more of them occur in attacks only.
const TAGS_MAX: usize = 4;
/// ARP operation (RFC 826).
const ARP_REQUEST: u16 = 1;

/// What a packet is to the people who miss it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(crate) enum PacketKind {
    /// Anything else.
    #[default]
    Other,
    /// An echo request: a ping.
    EchoRequest,
    /// An echo reply: the answer to a ping.
    EchoReply,
    /// A connection is asked for.
    Syn,
    /// A connection is accepted.
    SynAck,
    /// A question for the MAC of an address.
    ArpRequest,
    /// Its answer.
    ArpReply,
}

impl PacketKind {
    /// It answers something.
    pub(crate) fn is_answer(self) -> bool {
        matches!(self, Self::EchoReply | Self::SynAck | Self::ArpReply)
    }

    /// It asks for an answer.
    pub(crate) fn is_question(self) -> bool {
        matches!(self, Self::EchoRequest | Self::Syn | Self::ArpRequest)
    }
}

/// What a packet is besides its addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Facts {
    /// Octets on the wire. A super-segment has as many as the segments made of it together.
    pub size: u32,
    /// Its VLAN: the frame's own tag, else the point's access VLAN; 0 without.
    pub vlan: u16,
    pub kind: PacketKind,
    /// It must not be cut: IPv4 with the bit DF, or IPv6, which no router cuts.
    pub whole: bool,
}

impl Facts {
    pub(crate) fn of(packet: &PacketView<'_>) -> Self {
        let (kind, whole) = match packet.net {
            Net::Arp(arp) if arp.op == ARP_REQUEST => (PacketKind::ArpRequest, false),
            Net::Arp(_) => (PacketKind::ArpReply, false),
            Net::Ip(ip) => (of_l4(&ip.l4), ip.src.is_ipv6() || dont_fragment(packet)),
            Net::Other => (PacketKind::Other, false),
        };
        Self { size: packet.wire_len, vlan: packet.vlan.outer, kind, whole }
    }
}

fn of_l4(l4: &L4) -> PacketKind {
    match l4 {
        L4::Echo(echo) if echo.kind == EchoKind::Request => PacketKind::EchoRequest,
        L4::Echo(_) => PacketKind::EchoReply,
        L4::Tcp { opens: true, .. } => PacketKind::Syn,
        L4::Tcp { accepts: true, .. } => PacketKind::SynAck,
        _ => PacketKind::Other,
    }
}

/// DF of the IPv4 header of an Ethernet frame (RFC 791, section 3.1).
fn dont_fragment(packet: &PacketView<'_>) -> bool {
    if packet.eth.is_none() {
        return false;
    }
    let be16 = |at: usize| packet.bytes.get(at..)?.first_chunk().map(|b| u16::from_be_bytes(*b));
    let mut at = 12;
    for _ in 0..TAGS_MAX {
        match be16(at) {
            Some(ethertype) if is_tag(ethertype) => at += TAG_BYTES,
            Some(IPV4) => return packet.bytes.get(at + 8).is_some_and(|flags| flags & 0x40 != 0),
            _ => return false,
        }
    }
    false
}
