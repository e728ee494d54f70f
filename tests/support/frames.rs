//! Frames for the tests, and libpcap's own answer.
#![allow(missing_docs, clippy::unwrap_used, reason = "helpers of tests, each used by some")]

use netcap_filters::{Argument, VlanTag, list, preset};
use pcap::{Capture, Linktype};

/// The encapsulations in which the same frame travels: ethertypes of the tags, outermost first.
pub const ENCAPSULATIONS: &[&[u16]] =
    &[&[], &[0x8100], &[0x88a8], &[0x9100], &[0x88a8, 0x8100], &[0x8100, 0x8100], &[0x9100, 0x8100]];

/// Whether libpcap's own program matches the frame.
pub fn libpcap_says(expression: &str, frame: &[u8]) -> bool {
    let handle = Capture::dead(Linktype::ETHERNET).unwrap();
    handle.compile(expression, true).unwrap_or_else(|e| panic!("{expression}: {e}")).filter(frame)
}

/// The frame with tags inserted; the ids are 100, 101, …, outermost first.
pub fn tagged(frame: &[u8], tpids: &[u16]) -> Vec<u8> {
    let (macs, rest) = frame.split_at(12);
    let mut out = macs.to_vec();
    for (tpid, vid) in tpids.iter().zip(100_u16..) {
        out.extend(tpid.to_be_bytes());
        out.extend((0x6000 + vid).to_be_bytes());
    }
    out.extend(rest);
    out
}

/// The frame as a packet socket gives it: the outer tag beside it.
pub fn stripped(frame: &[u8], tpids: &[u16]) -> (Vec<u8>, Option<VlanTag>) {
    let whole = tagged(frame, tpids);
    if tpids.is_empty() {
        return (whole, None);
    }
    let tag = VlanTag { tpid: tpids[0], tci: u16::from_be_bytes([whole[14], whole[15]]) };
    ([&whole[..12], &whole[16..]].concat(), Some(tag))
}

pub const MAC_A: [u8; 6] = [0x0c, 0xda, 0x41, 0x1d, 0x10, 0x2e];
pub const MAC_B: [u8; 6] = [0x0c, 0xda, 0x41, 0x1d, 0x43, 0x79];
pub const IP_A: [u8; 4] = [172, 16, 51, 23];
pub const IP_B: [u8; 4] = [172, 16, 204, 111];

pub fn ether(dst: [u8; 6], ethertype: u16, payload: &[u8]) -> Vec<u8> {
    [&dst[..], &MAC_A[..], &ethertype.to_be_bytes()[..], payload].concat()
}

/// IPv4 with options when `options` is not empty (a multiple of four bytes), and this fragment field.
pub fn ipv4_with(protocol: u8, options: &[u8], fragment: u16, payload: &[u8]) -> Vec<u8> {
    let ihl = 5 + u8::try_from(options.len() / 4).unwrap();
    let total = u16::try_from(usize::from(ihl) * 4 + payload.len()).unwrap();
    let mut out = vec![0x40 | ihl, 0];
    out.extend(total.to_be_bytes());
    out.extend([0, 1]);
    out.extend(fragment.to_be_bytes());
    out.extend([64, protocol, 0, 0]);
    out.extend(IP_A);
    out.extend(IP_B);
    out.extend(options);
    out.extend(payload);
    ether(MAC_B, 0x0800, &out)
}

pub fn ipv4(protocol: u8, payload: &[u8]) -> Vec<u8> {
    ipv4_with(protocol, &[], 0, payload)
}

