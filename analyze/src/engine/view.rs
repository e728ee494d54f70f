//! One packet as folds see it: decoded once, borrowed from the reader's buffer.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use netcap_bundle::packets::{Direction, LinkType};
use netcap_bundle::{Mac, Nanos};

use super::{DomainId, PointId};

/// Where a frame can be found again: file and number in it, as Wireshark counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct FrameRef {
    /// Index into the input's segments.
    pub file: u32,
    /// Frame number, counted from 1.
    pub number: u64,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct PacketView<'a> {
    /// Stamp.
    pub at: Nanos,
    /// Where it can be found again.
    pub frame: FrameRef,
    /// Where it was captured.
    pub point: PointId,
    /// The broadcast domain of that point.
    pub domain: DomainId,
    /// Which way it crossed the interface.
    pub direction: Direction,
    /// Packets the capture lost just before this one.
    pub lost_before: u64,
    /// Bytes on the wire.
    pub wire_len: u32,
    /// Link type of the interface it was captured at.
    pub link: LinkType,
    /// What was captured.
    pub bytes: &'a [u8],
    /// Ethernet addresses, when the link has them.
    pub eth: Option<Eth>,
    /// Ethertype behind the tags; 0 when the link has none.
    pub ethertype: u16,
    /// VLAN: the frame's own tags, else the point's access VLAN.
    pub vlan: Tags,
    /// What the frame carries.
    pub net: Net,
    /// It is a copy of the packet, not the packet on its way.
    pub copy: Option<CopyOf>,
}

/// Source and destination address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Eth {
    /// Destination.
    pub dst: Mac,
    /// Source.
    pub src: Mac,
}

/// VLAN ids, outer and inner; 0 means untagged (a priority tag has VID 0 and tags nothing, IEEE 802.1Q 9.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(crate) struct Tags {
    /// Outer VLAN id.
    pub outer: u16,
    /// Inner VLAN id of QinQ.
    pub inner: u16,
}

impl Tags {
    /// True when the frame belongs to no tagged VLAN.
    pub(crate) fn is_untagged(self) -> bool {
        self == Self::default()
    }
}

impl fmt::Display for Tags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.inner == 0 { write!(f, "{}", self.outer) } else { write!(f, "{}.{}", self.outer, self.inner) }
    }
}

/// The network layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Net {
    /// ARP for IPv4 over 48-bit addresses.
    Arp(Arp),
    /// IPv4 or IPv6.
    Ip(Ip),
    /// Anything else, or too damaged to tell.
    Other,
}

/// An ARP packet (RFC 826).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Arp {
    /// Operation: 1 request, 2 reply.
    pub op: u16,
    /// Sender hardware address.
    pub sha: Mac,
    /// Sender protocol address.
    pub spa: Ipv4Addr,
    /// Target hardware address.
    pub tha: Mac,
    /// Target protocol address.
    pub tpa: Ipv4Addr,
}

/// An IP packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ip {
    /// Source.
    pub src: IpAddr,
    /// Destination.
    pub dst: IpAddr,
    /// Time to live or hop limit.
    pub ttl: u8,
    /// Protocol behind extension headers.
    pub protocol: u8,
    /// The transport layer; `Other` in every fragment but the first.
    pub l4: L4,
}

/// The transport layer as far as detectors ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum L4 {
    /// ICMP or ICMPv6 echo.
    Echo(Echo),
    /// An ICMP error for an echo request.
    Failed(FailedEcho),
    /// IPv6 neighbour discovery.
    Nd(Nd),
    Tcp {
        /// Source port.
        sport: u16,
        /// Destination port.
        dport: u16,
        /// SYN without ACK: a connection is opened.
        opens: bool,
        /// SYN with ACK: it is accepted.
        accepts: bool,
        /// RST with ACK and the sequence number 0: it is refused (RFC 9293, 3.5.2).
        refuses: bool,
        /// Sequence number.
        seq: u32,
        /// Acknowledgement number.
        ack: u32,
    },
    Udp {
        /// Source port.
        sport: u16,
        /// Destination port.
        dport: u16,
    },
    /// A VRRP advertisement (RFC 9568, section 5.2).
    Vrrp {
        /// The VRID.
        group: u8,
        /// 0: the master gives up.
        priority: u8,
    },
    /// Anything else.
    Other,
}

/// Request or reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum EchoKind {
    /// Echo request.
    Request,
    /// Echo reply.
    Reply,
}

/// An echo message (RFC 792, RFC 4443 section 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Echo {
    /// Request or reply.
    pub kind: EchoKind,
    /// Identifier.
    pub id: u16,
    /// Sequence number.
    pub seq: u16,
}

/// An echo request that did not arrive, as the error message quotes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FailedEcho {
    /// Who asked.
    pub src: IpAddr,
    /// Who was asked.
    pub dst: IpAddr,
    /// The request's numbers.
    pub request: Echo,
    /// What is wrong.
    pub why: Failure,
}

/// Why a router or a firewall says that a packet did not arrive (RFC 792, RFC 1812 section 5.2.7, RFC 4443 section 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Failure {
    /// Its hop limit ran out.
    Expired,
    /// No route leads there.
    NoRoute,
    /// The last router cannot reach the host: nobody answers for its address.
    NoHost,
    /// A filter forbids it.
    Prohibited,
    /// It is too big for the next link and must not be cut.
    TooBig,
    /// Anything else.
    Other,
}

/// Solicitation or advertisement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NdKind {
    /// Neighbor solicitation.
    Solicitation,
    /// Neighbor advertisement.
    Advertisement {
        /// S flag: an answer to a solicitation.
        solicited: bool,
        /// O flag: replaces what is cached. Anycast and proxy advertisements do not set it (RFC 4861, 7.2.7 and 7.2.8).
        overrides: bool,
    },
}

/// A neighbour discovery message (RFC 4861, sections 4.3 and 4.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Nd {
    pub kind: NdKind,
    /// Target address.
    pub target: Ipv6Addr,
    /// Source or target link-layer address option.
    pub mac: Option<Mac>,
}

/// Whose copy a sighting is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum CopyOf {
    /// The point is the output port of a mirror.
    MirrorPort,
    /// The VLAN is the output of a mirror (RSPAN).
    MirrorVlan,
    /// A bridge whose own port is promiscuous receives all that it forwards.
    OwnPort,
    /// It was flooded to a machine that is not the one it is for.
    Flood,
}
