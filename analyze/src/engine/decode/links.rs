//! From a link layer to what it carries.
//!
//! Numbers and headers: <https://www.tcpdump.org/linktypes.html>, and the documents that it names. What is not read says so
//! (`Opaque`): a reader must know what nobody looked at.

use netcap_words::wire::ether_type;

use super::opaque::Opaque;

const NULL: u16 = 0;
pub(super) const ETHERNET: u16 = 1;
const PPP: u16 = 9;
const FDDI: u16 = 10;
/// DLT_RAW differs between systems; 12 and 14 appear in files of old programs.
const RAW: [u16; 5] = [12, 14, 101, 228, 229];
const PPP_HDLC: u16 = 50;
const PPP_ETHER: u16 = 51;
const ATM_RFC1483: u16 = 100;
const C_HDLC: u16 = 104;
const IEEE802_11: u16 = 105;
const FRELAY: u16 = 107;
const LOOP: u16 = 108;
const ENC: u16 = 109;
const LINUX_SLL: u16 = 113;
const PFLOG: u16 = 117;
const PRISM: u16 = 119;
const RADIOTAP: u16 = 127;
const AVS: u16 = 163;
const PPI: u16 = 192;
const PPP_WITH_DIRECTION: u16 = 204;
const MPLS: u16 = 219;
const NFLOG: u16 = 239;
const NETANALYZER: u16 = 240;
const PKTAP: u16 = 258;
const LINUX_SLL2: u16 = 276;

/// Octets of a label (RFC 3032, 2.1), of which a packet has few.
const LABEL_BYTES: usize = 4;
const LABELS_MAX: usize = 16;
/// Elements of a header that are walked over.
const ELEMENTS_MAX: usize = 64;
/// LLC of a SNAP header with the organisation 0: an Ethernet type follows (RFC 1042).
const SNAP: [u8; 6] = [0xaa, 0xaa, 0x03, 0, 0, 0];
/// The largest length of IEEE 802.3; above are Ethernet types.
const LENGTH_MAX: u16 = 1_500;

/// What lies behind a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Inside<'a> {
    /// A whole frame of Ethernet.
    Frame(&'a [u8]),
    /// An Ethernet type and what it says.
    Typed(u16, &'a [u8]),
    /// IP of the version that it says itself.
    Ip(&'a [u8]),
    /// Nothing that anybody talks with: management, keep-alives.
    Silence,
    /// Something that is not read.
    Unread(Opaque),
}

use Inside::{Frame, Ip, Silence, Typed, Unread};

const CUT: Inside<'static> = Unread(Opaque::Cut);

fn byte(bytes: &[u8], at: usize) -> Option<u8> {
    bytes.get(at).copied()
}

fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|b| u16::from_be_bytes(*b))
}

fn le32(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|b| u32::from_le_bytes(*b))
}

/// What a frame of that link type carries.
pub(super) fn inside(link: u16, bytes: &[u8]) -> Inside<'_> {
    match link {
        ETHERNET => Frame(bytes),
        // The address family differs between systems, the version of IP does not.
        NULL | LOOP => bytes.get(4..).map_or(CUT, Ip),
        ENC => bytes.get(12..).map_or(CUT, Ip),
        LINUX_SLL => cooked(be16(bytes, 14), bytes.get(16..)),
        LINUX_SLL2 => cooked(be16(bytes, 0), bytes.get(20..)),
        PPP | PPP_HDLC => ppp(bytes),
        PPP_WITH_DIRECTION => bytes.get(1..).map_or(CUT, ppp),
        PPP_ETHER => pppoe(bytes),
        C_HDLC => typed(be16(bytes, 2), bytes.get(4..)),
        FRELAY => frame_relay(bytes),
        ATM_RFC1483 => llc(bytes),
        FDDI => bytes.get(13..).map_or(CUT, llc),
        MPLS => labelled(bytes),
        NETANALYZER => bytes.get(4..).map_or(CUT, Frame),
        PFLOG => packet_filter(bytes),
        NFLOG => netfilter(bytes),
        IEEE802_11 => wireless(bytes, false),
        RADIOTAP => radiotap(bytes),
        PRISM | AVS => monitor(bytes),
        PPI => per_packet(bytes),
        PKTAP => apple(bytes),
        other if RAW.contains(&other) => Ip(bytes),
        other => Unread(Opaque::Link(other)),
    }
}

/// What lies behind an Ethernet type that is neither IP nor ARP.
pub(super) fn behind(ether_type: u16, rest: &[u8]) -> Inside<'_> {
    match ether_type {
        ..=LENGTH_MAX => llc(rest),
        ether_type::MPLS | ether_type::MPLS_UPSTREAM => labelled(rest),
        ether_type::PPPOE_SESSION => pppoe(rest),
        ether_type::MACSEC => Unread(Opaque::Encrypted),
        quiet if ether_type::is_silent(quiet) => Silence,
        other => Unread(Opaque::Type(other)),
    }
}

