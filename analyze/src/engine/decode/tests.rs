use std::net::Ipv4Addr;

use netcap_bundle::Mac;
use netcap_bundle::packets::LinkType;
use netcap_tests::packets::{arp_request, echo, mac, nd_probe, syn, tagged};
use proptest::prelude::*;

use super::super::view::{Echo, EchoKind, FailedEcho, Failure, L4, Net, Tags};
use super::decode;
use super::opaque::Opaque;

const A: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const B: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);

fn ping(seq: u16) -> Vec<u8> {
    echo(false, mac("02:00:00:00:00:01"), mac("02:00:00:00:00:02"), A, B, seq)
}

fn l4(net: Net) -> L4 {
    match net {
        Net::Ip(ip) => ip.l4,
        other => panic!("{other:?}"),
    }
}

const PING: L4 = L4::Echo(Echo { kind: EchoKind::Request, id: 7, seq: 9 });

#[test]
fn an_echo_is_the_same_with_and_without_tags() {
    let plain = decode(LinkType::ETHERNET, &ping(9));
    assert_eq!((l4(plain.net), plain.tags.is_untagged(), plain.ethertype), (PING, true, 0x0800));
    let twice = decode(LinkType::ETHERNET, &tagged(100, &tagged(200, &ping(9))));
    assert_eq!((l4(twice.net), twice.tags, twice.ethertype), (PING, Tags { outer: 100, inner: 200 }, 0x0800));
    let priority = decode(LinkType::ETHERNET, &tagged(0, &ping(9)));
    assert!(priority.tags.is_untagged());
}

#[test]
fn a_tag_is_a_tag_whatever_its_type() {
    for tpid in netcap_words::wire::TPIDS {
        let mut frame = tagged(100, &ping(9));
        frame[12..14].copy_from_slice(&tpid.to_be_bytes());
        let decoded = decode(LinkType::ETHERNET, &frame);
        assert_eq!((l4(decoded.net), decoded.tags.outer), (PING, 100), "{tpid:x}");
    }
}

#[test]
fn other_link_types_carry_the_same_packet() {
    let ip = ping(9)[14..].to_vec();
    let with = |head: &[u8]| [head, &ip].concat();
    for link in [12, 101, 228] {
        assert_eq!(l4(decode(LinkType(link), &ip).net), PING, "{link}");
    }
    assert_eq!(l4(decode(LinkType(0), &with(&[2, 0, 0, 0])).net), PING);
    assert_eq!(l4(decode(LinkType(108), &with(&[0, 0, 0, 2])).net), PING);
    let mut sll = vec![0; 16];
    sll[14..16].copy_from_slice(&[8, 0]);
    assert_eq!(l4(decode(LinkType(113), &with(&sll)).net), PING);
    let mut sll2 = vec![0; 20];
    sll2[..2].copy_from_slice(&[8, 0]);
    assert_eq!(l4(decode(LinkType(276), &with(&sll2)).net), PING);
    assert_eq!(decode(LinkType(147), &ip).net, Net::Other);
}

#[test]
fn a_cut_packet_gives_the_layers_that_are_there() {
    let whole = ping(9);
    assert_eq!(l4(decode(LinkType::ETHERNET, &whole[..42]).net), PING);
    let headless = decode(LinkType::ETHERNET, &whole[..36]);
    assert!(matches!(headless.net, Net::Ip(ip) if ip.src == A && ip.l4 == L4::Other));
    assert_eq!(decode(LinkType::ETHERNET, &whole[..10]).eth, None);
}

#[test]
fn the_first_fragment_of_a_big_ping_is_a_ping() {
    let mut frame = ping(9);
    frame[20] = 0x20; // more fragments follow
    assert_eq!(l4(decode(LinkType::ETHERNET, &frame).net), PING);
    frame[21] = 0x10; // a later one
    assert_eq!(l4(decode(LinkType::ETHERNET, &frame).net), L4::Other);
}

#[test]
fn arp_discovery_and_handshakes() {
    let who = mac("02:00:00:00:00:01");
    let arp = decode(LinkType::ETHERNET, &arp_request(who, A, B));
    assert!(
        matches!(arp.net, Net::Arp(arp) if arp.op == 1 && arp.sha == who && arp.spa == A && arp.tpa == B)
    );
    let nd = decode(LinkType::ETHERNET, &nd_probe(who, "2001:db8::1".parse().unwrap()));
    assert!(matches!(l4(nd.net), L4::Nd(nd) if nd.target.to_string() == "2001:db8::1" && nd.mac.is_none()));
    let tcp = decode(LinkType::ETHERNET, &syn(who, Mac::BROADCAST, A, B, 40_000, 22));
    assert!(matches!(l4(tcp.net), L4::Tcp { sport: 40_000, dport: 22, opens: true, .. }));
}

