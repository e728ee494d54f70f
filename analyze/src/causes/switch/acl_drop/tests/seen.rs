//! Rules and flows that drop, with the evidence for them.

use super::*;
use crate::finding::{Confidence, Evidence, Severity, Subject};
use crate::testing::only;

#[test]
fn the_seeds_case_is_proven_with_flow_rule_and_filter() {
    let mut bundle = bundle("");
    lose(&mut bundle, 10..40);
    states(&mut bundle, true, true, true);
    let findings = findings(bundle);
    assert_eq!(only(&findings), (Severity::Error, Confidence::Proven));
    let Subject::Drop { vm, port, dst, flow, rule, filter, .. } = &findings[0].subject else { panic!() };
    assert_eq!((vm.as_deref(), port.as_str(), *dst), (Some("E0530"), "vnet0", GATEWAY.into()));
    assert!(flow.as_deref().unwrap().contains("actions:drop"));
    assert!(rule.as_deref().unwrap().starts_with("cookie=0x30 table=0 priority=20"), "{rule:?}");
    assert_eq!(filter.as_deref(), Some("acl-test rule 2"));
    let claim = findings[0].claim.english();
    assert!(claim.contains("pings from 172.16.51.20 to 172.16.51.6"), "{claim}");
    assert_eq!(consequences(&findings), ["30 pings from 172.16.51.20 to 172.16.51.6 were lost"]);
    assert!(
        matches!(&findings[0].evidence[0], Evidence::Snapshot { line, .. } if line.contains("actions:drop"))
    );
    let counters: Vec<_> = findings[0]
        .evidence
        .iter()
        .filter_map(|e| {
            if let Evidence::Counter { before, after, .. } = e { Some((*before, *after)) } else { None }
        })
        .collect();
    assert_eq!(counters, [(1, 30), (1, 30)]);
    assert!(findings[0].remedy.english().contains("rule 2 of the network filter 'acl-test'"));
}

#[test]
fn a_rule_found_by_replay_is_likely_and_its_growing_counter_is_evidence() {
    let mut counted = bundle("");
    lose(&mut counted, 10..40);
    states(&mut counted, false, true, false);
    let found = findings(counted);
    assert_eq!(only(&found), (Severity::Error, Confidence::Likely));
    let grew = |e: &Evidence| matches!(e, Evidence::Counter { before: 1, after: 30, .. });
    assert!(found[0].evidence.iter().any(grew), "{:#?}", found[0].evidence);
    let mut still = bundle("");
    lose(&mut still, 10..40);
    still.state(
        0,
        &[
            ("ovs-openflow", "show", "vswitch0", SHOW),
            ("ovs-openflow", "dump-flows", "vswitch0", &openflow(7)),
        ],
    );
    assert_eq!(only(&findings(still)).1, Confidence::Likely);
}

/// What the flow of earlier requests did says little of those that come when it is gone.
#[test]
fn a_flow_that_was_seen_before_only_is_no_proof() {
    let mut bundle = bundle("");
    lose(&mut bundle, 10..40);
    let flow = datapath(7, "drop");
    bundle
        .state(2_000, &[("ovs-datapath", "dpif-show", "", PORTS), ("ovs-datapath", "dump-flows", "", &flow)]);
    bundle.state(58_000, &[("ovs-datapath", "dpif-show", "", PORTS), ("ovs-datapath", "dump-flows", "", "")]);
    bundle.state(
        58_000,
        &[("libvirt", "domain", "E0530", DOMAIN), ("libvirt", "nwfilter", "acl-test", FILTER)],
    );
    assert_eq!(only(&findings(bundle)), (Severity::Error, Confidence::Likely));
}

/// The datapath has a flow with `drop` for all that the switch does not forward, whatever the reason.
#[test]
fn a_flow_without_a_rule_is_no_rules_doing() {
    let mut bundle = bundle("");
    lose(&mut bundle, 10..40);
    states(&mut bundle, true, false, false);
    let sealed = bundle.seal();
    assert!(found(&sealed, "acl-drop").is_empty());
    let lost = found(&sealed, "packet-loss");
    assert_eq!(only(&lost), (Severity::Warning, Confidence::Proven));
    let ruled: Vec<String> = lost[0].ruled.iter().map(|ruled| ruled.what.sentence().english()).collect();
    assert!(ruled.iter().any(|text| text.contains("no recorded rule says so")), "{ruled:?}");
}
