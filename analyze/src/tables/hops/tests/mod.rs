mod lookalikes;

use std::net::Ipv4Addr;
use std::sync::Arc;

use netcap_bundle::input::Input;
use netcap_bundle::packets::Direction::{In, Out};
use netcap_bundle::packets::LinkType;
use netcap_bundle::{Mac, Nanos, Role};
use netcap_tests::bundle::BundleBuilder;
use netcap_tests::packets::{datagram, mac, segment, tagged};

use super::*;
use crate::engine::decode::decode;
use crate::engine::points::FoldContext;
use crate::engine::{DomainId, FrameRef, PointId, Tags};
use crate::testing::with_view;
use crate::view::View;

const VM: Ipv4Addr = Ipv4Addr::new(172, 16, 51, 20);
const PEER: Ipv4Addr = Ipv4Addr::new(10, 9, 8, 7);
const SEGMENT: usize = 1_448;

fn way() -> (Mac, Mac) {
    (mac("0c:da:41:1d:56:a7"), mac("a0:36:9f:97:76:b8"))
}

/// vnet0 and eth3 of a switch, and a wire behind a router.
fn bundle() -> BundleBuilder {
    let mut bundle = BundleBuilder::new(60_000);
    let vm = Role::Vnet { vm: Some("E0530".into()), guest_mac: Some(way().0) };
    bundle.point("vnet0", vm, "").point("eth3", Role::Uplink { bond: None }, "");
    bundle.point("eth2", Role::Uplink { bond: None }, "").point_in("wan0", Role::Other, "", None, None);
    bundle
}