#[test]
fn time_exceeded_names_the_request() {
    let mut quoted = vec![11, 0, 0, 0, 0, 0, 0, 0];
    quoted.extend(&ping(9)[14..]);
    let mut ip = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 60, 1, 0, 0, 10, 0, 0, 254, 10, 0, 0, 1];
    ip.extend(quoted);
    let length = u16::try_from(ip.len()).unwrap().to_be_bytes();
    ip[2..4].copy_from_slice(&length);
    let expired = l4(decode(LinkType(101), &ip).net);
    assert_eq!(
        expired,
        L4::Failed(FailedEcho {
            src: A.into(),
            dst: B.into(),
            request: Echo { kind: EchoKind::Request, id: 7, seq: 9 },
            why: Failure::Expired,
        })
    );
}

/// Behind these headers lies the same ping.
#[test]
fn a_ping_is_a_ping_behind_every_header_that_is_read() {
    let frame = ping(9);
    let ip = &frame[14..];
    let snap: &[u8] = &[0xaa, 0xaa, 3, 0, 0, 0, 8, 0];
    let label = |last: u8| [0, 1, 0x40 | last, 64];
    let nflog = |order: fn(u16) -> [u8; 2]| {
        let payload = u16::try_from(ip.len() + 4).unwrap();
        [&[2, 0, 0, 5][..], &order(5), &order(10), &[0, 0, 0, 0], &order(payload), &order(9), ip].concat()
    };
    // Radiotap with TSFT and flags: 8 octets of header, 8 of time, flags that say that the header behind is padded.
    let radiotap = [&[0, 0, 17, 0, 3, 0, 0, 0][..], &[0; 8], &[0x20]].concat();
    let wireless = [&[0x88, 0x01][..], &[0; 24]].concat();
    let mut tap = vec![0; 108];
    (tap[0], tap[4], tap[8]) = (108, 1, 1);
    let cooked = |protocol: u8| [&[0; 14][..], &[0, protocol]].concat();
    let behind: Vec<(u16, Vec<u8>)> = vec![
        (1, [&frame[..12], &[0, 60], snap, ip].concat()),
        (1, [&frame[..12], &[0x88, 0x64, 0x11, 0, 0, 1, 0, 86, 0, 0x21], ip].concat()),
        (1, [&frame[..12], &[0x88, 0x47], &label(0), &label(1), ip].concat()),
        (9, [&[0xff, 3, 0, 0x21], ip].concat()),
        (9, [&[0x21], ip].concat()),
        (50, [&[0, 0x21], ip].concat()),
        (51, [&[0x11, 0, 0, 1, 0, 86, 0, 0x21], ip].concat()),
        (100, [snap, ip].concat()),
        (104, [&[0x0f, 0, 8, 0], ip].concat()),
        (105, [&[8, 1][..], &[0; 22], snap, ip].concat()),
        (105, [&[8, 3][..], &[0; 28], snap, ip].concat()),
        (107, [&[0x18, 0x41, 3, 0xcc], ip].concat()),
        (107, [&[0x18, 0x41, 3, 0, 0x80, 0, 0, 0, 8, 0], ip].concat()),
        (107, [&[0x18, 0x41, 8, 0], ip].concat()),
        (109, [&[0; 12], ip].concat()),
        (113, [&cooked(4), snap, ip].concat()),
        (117, [&[61], &[0; 63][..], ip].concat()),
        (119, [&[0x44, 0, 0, 0, 144][..], &[0; 139], &wireless[..], snap, ip].concat()),
        (163, [&[0x80, 0x21, 0x10, 1, 0, 0, 0, 64][..], &[0; 56], &wireless[..], snap, ip].concat()),
        (192, [&[0, 0, 8, 0, 105, 0, 0, 0], &wireless[..], snap, ip].concat()),
        (127, [&radiotap[..], &wireless, &[0; 2], snap, ip].concat()),
        (219, [&label(1), ip].concat()),
        (239, nflog(u16::to_le_bytes)),
        (239, nflog(u16::to_be_bytes)),
        (240, [&[0; 4], &frame[..]].concat()),
        (258, [&tap, &frame[..]].concat()),
    ];
    for (link, bytes) in behind {
        let length = u32::try_from(bytes.len()).unwrap();
        let decoded = decode(LinkType(link), &bytes);
        assert_eq!(l4(decoded.net), PING, "{link}: {bytes:x?}");
        assert_eq!(Opaque::of(LinkType(link), &bytes, length, &decoded.net), None, "{link}");
        // Cut within the ICMP header it says so; nothing is made up.
        let cut = &bytes[..bytes.len() - ip.len() + 24];
        let decoded = decode(LinkType(link), cut);
        assert!(!matches!(decoded.net, Net::Ip(ip) if ip.l4 != L4::Other), "{link}");
        assert_eq!(Opaque::of(LinkType(link), cut, length, &decoded.net), Some(Opaque::Cut), "{link}");
    }
}

