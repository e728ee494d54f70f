//! The fields of one packet that flow tables and filters match on, each of them known or not.

use netcap_words::wire::ether_type;
use std::net::{IpAddr, Ipv4Addr};

use super::OfPort;
use crate::Mac;

/// A packet as a flow table sees it. `None` means "not known", and then no rule on that field is certain.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PacketFields {
    /// OpenFlow number of the port it came in at.
    pub of_port: Option<OfPort>,
    /// Datapath number of the port it came in at: another numbering than `of_port`.
    pub dp_port: Option<u32>,
    /// Name of the port it came in at, for dumps that print names.
    pub port_name: Option<String>,
    /// Ethernet source.
    pub eth_src: Option<Mac>,
    /// Ethernet destination.
    pub eth_dst: Option<Mac>,
    /// EtherType behind all VLAN tags.
    pub eth_type: Option<u16>,
    /// The outermost VLAN tag, as the frame was when it came in (untagged at an access port).
    pub vlan: VlanTag,
    /// IP source.
    pub ip_src: Option<IpAddr>,
    /// IP destination.
    pub ip_dst: Option<IpAddr>,
    /// IP protocol, or the last next-header of IPv6.
    pub ip_proto: Option<u8>,
    /// TCP, UDP or SCTP source port.
    pub l4_src: Option<u16>,
    /// TCP, UDP or SCTP destination port.
    pub l4_dst: Option<u16>,
    /// ICMP or ICMPv6 type.
    pub icmp_type: Option<u8>,
    /// ICMP or ICMPv6 code.
    pub icmp_code: Option<u8>,
    /// ARP or RARP operation.
    pub arp_op: Option<u16>,
    /// ARP sender protocol address.
    pub arp_spa: Option<Ipv4Addr>,
    /// ARP target protocol address.
    pub arp_tpa: Option<Ipv4Addr>,
    /// ARP sender hardware address.
    pub arp_sha: Option<Mac>,
    /// ARP target hardware address.
    pub arp_tha: Option<Mac>,
    /// What is known of its connection-tracking state.
    pub ct: CtKnowledge,
}

/// The outermost VLAN tag of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum VlanTag {
    /// Not known.
    #[default]
    Unknown,
    /// No tag.
    None,
    /// A tag with this VLAN id (0 is a priority tag) and, when known, priority.
    Tagged {
        /// VLAN id, 12 bits.
        vid: u16,
        /// Priority code point, 3 bits.
        pcp: Option<u8>,
    },
}

/// What is known of a packet's connection-tracking state inside a pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CtKnowledge {
    /// Nothing.
    #[default]
    Unknown,
    /// It has not been through conntrack: `ct_state` is 0.
    Untracked,
    /// It has: `+trk` holds, the rest is not known.
    Tracked,
}

impl PacketFields {
    /// The IPv4 source, or the sender of an ARP packet, as OpenFlow's `nw_src` sees it (ovs-fields(7)).
    pub fn nw_src(&self) -> Option<IpAddr> {
        if self.is_arp() { self.arp_spa.map(IpAddr::V4) } else { self.ip_src }
    }

    /// The IPv4 destination, or the target of an ARP packet.
    pub fn nw_dst(&self) -> Option<IpAddr> {
        if self.is_arp() { self.arp_tpa.map(IpAddr::V4) } else { self.ip_dst }
    }

    /// True for ARP and RARP.
    pub(crate) fn is_arp(&self) -> bool {
        matches!(self.eth_type, Some(ether_type::ARP | ether_type::RARP))
    }
}
