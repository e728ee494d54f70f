use std::net::Ipv4Addr;

use netcap_bundle::packets::Direction::{In, Out, Unknown};
use netcap_bundle::{Mac, Role};
use netcap_tests::bundle::{BundleBuilder, bond_show};
use netcap_tests::packets::{echo, ethernet, lldp, mac};

use crate::finding::{Confidence, Finding, Severity, Subject};
use crate::testing::{explain_path, found, only};

const HOST: Ipv4Addr = Ipv4Addr::new(192, 168, 12, 19);
const GATEWAY: Ipv4Addr = Ipv4Addr::new(192, 168, 12, 254);

fn bridge() -> Mac {
    mac("fc:15:b4:1c:ad:79")
}

fn gateway() -> Mac {
    mac("00:00:0c:00:00:01")
}

fn member() -> Role {
    Role::Uplink { bond: Some("vswitch0_bond".into()) }
}

/// A bond of eth2 and eth3, eth3 active, in that mode; pings at 1 s.
fn bundle(mode: &str, active: [&str; 2]) -> BundleBuilder {
    let mut bundle = BundleBuilder::new(120_000);
    bundle.point("eth2", member(), "").point("eth3", member(), "");
    bundle.state(0, &[("ovs-bond", "bond-show", "", &bond_show(mode, active[0], "off"))]);
    bundle.state(60_000, &[("ovs-bond", "bond-show", "", &bond_show(mode, active[1], "off"))]);
    for n in 1..20 {
        let ms = i64::from(n) * 5_000;
        bundle.frame("eth3", ms, Out, &echo(false, bridge(), gateway(), HOST, GATEWAY, n));
        bundle.frame("eth3", ms + 1, In, &echo(true, gateway(), bridge(), GATEWAY, HOST, n));
    }
    bundle
}

fn with_lldp(bundle: &mut BundleBuilder, who: Mac) {
    for ms in [10_000, 40_000, 70_000, 100_000] {
        bundle.frame("eth2", ms, Out, &lldp(who, "eth2", "cvk19"));
    }
}

fn findings(bundle: BundleBuilder) -> Vec<Finding> {
    found(&bundle.seal(), "lldp-mac-flap")
}

#[test]
fn the_seeds_case_is_proven() {
    let mut bundle = bundle("active-backup", ["eth3", "eth3"]);
    with_lldp(&mut bundle, bridge());
    for n in 100..103 {
        let lost = echo(false, gateway(), bridge(), GATEWAY, HOST, n);
        bundle.frame("eth2", 10_100 + i64::from(n), In, &lost);
    }
    let findings = findings(bundle);
    assert_eq!(only(&findings), (Severity::Error, Confidence::Proven));
    let Subject::BondMac { mac, active, backup, sender, interval_ms, .. } = &findings[0].subject else {
        panic!()
    };
    assert_eq!((*mac, active.as_str(), backup.as_str()), (bridge(), "eth3", "eth2"));
    assert_eq!((sender.as_str(), *interval_ms), ("eth2 (cvk19)", Some(30_000)));
    let claim = findings[0].claim.english();
    assert!(claim.contains("there and back: 3") && claim.contains("3 of 3 pings"), "{claim}");
    assert!(findings[0].remedy.english().contains("lldptool -i eth2"));
}

#[test]
fn without_a_consequence_it_is_likely() {
    let mut bundle = bundle("active-backup", ["eth3", "eth3"]);
    with_lldp(&mut bundle, bridge());
    assert_eq!(only(&findings(bundle)), (Severity::Warning, Confidence::Likely));
}

#[test]
fn without_direction_it_is_likely_at_most() {
    let mut bundle = BundleBuilder::new(60_000);
    bundle.point("eth2", member(), "").point("eth3", member(), "");
    bundle.state(0, &[("ovs-bond", "bond-show", "", &bond_show("active-backup", "eth3", "off"))]);
    bundle.frame("eth3", 1_000, Unknown, &echo(false, bridge(), gateway(), HOST, GATEWAY, 1));
    bundle.frame("eth2", 2_000, Unknown, &lldp(bridge(), "eth2", "x"));
    assert_eq!(only(&findings(bundle)).1, Confidence::Likely);
}

#[test]
fn lldp_with_its_own_address_or_on_the_active_member_is_nothing() {
    let mut own = bundle("active-backup", ["eth3", "eth3"]);
    with_lldp(&mut own, mac("02:15:b4:1c:ad:79"));
    assert!(findings(own).is_empty());
    let mut active = bundle("active-backup", ["eth3", "eth3"]);
    active.frame("eth3", 10_000, Out, &lldp(bridge(), "eth3", "x"));
    assert!(findings(active).is_empty());
    // The switch's LLDP comes in.
    let mut received = bundle("active-backup", ["eth3", "eth3"]);
    received.frame("eth2", 10_000, In, &lldp(gateway(), "Te1/0/1", "switch"));
    assert!(findings(received).is_empty());
}

#[test]
fn lacp_and_balance_are_not_evaluated() {
    for (mode, lacp_status) in
        [("balance-tcp", "negotiated"), ("balance-slb", "off"), ("active-backup", "negotiated")]
    {
        let mut bundle = BundleBuilder::new(60_000);
        bundle.point("eth2", member(), "").point("eth3", member(), "");
        bundle.state(0, &[("ovs-bond", "bond-show", "", &bond_show(mode, "eth3", lacp_status))]);
        bundle.frame("eth3", 1_000, Out, &echo(false, bridge(), gateway(), HOST, GATEWAY, 1));
        bundle.frame("eth2", 2_000, Out, &lldp(bridge(), "eth2", "x"));
        let verdict = explain_path(&bundle.seal().path, 1);
        assert!(verdict.findings.iter().all(|f| f.detector != "lldp-mac-flap"), "{mode}");
        assert!(verdict.not_evaluated.iter().any(|n| n.detector == "lldp-mac-flap"), "{mode}");
    }
}

#[test]
fn around_a_failover_nothing_counts() {
    let mut bundle = BundleBuilder::new(60_000);
    bundle.point("eth2", member(), "").point("eth3", member(), "");
    bundle.state(0, &[("ovs-bond", "bond-show", "", &bond_show("active-backup", "eth3", "off"))]);
    bundle.state(10_000, &[("ovs-bond", "bond-show", "", &bond_show("active-backup", "eth2", "off"))]);
    bundle.frame("eth3", 1_000, Out, &echo(false, bridge(), gateway(), HOST, GATEWAY, 1));
    bundle.frame("eth2", 5_000, Out, &lldp(bridge(), "eth2", "x"));
    bundle.frame("eth2", 5_001, Out, &ethernet(Mac::BROADCAST, bridge(), 0x8035, &[0; 28]));
    bundle.frame("eth2", 12_000, Out, &echo(false, bridge(), gateway(), HOST, GATEWAY, 2));
    assert!(findings(bundle).is_empty());
}

#[test]
fn a_filter_that_hides_lldp_is_said() {
    let mut bundle = BundleBuilder::new(60_000);
    bundle.point("eth2", member(), "icmp").point("eth3", member(), "icmp");
    bundle.state(0, &[("ovs-bond", "bond-show", "", &bond_show("active-backup", "eth3", "off"))]);
    bundle.frame("eth3", 1_000, Out, &echo(false, bridge(), gateway(), HOST, GATEWAY, 1));
    let verdict = explain_path(&bundle.seal().path, 1);
    let not = verdict.not_evaluated.iter().find(|n| n.detector == "lldp-mac-flap").unwrap();
    assert_eq!(not.missing, ["need.lldp-shown"]);
}
