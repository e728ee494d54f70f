//! Words of the filter language, and names that are numbers.
//!
//! Names are translated here and never by the system: a static binary cannot rely on `/etc/services`, and a filter has
//! to mean the same on every host. Sources: libpcap 1.10 `scanner.l`; the IANA service name and protocol registries.

/// Every keyword of libpcap 1.10, sorted.
#[rustfmt::skip]
pub(crate) const KEYWORDS: &[&str] = &[
    "aarp", "action", "addr1", "addr2", "addr3", "addr4", "address1", "address2", "address3", "address4",
    "ah", "and", "arp", "atalk", "bcc", "broadcast", "byte", "carp", "clnp", "connectmsg", "csnp", "decnet",
    "dir", "direction", "dpc", "dst", "es-is", "esis", "esp", "ether", "fddi", "fisu", "gateway", "geneve",
    "greater", "hdpc", "hfisu", "hlssu", "hmsu", "hopc", "host", "hsio", "hsls", "icmp", "icmp6", "icmp6code",
    "icmp6type", "icmpcode", "icmptype", "ifindex", "ifname", "igmp", "igrp", "iih", "ilmic", "inbound", "ip",
    "ip6", "ipx", "is-is", "isis", "iso", "l1", "l2", "lane", "lat", "len", "length", "less", "link", "llc",
    "lsp", "lssu", "lsu", "mask", "metac", "metaconnect", "mopdl", "moprc", "mpls", "msu", "multicast", "net",
    "netbeui", "not", "oam", "oamf4", "oamf4ec", "oamf4sc", "on", "opc", "or", "outbound", "pim", "port",
    "portrange", "ppp", "pppoed", "pppoes", "proto", "protochain", "psnp", "ra", "radio", "rarp", "reason",
    "rnr", "rset", "rulenum", "ruleset", "sc", "sca", "sctp", "sio", "slip", "sls", "snp", "src", "srnr",
    "stp", "subrulenum", "subtype", "ta", "tcp", "tcpflags", "tr", "type", "udp", "vci", "vlan", "vpi",
    "vrrp", "wlan",
];

/// Names of values of `icmp[icmptype]`, `icmp6[icmp6type]` and `tcp[tcpflags]`, each with its prefix, sorted.
#[rustfmt::skip]
pub(crate) const VALUES: &[&str] = &[
    "icmp-echo", "icmp-echoreply", "icmp-ireq", "icmp-ireqreply", "icmp-maskreply", "icmp-maskreq",
    "icmp-paramprob", "icmp-redirect", "icmp-routeradvert", "icmp-routersolicit", "icmp-sourcequench",
    "icmp-timxceed", "icmp-tstamp", "icmp-tstampreply", "icmp-unreach", "icmp6-certpathadvert",
    "icmp6-certpathsolicit", "icmp6-destinationunreach", "icmp6-echo", "icmp6-echoreply",
    "icmp6-homeagentdiscoveryreply", "icmp6-homeagentdiscoveryrequest", "icmp6-ineighbordiscoveryadvert",
    "icmp6-ineighbordiscoverysolicit", "icmp6-mobileprefixadvert", "icmp6-mobileprefixsolicit",
    "icmp6-multicastlistenerdone", "icmp6-multicastlistenerquery", "icmp6-multicastlistenerreportv1",
    "icmp6-multicastlistenerreportv2", "icmp6-multicastrouteradvert", "icmp6-multicastroutersolicit",
    "icmp6-multicastrouterterm", "icmp6-neighboradvert", "icmp6-neighborsolicit",
    "icmp6-nodeinformationquery", "icmp6-nodeinformationresponse", "icmp6-packettoobig",
    "icmp6-parameterproblem", "icmp6-redirect", "icmp6-routeradvert", "icmp6-routerrenum",
    "icmp6-routersolicit", "icmp6-timeexceeded", "tcp-ack", "tcp-cwr", "tcp-ece", "tcp-fin", "tcp-push",
    "tcp-rst", "tcp-syn", "tcp-urg",
];