fn look(bundle: BundleBuilder, look: impl FnOnce(&View<'_>)) {
    let sealed = bundle.seal();
    with_view(&Input::open(&sealed.path).unwrap(), look);
}

fn seq(number: usize) -> u32 {
    // The numbers wrap on the way.
    (u32::MAX - 100_000).wrapping_add(u32::try_from(number).unwrap())
}

fn ident(number: usize) -> u16 {
    u16::try_from(number % 60_000).unwrap() + 1
}

fn part(at: usize, length: usize) -> Vec<u8> {
    segment(way(), (VM, PEER), seq(at), length, ident(at / SEGMENT))
}

/// Behind a router: another MAC, a hop less.
fn routed(frame: &[u8]) -> Vec<u8> {
    let mut out = frame.to_vec();
    out[..6].copy_from_slice(&[2, 0, 0, 0, 0, 9]);
    out[22] -= 1;
    out[24] ^= 1;
    out
}

/// A megabyte in super-segments at the VM's port, in segments with a tag at the uplink, routed on the wire; calls with
/// number, time and frame of each segment, and sends what it returns.
fn transfer(bundle: &mut BundleBuilder, mut wire: impl FnMut(usize, &mut BundleBuilder, i64, Vec<u8>)) {
    let burst = SEGMENT * 44;
    for turn in 0..16usize {
        let us = 1_000 + i64::try_from(turn).unwrap() * 1_000;
        let at = turn * burst;
        bundle.frame_us("vnet0", us, In, &big(at, burst));
        for n in 0..44usize {
            let us = us + 20 + i64::try_from(n).unwrap();
            let frame = part(at + n * SEGMENT, SEGMENT);
            bundle.frame_us("eth3", us, Out, &tagged(188, &frame));
            wire(turn * 44 + n, bundle, us + 100, routed(&frame));
        }
    }
}

/// A super-segment: the IP header says its length.
fn big(at: usize, length: usize) -> Vec<u8> {
    segment(way(), (VM, PEER), seq(at), length, ident(at / SEGMENT))
}

#[test]
fn a_flow_without_loss_at_three_points_is_sent_once_and_takes_two_hops() {
    let mut bundle = bundle();
    transfer(&mut bundle, |_, bundle, us, frame| {
        bundle.frame_us("wan0", us, Out, &frame);
    });
    look(bundle, |view| {
        let table = &view.tables.hops;
        assert_eq!(table.counts, table::Counts::default());
        assert!(table.pairs.values().all(|pair| pair.lost.is_empty()), "{:?}", table.pairs);
        let name = |stop: Stop| view.points.name(stop.point).to_owned();
        let hops: Vec<_> = table.hops.iter().map(|h| (name(h.from), name(h.to), h.histogram.len())).collect();
        assert_eq!(hops, [("vnet0".into(), "eth3".into(), 704), ("eth3".into(), "wan0".into(), 704)]);
        let (first, second) = (&table.hops[0].histogram, &table.hops[1].histogram);
        assert!(
            (20_000..=63_100).contains(&first.min()) && first.max() < 63_100,
            "{} {}",
            first.min(),
            first.max()
        );
        assert!((99_900..=100_100).contains(&second.value_at_percentile(50.0)));
        assert_eq!(table.hops[0].reordered + table.hops[1].reordered, 0);
    });
}

#[test]
fn a_segment_lost_behind_the_switch_was_last_seen_at_the_uplink_and_is_sent_again() {
    let mut bundle = bundle();
    let mut lost = Vec::new();
    transfer(&mut bundle, |number, bundle, us, frame| {
        if number == 100 {
            lost = frame;
        } else {
            bundle.frame_us("wan0", us, Out, &frame);
        }
    });
    // Sent again, with the next IP identification, after the retransmission time-out.
    let again = |frame: &[u8]| {
        let mut out = frame.to_vec();
        out[18..20].copy_from_slice(&60_005u16.to_be_bytes());
        out
    };
    let frame = again(&part(100 * SEGMENT, SEGMENT));
    bundle.frame_us("vnet0", 250_000, In, &frame).frame_us("eth3", 250_020, Out, &tagged(188, &frame));
    bundle.frame_us("wan0", 250_100, Out, &again(&lost));
    look(bundle, |view| {
        let table = &view.tables.hops;
        assert_eq!(table.counts.retransmissions, 1);
        let lost: Vec<_> = table.pairs.iter().filter(|(_, pair)| !pair.lost.is_empty()).collect();
        assert_eq!(lost.len(), 1, "{lost:?}");
        assert_eq!(view.points.name(lost[0].0.from.point), "eth3");
        assert_eq!((lost[0].1.lost.len(), lost[0].1.lost[0].packets, lost[0].1.lost[0].bytes), (1, 1, 1_448));
        assert_eq!(lost[0].1.passed, 704);
    });
}

#[test]
fn one_segment_of_a_super_segment_is_one_packet() {
    let mut bundle = bundle();
    bundle.frame_us("vnet0", 1_000, In, &big(0, SEGMENT * 10));
    for n in (0..10).filter(|n| *n != 4 && *n != 7) {
        bundle.frame_us("eth3", 1_020, Out, &part(n * SEGMENT, SEGMENT));
    }
    look(bundle, |view| {
        let lost: Vec<_> = view.tables.hops.pairs.values().flat_map(|p| &p.lost).collect();
        assert_eq!((lost.len(), lost[0].packets, lost[0].bytes), (1, 2, 2_896));
    });
}

#[test]
fn copies_reflections_and_reordering_have_their_names() {
    let mut bundle = bundle();
    let frames: Vec<_> = (0..6u16).map(|n| datagram(way(), (VM, PEER), &[0; 20], 100 + n)).collect();
    for (n, us) in [(0, 1_000), (1, 2_000), (2, 3_000), (3, 4_000)] {
        bundle.frame_us("vnet0", us, In, &frames[n]);
    }
    // 1 and 2 change places; 3 is doubled and comes back.
    for (n, us) in [(0, 5_000), (2, 5_001), (1, 5_002), (3, 5_003), (3, 5_100)] {
        bundle.frame_us("eth3", us, Out, &frames[n]);
    }
    bundle.frame_us("eth2", 5_200, In, &frames[3]);
    look(bundle, |view| {
        let table = &view.tables.hops;
        let named = |map: &std::collections::BTreeMap<Stop, u64>| {
            map.iter().map(|(s, n)| (view.points.name(s.point).to_owned(), *n)).collect::<Vec<_>>()
        };
        assert_eq!(named(&table.counts.copies), [("eth3".to_owned(), 1)]);
        assert_eq!(named(&table.counts.reflections), [("eth2".to_owned(), 1)]);
        assert_eq!((table.hops.len(), table.hops[0].reordered), (1, 1));
        assert!(table.pairs.values().all(|pair| pair.lost.is_empty()));
    });
}

/// A packet leaves with another address.
fn translated(bundle: &mut BundleBuilder) {
    let outside = Ipv4Addr::new(192, 0, 2, 1);
    for n in 0..20u16 {
        let us = 1_000 + i64::from(n) * 1_000;
        bundle.frame_us("vnet0", us, In, &datagram(way(), (VM, PEER), &[1; 20], 100 + n));
        let mut out = datagram(way(), (outside, PEER), &[1; 20], 100 + n);
        out[34..36].copy_from_slice(&61_000u16.to_be_bytes());
        bundle.frame_us("eth3", us + 50, Out, &out);
        let mut back = datagram(way(), (PEER, outside), &[2; 20], 300 + n);
        back[34..38].copy_from_slice(&[0, 53, 0xee, 0x48]);
        bundle.frame_us("eth3", us + 100, In, &back);
        let mut inside = datagram(way(), (PEER, VM), &[2; 20], 300 + n);
        inside[34..38].copy_from_slice(&[0, 53, 0x9c, 0x40]);
        bundle.frame_us("vnet0", us + 150, Out, &inside);
    }
}

#[test]
fn conntrack_tells_what_a_translated_packet_was() {
    let mut bundle = bundle();
    translated(&mut bundle);
    let dump = "udp,orig=(src=172.16.51.20,dst=10.9.8.7,sport=40000,dport=53),\
                reply=(src=10.9.8.7,dst=192.0.2.1,sport=53,dport=61000)\n";
    bundle.state(500, &[("ovs-conntrack", "dump", "", dump)]);
    look(bundle, |view| {
        let table = &view.tables.hops;
        let hops: Vec<_> = table.hops.iter().map(|h| h.histogram.len()).collect();
        assert_eq!(hops, [20, 20]);
        assert!(table.pairs.values().all(|pair| pair.lost.is_empty() && pair.translated == 0));
    });
}

#[test]
fn without_conntrack_a_translated_packet_is_not_called_lost() {
    let mut bundle = bundle();
    translated(&mut bundle);
    look(bundle, |view| {
        let pairs = &view.tables.hops.pairs;
        assert!(pairs.values().all(|pair| pair.lost.is_empty()), "{pairs:?}");
        assert_eq!(pairs.values().map(|p| p.translated).sum::<u64>(), 40);
    });
}

/// Fed by hand: many packets at two points.
fn fold(bundle: &Arc<FoldContext>, point: u32, count: u16) -> HopsFold {
    let mut fold = HopsFold::start(bundle);
    for n in 0..count {
        let bytes = datagram(way(), (VM, PEER), &n.to_be_bytes(), n);
        let decoded = decode(LinkType::ETHERNET, &bytes);
        fold.packet(&PacketView {
            copy: None,
            at: Nanos(i64::from(n)),
            frame: FrameRef { file: point, number: u64::from(n) + 1 },
            point: PointId(point),
            domain: DomainId(0),
            direction: In,
            lost_before: 0,
            wire_len: u32::try_from(bytes.len()).unwrap(),
            link: LinkType::ETHERNET,
            bytes: &bytes,
            eth: decoded.eth,
            ethertype: decoded.ethertype,
            vlan: Tags::default(),
            net: decoded.net,
        });
    }
    fold
}

#[test]
fn a_full_table_follows_the_same_packets_at_every_point() {
    let mut points = FoldContext::default();
    points.follow.on = true;
    points.follow.reach = usize::MAX;
    points.follow.segment_max = 300;
    let bundle = Arc::new(points);
    let mut merged = fold(&bundle, 0, 400);
    merged.merge(fold(&bundle, 1, 4_000));
    let kept = |point: u32| {
        let mut out: Vec<u64> = merged
            .sightings
            .iter()
            .filter(|s| s.point == point && s.number <= 400)
            .map(|s| s.content)
            .collect();
        out.sort_unstable();
        out
    };
    assert!(merged.shift >= 3 && !kept(0).is_empty(), "{}", merged.shift);
    assert_eq!(kept(0), kept(1));
    // In the other order it is the same.
    let mut other = fold(&bundle, 1, 4_000);
    other.merge(fold(&bundle, 0, 400));
    assert_eq!((other.shift, other.sightings.len()), (merged.shift, merged.sightings.len()));
}
