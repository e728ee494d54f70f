use std::net::Ipv4Addr;

use netcap_bundle::Role;
use netcap_bundle::packets::Direction::{In, Out};
use netcap_tests::bundle::{BundleBuilder, SealedBundle};
use netcap_tests::packets::{mac, syn};

use crate::finding::{Confidence, Evidence, Finding, Severity};
use crate::testing::{found, only};
use crate::text::Text;

const A: Ipv4Addr = Ipv4Addr::new(172, 16, 51, 20);
const B: Ipv4Addr = Ipv4Addr::new(172, 16, 51, 21);
const MACS: [&str; 2] = ["0c:da:41:1d:56:a7", "0c:da:41:1d:56:a8"];
const SHOW: &str = "OFPT_FEATURES_REPLY (xid=0x2): dpid:0000525400000001\n 3(vnet0): addr:fe:da:41:1d:56:a7\n     \
    config:     0\n     state:      LIVE\n 5(vnet1): addr:fe:da:41:1d:56:a8\n     config:     0\n     \
    state:      LIVE\n";
const PORTS: &str = "netdev@ovs-netdev: hit:100 missed:9\n  vswitch0:\n    vnet0 3/4: (system)\n    \
    vnet1 5/6: (system)\n    vswitch0 65534/1: (tap)\n";
const DATABASE: &str = concat!(
    r#"{"caption":"Bridge table","headings":["_uuid","name","datapath_type","ports"],"data":[[["uuid","b"],"vswitch0","netdev",["set",[["uuid","p0"],["uuid","p1"]]]]]}"#,
    "\n",
    r#"{"caption":"Port table","headings":["_uuid","name","interfaces"],"data":[[["uuid","p0"],"vnet0",["uuid","i0"]],[["uuid","p1"],"vnet1",["uuid","i1"]]]}"#,
    "\n",
    r#"{"caption":"Interface table","headings":["_uuid","name","type","ofport"],"data":[[["uuid","i0"],"vnet0","tap",3],[["uuid","i1"],"vnet1","tap",5]]}"#,
    "\n"
);

/// The second step of a handshake.
fn syn_ack(port: u16) -> Vec<u8> {
    let mut frame = syn(mac(MACS[1]), mac(MACS[0]), B, A, 22, port);
    frame[14 + 20 + 13] = 0x12;
    frame
}

/// The firewall's rules: connections of `vnet0` are tracked in zone 188, those of vnet1 in `other`.
fn rules(other: &str, dropped: u64) -> String {
    [
        " cookie=0x30, table=0, n_packets=9, n_bytes=1, priority=10,ct_state=-trk,ip,in_port=3 actions=ct(table=5,zone=188)",
        &format!(" cookie=0x30, table=0, n_packets=9, n_bytes=1, priority=10,ct_state=-trk,ip,in_port=5 actions=ct(table=5{other})"),
        " cookie=0x30, table=5, n_packets=9, n_bytes=1, priority=80,ct_state=+est+rpl,ip actions=NORMAL",
        " cookie=0x30, table=5, n_packets=9, n_bytes=1, priority=75,ct_state=+new-est,tcp,in_port=3,tp_dst=22 actions=ct(commit,zone=188),NORMAL",
        &format!(" cookie=0x30, table=5, n_packets={dropped}, n_bytes=1, priority=70,ct_state=+inv+trk,ip,in_port=5 actions=drop"),
        " cookie=0x0, table=0, n_packets=9, n_bytes=1, priority=0 actions=NORMAL",
        "",
    ]
    .join("\n")
}

fn half_open(zone: &str) -> String {
    let entry = |port: u16| {
        format!(
            "tcp,orig=(src={A},dst={B},sport={port},dport=22),reply=(src={B},dst={A},sport=22,dport={port}){zone},\
             protoinfo=(state=SYN_SENT)\n"
        )
    };
    (40_010..40_020).map(entry).collect()
}

