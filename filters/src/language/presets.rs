//! Filters with a name. Help, lists and documentation derive from this table.
//!
//! The first of them are the documented filters of the script that netcap replaces, word for word: `arp`, `icmp`,
//! `icmp6`, `dns`, `dhcp`, `ssh`, `lldp`, `lacp`.

use std::net::IpAddr;

use super::nearest::nearest;

/// What may follow the name and a colon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Argument {
    /// Nothing.
    None,
    /// An IPv4 address: only packets of this host.
    Ipv4,
    /// An IPv6 address: only packets of this host.
    Ipv6,
    /// An IPv4 or IPv6 address: only packets of this host.
    Ip,
}

/// A filter with a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preset {
    /// What to type.
    pub name: &'static str,
    /// What may follow it, after a colon.
    pub argument: Argument,
    /// The expression without an argument.
    pub expression: &'static str,
    /// What it matches, in one line.
    pub matches: &'static str,
}

/// Why a preset gives no expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PresetError {
    /// There is none of this name.
    Unknown {
        /// What was typed.
        name: String,
        /// The nearest name.
        suggestion: Option<&'static str>,
    },
    /// The argument is not what the preset takes.
    Argument {
        /// The preset.
        name: &'static str,
        /// What it takes.
        takes: Argument,
        /// What was typed.
        argument: String,
    },
}

impl std::error::Error for PresetError {}

impl Argument {
    fn accepts(self, address: IpAddr) -> bool {
        match self {
            Self::None => false,
            Self::Ipv4 => address.is_ipv4(),
            Self::Ipv6 => address.is_ipv6(),
            Self::Ip => true,
        }
    }
}

impl Preset {
    /// How to type it: `arp[:IPV4]`.
    pub fn usage(&self) -> String {
        let argument = match self.argument {
            Argument::None => "",
            Argument::Ipv4 => "[:IPV4]",
            Argument::Ipv6 => "[:IPV6]",
            Argument::Ip => "[:IP]",
        };
        format!("{}{argument}", self.name)
    }

    /// The expression for this argument.
    fn expression_for(&self, argument: Option<&str>) -> Result<String, PresetError> {
        let Some(argument) = argument.map(str::trim) else { return Ok(self.expression.to_owned()) };
        let wrong =
            || PresetError::Argument { name: self.name, takes: self.argument, argument: argument.to_owned() };
        let address: IpAddr = argument.parse().map_err(|_| wrong())?;
        if !self.argument.accepts(address) {
            return Err(wrong());
        }
        // What has an `or` at its top needs parentheses before an `and`.
        Ok(if self.expression.contains(" or ") {
            format!("({}) and host {address}", self.expression)
        } else {
            format!("{} and host {address}", self.expression)
        })
    }
}

/// The expression for `NAME` or `NAME:ARGUMENT`.
pub fn preset(text: &str) -> Result<String, PresetError> {
    let (name, argument) = match text.trim().split_once(':') {
        Some((name, argument)) => (name, Some(argument)),
        None => (text.trim(), None),
    };
    let lower = name.to_ascii_lowercase();
    if let Some(found) = PRESETS.iter().find(|preset| preset.name == lower) {
        return found.expression_for(argument);
    }
    let suggestion = nearest(&lower, PRESETS.iter().map(|preset| preset.name));
    Err(PresetError::Unknown { name: name.to_owned(), suggestion })
}

/// All presets by name.
pub fn list() -> &'static [Preset] {
    PRESETS
}

const fn plain(name: &'static str, expression: &'static str, matches: &'static str) -> Preset {
    Preset { name, argument: Argument::None, expression, matches }
}

const fn of_host(
    name: &'static str,
    argument: Argument,
    expression: &'static str,
    matches: &'static str,
) -> Preset {
    Preset { name, argument, expression, matches }
}

