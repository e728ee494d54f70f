use std::net::Ipv4Addr;

use netcap_bundle::packets::Direction::{In, Out};
use netcap_bundle::{Mac, Role};
use netcap_tests::bundle::BundleBuilder;
use netcap_tests::packets::{echo, mac, syn, udp};

use crate::finding::{Confidence, Evidence, Finding, Severity, Subject};
use crate::testing::{explain_path, found, only};
use crate::text::Text;

const VM: Ipv4Addr = Ipv4Addr::new(172, 16, 51, 20);
const GATEWAY: Ipv4Addr = Ipv4Addr::new(172, 16, 51, 6);

const PORTS: &str = "netdev@ovs-netdev: hit:100 missed:9\n  vswitch0:\n    eth3 2/3: (system)\n    \
    vnet0 3/4: (system)\n    vnet1 5/6: (system)\n    vswitch0 65534/1: (tap)\n";
const SHOW: &str = "OFPT_FEATURES_REPLY (xid=0x2): dpid:0000525400000001\n 2(eth3): addr:52:54:00:00:00:02\n     \
    config:     0\n     state:      LIVE\n 3(vnet0): addr:fe:da:41:1d:56:a7\n     config:     0\n     \
    state:      LIVE\n";
const FILTER: &str = "<filter name='acl-test' chain='root'>\n<rule action='accept' direction='in' priority='4'><all/>\
    </rule>\n<rule action='drop' direction='in' priority='10'>\n<icmp dstipaddr='172.16.51.6' dstipmask='32'/>\n\
    </rule>\n</filter>\n";
const DOMAIN: &str = "<domain type='kvm' id='3'><name>E0530</name><devices><interface type='bridge'>\
    <mac address='0c:da:41:1d:56:a7'/><source bridge='vswitch0'/><target dev='vnet0'/>\
    <filterref filter='acl-test'/></interface></devices></domain>";

fn vm() -> Mac {
    mac("0c:da:41:1d:56:a7")
}

fn gateway() -> Mac {
    mac("a0:36:9f:97:76:b8")
}

fn vnet(guest: Mac, name: &str) -> Role {
    Role::Vnet { vm: Some(name.into()), guest_mac: Some(guest) }
}

/// vnet0 and eth3 of one switch, with that filter at eth3.
fn bundle(filter: &str) -> BundleBuilder {
    let mut bundle = BundleBuilder::new(60_000);
    bundle.point("vnet0", vnet(vm(), "E0530"), "").point("eth3", Role::Uplink { bond: None }, filter);
    // Something else gets through all the time.
    for n in 0..50 {
        let frame = echo(false, vm(), gateway(), VM, Ipv4Addr::new(172, 16, 51, 7), n);
        let back = echo(true, gateway(), vm(), Ipv4Addr::new(172, 16, 51, 7), VM, n);
        let ms = i64::from(n) * 1_000;
        bundle.frame("vnet0", ms, In, &frame).frame("vnet0", ms + 1, Out, &back);
        if filter.is_empty() {
            bundle.frame("eth3", ms, Out, &frame).frame("eth3", ms + 1, In, &back);
        }
    }
    bundle
}

fn lose(bundle: &mut BundleBuilder, numbers: std::ops::Range<u16>) {
    for n in numbers {
        bundle.frame("vnet0", i64::from(n) * 1_000 + 500, In, &echo(false, vm(), gateway(), VM, GATEWAY, n));
    }
}

fn datapath(packets: u64, actions: &str) -> String {
    format!(
        "flow-dump from the main thread:\nrecirc_id(0),in_port(4),eth_type(0x0800),ipv4(dst=172.16.51.6,proto=1,\
         frag=no), packets:{packets}, bytes:980, used:0.369s, actions:{actions}\n"
    )
}

fn openflow(packets: u64) -> String {
    format!(
        " cookie=0x30, duration=238.433s, table=0, n_packets={packets}, n_bytes=6210, priority=20,icmp,in_port=3,\
         nw_dst=172.16.51.6 actions=drop\n cookie=0x0, duration=900.1s, table=0, n_packets=5000, n_bytes=1, \
         priority=0 actions=NORMAL\n"
    )
}