pub fn ipv6(next: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![0x60, 0, 0, 0];
    out.extend(u16::try_from(payload.len()).unwrap().to_be_bytes());
    out.extend([next, 64]);
    out.extend([0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    out.extend([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    out.extend(payload);
    ether([0x33, 0x33, 0, 0, 0, 1], 0x86dd, &out)
}

pub fn tcp(src: u16, dst: u16, flags: u8) -> Vec<u8> {
    let mut out = [src.to_be_bytes(), dst.to_be_bytes()].concat();
    out.extend([0, 0, 0, 1, 0, 0, 0, 2, 0x50, flags, 0, 64, 0, 0, 0, 0]);
    out.extend(b"data");
    out
}

pub fn udp(src: u16, dst: u16, payload: &[u8]) -> Vec<u8> {
    let len = u16::try_from(8 + payload.len()).unwrap();
    [&src.to_be_bytes()[..], &dst.to_be_bytes(), &len.to_be_bytes(), &[0, 0], payload].concat()
}

pub fn icmp(kind: u8, code: u8) -> Vec<u8> {
    let mut out = vec![kind, code, 0, 0, 0, 1, 0, 2];
    out.extend([0xa5; 20]);
    out
}

pub fn arp(operation: u16, sender: [u8; 4], target: [u8; 4]) -> Vec<u8> {
    let mut out = vec![0, 1, 8, 0, 6, 4];
    out.extend(operation.to_be_bytes());
    out.extend(MAC_A);
    out.extend(sender);
    out.extend([0; 6]);
    out.extend(target);
    out.extend([0; 18]);
    out
}

/// A frame inside VXLAN; `options` are IPv4 options of the outer header.
pub fn vxlan(options: &[u8], port: u16, inner: &[u8]) -> Vec<u8> {
    let tunnel = [&[8, 0, 0, 0, 0, 0, 42, 0][..], inner].concat();
    ipv4_with(17, options, 0, &udp(50000, port, &tunnel))
}

/// A frame inside Geneve with this many words of options.
pub fn geneve(option_words: u8, inner: &[u8]) -> Vec<u8> {
    let options = vec![0xee; usize::from(option_words) * 4];
    let tunnel = [&[option_words, 0, 0x65, 0x58, 0, 0, 42, 0][..], &options, inner].concat();
    udp(50000, 6081, &tunnel)
}

fn link_layer_frames(out: &mut Vec<(&'static str, Vec<u8>)>) {
    let broadcast = [0xff; 6];
    out.push(("arp request", ether(broadcast, 0x0806, &arp(1, IP_B, IP_A))));
    out.push(("arp announcement", ether(broadcast, 0x0806, &arp(1, IP_A, IP_A))));
    out.push(("arp of others", ether(broadcast, 0x0806, &arp(2, [10, 0, 0, 1], [10, 0, 0, 2]))));
    out.push(("rarp", ether(broadcast, 0x8035, &arp(3, [0; 4], [0; 4]))));
    out.push(("lldp", ether([1, 0x80, 0xc2, 0, 0, 0x0e], 0x88cc, &[2; 60])));
    out.push(("lacp", ether([1, 0x80, 0xc2, 0, 0, 2], 0x8809, &[1; 110])));
    out.push(("stp", ether([1, 0x80, 0xc2, 0, 0, 0], 38, &[[0x42, 0x42, 3].as_slice(), &[0; 43]].concat())));
    let snap = |oui: [u8; 3], pid: u16| [&[0xaa, 0xaa, 3][..], &oui, &pid.to_be_bytes(), &[7; 40]].concat();
    out.push(("cdp", ether([1, 0, 0x0c, 0xcc, 0xcc, 0xcc], 48, &snap([0, 0, 0x0c], 0x2000))));
    out.push(("pvst", ether([1, 0, 0x0c, 0xcc, 0xcc, 0xcd], 48, &snap([0, 0, 0x0c], 0x010b))));
    out.push(("eapol", ether([1, 0x80, 0xc2, 0, 0, 3], 0x888e, &[1; 50])));
    out.push(("fcoe", ether(MAC_B, 0x8906, &[0; 60])));
    let mpls = [&[0, 0x10, 0x01, 64][..], &ipv4(1, &icmp(8, 0))[14..]].concat();
    out.push(("mpls icmp", ether(MAC_B, 0x8847, &mpls)));
    let session = [&[0x11, 0, 0, 9, 0, 50, 0, 0x21][..], &ipv4(17, &udp(5000, 53, b"q"))[14..]].concat();
    out.push(("pppoe dns", ether(MAC_B, 0x8864, &session)));
}

fn ip_frames(out: &mut Vec<(&'static str, Vec<u8>)>) {
    out.push(("ping", ipv4(1, &icmp(8, 0))));
    out.push(("pong", ipv4(1, &icmp(0, 0))));
    out.push(("fragmentation needed", ipv4(1, &icmp(3, 4))));
    let mut mdns = ipv4(17, &udp(5353, 5353, &[0; 20]));
    mdns[30..34].copy_from_slice(&[224, 0, 0, 251]);
    out.push(("mdns", mdns));
    out.push(("ping with options", ipv4_with(1, &[1; 8], 0, &icmp(8, 0))));
    out.push(("first fragment", ipv4_with(17, &[], 0x2000, &udp(1, 53, &[0; 30]))));
    out.push(("later fragment", ipv4_with(17, &[], 0x0010, &udp(1, 53, &[0; 30]))));
    out.push(("syn", ipv4(6, &tcp(40000, 22, 0x02))));
    out.push(("syn to https with options", ipv4_with(6, &[1; 4], 0, &tcp(40000, 443, 0x02))));
    out.push(("rst", ipv4(6, &tcp(3260, 40000, 0x14))));
    out.push(("syn6", ipv6(6, &tcp(40000, 22, 0x02))));
    out.push(("ping6", ipv6(58, &icmp(128, 0))));
    out.push(("neighbour solicitation", ipv6(58, &icmp(135, 0))));
    out.push(("packet too big", ipv6(58, &icmp(2, 0))));
    out.push(("mld report", ipv6(58, &icmp(131, 0))));
    out.push(("fragment6", ipv6(44, &[17, 0, 0, 1, 0, 0, 0, 1, 0, 53, 0, 53, 0, 8, 0, 0])));
    for (name, protocol) in [("igmp", 2), ("gre", 47), ("ospf", 89), ("vrrp", 112)] {
        out.push((name, ipv4(protocol, &[0x21; 24])));
    }
    out.push(("vrrp6", ipv6(112, &[0x31; 24])));
    for port in [25, 80, 111, 179, 389, 514, 2049, 3300, 5901, 6640, 6653, 6789, 7777, 16509, 49152] {
        out.push(("tcp to a service", ipv4(6, &tcp(40001, port, 0x10))));
        out.push(("tcp6 to a service", ipv6(6, &tcp(40001, port, 0x10))));
    }
    for port in [53, 67, 123, 161, 514, 3784, 5405, 546, 4789, 6081] {
        out.push(("udp to a service", ipv4(17, &udp(40001, port, &[0; 40]))));
        out.push(("udp6 to a service", ipv6(17, &udp(40001, port, &[0; 40]))));
    }
    out.push(("dhcp", ipv4(17, &udp(68, 67, &[1; 240]))));
    out.push(("dhcp relayed", ipv4(17, &udp(67, 67, &[1; 240]))));
    out.push(("vxlan", vxlan(&[], 4789, &ipv4(1, &icmp(8, 0)))));
    out.push(("geneve", ipv4(17, &geneve(2, &ipv4(1, &icmp(8, 0))))));
    out.push(("geneve6", ipv6(17, &geneve(0, &ipv4(6, &tcp(1, 22, 2))))));
    out.push(("jumbo", ipv4(17, &udp(9, 9, &[0x55; 8000]))));
    out.push(("cut ip header", ipv4(6, &tcp(40000, 22, 2))[..30].to_vec()));
}

/// Frames of every kind that a preset or an expression of the tests is about, and some cut ones.
pub fn frames() -> Vec<(&'static str, Vec<u8>)> {
    let mut out = Vec::new();
    link_layer_frames(&mut out);
    ip_frames(&mut out);
    out
}

/// The same expression with the names that libpcap would look up in `/etc/services` as numbers.
pub fn without_names(expression: &str) -> String {
    expression.replace("port domain", "port 53")
}

/// Expressions of every kind.
pub const EXPRESSIONS: &[&str] = &[
    "",
    "arp",
    "icmp",
    "not icmp",
    "ip",
    "ip6",
    "ip or ip6",
    "tcp",
    "udp",
    "not (tcp or udp)",
    "host 172.16.51.23",
    "src host 172.16.51.23 and not arp",
    "dst net 172.16.0.0/16",
    "net 10",
    "ip6 host fe80::1",
    "port 53",
    "src port 67 or dst port 546",
    "tcp port 22 or 443",
    "portrange 5000-7000",
    "udp dst portrange 50-60",
    "ether host 0c:da:41:1d:43:79",
    "ether dst 0c:da:41:1d:43:79 and tcp",
    "ether broadcast",
    "multicast",
    "ether multicast and not arp",
    "ip multicast",
    "ip6 multicast",
    "ether proto 0x88cc",
    "ether proto \\ip",
    "ip proto \\tcp",
    "ip6 proto 58",
    "less 100",
    "greater 1000",
    "len = 42 or len > 200",
    "tcp[tcpflags] & (tcp-syn|tcp-fin) != 0",
    "tcp[13] = 2 and port 22",
    "icmp[icmptype] = icmp-echo",
    "icmp6[icmp6type] = 135",
    "ip[8] > 10 and ip[0] & 0xf > 5",
    "ip[ip[0] & 0xf] > 0",
    "(ip[2:2] - ((ip[0] & 0xf) << 2)) > 20",
    "ether[0] & 1 = 0",
    "ether[20:2] = 0x2000",
    "ether[ether[0]] = 8",
    "ether[ether[5] & 15] > 7",
    "ether[ether[14] & 15:2] > 0x7000",
    "llc",
    "stp",
    "mpls",
    "mpls and icmp",
    "pppoes and udp port 53",
    "geneve and icmp",
    "geneve 42 and tcp",
    "icmp6 and ip6[40] >= 133",
    "igmp or vrrp or proto 89",
];

/// Each expression, and each preset with and without its argument.
pub fn expressions() -> Vec<String> {
    let mut out: Vec<String> = EXPRESSIONS.iter().map(ToString::to_string).collect();
    for each in list() {
        out.push(each.expression.to_owned());
        let address = match each.argument {
            Argument::None => continue,
            Argument::Ipv4 | Argument::Ip => "172.16.51.23",
            Argument::Ipv6 => "fe80::1",
        };
        out.push(preset(&format!("{}:{address}", each.name)).unwrap());
    }
    out
}

/// A frame inside tunnels of every kind.
pub fn tunnels(inner: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("vxlan", vxlan(&[], 4789, inner)),
        ("vxlan on Linux's port", vxlan(&[], 8472, inner)),
        ("vxlan behind IP options", vxlan(&[1; 12], 4789, inner)),
        ("vxlan over IPv6", ipv6(17, &udp(1, 4789, &[&[8, 0, 0, 0, 0, 0, 1, 0][..], inner].concat()))),
        ("geneve", ipv4(17, &geneve(0, inner))),
        ("geneve with options", ipv4(17, &geneve(2, inner))),
        ("geneve over IPv6 with all options", ipv6(17, &geneve(63, inner))),
    ]
}
