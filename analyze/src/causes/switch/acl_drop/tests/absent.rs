//! What was not recorded, not seen, or did not die.

use netcap_tests::packets::mac;

use super::*;
use crate::finding::{Confidence, Severity};
use crate::testing::{explain_path, only};

/// Nobody says that a rule does it, and the symptom says what is missing to tell.
#[test]
fn absence_alone_is_a_symptom_and_no_drop() {
    let mut alone = bundle("");
    lose(&mut alone, 10..40);
    let sealed = alone.seal();
    assert!(found(&sealed, "acl-drop").is_empty());
    let lost = found(&sealed, "packet-loss");
    assert_eq!(only(&lost), (Severity::Warning, Confidence::Proven));
    let ruled: Vec<String> = lost[0].ruled.iter().map(|ruled| ruled.what.sentence().english()).collect();
    // What all other causes lack is one line.
    assert_eq!(ruled.len(), 2, "{ruled:?}");
    assert!(ruled[1].contains("[port-gone], [vm-off], [vlan-mismatch]"), "{ruled:?}");
    assert!(ruled[1].ends_with("which was not recorded"), "{ruled:?}");
    assert!(ruled[0].contains("the flows and rules of vswitch0, which were not recorded"), "{ruled:?}");
    let other = |text: String| text.replace("172.16.51.6", "172.16.51.9");
    let (flows, rules) = (other(datapath(9, "drop")), other(openflow(9)));
    let dumps = [
        ("ovs-datapath", "dpif-show", "", PORTS),
        ("ovs-datapath", "dump-flows", "", &flows),
        ("ovs-openflow", "show", "vswitch0", SHOW),
        ("ovs-openflow", "dump-flows", "vswitch0", &rules),
    ];
    // A rule that came and went between two readings is in neither.
    for (second, said) in [
        (20_000, "a rule of vswitch0 that drops them: no recorded"),
        (50_000, "the flows and rules of vswitch0 while they died: they were read at"),
    ] {
        let mut still = bundle("");
        lose(&mut still, 10..40);
        still.state(0, &dumps).state(second, &dumps);
        let lost = found(&still.seal(), "packet-loss");
        let ruled: Vec<String> = lost[0].ruled.iter().map(|ruled| ruled.what.sentence().english()).collect();
        assert!(ruled.iter().any(|text| text.contains(said)), "{ruled:?}");
    }
}

#[test]
fn what_leaves_is_no_finding() {
    let mut healthy = bundle("");
    for n in 10..40 {
        let frame = echo(false, vm(), gateway(), VM, GATEWAY, n);
        let ms = i64::from(n) * 1_000 + 500;
        healthy.frame("vnet0", ms, In, &frame).frame("eth3", ms, Out, &frame);
    }
    states(&mut healthy, true, true, true);
    assert!(findings(healthy).is_empty());
    let mut one = bundle("");
    lose(&mut one, 10..11);
    states(&mut one, true, true, false);
    assert!(findings(one).is_empty());
}

#[test]
fn a_filter_or_a_loss_makes_it_untold() {
    let mut hidden = bundle("arp");
    lose(&mut hidden, 10..40);
    assert!(findings(hidden).is_empty());
    let mut hidden = bundle("arp");
    lose(&mut hidden, 10..40);
    states(&mut hidden, true, true, false);
    assert_eq!(only(&findings(hidden)), (Severity::Warning, Confidence::CannotTell));
    let mut lossy = BundleBuilder::new(60_000);
    lossy.point("vnet0", vnet("E0530"), "").point("eth3", Role::Uplink { bond: None }, "");
    lose(&mut lossy, 10..40);
    let other = echo(false, gateway(), vm(), GATEWAY, VM, 1);
    lossy.frame("eth3", 1_000, In, &other).frame_after_loss("eth3", 59_000, In, &other, 500);
    states(&mut lossy, true, true, false);
    assert_eq!(only(&findings(lossy)).1, Confidence::CannotTell);
}

#[test]
fn vm_to_vm_never_reaches_the_uplink() {
    let other = mac("0c:da:41:1d:56:a8");
    let mut bundle = BundleBuilder::new(60_000);
    bundle.point("vnet0", vnet("E0530"), "").point("eth3", Role::Uplink { bond: None }, "");
    bundle.point("vnet1", Role::Vnet { vm: Some("E0531".into()), guest_mac: Some(other) }, "");
    for n in 0..10 {
        let frame = echo(false, vm(), other, VM, Ipv4Addr::new(172, 16, 51, 21), n);
        bundle.frame("vnet0", i64::from(n) * 1_000, In, &frame).frame(
            "vnet1",
            i64::from(n) * 1_000,
            Out,
            &frame,
        );
    }
    assert!(findings(bundle).is_empty());
}

#[test]
fn without_another_port_it_is_not_evaluated() {
    let mut bundle = BundleBuilder::new(60_000);
    bundle.point("vnet0", vnet("E0530"), "");
    lose(&mut bundle, 1..5);
    let verdict = explain_path(&bundle.seal().path, 1);
    let not = verdict.not_evaluated.iter().find(|n| n.detector == "acl-drop").unwrap();
    assert_eq!(not.missing, ["need.other-port"]);
}

/// A rule that sends to a port nobody has is the rule's doing, though it does not say `drop`; where buckets differ, nobody
/// can tell, and nothing is ruled out.
#[test]
fn a_rule_to_a_port_that_is_not_there_is_named() {
    for (output, named) in [("output:99", true), ("group:1", false)] {
        let rules = format!(
            " cookie=0x30, duration=238.4s, table=0, n_packets=9, n_bytes=6210, priority=20,icmp,in_port=3,\
             nw_dst=172.16.51.6 actions={output}\n"
        );
        let flows = datapath(9, "drop").replace("172.16.51.6", "172.16.51.9");
        let dumps = [
            ("ovs-datapath", "dpif-show", "", PORTS),
            ("ovs-datapath", "dump-flows", "", &flows),
            ("ovs-openflow", "show", "vswitch0", SHOW),
            ("ovs-openflow", "dump-flows", "vswitch0", &rules),
        ];
        let mut bundle = bundle("");
        lose(&mut bundle, 10..40);
        bundle.state(0, &dumps).state(20_000, &dumps);
        let sealed = bundle.seal();
        let drops = found(&sealed, "acl-drop");
        assert_eq!(drops.len(), usize::from(named), "{drops:#?}");
        if named {
            let claim = drops[0].claim.english();
            assert!(claim.contains("sends packets to a port that is not there"), "{claim}");
            continue;
        }
        let lost = found(&sealed, "packet-loss");
        let ruled: Vec<String> = lost[0].ruled.iter().map(|ruled| ruled.what.sentence().english()).collect();
        assert!(
            ruled.iter().any(|text| text.contains("what the rules of vswitch0 do with them")),
            "{ruled:?}"
        );
    }
}
