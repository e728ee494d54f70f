use netcap_bundle::Role;
use netcap_bundle::packets::Direction::{In, Out};
use netcap_tests::bundle::{BundleBuilder, DumpedPort, ovsdb_dump};
use netcap_tests::packets::{arp_announce, echo, mac};

use crate::finding::{Confidence, Finding, Severity};
use crate::testing::scenes::{GATEWAY, VM, gateway, vm, vnet};
use crate::testing::{explain_path, found, only};

const PORTS: &str = "netdev@ovs-netdev: hit:100 missed:9\n  vswitch0:\n    eth3 1/3: (system)\n    \
    vnet0 2/4: (system)\n    vnet1 3/6: (system)\n    vswitch0 65534/1: (tap)\n";
const SHOW: &str = "OFPT_FEATURES_REPLY (xid=0x2): dpid:0000525400000001\n 1(eth3): addr:52:54:00:00:00:02\n     \
    config:     0\n     state:      LIVE\n 2(vnet0): addr:fe:da:41:1d:56:a7\n     config:     0\n     \
    state:      LIVE\n 3(vnet1): addr:fe:da:41:1d:56:a8\n     config:     0\n     state:      LIVE\n";
const GROUPS: &str = "OFPST_GROUP_DESC reply (OF1.3) (xid=0x2):\n \
    group_id=7,type=select,bucket=weight:1,actions=output:3,bucket=weight:1,actions=output:1\n";

/// vnet0's pings of the gateway behind eth3 die; rules do that to them, and the datapath this, when it was seen.
fn lost(actions: &str, datapath: Option<&str>) -> BundleBuilder {
    let other = mac("0c:da:41:1d:56:a8");
    let mut bundle = BundleBuilder::new(60_000);
    bundle.point("vnet0", vnet("E0530"), "").point("eth3", Role::Uplink { bond: None }, "");
    bundle.point("vnet1", Role::Vnet { vm: Some("E0531".into()), guest_mac: Some(other) }, "");
    let database = ovsdb_dump(
        "netdev",
        &[
            DumpedPort { name: "eth3", ifaces: &["eth3"], ..DumpedPort::default() },
            DumpedPort { name: "vnet0", ifaces: &["vnet0"], guest: Some(vm()), ..DumpedPort::default() },
            DumpedPort { name: "vnet1", ifaces: &["vnet1"], guest: Some(other), ..DumpedPort::default() },
        ],
    );
    let fdb = format!(" port  VLAN  MAC                Age\n    1     0  {}    1\n", gateway());
    // The uplink is listened to all the time.
    for second in 1..58 {
        bundle.frame("eth3", second * 1_000, In, &arp_announce(gateway(), GATEWAY));
    }
    for n in 10..40 {
        bundle.frame("vnet0", i64::from(n) * 1_000 + 500, In, &echo(false, vm(), gateway(), VM, GATEWAY, n));
    }
    for (ms, packets) in [(0, 1), (30_000, 15), (58_000, 30)] {
        let rules = format!(
            " cookie=0x71, duration=238.4s, table=0, n_packets={packets}, n_bytes=6210, priority=20,icmp,in_port=2 \
             actions={actions}\n cookie=0x0, duration=900.1s, table=0, n_packets=5000, n_bytes=1, priority=0,arp \
             actions=NORMAL\n"
        );
        let flow = datapath.map(|sent| {
            format!(
                "flow-dump from the main thread:\nrecirc_id(0),in_port(4),eth_type(0x0800),ipv4(dst={GATEWAY},proto=1,\
                 frag=no), packets:{packets}, bytes:980, used:0.369s, actions:{sent}\n"
            )
        });
        let mut state = vec![
            ("ovsdb", "dump", "", database.as_str()),
            ("ovs-fdb", "fdb-show", "vswitch0", fdb.as_str()),
            ("ovs-datapath", "dpif-show", "", PORTS),
            ("ovs-openflow", "show", "vswitch0", SHOW),
            ("ovs-openflow", "dump-flows", "vswitch0", rules.as_str()),
            ("ovs-openflow", "dump-groups", "vswitch0", GROUPS),
        ];
        state.extend(flow.as_deref().map(|flow| ("ovs-datapath", "dump-flows", "", flow)));
        bundle.state(ms, &state);
    }
    bundle
}

fn findings(bundle: BundleBuilder) -> Vec<Finding> {
    let sealed = bundle.seal();
    found(&sealed, "misforward")
}

