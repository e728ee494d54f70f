use std::net::Ipv4Addr;

use netcap_bundle::packets::Direction::{In, Out};
use netcap_bundle::{Mac, Role};
use netcap_tests::bundle::BundleBuilder;
use netcap_tests::packets::{arp_reply, arp_request, echo, mac};

use crate::finding::{Confidence, Finding, Severity};
use crate::testing::scenes::{GATEWAY, VM, gateway, vm, vnet};
use crate::testing::{found, only};

const OTHER: Ipv4Addr = Ipv4Addr::new(172, 16, 51, 21);

fn nobody() -> Mac {
    mac("02:de:ad:be:ef:01")
}

fn other() -> Mac {
    mac("0c:da:41:1d:56:a8")
}

/// The gateway answers another machine's ARP; vnet0's pings of it go to that MAC, and leave.
fn pinged(to: Mac) -> BundleBuilder {
    let mut bundle = BundleBuilder::new(60_000);
    bundle.point("vnet0", vnet("web"), "").point("eth3", Role::Uplink { bond: None }, "");
    bundle.point("vnet1", Role::Vnet { vm: Some("db".into()), guest_mac: Some(other()) }, "");
    let asks = arp_request(other(), OTHER, GATEWAY);
    let answers = arp_reply(gateway(), GATEWAY, other(), OTHER);
    bundle.frame("vnet1", 5_000, In, &asks).frame("eth3", 5_001, Out, &asks);
    bundle.frame("eth3", 5_002, In, &answers).frame("vnet1", 5_003, Out, &answers);
    for n in 10..20_u16 {
        let ms = i64::from(n) * 1_000;
        let frame = echo(false, vm(), to, VM, GATEWAY, n);
        bundle.frame("vnet0", ms, In, &frame).frame("eth3", ms + 1, Out, &frame);
    }
    bundle
}

fn findings(bundle: BundleBuilder) -> Vec<Finding> {
    found(&bundle.seal(), "wrong-mac")
}

#[test]
fn a_mac_that_nobody_has_is_named_with_who_has_the_address() {
    let findings = findings(pinged(nobody()));
    assert_eq!(only(&findings), (Severity::Error, Confidence::Likely));
    assert_eq!(
        findings[0].claim.english(),
        "What 0c:da:41:1d:56:a7 sends for 172.16.51.6 (pings of 172.16.51.20) goes to the MAC 02:de:ad:be:ef:01, which \
         nobody in this recording has; 172.16.51.6 is at a0:36:9f:97:76:b8 [behind eth3 (outside this host)]."
    );
}

#[test]
fn the_right_mac_a_routers_and_one_that_is_answered_are_no_fault() {
    assert!(findings(pinged(gateway())).is_empty(), "it is silent, and that is another matter");
    assert!(findings(pinged(mac("00:00:5e:00:01:0a"))).is_empty(), "routers share it");
    // It takes what is sent to it, and answers with another one.
    let mut spare = pinged(nobody());
    for n in 30..34_u16 {
        let ms = i64::from(n) * 1_000;
        let (ask, answer) = (
            echo(false, other(), nobody(), OTHER, GATEWAY, n),
            echo(true, gateway(), other(), GATEWAY, OTHER, n),
        );
        spare.frame("vnet1", ms, In, &ask).frame("eth3", ms + 1, Out, &ask);
        spare.frame("eth3", ms + 2, In, &answer).frame("vnet1", ms + 3, Out, &answer);
    }
    assert!(findings(spare).is_empty());
}

/// Somebody else's MAC may be a router's, unless the two ask for each other.
#[test]
fn somebody_elses_mac_is_wrong_between_neighbours_only() {
    let stranger = mac("a0:36:9f:00:00:09");
    let heard = |bundle: &mut BundleBuilder| {
        let frame = arp_request(stranger, Ipv4Addr::new(172, 16, 51, 9), OTHER);
        bundle.frame("eth3", 2_000, In, &frame).frame("vnet1", 2_001, Out, &frame);
    };
    let mut routed = pinged(stranger);
    heard(&mut routed);
    assert!(findings(routed).is_empty());
    let mut direct = pinged(stranger);
    heard(&mut direct);
    let asks = arp_request(gateway(), GATEWAY, VM);
    direct.frame("eth3", 3_000, In, &asks).frame("vnet0", 3_001, Out, &asks);
    let findings = findings(direct);
    assert_eq!(only(&findings).1, Confidence::Likely);
    let claim = findings[0].claim.english();
    assert!(claim.contains("goes to the MAC a0:36:9f:00:00:09 [behind eth3"), "{claim}");
}

/// The answers come in for another MAC than the machine's, and are flooded to its port, which does not take them.
#[test]
fn answers_to_another_mac_did_not_reach_who_asked() {
    let mut bundle = BundleBuilder::new(60_000);
    bundle.point("vnet0", vnet("web"), "").point("eth3", Role::Uplink { bond: None }, "");
    let asks = arp_request(vm(), VM, GATEWAY);
    let answers = arp_reply(gateway(), GATEWAY, vm(), VM);
    bundle.frame("vnet0", 5_000, In, &asks).frame("eth3", 5_001, Out, &asks);
    bundle.frame("eth3", 5_002, In, &answers).frame("vnet0", 5_003, Out, &answers);
    for n in 10..20_u16 {
        let ms = i64::from(n) * 1_000;
        let (ask, answer) =
            (echo(false, vm(), gateway(), VM, GATEWAY, n), echo(true, gateway(), nobody(), GATEWAY, VM, n));
        bundle.frame("vnet0", ms, In, &ask).frame("eth3", ms + 1, Out, &ask);
        bundle.frame("eth3", ms + 2, In, &answer).frame("vnet0", ms + 3, Out, &answer);
    }
    let sealed = bundle.seal();
    let findings = found(&sealed, "wrong-mac");
    assert_eq!(only(&findings), (Severity::Error, Confidence::Likely));
    let claim = findings[0].claim.english();
    assert!(claim.contains("172.16.51.20 is at 0c:da:41:1d:56:a7"), "{claim}");
    let pings = found(&sealed, "ping-loss");
    assert!(pings.iter().any(|finding| finding.explained_by == Some("wrong-mac")), "{pings:#?}");
}
