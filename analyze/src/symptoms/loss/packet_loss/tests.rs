use std::net::Ipv4Addr;

use netcap_bundle::packets::Direction::{In, Out};
use netcap_bundle::{Mac, Role};
use netcap_tests::bundle::{BundleBuilder, bond_show};
use netcap_tests::packets::{datagram, echo, mac, segment};

use crate::finding::{Confidence, Finding, Severity, Subject};
use crate::testing::{explain_path, found, only};

const VM: Ipv4Addr = Ipv4Addr::new(172, 16, 51, 20);
const PEER: Ipv4Addr = Ipv4Addr::new(172, 16, 51, 7);

fn way() -> (Mac, Mac) {
    (mac("0c:da:41:1d:56:a7"), mac("a0:36:9f:97:76:b8"))
}

fn bundle(filter: &str) -> BundleBuilder {
    let mut bundle = BundleBuilder::new(60_000);
    let vm = Role::Vnet { vm: Some("E0530".into()), guest_mac: Some(way().0) };
    bundle.point("vnet0", vm, "").point("eth3", Role::Uplink { bond: None }, filter);
    bundle
}

/// Fifty datagrams a second apart enter at vnet0; those that `leave` are seen at eth3.
fn datagrams(bundle: &mut BundleBuilder, leave: impl Fn(u16) -> bool) {
    for n in 0..50u16 {
        let (ms, frame) = (i64::from(n) * 1_000, datagram(way(), (VM, PEER), &n.to_be_bytes(), 100 + n));
        bundle.frame("vnet0", ms, In, &frame);
        if leave(n) {
            bundle.frame("eth3", ms + 1, Out, &frame);
        }
    }
}

fn findings(bundle: BundleBuilder) -> Vec<Finding> {
    found(&bundle.seal(), "packet-loss")
}

#[test]
fn packets_lost_in_the_switch_are_proven_with_their_number() {
    let mut bundle = bundle("");
    datagrams(&mut bundle, |n| !(10..20).contains(&n));
    let findings = findings(bundle);
    assert_eq!(only(&findings), (Severity::Warning, Confidence::Proven));
    let claim = findings[0].claim.english();
    assert!(
        claim.starts_with("10 of 50 udp packets from 172.16.51.20 to 172.16.51.7 were last seen at vnet0"),
        "{claim}"
    );
    let Subject::Hop { from, to, .. } = &findings[0].subject else { panic!() };
    assert_eq!((from.as_str(), to.as_slice()), ("vnet0", &["eth3".to_owned()][..]));
}

#[test]
fn one_lost_packet_is_spoken_of_as_one() {
    let mut bundle = bundle("");
    datagrams(&mut bundle, |n| n != 10);
    let findings = findings(bundle);
    assert_eq!(only(&findings).0, Severity::Info);
    assert!(findings[0].claim.english().starts_with("One of 50 udp packets from 172.16.51.20"));
    let evidence: Vec<_> = findings[0].evidence.iter().map(|e| e.what().english()).collect();
    assert!(evidence.contains(&"it is not seen at eth3".to_owned()), "{evidence:?}");
}

#[test]
fn a_capture_that_lost_packets_there_cannot_tell() {
    let mut bundle = bundle("");
    for n in 0..50u16 {
        let (ms, frame) = (i64::from(n) * 1_000, datagram(way(), (VM, PEER), &n.to_be_bytes(), 100 + n));
        bundle.frame("vnet0", ms, In, &frame);
        if n == 20 {
            bundle.frame_after_loss("eth3", ms + 1, Out, &frame, 10);
        } else if !(10..20).contains(&n) {
            bundle.frame("eth3", ms + 1, Out, &frame);
        }
    }
    let findings = findings(bundle);
    assert_eq!(only(&findings), (Severity::Info, Confidence::CannotTell));
    assert!(findings[0].claim.english().contains("cannot be told"));
}

/// A hop is charged where both sides were listening: what was last seen while its own point lost packets is not counted.
#[test]
fn a_capture_that_lost_packets_before_the_hop_cannot_tell_either() {
    let lossy_at = |ms_lost: Option<u16>| {
        let mut bundle = bundle("");
        for n in 0..50u16 {
            let (ms, frame) = (i64::from(n) * 1_000, datagram(way(), (VM, PEER), &n.to_be_bytes(), 100 + n));
            if ms_lost == Some(n) {
                bundle.frame_after_loss("vnet0", ms, In, &frame, 10);
            } else {
                bundle.frame("vnet0", ms, In, &frame);
            }
            if !(10..20).contains(&n) {
                bundle.frame("eth3", ms + 1, Out, &frame);
            }
        }
        findings(bundle)
    };
    assert_eq!(only(&lossy_at(None)), (Severity::Warning, Confidence::Proven));
    // Between 14 s and 15 s; a packet crosses within two, and a loss may be told a second early.
    let near = lossy_at(Some(15));
    assert_eq!(only(&near), (Severity::Warning, Confidence::Proven));
    assert!(near[0].claim.english().starts_with("5 of 45 "), "{}", near[0].claim.english());
    assert!(
        near[0].exonerations.iter().any(|e| e.sentence().english().ends_with("hides them: 5")),
        "{near:#?}"
    );
    assert!(lossy_at(Some(30))[0].claim.english().starts_with("10 of 50 "), "long after");
}

