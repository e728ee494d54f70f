//! Packets that look like others and are not: what must not be called lost, copied, reflected or sent again.

use std::net::Ipv4Addr;

use netcap_bundle::input::Input;
use netcap_bundle::packets::Direction::{In, Out};
use netcap_bundle::{Mac, Role};
use netcap_tests::bundle::BundleBuilder;
use netcap_tests::packets::{datagram, echo, mac, segment};

use crate::testing::with_view;
use crate::view::View;

const VM: Ipv4Addr = Ipv4Addr::new(172, 16, 51, 20);
const PEER: Ipv4Addr = Ipv4Addr::new(10, 9, 8, 7);

fn way() -> (Mac, Mac) {
    (mac("0c:da:41:1d:56:a7"), mac("a0:36:9f:97:76:b8"))
}

/// Two machines and two uplinks of a switch.
fn bundle() -> BundleBuilder {
    let mut bundle = BundleBuilder::new(60_000);
    let vm = |name: &str, mac| Role::Vnet { vm: Some(name.into()), guest_mac: Some(mac) };
    bundle.point("vnet0", vm("one", way().0), "").point("vnet1", vm("two", mac("0c:da:41:1d:56:a8")), "");
    bundle.point("eth2", Role::Uplink { bond: None }, "").point("eth3", Role::Uplink { bond: None }, "");
    bundle
}