/// Port names, sorted.
#[rustfmt::skip]
pub(crate) const SERVICES: &[(&str, u16)] = &[
    ("bfd-control", 3784), ("bfd-echo", 3785), ("bgp", 179), ("bootpc", 68), ("bootps", 67), ("ceph", 6789),
    ("dhcpv6-client", 546), ("dhcpv6-server", 547), ("domain", 53), ("ftp", 21), ("ftp-data", 20),
    ("geneve", 6081), ("http", 80), ("http-alt", 8080), ("https", 443), ("imap", 143), ("imap2", 143),
    ("imaps", 993), ("ipsec-nat-t", 4500), ("ipp", 631), ("isakmp", 500), ("iscsi-target", 3260),
    ("iscsi", 3260), ("kerberos", 88), ("ldap", 389), ("ldaps", 636), ("mdns", 5353), ("microsoft-ds", 445),
    ("ms-wbt-server", 3389), ("mysql", 3306), ("netbios-dgm", 138), ("netbios-ns", 137), ("netbios-ssn", 139),
    ("nfs", 2049), ("ntp", 123), ("openflow", 6653), ("ovsdb", 6640), ("pop3", 110), ("pop3s", 995),
    ("postgresql", 5432), ("radius", 1812), ("radius-acct", 1813), ("rdp", 3389), ("rfb", 5900),
    ("rpcbind", 111), ("rsync", 873), ("smtp", 25), ("snmp", 161), ("snmp-trap", 162), ("snmptrap", 162),
    ("ssdp", 1900), ("ssh", 22), ("submission", 587), ("sunrpc", 111), ("syslog", 514), ("tacacs", 49),
    ("telnet", 23), ("tftp", 69), ("vnc", 5900), ("vxlan", 4789), ("whois", 43), ("www", 80),
    ("zabbix-agent", 10050), ("zabbix-trapper", 10051),
];

/// IP protocol names as in `ip proto \tcp`, sorted.
#[rustfmt::skip]
pub(crate) const PROTOCOLS: &[(&str, u16)] = &[
    ("ah", 51), ("carp", 112), ("egp", 8), ("eigrp", 88), ("esp", 50), ("gre", 47), ("icmp", 1),
    ("icmp6", 58), ("icmpv6", 58), ("igmp", 2), ("igrp", 9), ("ip", 0), ("ipip", 4), ("ipv6", 41),
    ("ipv6-icmp", 58), ("l2tp", 115), ("ospf", 89), ("pim", 103), ("sctp", 132), ("tcp", 6), ("udp", 17),
    ("udplite", 136), ("vrrp", 112),
];

/// Names that libpcap knows by itself after `ether proto`, sorted (libpcap `nametoaddr.c`).
pub(crate) const ETHER_PROTOCOLS: &[&str] = &[
    "aarp", "arp", "atalk", "decnet", "ip", "ip6", "ipx", "iso", "lat", "loopback", "mopdl", "moprc",
    "netbeui", "rarp", "sca", "stp",
];

/// The number of a port name.
pub(crate) fn service(name: &str) -> Option<u16> {
    SERVICES.iter().find(|(known, _)| *known == name).map(|(_, port)| *port)
}

/// The number of an IP protocol name.
pub(crate) fn protocol(name: &str) -> Option<u16> {
    PROTOCOLS.iter().find(|(known, _)| *known == name).map(|(_, number)| *number)
}

/// Whether the word is one of the language.
pub(crate) fn is_keyword(word: &str) -> bool {
    KEYWORDS.binary_search(&word).is_ok() || VALUES.binary_search(&word).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_sorted_and_names_are_unique() {
        assert!(KEYWORDS.is_sorted_by(|a, b| a < b));
        assert!(VALUES.is_sorted_by(|a, b| a < b));
        assert!(ETHER_PROTOCOLS.is_sorted_by(|a, b| a < b));
        for table in [SERVICES, PROTOCOLS] {
            let mut names: Vec<&str> = table.iter().map(|(name, _)| *name).collect();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), table.len());
        }
    }
}