fn states(bundle: &mut BundleBuilder, dp: bool, of: bool, libvirt: bool) {
    for (ms, packets) in [(0, 1), (30_000, 15), (58_000, 30)] {
        let (flows, rules) = (datapath(packets, "drop"), openflow(packets));
        let mut samples = vec![("ovs-datapath", "dpif-show", "", PORTS)];
        if dp {
            samples.push(("ovs-datapath", "dump-flows", "", flows.as_str()));
        }
        if of {
            samples.push(("ovs-openflow", "show", "vswitch0", SHOW));
            samples.push(("ovs-openflow", "dump-flows", "vswitch0", rules.as_str()));
        }
        if libvirt {
            samples.push(("libvirt", "domain", "E0530", DOMAIN));
            samples.push(("libvirt", "nwfilter", "acl-test", FILTER));
        }
        bundle.state(ms, &samples);
    }
}

fn findings(bundle: BundleBuilder) -> Vec<Finding> {
    found(&bundle.seal(), "acl-drop")
}

fn consequences(findings: &[Finding]) -> Vec<String> {
    findings.iter().flat_map(|finding| &finding.consequences).map(Text::english).collect()
}

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
    assert_eq!(ruled.len(), 1, "{ruled:?}");
    assert!(ruled[0].contains("the flows and rules of vswitch0, which were not recorded"), "{ruled:?}");
    let mut still = bundle("");
    lose(&mut still, 10..40);
    let other = |text: String| text.replace("172.16.51.6", "172.16.51.9");
    let (flows, rules) = (other(datapath(9, "drop")), other(openflow(9)));
    let dumps = [
        ("ovs-datapath", "dpif-show", "", PORTS),
        ("ovs-datapath", "dump-flows", "", &flows),
        ("ovs-openflow", "show", "vswitch0", SHOW),
        ("ovs-openflow", "dump-flows", "vswitch0", &rules),
    ];
    still.state(0, &dumps);
    let lost = found(&still.seal(), "packet-loss");
    let ruled: Vec<String> = lost[0].ruled.iter().map(|ruled| ruled.what.sentence().english()).collect();
    assert!(
        ruled.iter().any(|said| said.starts_with("a rule of vswitch0 that drops them: no recorded")),
        "{ruled:?}"
    );
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
    lossy.point("vnet0", vnet(vm(), "E0530"), "").point("eth3", Role::Uplink { bond: None }, "");
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
    bundle.point("vnet0", vnet(vm(), "E0530"), "").point("eth3", Role::Uplink { bond: None }, "");
    bundle.point("vnet1", vnet(other, "E0531"), "");
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
fn connection_attempts_count_too() {
    let mut bundle = bundle("");
    for n in 10..20u16 {
        let frame = syn(vm(), gateway(), VM, GATEWAY, 40_000 + n, 22);
        bundle.frame("vnet0", i64::from(n) * 1_000, In, &frame);
    }
    states(&mut bundle, false, true, false);
    assert!(findings(bundle).is_empty(), "a rule for ICMP drops no TCP");
    let mut bundle = self::bundle("");
    for n in 10..20u16 {
        let frame = syn(vm(), gateway(), VM, GATEWAY, 40_000 + n, 22);
        bundle.frame("vnet0", i64::from(n) * 1_000, In, &frame);
    }
    let rules = openflow(30).replace("icmp", "tcp");
    let shown =
        [("ovs-openflow", "show", "vswitch0", SHOW), ("ovs-openflow", "dump-flows", "vswitch0", &rules)];
    let found = findings({
        bundle.state(30_000, &shown);
        bundle
    });
    assert_eq!(only(&found), (Severity::Error, Confidence::Likely));
    assert_eq!(consequences(&found), ["10 connection attempts from 172.16.51.20 to 172.16.51.6 were lost"]);
}

#[test]
fn without_another_port_it_is_not_evaluated() {
    let mut bundle = BundleBuilder::new(60_000);
    bundle.point("vnet0", vnet(vm(), "E0530"), "");
    lose(&mut bundle, 1..5);
    let verdict = explain_path(&bundle.seal().path, 1);
    let not = verdict.not_evaluated.iter().find(|n| n.detector == "acl-drop").unwrap();
    assert_eq!(not.missing, ["need.other-port"]);
}