/// Sources of the numbers: the IANA registries of ports, protocol numbers and ethertypes; IEEE 802.1D, 802.1Q and
/// 802.3 for group addresses; what else is named in the line.
static PRESETS: &[Preset] = &[
    of_host("arp", Argument::Ipv4, "arp", "ARP requests and answers"),
    plain("bfd", "udp and (port 3784 or port 3785 or port 4784)", "BFD control and echo (RFC 5881, 5883)"),
    of_host("bgp", Argument::Ip, "tcp and port 179", "BGP"),
    plain("broadcast", "ether broadcast", "frames to ff:ff:ff:ff:ff:ff"),
    plain("cdp", "ether host 01:00:0c:cc:cc:cc and ether[20:2] = 0x2000", "Cisco discovery protocol"),
    of_host("ceph", Argument::Ip, "tcp and (port 3300 or portrange 6789-7568)", "Ceph monitors and OSDs"),
    plain("corosync", "udp and portrange 5404-5412", "cluster membership (corosync)"),
    plain("dhcp", "udp and port 67 and port 68", "DHCP between client and server or relay"),
    plain("dhcp-relay", "udp and src port 67 and dst port 67", "DHCP between relay and server"),
    plain("dhcpv6", "udp and (port 546 or port 547)", "DHCPv6"),
    of_host("dns", Argument::Ip, "port domain", "DNS over UDP and TCP"),
    plain("eapol", "ether proto 0x888e", "802.1X port authentication"),
    plain(
        "fcoe",
        "ether proto 0x8906 or ether proto 0x8914",
        "Fibre Channel over Ethernet and its setup (FIP)",
    ),
    of_host(
        "fragments",
        Argument::Ip,
        "ip[6:2] & 0x3fff != 0 or ip6[6] = 44",
        "IPv4 and IPv6 fragments, the first included",
    ),
    of_host(
        "garp",
        Argument::Ipv4,
        "arp[6:2] <= 2 and arp[14:4] = arp[24:4]",
        "gratuitous ARP: a host announces its own address",
    ),
    of_host("geneve", Argument::Ip, "udp and port 6081", "Geneve tunnels (RFC 8926)"),
    of_host("gre", Argument::Ip, "ip proto 47 or ip6 proto 47", "GRE tunnels"),
    of_host("http", Argument::Ip, "tcp and (port 80 or port 8080)", "HTTP without encryption"),
    of_host("https", Argument::Ip, "port 443", "HTTPS, over TCP and QUIC"),
    of_host("icmp", Argument::Ipv4, "icmp", "ICMP"),
    of_host("icmp6", Argument::Ipv6, "icmp6", "ICMPv6, neighbour discovery included"),
    plain(
        "igmp",
        "igmp or (icmp6 and ip6[40] >= 130 and ip6[40] <= 132)",
        "multicast membership, IPv4 and IPv6",
    ),
    of_host("iscsi", Argument::Ip, "tcp and port 3260", "iSCSI sessions"),
    plain("lacp", "ether proto 0x8809", "LACP and other slow protocols of bonds (802.1AX)"),
    of_host("ldap", Argument::Ip, "port 389 or port 636", "LDAP and LDAPS"),
    plain("lldp", "ether proto 0x88cc", "LLDP neighbours (802.1AB)"),
    of_host(
        "migration",
        Argument::Ip,
        "tcp and (portrange 49152-49215 or port 16509 or port 16514)",
        "live migration of VMs and libvirt's control of it (qemu.conf, libvirtd.conf)",
    ),
    plain("multicast", "ether multicast", "frames to group addresses, broadcast included"),
    of_host(
        "nd",
        Argument::Ipv6,
        "icmp6 and ip6[40] >= 133 and ip6[40] <= 137",
        "IPv6 neighbour discovery (RFC 4861)",
    ),
    of_host("nfs", Argument::Ip, "port 2049 or port 111", "NFS and its port mapper"),
    of_host("ntp", Argument::Ip, "udp and port 123", "time synchronisation"),
    plain("ocfs2", "tcp and port 7777", "OCFS2 cluster heartbeat and locks (o2net)"),
    of_host("openflow", Argument::Ip, "tcp and (port 6653 or port 6633)", "OpenFlow controllers"),
    plain("ospf", "ip proto 89 or ip6 proto 89", "OSPF"),
    of_host("ovsdb", Argument::Ip, "tcp and port 6640", "OVSDB managers"),
    of_host(
        "ping",
        Argument::Ipv4,
        "icmp[icmptype] = icmp-echo or icmp[icmptype] = icmp-echoreply",
        "IPv4 ping requests and answers",
    ),
    of_host(
        "ping6",
        Argument::Ipv6,
        "icmp6 and (ip6[40] = 128 or ip6[40] = 129)",
        "IPv6 ping requests and answers",
    ),
    plain("pppoe", "ether proto 0x8863 or ether proto 0x8864", "PPPoE discovery and sessions"),
    plain("rarp", "rarp", "RARP, with which a migrated VM announces its new place"),
    of_host(
        "rst",
        Argument::Ip,
        "tcp[tcpflags] & tcp-rst != 0 or (ip6[6] = 6 and ip6[53] & 4 != 0)",
        "TCP resets",
    ),
    of_host("snmp", Argument::Ip, "udp and (port 161 or port 162)", "SNMP queries and traps"),
    of_host("ssh", Argument::Ip, "port 22", "SSH"),
    plain("stp", "stp or ether host 01:00:0c:cc:cc:cd", "spanning tree: STP, RSTP, MSTP, PVST+"),
    of_host(
        "syn",
        Argument::Ip,
        "tcp[tcpflags] & (tcp-syn|tcp-ack) = tcp-syn or (ip6[6] = 6 and ip6[53] & 0x12 = 2)",
        "TCP connection attempts",
    ),
    of_host("syslog", Argument::Ip, "port 514 or tcp port 6514", "syslog, plain and over TLS"),
    of_host(
        "toobig",
        Argument::Ip,
        "(icmp[icmptype] = icmp-unreach and icmp[icmpcode] = 4) or (icmp6 and ip6[40] = 2)",
        "path MTU messages: fragmentation needed, packet too big",
    ),
    of_host("vnc", Argument::Ip, "tcp and portrange 5900-5999", "VM consoles over VNC"),
    plain("vrrp", "ip proto 112 or ip6 proto 112", "VRRP, with which gateways share an address"),
    of_host(
        "vxlan",
        Argument::Ip,
        "udp and (port 4789 or port 8472)",
        "VXLAN tunnels (RFC 7348, and Linux's older port)",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_and_unique() {
        assert!(PRESETS.is_sorted_by(|a, b| a.name < b.name));
    }

    #[test]
    fn the_documented_filters_are_word_for_word() {
        for (typed, expression) in [
            ("arp:172.16.51.23", "arp and host 172.16.51.23"),
            ("icmp:172.23.51.112", "icmp and host 172.23.51.112"),
            ("icmp6:fe80::1", "icmp6 and host fe80::1"),
            ("dns", "port domain"),
            ("dhcp", "udp and port 67 and port 68"),
            ("ssh:10.0.0.1", "port 22 and host 10.0.0.1"),
            ("lldp", "ether proto 0x88cc"),
            ("LACP", "ether proto 0x8809"),
        ] {
            assert_eq!(preset(typed).as_deref(), Ok(expression));
        }
    }

    #[test]
    fn wrong_names_and_arguments_say_what_is_right() {
        let text = |typed| preset(typed).unwrap_err().to_string();
        assert!(text("lldpp").contains("did you mean `lldp`"), "{}", text("lldpp"));
        assert!(text("arp:fe80::1").contains("takes an IPv4 address"));
        assert!(text("lldp:10.0.0.1").contains("takes no argument"));
        assert!(text("arp:10.0.0.1 or tcp").contains("takes an IPv4 address"));
        assert!(text("arp:").contains("takes an IPv4 address"));
        assert_eq!(list().iter().find(|p| p.name == "ssh").unwrap().usage(), "ssh[:IP]");
    }
}
