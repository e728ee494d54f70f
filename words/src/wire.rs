//! Numbers of protocols as they stand in frames. Every room that looks into a frame takes them from here.

/// Ethernet types (IANA "IEEE 802 Numbers").
pub mod ether_type {
    /// IPv4 (RFC 894).
    pub const IPV4: u16 = 0x0800;
    /// ARP (RFC 826).
    pub const ARP: u16 = 0x0806;
    /// Reverse ARP (RFC 903); QEMU and Open vSwitch announce moved addresses with it.
    pub const RARP: u16 = 0x8035;
    /// Transparent Ethernet bridging: an Ethernet frame inside a tunnel (RFC 8926 section 3.4).
    pub const BRIDGED: u16 = 0x6558;
    /// IPv6 (RFC 2464).
    pub const IPV6: u16 = 0x86dd;
    /// MPLS (RFC 3032 section 5), and with labels that the upstream router chose (RFC 5332).
    pub const MPLS: u16 = 0x8847;
    /// See [`MPLS`].
    pub const MPLS_UPSTREAM: u16 = 0x8848;
    /// PPPoE while a session is set up (RFC 2516 section 4).
    pub const PPPOE_DISCOVERY: u16 = 0x8863;
    /// PPPoE of a session.
    pub const PPPOE_SESSION: u16 = 0x8864;
    /// MACsec (IEEE 802.1AE clause 9.8).
    pub const MACSEC: u16 = 0x88e5;
    /// Slow protocols, LACP among them (IEEE 802.3 annex 57A).
    pub const SLOW: u16 = 0x8809;
    /// LLDP (IEEE 802.1AB clause 8.3).
    pub const LLDP: u16 = 0x88cc;

    /// Protocols of links, switches, clocks, machines and storage: nothing that talks IP is inside (IANA "IEEE 802 Numbers").
    pub const fn is_silent(ether_type: u16) -> bool {
        matches!(
            ether_type,
            RARP | SLOW | LLDP | PPPOE_DISCOVERY
            // DEC's maintenance, DECnet and LAT; Banyan VINES; loopback.
            | 0x6001
                ..=0x6007 | 0x0bad | 0x9000
            // AppleTalk and its ARP; IPX.
            | 0x809b | 0x80f3 | 0x8137 | 0x8138
            // 802.1X and its pre-authentication; MSRP, MVRP, MMRP; PTP; faults (802.1ag); flow control.
            | 0x888e | 0x88c7 | 0x22ea | 0x88f5 | 0x88f6 | 0x88f7 | 0x8902 | 0x8808
            // ATA, Fibre Channel and its discovery; RoCE.
            | 0x88a2 | 0x8906 | 0x8914 | 0x8915
            // PROFINET, EtherCAT, GOOSE, sampled values; power line; IEEE 1905.
            | 0x8892 | 0x88a4 | 0x88b8 | 0x88ba | 0x88e1 | 0x893a
        )
    }
}

/// Ethernet types of VLAN tags: IEEE 802.1Q, IEEE 802.1ad, and those of QinQ before there was a standard. A frame with any
/// of them is a tagged frame.
pub const TPIDS: [u16; 4] = [TPID_8021Q, TPID_8021AD, 0x9100, 0x9200];
/// The tag of IEEE 802.1Q: what is meant where nothing says.
pub const TPID_8021Q: u16 = 0x8100;
/// The outer tag of IEEE 802.1ad.
pub const TPID_8021AD: u16 = 0x88a8;
/// Those of [`TPIDS`] that Linux and Open vSwitch take for a tag (`eth_type_vlan`, include/linux/if_vlan.h;
/// `eth_type_vlan`, lib/packets.h): behind the others they look for a protocol of that number.
pub const TPIDS_KERNEL: [u16; 2] = [TPID_8021Q, TPID_8021AD];
/// Those of [`TPIDS`] that libpcap looks through for `vlan` (`gen_vlan_tpid_test`, gencode.c). A filter means the same
/// frames as in tcpdump.
pub const TPIDS_LIBPCAP: [u16; 3] = [TPID_8021Q, TPID_8021AD, 0x9100];