/// The datapath flow had idled out; the way leads through conntrack, a rewritten register and a resubmit.
#[test]
fn an_idled_out_flow_is_replayed_through_conntrack() {
    let rules = |packets: u64| {
        [
            " cookie=0x1, table=0, n_packets=90, n_bytes=1, priority=10,ct_state=-trk,ip,in_port=3 actions=ct(table=5,zone=188)",
            " cookie=0x2, table=5, n_packets=90, n_bytes=1, priority=1 actions=load:0x3->NXM_NX_REG1[],resubmit(,10)",
            " cookie=0x3, table=10, n_packets=50, n_bytes=1, priority=40,ct_state=+est-rel+trk,ip,reg1=0x3 actions=NORMAL",
            &format!(" cookie=0x44, table=10, n_packets={packets}, n_bytes=1, priority=30,ct_state=+new+trk,tcp,reg1=0x3,tp_dst=22 actions=drop"),
            " cookie=0x5, table=10, n_packets=0, n_bytes=1, priority=1 actions=NORMAL",
        ]
        .join("\n")
    };
    let mut bundle = bundle("");
    for n in 10..20u16 {
        bundle.frame("vnet0", i64::from(n) * 1_000, In, &syn(vm(), gateway(), VM, GATEWAY, 40_000 + n, 22));
    }
    let half = "tcp,orig=(src=172.16.51.20,dst=172.16.51.6,sport=40010,dport=22),reply=(src=172.16.51.6,dst=172.16.51.20,\
        sport=22,dport=40010),zone=188,protoinfo=(state=SYN_SENT)\n";
    for (ms, packets) in [(0, 7), (15_000, 12), (58_000, 17)] {
        bundle.state(
            ms,
            &[
                ("ovs-openflow", "show", "vswitch0", SHOW),
                ("ovs-openflow", "dump-flows", "vswitch0", &rules(packets)),
                ("ovs-conntrack", "dump", "", if ms == 15_000 { half } else { "" }),
            ],
        );
    }
    let findings = findings(bundle);
    assert_eq!(only(&findings), (Severity::Error, Confidence::Likely));
    let Subject::Drop { rule, .. } = &findings[0].subject else { panic!() };
    assert!(rule.as_deref().unwrap().starts_with("cookie=0x44 table=10"), "{rule:?}");
    let all = format!("{:?}", findings[0].evidence);
    for word in ["zone=188", "SYN_SENT", "table=5 priority=1", "before: 7, after: 17"] {
        assert!(all.contains(word), "{word} in {all}");
    }
}