#[test]
fn all_that_passes_and_one_at_the_edge_is_no_loss() {
    let mut bundle = bundle("");
    datagrams(&mut bundle, |_| true);
    let last = datagram(way(), (VM, PEER), b"last", 999);
    bundle.frame("vnet0", 59_990, In, &last);
    assert!(findings(bundle).is_empty());
}

#[test]
fn a_filter_that_hides_them_is_no_loss() {
    let mut bundle = bundle("icmp");
    datagrams(&mut bundle, |_| false);
    assert!(findings(bundle).is_empty());
}

#[test]
fn a_wire_brings_frames_for_others_too() {
    let mut bundle = bundle("");
    for n in 0..10u16 {
        let strange = (mac("3c:8c:40:00:00:01"), mac("3c:8c:40:00:00:02"));
        bundle.frame("eth3", i64::from(n) * 1_000, In, &datagram(strange, (PEER, VM), b"x", 100 + n));
    }
    assert!(findings(bundle).is_empty());
}

#[test]
fn what_arrives_at_a_backup_member_is_discarded_rightly() {
    let mut bundle = bundle("");
    bundle.point("eth2", Role::Uplink { bond: Some("vswitch0_bond".into()) }, "");
    for ms in [0, 20_000, 40_000] {
        let text = bond_show("active-backup", "eth3", "off");
        bundle.state(ms, &[("ovs-bond", "bond-show", "", &text)]);
    }
    let back = (way().1, way().0);
    for n in 0..10u16 {
        bundle.frame("eth2", 5_000 + i64::from(n) * 1_000, In, &datagram(back, (PEER, VM), b"x", 100 + n));
    }
    assert!(findings(bundle).is_empty());
}

/// Read every ten seconds; the other member took over some time between two readings.
#[test]
fn what_arrives_while_nobody_knows_who_is_active_is_not_charged() {
    let reported = |first: i64| {
        let mut bundle = bundle("");
        bundle.point("eth2", Role::Uplink { bond: Some("vswitch0_bond".into()) }, "");
        for (ms, active) in
            [(0, "eth3"), (10_000, "eth3"), (20_000, "eth3"), (30_000, "eth2"), (40_000, "eth2")]
        {
            bundle.state(ms, &[("ovs-bond", "bond-show", "", &bond_show("active-backup", active, "off"))]);
        }
        let back = (way().1, way().0);
        for n in 0..6u16 {
            let frame = datagram(back, (PEER, VM), b"x", 100 + n);
            bundle.frame("eth3", first + i64::from(n) * 1_000, In, &frame);
        }
        findings(bundle).len()
    };
    assert_eq!((reported(11_000), reported(21_000), reported(31_000)), (1, 0, 0));
}

#[test]
fn the_same_frames_at_the_active_member_are_lost() {
    let mut bundle = bundle("");
    let back = (way().1, way().0);
    for n in 0..10u16 {
        bundle.frame("eth3", 5_000 + i64::from(n) * 1_000, In, &datagram(back, (PEER, VM), b"x", 100 + n));
    }
    assert_eq!(only(&findings(bundle)), (Severity::Warning, Confidence::Proven));
}

#[test]
fn lost_pings_are_a_symptom_of_lost_packets() {
    let mut bundle = bundle("");
    for n in 0..50u16 {
        let (ms, to) = (i64::from(n) * 1_000, (way().0, way().1));
        let request = echo(false, to.0, to.1, VM, PEER, n);
        let reply = echo(true, to.1, to.0, PEER, VM, n);
        bundle.frame("vnet0", ms, In, &request);
        if n % 10 != 3 {
            bundle.frame("eth3", ms + 1, Out, &request).frame("eth3", ms + 2, In, &reply);
            bundle.frame("vnet0", ms + 3, Out, &reply);
        }
    }
    let verdict = explain_path(&bundle.seal().path, 2);
    let of = |id: &str| verdict.findings.iter().find(|f| f.detector == id).unwrap();
    assert_eq!(of("packet-loss").severity, Severity::Warning);
    assert!(of("packet-loss").claim.english().starts_with("5 of 50 icmp packets"));
    assert_eq!(of("ping-loss").explained_by, Some("packet-loss"));
}

#[test]
fn losses_of_many_pairs_are_told_together() {
    let mut bundle = bundle("");
    for host in 0..8u8 {
        for n in 0..20u16 {
            let ms = i64::from(n) * 1_000 + i64::from(host);
            let pair = (VM, Ipv4Addr::new(10, 0, 0, host));
            let frame = segment(way(), pair, u32::from(n) * 100 + (u32::from(host) << 24), 100, n + 1);
            bundle.frame("vnet0", ms, In, &frame);
            if n % 5 != 0 || n == 0 {
                bundle.frame("eth3", ms + 1, Out, &frame);
            }
        }
    }
    let findings = findings(bundle);
    assert_eq!(only(&findings), (Severity::Warning, Confidence::Proven));
    assert!(findings[0].claim.english().starts_with("24 of 160 packets of 8 pairs"), "{:?}", findings[0]);
}