/// Bytes of an Ethernet header without tags (IEEE 802.3 clause 3.1.1).
pub const ETHERNET_BYTES: usize = 14;
/// Bytes of a VLAN tag (IEEE 802.1Q clause 9.3).
pub const TAG_BYTES: usize = 4;

/// Protocols of IP (IANA "Assigned Internet Protocol Numbers").
pub mod ip_protocol {
    /// ICMP (RFC 792).
    pub const ICMP: u8 = 1;
    /// IGMP (RFC 3376).
    pub const IGMP: u8 = 2;
    /// TCP (RFC 9293).
    pub const TCP: u8 = 6;
    /// UDP (RFC 768).
    pub const UDP: u8 = 17;
    /// ICMP for IPv6 (RFC 4443).
    pub const ICMPV6: u8 = 58;
    /// VRRP (RFC 9568 section 5.1.1.4).
    pub const VRRP: u8 = 112;
    /// SCTP (RFC 9260).
    pub const SCTP: u8 = 132;
}

/// Types of ICMP messages (RFC 792).
pub mod icmp {
    /// Echo reply.
    pub const ECHO_REPLY: u8 = 0;
    /// Destination unreachable.
    pub const UNREACHABLE: u8 = 3;
    /// Echo request.
    pub const ECHO_REQUEST: u8 = 8;
    /// Time exceeded.
    pub const TIME_EXCEEDED: u8 = 11;
}

/// Types of ICMPv6 messages (RFC 4443, RFC 4861 section 4).
pub mod icmpv6 {
    /// Destination unreachable.
    pub const UNREACHABLE: u8 = 1;
    /// Packet too big.
    pub const TOO_BIG: u8 = 2;
    /// Time exceeded.
    pub const TIME_EXCEEDED: u8 = 3;
    /// Echo request.
    pub const ECHO_REQUEST: u8 = 128;
    /// Echo reply.
    pub const ECHO_REPLY: u8 = 129;
    /// Neighbour solicitation.
    pub const NEIGHBOR_SOLICITATION: u8 = 135;
    /// Neighbour advertisement.
    pub const NEIGHBOR_ADVERTISEMENT: u8 = 136;
}

/// UDP ports of tunnels.
pub mod tunnel_port {
    /// VXLAN: IANA's (RFC 7348 section 5), and the one Linux used before there was one.
    pub const VXLAN: [u16; 2] = [4789, 8472];
    /// Geneve (RFC 8926 section 3.3).
    pub const GENEVE: [u16; 1] = [6081];
}

/// The name of an IP protocol as tools write it; `None` for one that has none here.
pub fn ip_protocol_name(number: u8) -> Option<&'static str> {
    Some(match number {
        ip_protocol::ICMP => "icmp",
        ip_protocol::IGMP => "igmp",
        ip_protocol::TCP => "tcp",
        ip_protocol::UDP => "udp",
        ip_protocol::ICMPV6 => "icmpv6",
        ip_protocol::VRRP => "vrrp",
        ip_protocol::SCTP => "sctp",
        _ => return None,
    })
}

/// The number of an IP protocol that tools write by its name, or by its number. Some write ICMPv6 as IANA does.
pub fn ip_protocol_number(name: &str) -> Option<u8> {
    let name = if name == "ipv6-icmp" { "icmpv6" } else { name };
    (0..=u8::MAX).find(|number| ip_protocol_name(*number) == Some(name)).or_else(|| name.parse().ok())
}

/// It is the type of a VLAN tag.
pub const fn is_tag(ether_type: u16) -> bool {
    matches!(ether_type, TPID_8021Q | TPID_8021AD | 0x9100 | 0x9200)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocols_have_a_name_or_a_number() {
        assert_eq!(
            ["icmp", "igmp", "icmpv6", "ipv6-icmp", "sctp", "47", "none"].map(ip_protocol_number),
            [Some(1), Some(2), Some(58), Some(58), Some(132), Some(47), None]
        );
    }

    #[test]
    fn the_lists_of_tags_agree() {
        assert!(TPIDS.into_iter().all(is_tag) && !is_tag(ether_type::IPV4));
        assert!(TPIDS_KERNEL.iter().chain(&TPIDS_LIBPCAP).all(|tpid| TPIDS.contains(tpid)));
    }
}
