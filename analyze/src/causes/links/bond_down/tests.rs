use netcap_bundle::packets::Direction::{In, Out};
use netcap_tests::bundle::{BundleBuilder, bond_using};
use netcap_tests::packets::echo;

use crate::finding::{Confidence, Finding, Severity};
use crate::testing::scenes::{GATEWAY, VM, behind_a_bond, gateway, vm};
use crate::testing::{explain_path, found, only};

/// vnet0 and an active-backup bond that uses these members from these milliseconds on.
fn bundle(states: &[(i64, &[&str])]) -> BundleBuilder {
    let mut bundle = behind_a_bond();
    for (ms, used) in states {
        bundle.state(*ms, &[("ovs-bond", "bond-show", "", &bond_using("active-backup", "off", false, used))]);
    }
    bundle
}

fn lose(bundle: &mut BundleBuilder, seconds: std::ops::Range<u16>) {
    for n in seconds {
        bundle.frame("vnet0", i64::from(n) * 1_000, In, &echo(false, vm(), gateway(), VM, GATEWAY, n));
    }
}

fn pass(bundle: &mut BundleBuilder, second: u16) {
    let ms = i64::from(second) * 1_000 + 200;
    let (request, reply) = (
        echo(false, vm(), gateway(), VM, GATEWAY, 100 + second),
        echo(true, gateway(), vm(), GATEWAY, VM, 100 + second),
    );
    bundle.frame("vnet0", ms, In, &request).frame("eth3", ms + 1, Out, &request);
    bundle.frame("eth3", ms + 2, In, &reply).frame("vnet0", ms + 3, Out, &reply);
}

fn findings(bundle: BundleBuilder) -> Vec<Finding> {
    found(&bundle.seal(), "bond-down")
}

#[test]
fn what_dies_while_no_member_is_used_is_proven() {
    let mut bundle = bundle(&[(0, &["eth3", "eth2"]), (8_000, &["eth3", "eth2"]), (9_000, &[])]);
    pass(&mut bundle, 5);
    lose(&mut bundle, 10..16);
    let findings = findings(bundle);
    assert_eq!(only(&findings), (Severity::Error, Confidence::Proven));
    assert!(findings[0].claim.english().starts_with("No member of vswitch0_bond is in use (eth2, eth3)"));
    assert!(findings[0].consequences[0].english().starts_with("6 pings"));
}

#[test]
fn between_two_readings_it_is_likely_unless_something_passed() {
    let states: [(i64, &[&str]); 2] = [(0, &["eth3"]), (20_000, &[])];
    let mut between = bundle(&states);
    lose(&mut between, 10..16);
    assert_eq!(only(&findings(between)).1, Confidence::Likely);
    let mut passed = bundle(&states);
    lose(&mut passed, 10..16);
    pass(&mut passed, 13);
    assert!(findings(passed).is_empty());
}

#[test]
fn a_failover_is_not_to_blame() {
    let mut bundle = bundle(&[(0, &["eth3", "eth2"]), (9_000, &["eth2"])]);
    lose(&mut bundle, 10..16);
    let verdict = explain_path(&bundle.seal().path, 1);
    assert!(verdict.findings.iter().all(|finding| finding.detector != "bond-down"));
    let loss = verdict.findings.iter().find(|finding| finding.detector == "packet-loss").unwrap();
    let ruled: Vec<String> = loss.ruled.iter().map(|ruled| ruled.what.sentence().english()).collect();
    assert!(ruled.iter().any(|text| text.starts_with("a bond without a member")), "{ruled:?}");
}
