use netcap_bundle::Mac;
use netcap_bundle::packets::Direction::{In, Out};
use netcap_tests::bundle::{BundleBuilder, bond_using, lacp_show};
use netcap_tests::packets::{echo, mac};

use crate::finding::{Confidence, Finding, Severity, Subject};
use crate::testing::scenes::{GATEWAY, VM, behind_a_bond, gateway, vm};
use crate::testing::{explain_path, found, only};
use crate::text::Text;

const NOBODY: Mac = Mac([0; 6]);

/// vnet0 and a bond of eth2 and eth3, both with a carrier or without.
fn bundle(carrier: bool) -> BundleBuilder {
    let mut bundle = behind_a_bond();
    let flags = if carrier { r#""UP","LOWER_UP""# } else { r#""UP","NO-CARRIER""# };
    let link = |name: &str| format!(r#"{{"ifindex":2,"ifname":"{name}","flags":[{flags}],"mtu":1500}}"#);
    bundle.state(0, &[("links", "link", "", &format!("[{},{}]", link("eth2"), link("eth3")))]);
    bundle
}

/// What the daemon says of its bond.
fn say(bundle: &mut BundleBuilder, ms: i64, bond: &str, lacp: &str) {
    bundle.state(ms, &[("ovs-bond", "bond-show", "", bond), ("ovs-bond", "lacp-show", "", lacp)]);
}

fn silent() -> String {
    lacp_show("active negotiated", [("defaulted detached", NOBODY), ("expired attached", NOBODY)])
}

/// Pings of the VM that go nowhere, and of the gateway that arrive at a member and go nowhere.
fn lose(bundle: &mut BundleBuilder, seconds: std::ops::Range<u16>) {
    for n in seconds {
        let ms = i64::from(n) * 1_000;
        bundle.frame("vnet0", ms, In, &echo(false, vm(), gateway(), VM, GATEWAY, n));
        bundle.frame("eth3", ms + 500, In, &echo(false, gateway(), vm(), GATEWAY, VM, n));
    }
}

fn findings(bundle: BundleBuilder) -> Vec<Finding> {
    found(&bundle.seal(), "lacp-failure")
}

#[test]
fn a_bond_without_a_partner_is_one_finding_for_both_directions() {
    let mut bundle = bundle(true);
    say(&mut bundle, 0, &bond_using("balance-tcp", "negotiated", false, &[]), &silent());
    lose(&mut bundle, 10..16);
    let verdict = explain_path(&bundle.seal().path, 1);
    let (causes, rest): (Vec<_>, Vec<_>) =
        verdict.findings.into_iter().partition(|finding| finding.detector == "lacp-failure");
    assert_eq!(only(&causes), (Severity::Error, Confidence::Proven));
    assert_eq!(
        causes[0].subject,
        Subject::Bond {
            bond: "vswitch0_bond".into(),
            switch: Some("vswitch0".into()),
            members: vec!["eth2".into(), "eth3".into()]
        }
    );
    let told: Vec<String> = causes[0].consequences.iter().map(Text::english).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told.iter().all(|line| line.starts_with("6 pings")), "{told:?}");
    assert!(!rest.is_empty());
    assert!(rest.iter().all(|finding| finding.explained_by == Some("lacp-failure")), "{rest:#?}");
    let evidence: Vec<String> = causes[0].evidence.iter().map(|e| e.what().english()).collect();
    assert!(evidence[2].starts_with("nobody ever answered"), "{evidence:?}");
}

#[test]
fn without_a_death_it_is_a_warning() {
    let mut bundle = bundle(true);
    say(&mut bundle, 0, &bond_using("balance-tcp", "configured", false, &[]), &silent());
    bundle.frame("eth3", 50_000, Out, &echo(false, gateway(), vm(), GATEWAY, VM, 1));
    assert_eq!(only(&findings(bundle)), (Severity::Warning, Confidence::Proven));
}

#[test]
fn a_partner_that_was_heard_before_is_said() {
    let mut bundle = bundle(true);
    let partner = mac("00:1b:21:00:00:01");
    let lost = lacp_show("active", [("expired attached", partner), ("expired attached", partner)]);
    say(&mut bundle, 0, &bond_using("balance-tcp", "configured", false, &[]), &lost);
    lose(&mut bundle, 10..16);
    let findings = findings(bundle);
    assert!(findings[0].claim.english().contains("does not hear its partner any more"));
    let passive = lacp_show("passive", [("defaulted detached", NOBODY), ("defaulted detached", NOBODY)]);
    let mut bundle = self::bundle(true);
    say(&mut bundle, 0, &bond_using("balance-tcp", "configured", false, &[]), &passive);
    lose(&mut bundle, 10..16);
    assert!(self::findings(bundle)[0].remedy.english().starts_with("This side only answers"));
}

#[test]
fn what_carries_is_not_to_blame() {
    let fallback = bond_using("balance-tcp", "configured", true, &["eth3"]);
    let one = bond_using("balance-tcp", "negotiated", false, &["eth2"]);
    for text in [fallback, one] {
        let mut bundle = bundle(true);
        say(&mut bundle, 0, &text, &silent());
        lose(&mut bundle, 10..16);
        assert!(findings(bundle).is_empty(), "{text}");
    }
}

#[test]
fn without_lacp_or_a_carrier_it_is_another_fault() {
    let mut unplugged = bundle(false);
    say(&mut unplugged, 0, &bond_using("balance-tcp", "configured", false, &[]), &silent());
    lose(&mut unplugged, 10..16);
    let verdict = explain_path(&unplugged.seal().path, 1);
    assert!(verdict.findings.iter().any(|finding| finding.detector == "bond-down"));
    assert!(verdict.findings.iter().all(|finding| finding.detector != "lacp-failure"));
    let mut off = bundle(true);
    say(&mut off, 0, &bond_using("active-backup", "off", false, &[]), "");
    lose(&mut off, 10..16);
    assert!(findings(off).is_empty());
}

#[test]
fn only_what_died_meanwhile_is_claimed() {
    let mut bundle = bundle(true);
    let good = mac("00:1b:21:00:00:01");
    let heard = lacp_show("active negotiated", [("current attached", good), ("current attached", good)]);
    say(&mut bundle, 0, &bond_using("balance-tcp", "configured", false, &[]), &silent());
    say(&mut bundle, 18_000, &bond_using("balance-tcp", "configured", false, &[]), &silent());
    say(&mut bundle, 20_000, &bond_using("balance-tcp", "negotiated", false, &["eth2", "eth3"]), &heard);
    lose(&mut bundle, 10..14);
    lose(&mut bundle, 30..35);
    let verdict = explain_path(&bundle.seal().path, 1);
    let cause = verdict.findings.iter().find(|finding| finding.detector == "lacp-failure").unwrap();
    assert!(cause.consequences.iter().all(|line| line.english().starts_with("4 pings")));
    let left = verdict.findings.iter().filter(|finding| finding.detector == "packet-loss");
    assert!(left.clone().count() > 0 && left.into_iter().all(|finding| finding.explained_by.is_none()));
}
