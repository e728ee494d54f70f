use std::net::Ipv4Addr;

use netcap_bundle::Mac;
use netcap_bundle::packets::LinkType;
use netcap_tests::packets::{arp_request, echo, mac, nd_probe, syn, tagged};
use proptest::prelude::*;

use super::super::view::{Echo, EchoKind, FailedEcho, Failure, L4, Net, Tags};
use super::decode;

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

proptest! {
    #[test]
    fn any_bytes_are_answered(link in 0u16..300, bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode(LinkType(link), &bytes);
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