fn look(bundle: BundleBuilder, look: impl FnOnce(&View<'_>)) {
    let sealed = bundle.seal();
    with_view(&Input::open(&sealed.path).unwrap(), look);
}

fn lost(view: &View<'_>) -> Vec<(String, usize)> {
    let pairs = view.tables.hops.pairs.iter().filter(|(_, pair)| !pair.lost.is_empty());
    pairs.map(|(key, pair)| (view.points.name(key.from.point).to_owned(), pair.lost.len())).collect()
}

fn hops(view: &View<'_>) -> Vec<(String, String, u64)> {
    let name = |stop: crate::tables::hops::Stop| view.points.name(stop.point).to_owned();
    view.tables.hops.hops.iter().map(|h| (name(h.from), name(h.to), h.histogram.len())).collect()
}

/// Without an IP identification datagrams of the same content are one in nothing but time: a queue that holds them for a
/// moment lets two out at once.
#[test]
fn equal_datagrams_that_a_queue_lets_out_together_are_no_copies() {
    let mut bundle = bundle();
    let frame = datagram(way(), (VM, PEER), &[7; 20], 0);
    for n in 0..20 {
        let us = 10_000 + n * 100_000;
        bundle.frame_us("vnet0", us, In, &frame).frame_us("vnet0", us + 1_500, In, &frame);
        bundle.frame_us("eth3", us + 2_000, Out, &frame).frame_us("eth3", us + 2_300, Out, &frame);
    }
    look(bundle, |view| {
        assert_eq!(lost(view), []);
        assert_eq!(view.tables.hops.counts.copies.len(), 0, "{:?}", view.tables.hops.counts);
        assert_eq!(hops(view), [("vnet0".into(), "eth3".into(), 40)]);
    });
}

/// One more at the second point than at the first is a copy.
#[test]
fn a_datagram_doubled_on_its_way_is_a_copy() {
    let mut bundle = bundle();
    let frame = datagram(way(), (VM, PEER), &[7; 20], 0);
    for n in 0..20 {
        let us = 10_000 + n * 100_000;
        bundle.frame_us("vnet0", us, In, &frame);
        bundle.frame_us("eth3", us + 200, Out, &frame).frame_us("eth3", us + 300, Out, &frame);
    }
    look(bundle, |view| {
        assert_eq!(lost(view), []);
        assert_eq!(view.tables.hops.counts.copies.values().sum::<u64>(), 20);
    });
}

/// As a router sends it: a hop less.
fn routed(frame: &[u8]) -> Vec<u8> {
    let mut out = frame.to_vec();
    out[22] -= 1;
    out[24] ^= 1;
    out
}

/// Two machines of one host in two networks: the router behind the uplink sends every packet back.
#[test]
fn what_a_router_sends_back_is_no_reflection_and_can_be_lost() {
    let mut bundle = bundle();
    for n in 0..20u16 {
        let us = 10_000 + i64::from(n) * 10_000;
        let frame = datagram(way(), (VM, PEER), &n.to_be_bytes(), 100 + n);
        let mut back = routed(&frame);
        back[..6].copy_from_slice(&mac("0c:da:41:1d:56:a8").0);
        bundle.frame_us("vnet0", us, In, &frame).frame_us("eth3", us + 20, Out, &frame);
        bundle.frame_us("eth3", us + 500, In, &back);
        if n % 5 != 0 {
            bundle.frame_us("vnet1", us + 520, Out, &back);
        }
    }
    look(bundle, |view| {
        assert_eq!(view.tables.hops.counts.reflections.len(), 0, "{:?}", view.tables.hops.counts);
        assert_eq!(lost(view), [("eth3".into(), 4)]);
        let hop = |a: &str, b: &str, n| (a.to_owned(), b.to_owned(), n);
        let hops = hops(view);
        assert!(
            hops.contains(&hop("vnet0", "eth3", 20)) && hops.contains(&hop("eth3", "vnet1", 16)),
            "{hops:?}"
        );
    });
}

/// The network floods what it has not learned: it comes in by both uplinks.
#[test]
fn what_comes_in_by_two_uplinks_is_sent_again_once() {
    let mut bundle = bundle();
    let back = (way().1, way().0);
    for n in 0..10u16 {
        let frame = segment(back, (PEER, VM), 1_000 + u32::from(n) * 100, 100, 100 + n);
        let us = 10_000 + i64::from(n) * 1_000;
        bundle.frame_us("eth2", us, In, &frame).frame_us("eth3", us + 5, In, &frame);
        bundle.frame_us("vnet0", us + 20, Out, &frame);
    }
    let again = segment(back, (PEER, VM), 1_500, 100, 500);
    bundle.frame_us("eth2", 300_000, In, &again).frame_us("eth3", 300_005, In, &again);
    bundle.frame_us("vnet0", 300_020, Out, &again);
    look(bundle, |view| assert_eq!(view.tables.hops.counts.retransmissions, 1));
}

/// A keep-alive repeats the last octet that was acknowledged (RFC 1122, 4.2.3.6): nothing was lost.
#[test]
fn keep_alives_are_not_sent_again() {
    let mut bundle = bundle();
    let both = |bundle: &mut BundleBuilder, us: i64, frame: &[u8]| {
        bundle.frame_us("vnet0", us, In, frame).frame_us("eth3", us + 20, Out, frame);
    };
    both(&mut bundle, 10_000, &segment(way(), (VM, PEER), 1_000, 500, 100));
    for n in 0..5u16 {
        both(&mut bundle, 1_000_000 * i64::from(n + 1), &segment(way(), (VM, PEER), 1_499, 1, 200 + n));
    }
    look(bundle, |view| {
        assert_eq!(view.tables.hops.counts.retransmissions, 0);
        assert_eq!(lost(view), []);
    });
}

/// Two machines ping with the same numbers and contents; the pings of one are lost.
#[test]
fn the_same_ping_of_another_machine_does_not_hide_a_loss() {
    let mut bundle = bundle();
    let (other, ip) = (mac("0c:da:41:1d:56:a8"), Ipv4Addr::new(172, 16, 51, 21));
    for n in 0..20u16 {
        let us = 10_000 + i64::from(n) * 1_000_000;
        bundle.frame_us("vnet0", us, In, &echo(false, way().0, way().1, VM, PEER, n));
        let passes = echo(false, other, way().1, ip, PEER, n);
        bundle.frame_us("vnet1", us + 700, In, &passes).frame_us("eth3", us + 720, Out, &passes);
    }
    look(bundle, |view| {
        assert_eq!(lost(view), [("vnet0".into(), 20)]);
        assert!(view.tables.hops.pairs.values().all(|pair| pair.translated == 0));
    });
}

/// Sent again before the first one left a long queue: both leave it.
#[test]
fn a_segment_sent_again_while_it_waits_is_not_lost() {
    let mut bundle = bundle();
    for n in 0..10u32 {
        let us = 10_000 + i64::from(n) * 1_000_000;
        let first = segment(way(), (VM, PEER), 1_000 + n * 100, 100, 100);
        let again = segment(way(), (VM, PEER), 1_000 + n * 100, 100, 200);
        bundle.frame_us("vnet0", us, In, &first).frame_us("vnet0", us + 250_000, In, &again);
        bundle.frame_us("eth3", us + 300_000, Out, &first).frame_us("eth3", us + 550_000, Out, &again);
    }
    look(bundle, |view| {
        assert_eq!(lost(view), []);
        assert_eq!(view.tables.hops.counts.retransmissions, 10);
        assert_eq!(view.tables.hops.counts.resent.values().sum::<u64>(), 10);
    });
}

/// One datagram for each of many hosts, all of them dropped: the next one is not the one before with another address.
#[test]
fn one_content_for_many_hosts_does_not_hide_a_loss() {
    let mut bundle = bundle();
    for n in 0..20u8 {
        let to = Ipv4Addr::new(10, 9, 8, n);
        bundle.frame_us("vnet0", 10_000 + i64::from(n) * 1_000, In, &datagram(way(), (VM, to), &[7; 20], 0));
    }
    look(bundle, |view| {
        assert_eq!(lost(view).len(), 20);
        assert!(view.tables.hops.pairs.values().all(|pair| pair.translated == 0));
    });
}

/// Translated by something that is not recorded, and cut into segments at that.
#[test]
fn a_translated_super_segment_is_not_lost() {
    let mut bundle = bundle();
    let outside = Ipv4Addr::new(192, 0, 2, 1);
    for n in 0..5u32 {
        let us = 10_000 + i64::from(n) * 1_000;
        let at = 5_000 + n * 14_480;
        bundle.frame_us("vnet0", us, In, &segment(way(), (VM, PEER), at, 14_480, 100));
        for part in 0..10u16 {
            let out = segment(way(), (outside, PEER), at + u32::from(part) * 1_448, 1_448, 100 + part);
            bundle.frame_us("eth3", us + 20, Out, &out);
        }
    }
    look(bundle, |view| {
        assert_eq!(lost(view), []);
        assert_eq!(view.tables.hops.pairs.values().map(|pair| pair.translated).sum::<u64>(), 5);
    });
}