#[test]
fn what_is_not_read_says_so_and_silence_is_none() {
    let why = |link: u16, bytes: &[u8], wire: u32| {
        Opaque::of(LinkType(link), bytes, wire, &decode(LinkType(link), bytes).net)
    };
    let typed = |ether_type: u16| [&ping(9)[..12], &ether_type.to_be_bytes(), &[0; 40]].concat();
    assert_eq!(why(147, &[0; 60], 60), Some(Opaque::Link(147)));
    assert_eq!(why(1, &typed(0x1234), 54), Some(Opaque::Type(0x1234)));
    // The bits E and C of MACsec say that it is encrypted; without them it can be read.
    let macsec = |tci: u8| [&ping(9)[..12], &[0x88, 0xe5, tci], &[0; 39]].concat();
    assert_eq!((why(1, &macsec(0x2c), 54), why(1, &macsec(0x20), 54)), (Some(Opaque::Encrypted), None));
    assert_eq!(why(1, &typed(0x0800), 54), Some(Opaque::Malformed));
    assert_eq!(why(1, &typed(0x0800)[..20], 54), Some(Opaque::Cut));
    assert_eq!(why(113, &[&[0; 14][..], &[0, 3], &[0; 40]].concat(), 56), Some(Opaque::Cooked(3)));
    assert_eq!(why(9, &[0xff, 3, 0x10, 0x20, 0], 5), Some(Opaque::Ppp(0x1020)));
    // Protected data; a tag whose end is missing; headers of MPLS without an end.
    assert_eq!(why(105, &[&[8, 0x41][..], &[0; 40]].concat(), 42), Some(Opaque::Encrypted));
    assert_eq!(why(1, &tagged(5, &ping(9))[..16], 100), Some(Opaque::Cut));
    assert_eq!(why(219, &[0; 3], 3), Some(Opaque::Malformed));
    // Spanning tree, LLDP, loopback, beacons, the set-up of a link.
    for silent in [0x0026, 0x88cc, 0x9000, 0x8809, 0x8863] {
        assert_eq!(why(1, &typed(silent), 54), None, "{silent:x}");
    }
    assert_eq!((why(105, &[0x80, 0, 0], 3), why(9, &[0xc0, 0x21, 1], 3)), (None, None));
    // A later fragment and a protocol without a transport are whole.
    let mut later = ping(9);
    later[21] = 0x10;
    assert_eq!(why(1, &later, 98), None);
    let mut gre = ping(9);
    gre[23] = 47;
    assert_eq!(why(1, &gre, 98), None);
}

proptest! {
    #[test]
    fn any_bytes_are_answered(
        link in 0u16..300, bytes in proptest::collection::vec(any::<u8>(), 0..200), more in 0u32..3,
    ) {
        let wire = u32::try_from(bytes.len()).unwrap() + more;
        let decoded = decode(LinkType(link), &bytes);
        let why = Opaque::of(LinkType(link), &bytes, wire, &decoded.net);
        // Who understood a transport has nothing to excuse.
        let understood = matches!(decoded.net, Net::Arp(_)) || matches!(decoded.net, Net::Ip(ip) if ip.l4 != L4::Other);
        prop_assert!(!understood || why.is_none(), "{:?} {:?}", decoded, why);
        prop_assert!(more > 0 || why != Some(Opaque::Cut));
    }

    #[test]
    fn any_change_of_a_real_frame_is_answered(
        at in 0usize..100, value: u8, cut in 0usize..120, kind in 0u8..4,
    ) {
        let who = mac("02:00:00:00:00:01");
        let mut frame = match kind {
            0 => ping(9),
            1 => arp_request(who, A, B),
            2 => tagged(5, &nd_probe(who, "2001:db8::1".parse().unwrap())),
            _ => syn(who, who, A, B, 1, 2),
        };
        if let Some(byte) = frame.get_mut(at) {
            *byte = value;
        }
        frame.truncate(cut);
        let decoded = decode(LinkType::ETHERNET, &frame);
        prop_assert_eq!(decoded.eth.is_some(), frame.len() >= 14);
    }
}
