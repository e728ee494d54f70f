//! Frames inside VXLAN and Geneve: the filter says of the tunnel packet what libpcap says of the outer or the inner
//! frame without tags.

use netcap_filters::{Filter, Options};
use netcap_tests::frames::{self, ENCAPSULATIONS, frames, ipv4, libpcap_says, tagged, tunnels, udp, vxlan};

const EXPRESSIONS: &[&str] = &[
    "arp",
    "icmp",
    "host 172.16.51.23 and tcp",
    "tcp port 22 or 443",
    "ip6",
    "ether host 01:80:c2:00:00:0e",
    "ether broadcast",
    "tcp[tcpflags] & tcp-syn != 0",
    "icmp[icmptype] = icmp-echo",
    "ether proto 0x88cc",
    "ip[8] > 10 and ip[0] & 0xf > 5",
    "ether[ether[14] & 15:2] > 0x0cd0 and arp",
    "stp",
    "mpls and icmp",
    "(ip[2:2] - ((ip[0] & 0xf) << 2)) = 28",
];

#[test]
fn inner_frames_match_as_if_they_were_alone() {
    let inner_only = Options { inner: true, ..Options::default() };
    for expression in EXPRESSIONS {
        let filter = Filter::compile(expression, inner_only).unwrap_or_else(|e| panic!("{e}"));
        for (name, frame) in frames().iter().filter(|(_, frame)| frame.len() < 2000) {
            let inside = libpcap_says(expression, frame);
            for tpids in ENCAPSULATIONS {
                for (tunnel, packet) in tunnels(&tagged(frame, tpids)) {
                    let expected = inside || libpcap_says(expression, &packet);
                    for outer in [&[][..], &[0x8100], &[0x88a8, 0x8100]] {
                        let whole = tagged(&packet, outer);
                        let got = filter.matches(&whole, whole.len());
                        assert_eq!(
                            got, expected,
                            "`{expression}` on {name} {tpids:04x?} in {tunnel} {outer:04x?}"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn without_the_option_nobody_looks_inside() {
    let packet = vxlan(&[], 4789, &ipv4(1, &frames::icmp(8, 0)));
    assert!(!Filter::compile("icmp", Options::default()).unwrap().matches(&packet, packet.len()));
}

#[test]
fn inner_tags_and_lengths_are_the_inner_frames_own() {
    let options = Options { inner: true, ..Options::default() };
    let inner = tagged(&ipv4(1, &frames::icmp(8, 0)), &[0x8100]);
    let packet = tagged(&vxlan(&[], 4789, &inner), &[0x88a8]);
    let matches = |expression: &str| {
        let filter = Filter::compile(expression, options).unwrap_or_else(|e| panic!("{e}"));
        filter.matches(&packet, packet.len())
    };
    assert!(matches("vlan 100 and icmp"));
    assert!(matches("ether proto 0x8100"));
    assert!(!matches("vlan 101"));
    let length = inner.len() - 4;
    assert!(matches(&format!("icmp and len = {length}")));
    assert!(!matches(&format!("icmp and len > {length}")));
}

/// Looks like a tunnel by its port alone.
#[test]
fn what_only_looks_like_a_tunnel_is_not_entered() {
    let filter = Filter::compile("icmp", Options { inner: true, ..Options::default() }).unwrap();
    let inner = ipv4(1, &frames::icmp(8, 0));
    let no_vni = ipv4(17, &udp(1, 4789, &[&[0; 8][..], &inner].concat()));
    let not_ethernet = ipv4(17, &udp(1, 6081, &[&[0, 0, 8, 0, 0, 0, 0, 0][..], &inner].concat()));
    let later_version = ipv4(17, &udp(1, 6081, &[&[0x40, 0, 0x65, 0x58, 0, 0, 0, 0][..], &inner].concat()));
    let fragment =
        frames::ipv4_with(17, &[], 5, &udp(1, 4789, &[&[8, 0, 0, 0, 0, 0, 0, 0][..], &inner].concat()));
    for packet in [no_vni, not_ethernet, later_version, fragment] {
        assert!(!filter.matches(&packet, packet.len()));
    }
}