fn typed(ether_type: Option<u16>, rest: Option<&[u8]>) -> Inside<'_> {
    ether_type.zip(rest).map_or(CUT, |(ether_type, rest)| Typed(ether_type, rest))
}

/// Linux cooked capture: an Ethernet type, or one of the kernel's own numbers below them (include/uapi/linux/if_ether.h).
fn cooked(protocol: Option<u16>, rest: Option<&[u8]>) -> Inside<'_> {
    /// ETH_P_802_3: Novell's IPX without a header of LLC.
    const NOVELL: u16 = 0x0001;
    /// ETH_P_802_2: LLC.
    const LLC: u16 = 0x0004;
    match (protocol, rest) {
        (Some(NOVELL), _) => Silence,
        (Some(LLC), Some(rest)) => llc(rest),
        (Some(own @ ..=LENGTH_MAX), _) => Unread(Opaque::Cooked(own)),
        (protocol, rest) => typed(protocol, rest),
    }
}

/// LLC: with SNAP an Ethernet type, else spanning tree, CDP and other protocols of switches.
fn llc(bytes: &[u8]) -> Inside<'_> {
    match bytes.strip_prefix(&SNAP) {
        Some(rest) => typed(be16(rest, 0), rest.get(2..)),
        None => Silence,
    }
}

/// PPP (RFC 1661, 2 and 6.5; RFC 1662, 3.1): the address may be left out, and the upper octet of the protocol.
fn ppp(bytes: &[u8]) -> Inside<'_> {
    /// From here on: protocols that set the link up (RFC 1661, 2).
    const CONTROL: u16 = 0x8000;
    let bytes = bytes.strip_prefix(&[0xff, 0x03]).unwrap_or(bytes);
    let (protocol, rest) = match (byte(bytes, 0), be16(bytes, 0)) {
        (Some(short), _) if short & 1 == 1 => (u16::from(short), bytes.get(1..)),
        (_, Some(long)) => (long, bytes.get(2..)),
        _ => return CUT,
    };
    match (protocol, rest) {
        (_, None) => CUT,
        (0x0021 | 0x0057, Some(rest)) => Ip(rest),
        (0x0281 | 0x0283, Some(rest)) => labelled(rest),
        (CONTROL.., _) => Silence,
        (other, _) => Unread(Opaque::Ppp(other)),
    }
}

/// Six octets, then PPP (RFC 2516, 4). A code other than 0 sets a session up.
fn pppoe(bytes: &[u8]) -> Inside<'_> {
    match (byte(bytes, 1), bytes.get(6..)) {
        (Some(0), Some(rest)) => ppp(rest),
        (Some(0) | None, _) => CUT,
        (Some(_), _) => Silence,
    }
}

/// Labels, the last of which has the bit S; what follows says by its version whether it is IP (RFC 4928, 2).
fn labelled(mut bytes: &[u8]) -> Inside<'_> {
    for _ in 0..LABELS_MAX {
        let (Some(third), Some(rest)) = (byte(bytes, 2), bytes.get(LABEL_BYTES..)) else { return CUT };
        bytes = rest;
        if third & 1 == 1 {
            return match byte(bytes, 0).map(|first| first >> 4) {
                Some(4 | 6) => Ip(bytes),
                Some(_) => Unread(Opaque::Type(ether_type::MPLS)),
                None => CUT,
            };
        }
    }
    Unread(Opaque::Type(ether_type::MPLS))
}

/// Q.922 address, then a protocol's number (RFC 2427, 3), or Cisco's Ethernet type.
fn frame_relay(bytes: &[u8]) -> Inside<'_> {
    const UNNUMBERED: u8 = 0x03;
    let Some(rest) = bytes.get(2..) else { return CUT };
    let Some(after) = rest.strip_prefix(&[UNNUMBERED]) else { return typed(be16(rest, 0), rest.get(2..)) };
    let after = after.strip_prefix(&[0]).unwrap_or(after);
    match (byte(after, 0), after.get(1..)) {
        (Some(0xcc | 0x8e), Some(rest)) => Ip(rest),
        (Some(0x80), Some(rest)) => match rest.strip_prefix(&[0, 0, 0]) {
            Some(snap) => typed(be16(snap, 0), snap.get(2..)),
            None => Silence,
        },
        (Some(_), _) => Silence,
        (None, _) => CUT,
    }
}

/// The packet filter of BSD: a header of a length that it says, padded to four octets.
fn packet_filter(bytes: &[u8]) -> Inside<'_> {
    byte(bytes, 0).and_then(|length| bytes.get(usize::from(length).next_multiple_of(4)..)).map_or(CUT, Ip)
}

