use std::net::Ipv4Addr;

use netcap_bundle::packets::Direction::{In, Out};
use netcap_bundle::{Mac, Role};
use netcap_tests::bundle::BundleBuilder;
use netcap_tests::packets::{arp_request, echo, mac};

use crate::finding::{Confidence, Finding, Severity, Subject};
use crate::testing::{explain_path, found, only};

const VM: Ipv4Addr = Ipv4Addr::new(172, 16, 51, 20);
const GATEWAY: Ipv4Addr = Ipv4Addr::new(172, 16, 51, 6);
const NOBODY: Ipv4Addr = Ipv4Addr::new(172, 16, 51, 77);

fn vm() -> Mac {
    mac("0c:da:41:1d:56:a7")
}

fn gateway() -> Mac {
    mac("a0:36:9f:97:76:b8")
}

fn bundle() -> BundleBuilder {
    let mut bundle = BundleBuilder::new(120_000);
    let role = Role::Vnet { vm: Some("vm1".into()), guest_mac: Some(vm()) };
    bundle.point("vnet0", role, "").point("eth3", Role::Uplink { bond: None }, "");
    bundle
}

/// The machine asks for somebody at that time, and the question comes back or not.
fn ask(bundle: &mut BundleBuilder, ms: i64, back: bool) {
    let frame = arp_request(vm(), VM, NOBODY);
    bundle.frame_us("vnet0", ms * 1_000, In, &frame).frame_us("eth3", ms * 1_000 + 100, Out, &frame);
    if back {
        bundle.frame_us("eth3", ms * 1_000 + 500, In, &frame);
    }
}

/// A ping of the gateway that is delivered and answered, or not.
fn ping(bundle: &mut BundleBuilder, ms: i64, seq: u16, delivered: bool) {
    let request = echo(false, gateway(), vm(), GATEWAY, VM, seq);
    bundle.frame("eth3", ms, In, &request);
    if delivered {
        let reply = echo(true, vm(), gateway(), VM, GATEWAY, seq);
        bundle.frame("vnet0", ms + 1, Out, &request);
        bundle.frame("vnet0", ms + 2, In, &reply).frame("eth3", ms + 3, Out, &reply);
    }
}

/// Five rounds of twenty seconds: deliveries, a question, and three deaths after it.
fn rounds(back: bool) -> BundleBuilder {
    let mut bundle = bundle();
    for round in 0..5u16 {
        let (ms, seq) = (i64::from(round) * 20_000 + 2_000, round * 100);
        for n in 0..4u16 {
            ping(&mut bundle, ms + i64::from(n) * 1_000, seq + n, true);
        }
        ask(&mut bundle, ms + 5_000, back);
        for n in 10..13u16 {
            ping(&mut bundle, ms + i64::from(n) * 1_000, seq + n, false);
        }
    }
    bundle
}

fn findings(bundle: BundleBuilder) -> Vec<Finding> {
    found(&bundle.seal(), "reflection")
}

#[test]
fn deaths_that_follow_a_returned_frame_are_explained_by_it() {
    let verdict = explain_path(&rounds(true).seal().path, 1);
    let (causes, rest): (Vec<_>, Vec<_>) =
        verdict.findings.into_iter().partition(|finding| finding.detector == "reflection");
    assert_eq!(only(&causes), (Severity::Error, Confidence::Likely));
    assert_eq!(
        causes[0].subject,
        Subject::Ports { switch: Some("vswitch0".into()), ports: vec!["eth3".into()] }
    );
    assert!(
        causes[0].claim.english().starts_with("The network behind eth3 sends frames of 0c:da:41:1d:56:a7")
    );
    let first = causes[0].evidence[0].what().english();
    assert!(first.contains("burst 1 of 5 begins (packets lost in it: 3)"), "{first}");
    assert!(causes[0].consequences[0].english().starts_with("15 pings"));
    assert!(!rest.is_empty());
    assert!(rest.iter().all(|finding| finding.explained_by == Some("reflection")), "{rest:#?}");
}

#[test]
fn without_a_returned_frame_it_is_not_to_blame() {
    assert!(findings(rounds(false)).is_empty());
}

#[test]
fn a_returned_frame_that_harms_nobody_is_nothing() {
    let mut bundle = bundle();
    for n in 0..40u16 {
        ask(&mut bundle, i64::from(n) * 2_000 + 2_500, true);
        ping(&mut bundle, i64::from(n) * 2_000 + 2_000, n, true);
    }
    assert!(findings(bundle).is_empty());
}

#[test]
fn deaths_without_that_order_have_another_cause() {
    let mut bundle = bundle();
    for n in 0..60u16 {
        let ms = i64::from(n) * 1_000 + 2_000;
        ask(&mut bundle, ms + 500, true);
        // Every second one dies, whatever came back: what is delivered follows a returned frame as well.
        ping(&mut bundle, ms, n, n % 2 == 0);
    }
    assert!(findings(bundle).is_empty());
}

#[test]
fn a_frame_that_circulates_is_an_error_of_its_own() {
    let mut bundle = bundle();
    let frame = arp_request(vm(), VM, NOBODY);
    bundle.frame_us("vnet0", 5_000_000, In, &frame).frame_us("eth3", 5_000_100, Out, &frame);
    for n in 0..300 {
        bundle.frame_us("eth3", 5_000_500 + n * 5_000, In, &frame);
    }
    let findings = findings(bundle);
    assert_eq!(only(&findings), (Severity::Error, Confidence::Proven));
    let claim = findings[0].claim.english();
    assert!(claim.starts_with("A loop: frames to all come back in at eth3 again and again"), "{claim}");
    // One frame a second comes back each time: that is a reflection, not a loop.
    let mut slow = self::bundle();
    for n in 0..110 {
        ask(&mut slow, n * 1_000 + 2_000, true);
    }
    assert!(self::findings(slow).is_empty());
}