/// Ten connection attempts of A to B arrive, and their answers enter at vnet1 and leave nowhere.
fn bundle(rules: impl Fn(u64) -> String, connections: Option<&str>) -> SealedBundle {
    let mut bundle = BundleBuilder::new(60_000);
    for (name, guest) in [("vnet0", MACS[0]), ("vnet1", MACS[1])] {
        bundle.point(name, Role::Vnet { vm: Some(format!("vm-{name}")), guest_mac: Some(mac(guest)) }, "");
    }
    for port in 40_010..40_020_u16 {
        let ms = i64::from(port - 40_000) * 1_000;
        let ask = syn(mac(MACS[0]), mac(MACS[1]), A, B, port, 22);
        bundle.frame("vnet0", ms, In, &ask).frame("vnet1", ms + 1, Out, &ask);
        bundle.frame("vnet1", ms + 2, In, &syn_ack(port));
    }
    for (ms, dropped) in [(0, 0), (30_000, 10), (58_000, 10)] {
        let rules = rules(dropped);
        let mut samples = vec![
            ("ovsdb", "dump", "", DATABASE),
            ("ovs-datapath", "dpif-show", "", PORTS),
            ("ovs-openflow", "show", "vswitch0", SHOW),
            ("ovs-openflow", "dump-flows", "vswitch0", &rules),
        ];
        samples.extend(connections.map(|text| ("ovs-conntrack", "dump", "", text)));
        bundle.state(ms, &samples);
    }
    bundle.seal()
}

fn ruled(sealed: &SealedBundle) -> Vec<String> {
    let said = |finding: &Finding| -> Vec<String> {
        finding.ruled.iter().map(|ruled| ruled.what.sentence().english()).collect()
    };
    found(sealed, "packet-loss").iter().flat_map(said).collect()
}

/// The runbook's case: 188 at one port, nothing at the other.
#[test]
fn a_half_open_connection_in_another_zone_is_proven() {
    let sealed = bundle(|dropped| rules("", dropped), Some(&half_open(",zone=188")));
    let findings = found(&sealed, "ct-zone-mismatch");
    assert_eq!(only(&findings), (Severity::Error, Confidence::Proven));
    let claim = findings[0].claim.english();
    for words in [
        "188 at vnet0, VM vm-vnet0;",
        "0 at vnet1, VM vm-vnet1.",
        "+inv+trk",
        "answers to connection attempts",
    ] {
        assert!(claim.contains(words), "{words} in {claim}");
    }
    let Evidence::Snapshot { line, .. } = &findings[0].evidence[0] else { panic!("the entry decides") };
    assert!(line.contains("zone=188") && line.contains("SYN_SENT"), "{line}");
    let all = format!("{:?}", findings[0].evidence);
    for words in ["in_port=3 actions=ct(table=5,zone=188)", "in_port=5 actions=ct(table=5)", "after: 10"] {
        assert!(all.contains(words), "{words} in {all}");
    }
    let remedy = findings[0].remedy.english();
    assert!(
        remedy.contains("set_cvk_port_flow.sh vnet1; bash /opt/bin/set_cvk_port_flow.sh vnet0"),
        "{remedy}"
    );
    let died: Vec<String> = findings[0].consequences.iter().map(Text::english).collect();
    assert_eq!(died, [format!("10 answers of {B} to connection attempts of {A} (SYN-ACK) were lost")]);
    assert!(found(&sealed, "acl-drop").is_empty());
}

/// The rule says that it is invalid and no zone knows better: it is no matter of zones, nor of the rule.
#[test]
fn what_no_zone_knows_is_the_rules() {
    let others = half_open(",zone=188").replace(&A.to_string(), "172.16.51.99");
    let sealed = bundle(|dropped| rules("", dropped), Some(&others));
    assert!(found(&sealed, "ct-zone-mismatch").is_empty());
    let rule = found(&sealed, "acl-drop");
    assert_eq!(only(&rule), (Severity::Error, Confidence::Likely));
    let claim = rule[0].claim.english();
    assert!(
        claim.starts_with("Connection tracking of vswitch0 (zone 0) does not know the connection"),
        "{claim}"
    );
    assert!(rule[0].remedy.english().starts_with("Leave the rule"), "{}", rule[0].remedy.english());
}

/// Each port has a zone of its own and connections are in both: something else is wrong.
#[test]
fn zones_by_design_are_no_mismatch() {
    let both = half_open(",zone=188") + &half_open(",zone=7");
    let by_port =
        |dropped| rules(",zone=7", dropped).replace("+est+rpl,ip actions=NORMAL", "+est+rpl,ip actions=drop");
    let sealed = bundle(by_port, Some(&both));
    assert!(found(&sealed, "ct-zone-mismatch").is_empty());
    assert_eq!(found(&sealed, "acl-drop").len(), 1);
}

#[test]
fn without_the_table_nobody_can_tell() {
    let sealed = bundle(|dropped| rules("", dropped), None);
    assert!(found(&sealed, "ct-zone-mismatch").is_empty());
    let ruled = ruled(&sealed);
    assert!(ruled.iter().any(|text| text.contains("dump-conntrack")), "{ruled:?}");
}