/// Netfilter's log: elements of length and type in the order of the machine that recorded; one is the packet.
fn netfilter(bytes: &[u8]) -> Inside<'_> {
    const PAYLOAD: u16 = 9;
    const HEADER: usize = 4;
    let Some(elements) = bytes.get(HEADER..) else { return CUT };
    let walk = |read: fn([u8; 2]) -> u16| {
        let mut rest = elements;
        for _ in 0..ELEMENTS_MAX {
            let length = usize::from(read(*rest.first_chunk()?));
            let kind = read(*rest.get(2..)?.first_chunk()?);
            let value = rest.get(HEADER..length.min(rest.len()));
            if length < HEADER {
                return None;
            }
            if kind == PAYLOAD {
                return value;
            }
            rest = rest.get(length.next_multiple_of(4)..)?;
        }
        None
    };
    walk(u16::from_le_bytes).or_else(|| walk(u16::from_be_bytes)).map_or(CUT, Ip)
}

/// Radiotap (<https://www.radiotap.org>): a header of a length that it says; its flags tell whether the header of 802.11
/// behind it is padded to four octets.
fn radiotap(bytes: &[u8]) -> Inside<'_> {
    const TSFT: u32 = 1;
    const FLAGS: u32 = 1 << 1;
    const MORE: u32 = 1 << 31;
    const PADDED: u8 = 0x20;
    let length = bytes.get(2..).and_then(<[u8]>::first_chunk).map(|b| usize::from(u16::from_le_bytes(*b)));
    let Some(frame) = length.and_then(|length| bytes.get(length..)) else { return CUT };
    let padded = || {
        let first = le32(bytes, 4)?;
        let mut at = 4;
        for _ in 0..ELEMENTS_MAX {
            let present = le32(bytes, at)?;
            at += 4;
            if present & MORE == 0 {
                break;
            }
        }
        if first & FLAGS == 0 {
            return None;
        }
        if first & TSFT != 0 {
            at = at.next_multiple_of(8) + 8;
        }
        byte(bytes, at).map(|flags| flags & PADDED != 0)
    };
    wireless(frame, padded().unwrap_or(false))
}

/// IEEE 802.11, 9.2 and 9.3: of data frames what LLC carries; a frame that is protected hides it.
fn wireless(bytes: &[u8], padded: bool) -> Inside<'_> {
    const DATA: u8 = 2;
    /// Subtypes with this bit carry nothing.
    const EMPTY: u8 = 0x40;
    const QOS: u8 = 0x80;
    const BOTH_WAYS: u8 = 0x03;
    const PROTECTED: u8 = 0x40;
    const HT_CONTROL: u8 = 0x80;
    let (Some(kind), Some(flags)) = (byte(bytes, 0), byte(bytes, 1)) else { return CUT };
    if (kind >> 2) & 3 != DATA || kind & EMPTY != 0 {
        return Silence;
    }
    if flags & PROTECTED != 0 {
        return Unread(Opaque::Encrypted);
    }
    let mut header = 24;
    if flags & BOTH_WAYS == BOTH_WAYS {
        header += 6;
    }
    if kind & QOS != 0 {
        header += 2;
        if flags & HT_CONTROL != 0 {
            header += 4;
        }
    }
    if padded {
        header = usize::next_multiple_of(header, 4);
    }
    bytes.get(header..).map_or(CUT, llc)
}

/// Monitor headers before there was radiotap: that of AVS has a mark and its length in network order, that of Prism its
/// length in the order of the machine that recorded, which was little-endian.
fn monitor(bytes: &[u8]) -> Inside<'_> {
    const AVS_MARK: [u8; 3] = [0x80, 0x21, 0x10];
    let length =
        if bytes.starts_with(&AVS_MARK) { le32(bytes, 4).map(u32::swap_bytes) } else { le32(bytes, 4) };
    let frame = length.and_then(|length| bytes.get(usize::try_from(length).ok()?..));
    frame.map_or(CUT, |frame| wireless(frame, false))
}

/// PPI: a header of a length that it says, and the link type of what follows.
fn per_packet(bytes: &[u8]) -> Inside<'_> {
    let length = bytes.get(2..).and_then(<[u8]>::first_chunk).map(|b| usize::from(u16::from_le_bytes(*b)));
    wrapped(PPI, le32(bytes, 4), length.and_then(|length| bytes.get(length..)))
}

/// PKTAP of Apple: a header of a length that it says, and the link type of what follows.
fn apple(bytes: &[u8]) -> Inside<'_> {
    let length = le32(bytes, 0).and_then(|length| usize::try_from(length).ok());
    wrapped(PKTAP, le32(bytes, 8), length.and_then(|length| bytes.get(length..)))
}

/// A frame with another link type of its own.
fn wrapped(outer: u16, link: Option<u32>, frame: Option<&[u8]>) -> Inside<'_> {
    let (Some(link), Some(frame)) = (link, frame) else { return CUT };
    match u16::try_from(link) {
        // One inside another is nobody's work.
        Ok(PKTAP | PPI) | Err(_) => Unread(Opaque::Link(outer)),
        Ok(link) => inside(link, frame),
    }
}