/// What `ovsdb-client dump` says of bridges and their ports: name, type and peer of each.
fn database(bridges: &[(&str, &[[&str; 3]])]) -> String {
    let uuid = |name: &str| format!(r#"["uuid","{name}"]"#);
    let table = |name: &str, columns: &str, rows: Vec<String>| {
        format!("{{\"caption\":\"{name} table\",\"data\":[{}],\"headings\":[{columns}]}}\n", rows.join(","))
    };
    let ports = || bridges.iter().flat_map(|(_, ports)| ports.iter());
    let bridge = |(name, ports): &(&str, &[[&str; 3]])| {
        let set: Vec<String> = ports.iter().map(|[port, ..]| uuid(port)).collect();
        format!(r#"[{},"{name}","netdev",["set",[{}]]]"#, uuid(name), set.join(","))
    };
    let port = |[name, ..]: &[&str; 3]| format!(r#"[{0},"{name}",{0}]"#, uuid(name));
    let iface = |[name, kind, peer]: &[&str; 3]| {
        let options = if peer.is_empty() { String::new() } else { format!(r#"["peer","{peer}"]"#) };
        format!(r#"[{},"{name}","{kind}",["map",[{options}]]]"#, uuid(name))
    };
    table("Bridge", r#""_uuid","name","datapath_type","ports""#, bridges.iter().map(bridge).collect())
        + &table("Port", r#""_uuid","name","interfaces""#, ports().map(port).collect())
        + &table("Interface", r#""_uuid","name","type","options""#, ports().map(iface).collect())
}

/// The machine's bridge has no uplink; a patch port leads to the one that has.
fn behind_a_patch(uplinks: &[[&str; 3]]) -> Vec<Finding> {
    let database = database(&[
        ("app", &[["vnet0", "tap", ""], ["up", "patch", "down"]]),
        ("vswitch0", &[&[["down", "patch", "up"]], uplinks].concat()),
    ]);
    let apps = "OFPT_FEATURES_REPLY (xid=0x2): dpid:0000525400000002\n 3(vnet0): addr:fe:da:41:1d:56:a7\n     config:     0\n     \
        state:      LIVE\n 7(up): addr:52:54:00:00:00:07\n     config:     0\n     state:      LIVE\n";
    let show = SHOW.replace(" 3(vnet0)", " 9(down)");
    let mut bundle = BundleBuilder::new(60_000);
    bundle.point_in("vnet0", vnet(vm(), "E0530"), "", Some("app"), None);
    bundle.point("eth3", Role::Uplink { bond: None }, "");
    lose(&mut bundle, 10..40);
    for (ms, packets) in [(0, 1), (58_000, 30)] {
        let flow = datapath(packets, "drop");
        let rules = openflow(packets).replace("in_port=3", "in_port=9");
        bundle.state(
            ms,
            &[
                ("ovsdb", "dump", "", &database),
                ("ovs-datapath", "dpif-show", "", PORTS),
                ("ovs-datapath", "dump-flows", "", &flow),
                ("ovs-openflow", "show", "app", apps),
                (
                    "ovs-openflow",
                    "dump-flows",
                    "app",
                    " cookie=0x5, table=0, n_packets=9, n_bytes=9, priority=0 actions=output:7\n",
                ),
                ("ovs-openflow", "show", "vswitch0", &show),
                ("ovs-openflow", "dump-flows", "vswitch0", &rules),
            ],
        );
    }
    findings(bundle)
}

#[test]
fn a_rule_behind_a_patch_port_is_named_with_its_bridge() {
    let findings = behind_a_patch(&[["eth3", "system", ""]]);
    assert_eq!(only(&findings), (Severity::Error, Confidence::Proven));
    let claim = findings[0].claim.english();
    assert!(
        claim.contains("of vswitch0, behind a patch port of app") && claim.contains("enters there at vnet0"),
        "{claim}"
    );
    let evidence = format!("{:?}", findings[0].evidence);
    assert!(evidence.contains("dump-flows@app") && evidence.contains("dump-flows@vswitch0"), "{evidence}");
    // Where else they could leave is asked of that bridge too.
    for other in
        [["eth2", "system", ""], ["vx0", "vxlan", ""], ["far", "patch", "nosuch"], ["vnet9", "tap", ""]]
    {
        let findings = behind_a_patch(&[["eth3", "system", ""], other]);
        assert_eq!(only(&findings).1, Confidence::CannotTell, "{other:?}");
    }
}

/// Questions to a name server, dropped by a rule for its port; other UDP to the same address passes.
#[test]
fn udp_is_followed_too_and_needs_a_rule() {
    let bundle = |with_rules: bool| {
        let mut bundle = bundle("");
        for n in 10..30u16 {
            let ms = i64::from(n) * 1_000;
            let ask =
                udp(vm(), gateway(), VM, GATEWAY, (40_000, 53), &[0xab, n.to_be_bytes()[1], 1, 0, 0, 1]);
            let other =
                udp(vm(), gateway(), VM, GATEWAY, (123, 123), &[0x23, n.to_be_bytes()[1], 6, 7, 8, 9]);
            bundle.frame("vnet0", ms, In, &ask);
            bundle.frame("vnet0", ms + 5, In, &other).frame("eth3", ms + 6, Out, &other);
        }
        for (ms, packets) in [(0, 0), (58_000, 20)] {
            let rules = format!(
                " cookie=0x53, table=0, n_packets={packets}, n_bytes=1, priority=20,udp,in_port=3,tp_dst=53 actions=drop\n \
                 cookie=0x0, table=0, n_packets=5000, n_bytes=1, priority=0 actions=NORMAL\n"
            );
            if with_rules {
                let state = [
                    ("ovs-openflow", "show", "vswitch0", SHOW),
                    ("ovs-openflow", "dump-flows", "vswitch0", &*rules),
                ];
                bundle.state(ms, &state);
            }
        }
        bundle
    };
    let found = findings(bundle(true));
    assert_eq!(only(&found), (Severity::Error, Confidence::Likely));
    let Subject::Drop { rule, protocol, .. } = &found[0].subject else { panic!() };
    assert_eq!(protocol, "udp");
    assert!(rule.as_deref().unwrap().starts_with("cookie=0x53"), "{rule:?}");
    assert_eq!(consequences(&found), ["20 udp packets from 172.16.51.20 to 172.16.51.6 were lost"]);
    assert!(findings(bundle(false)).is_empty(), "bare loss is packet-loss's");
}