#[test]
fn a_rule_that_sends_to_another_machines_port_is_named_with_that_port() {
    let seen = findings(lost("output:3", Some("6")));
    assert_eq!(only(&seen), (Severity::Error, Confidence::Proven));
    let claim = seen[0].claim.english();
    assert!(claim.contains("actions=output:3' of vswitch0 sends packets to vnet1, VM E0531"), "{claim}");
    assert!(claim.contains("does not get to eth3"), "{claim}");
    // Of the rule alone it is inferred.
    assert_eq!(only(&findings(lost("output:3", None))).1, Confidence::Likely);
}

#[test]
fn no_rule_is_said_to_be_ruled_out_then() {
    let verdict = explain_path(&lost("output:3", None).seal().path, 1);
    let ruled: Vec<String> = verdict
        .findings
        .iter()
        .flat_map(|finding| &finding.ruled)
        .map(|ruled| ruled.what.sentence().english())
        .filter(|ruled| ruled.contains("rule"))
        .collect();
    assert!(ruled.is_empty(), "{ruled:?}");
}

#[test]
fn a_rule_that_sends_there_as_well_or_that_the_datapath_contradicts_is_none() {
    for (actions, datapath) in [
        ("output:1", None),
        ("output:3,output:1", None),
        ("output:3,NORMAL", None),
        // A router's rule: who the packet is for then is another question.
        ("set_field:0c:da:41:1d:56:a8->eth_dst,output:3", None),
        ("output:3", Some("3")),
        // Which bucket it chose nobody knows.
        ("group:7", None),
    ] {
        assert!(findings(lost(actions, datapath)).is_empty(), "{actions} {datapath:?}");
    }
    let chosen = findings(lost("group:7", Some("6")));
    assert_eq!(only(&chosen).1, Confidence::Proven, "the datapath tells");
}

#[test]
fn back_where_they_came_from_and_a_table_without_a_rule() {
    for (actions, words) in [
        ("output:2", "sends packets back to vnet0, where they came in"),
        ("resubmit(,9)", "Table 9 of vswitch0, to which"),
    ] {
        let found = findings(lost(actions, Some("drop")));
        assert_eq!(only(&found), (Severity::Error, Confidence::Proven), "{actions}");
        let claim = found[0].claim.english();
        assert!(claim.contains(words), "{claim}");
    }
}

/// The other machine passes some of them on, as a firewall does: it is not the rule.
#[test]
fn what_others_of_the_same_kind_passed_is_no_rules_fault() {
    let mut bundle = lost("output:3", None);
    for n in 10..40_u16 {
        let ms = i64::from(n) * 1_000 + 700;
        let frame = echo(false, vm(), gateway(), VM, GATEWAY, 100 + n);
        bundle.frame("vnet0", ms, In, &frame).frame("eth3", ms + 1, Out, &frame);
    }
    assert!(findings(bundle).is_empty());
}

/// The machine's pings leave for another MAC than the gateway's, which they came in with.
#[test]
fn a_destination_that_was_written_on_the_way_is_the_rules_matter() {
    let wrong = mac("02:de:ad:00:00:09");
    for (after, told) in [(wrong, true), (gateway(), false)] {
        let mut bundle = BundleBuilder::new(60_000);
        bundle.point("vnet0", vnet("E0530"), "").point("eth3", Role::Uplink { bond: None }, "");
        for second in 1..58 {
            bundle.frame("eth3", second * 1_000, In, &arp_announce(gateway(), GATEWAY));
        }
        for n in 10..20_u16 {
            let ms = i64::from(n) * 1_000 + 500;
            bundle.frame("vnet0", ms, In, &echo(false, vm(), gateway(), VM, GATEWAY, n));
            bundle.frame("eth3", ms + 1, Out, &echo(false, vm(), after, VM, GATEWAY, n));
        }
        let sealed = bundle.seal();
        let findings = found(&sealed, "misforward");
        assert_eq!(!findings.is_empty(), told, "{findings:#?}");
        assert!(found(&sealed, "wrong-mac").is_empty(), "its own entry is right");
        let Some(finding) = findings.first() else { continue };
        assert_eq!(finding.confidence, Confidence::Likely);
        let claim = finding.claim.english();
        assert!(claim.contains("and leave at eth3 for 02:de:ad:00:00:09"), "{claim}");
    }
}
