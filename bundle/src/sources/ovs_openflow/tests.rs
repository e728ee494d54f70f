use proptest::prelude::*;

use super::*;
use crate::sources::shared::fields::{ETH_ARP, ETH_IPV4, PROTO_ICMP, PROTO_TCP};
use crate::sources::shared::testing::{corpus_texts, hostile, item, parse_one, score, survives};
use crate::sources::shared::{PacketFields, Ternary, VlanTag};

/// A filter's drop in front of the ordinary switching; version 3.1.
const ACL: &str = "\
OFPST_FLOW reply (OF1.5) (xid=0x2):
 cookie=0x0, duration=0.561s, table=0, n_packets=1, n_bytes=74, idle_age=0, priority=20,icmp,in_port=4,nw_dst=172.16.51.6 actions=drop
 cookie=0x30, duration=0.501s, table=0, n_packets=0, n_bytes=0, hard_timeout=6000, idle_age=0, priority=5,tcp,dl_vlan=188,dl_dst=01:00:00:00:00:00/01:00:00:00:00:00,nw_src=10.0.0.0/8,tp_dst=0x16/0xfffe actions=goto_table:10
 cookie=0x0, duration=20.866s, table=0, n_packets=34, n_bytes=2700, idle_age=0, priority=0 actions=NORMAL
 cookie=0x0, duration=0.522s, table=10, n_packets=0, n_bytes=0, idle_age=0, priority=0 actions=NORMAL
";

/// A stateful firewall, the old format with the blanks of a manual.
const FIREWALL: &str = "\
NXST_FLOW reply (xid=0x4):
 cookie=0x30, duration=238.433s, table=0, n_packets=18, n_bytes=6210, priority=10,ct_state=-trk,ip,in_port=3 actions=ct(table=5,zone=188)
 cookie=0x30, duration=238.433s, table=5, n_packets=18, n_bytes=6210, priority=1 actions=load:0x3->NXM_NX_REG1[],resubmit(,10)
 cookie=0x30, duration=238.433s, table=10, n_packets=0, n_bytes=0, priority=30004, ct_state=+est-rel-rpl,ip,in_port=3 actions=ct(commit,zone=188),NORMAL
 cookie=0x30, duration=238.433s, table=10, n_packets=45, n_bytes=10026, priority=30004, ct_state=+new-est,ip,reg1=0x3 actions=drop
 cookie=0x30, duration=238.433s, table=10, n_packets=0, n_bytes=0, priority=70,ct_state=+inv+trk,ip,reg1=0x4 actions=drop
";

const SHOW: &str = "\
OFPT_FEATURES_REPLY (OF1.5) (xid=0x2): dpid:00001ae7c6faef49
n_tables:254, n_buffers:0
capabilities: FLOW_STATS TABLE_STATS PORT_STATS GROUP_STATS QUEUE_STATS BUNDLES
OFPST_PORT_DESC reply (OF1.5) (xid=0x3):
 5(dhcp0): addr:3e:b2:8d:89:64:1a
     config:     PORT_DOWN
     state:      LINK_DOWN
     current:    10GB-FD COPPER
     speed: 10000 Mbps now, 0 Mbps max
 LOCAL(vswitch0): addr:1a:e7:c6:fa:ef:49
     config:     0
     state:      LIVE
OFPT_GET_CONFIG_REPLY (OF1.5) (xid=0x5): frags=normal miss_send_len=0
";

fn bridge(text: &str) -> BridgeFlows {
    let mut parsed = parse_one::<OvsOpenflow>("dump-flows", "vswitch0", text);
    assert_eq!(parsed.defects, []);
    parsed.value.bridges.remove("vswitch0").unwrap()
}

/// Rules written as `ovs-ofctl` prints them without statistics.
fn rules(lines: &[&str]) -> BridgeFlows {
    bridge(&lines.join("\n"))
}

fn ping(port: u16, dst: [u8; 4]) -> PacketFields {
    PacketFields {
        of_port: Some(OfPort(port)),
        eth_src: "0c:da:41:1d:10:2e".parse().ok(),
        eth_dst: "a0:36:9f:97:76:b8".parse().ok(),
        eth_type: Some(ETH_IPV4),
        vlan: VlanTag::None,
        ip_src: Some([172, 16, 51, 20].into()),
        ip_dst: Some(dst.into()),
        ip_proto: Some(PROTO_ICMP),
        icmp_type: Some(8),
        icmp_code: Some(0),
        ..PacketFields::default()
    }
}

fn dropped_at(bridge: &BridgeFlows, packet: &PacketFields) -> Option<(u8, Option<usize>)> {
    match walk(bridge, packet).verdict {
        WalkVerdict::Dropped { rule, table } => Some((table, rule.map(|flow| flow.line))),
        _ => None,
    }
}

fn forwarded(bridge: &BridgeFlows, packet: &PacketFields) -> bool {
    walk(bridge, packet).verdict == WalkVerdict::Forwarded
}

#[test]
fn statistics_match_and_actions_are_kept_apart() {
    let bridge = bridge(ACL);
    let drop = &bridge.flows[0];
    assert!(bridge.complete && drop.is_drop());
    assert_eq!((drop.line, drop.table, drop.priority, drop.n_packets, drop.n_bytes), (2, 0, 20, 1, 74));
    assert_eq!((drop.duration_ms, drop.idle_age_s, drop.matches.in_port()), (561, Some(0), Some(OfPort(4))));
    assert_eq!(drop.describe(), "table=0 priority=20,icmp,in_port=4,nw_dst=172.16.51.6 actions=drop");
    let goto = &bridge.flows[1];
    assert_eq!(
        (goto.cookie, goto.hard_timeout_s, goto.actions.as_str()),
        (0x30, Some(6000), "goto_table:10")
    );
    assert_eq!(goto.matches.get("tp_dst"), Some("0x16/0xfffe"));
    let mut later = drop.clone();
    (later.n_packets, later.duration_ms, later.line) = (9, 99_000, 7);
    assert!(drop.same_rule(&later) && !drop.same_rule(goto));
}

#[test]
fn ports_with_their_flags() {
    let parsed = parse_one::<OvsOpenflow>("show", "vswitch0", SHOW);
    assert_eq!(parsed.defects, []);
    let ports = &parsed.value.bridges["vswitch0"].ports;
    assert_eq!(
        (ports[0].config.as_slice(), ports[0].state.as_slice()),
        (["PORT_DOWN".to_owned()].as_slice(), ["LINK_DOWN".to_owned()].as_slice())
    );
    assert_eq!((ports[1].number, ports[1].config.len()), (OfPort::LOCAL, 0));
    assert_eq!(parsed.value.port("vswitch0", "dhcp0"), Some(OfPort(5)));
}

#[test]
fn the_rule_that_drops_the_ping_is_named_and_its_neighbours_pass() {
    let bridge = bridge(ACL);
    assert_eq!(dropped_at(&bridge, &ping(4, [172, 16, 51, 6])), Some((0, Some(2))));
    assert!(forwarded(&bridge, &ping(4, [172, 16, 51, 7])));
    assert!(forwarded(&bridge, &ping(3, [172, 16, 51, 6])));
    let half = PacketFields { ip_dst: None, ..ping(4, [0; 4]) };
    let WalkVerdict::Unknown { candidates, .. } = walk(&bridge, &half).verdict else { panic!("unknown") };
    assert_eq!(candidates[0].line, 2);
}

#[test]
fn fields_answer_yes_no_or_unknown() {
    let packet = PacketFields { vlan: VlanTag::Tagged { vid: 188, pcp: None }, ..ping(4, [172, 16, 51, 6]) };
    let arp = PacketFields {
        eth_type: Some(ETH_ARP),
        arp_op: Some(1),
        arp_spa: Some([10, 0, 0, 1].into()),
        ..PacketFields::default()
    };
    let yes = [
        "in_port=4",
        "icmp",
        "ip",
        "dl_type=0x0800",
        "dl_vlan=188",
        "vlan_tci=0x10bc/0x1fff",
        "vlan_tci=0x1000/0x1000",
        "vlan_vid=4284",
        "nw_dst=172.16.0.0/16",
        "nw_dst=172.16.51.6/255.255.255.0",
        "icmp_type=8",
        "tp_src=8",
        "dl_src=00:00:00:00:00:00/01:00:00:00:00:00",
        "nw_proto=1",
        "ct_state=-trk",
    ];
    let no = [
        "in_port=LOCAL",
        "tcp",
        "arp",
        "ipv6",
        "dl_vlan=0xffff",
        "vlan_tci=0x0000",
        "vlan_tci=0x0000/0x1fff",
        "nw_src=10.0.0.0/8",
        "icmp_code=1",
        "dl_dst=ff:ff:ff:ff:ff:ff",
        "ct_state=+trk",
    ];
    let unknown = [
        "reg1=0x3",
        "metadata=0x1",
        "tun_id=0x5",
        "nw_tos=0",
        "ct_zone=5",
        "conj_id=1",
        "vlan_tci=0xf0bc",
        "surprise",
        "nw_dst=garbage",
        "in_port=vnet0",
    ];
    let answer = |text: &str, packet: &PacketFields| {
        let flow = bridge(&format!("priority=1,{text} actions=drop"));
        flow.flows[0].matches.matches(packet)
    };
    let untracked = PacketFields { ct: crate::sources::shared::CtKnowledge::Untracked, ..packet.clone() };
    for text in yes {
        assert_eq!(answer(text, &untracked), Ternary::Yes, "{text}");
    }
    for text in no {
        assert_eq!(answer(text, &untracked), Ternary::No, "{text}");
    }
    for text in unknown {
        assert_eq!(answer(text, &untracked), Ternary::Unknown, "{text}");
    }
    for text in ["arp", "arp_op=1", "nw_proto=1", "arp_spa=10.0.0.0/24", "nw_src=10.0.0.1"] {
        assert_eq!(answer(text, &arp), Ternary::Yes, "{text}");
    }
    assert_eq!(answer("ct_state=-trk", &packet), Ternary::Unknown);
}

#[test]
fn a_stateful_firewall_is_followed_as_far_as_it_is_certain() {
    let bridge = bridge(FIREWALL);
    let packet = PacketFields {
        ip_proto: Some(PROTO_TCP),
        icmp_type: None,
        icmp_code: None,
        l4_dst: Some(22),
        ..ping(3, [10, 0, 0, 1])
    };
    let walk = walk(&bridge, &packet);
    assert_eq!(walk.steps.iter().map(|flow| flow.table).collect::<Vec<_>>(), [0, 5]);
    let WalkVerdict::Unknown { candidates, .. } = walk.verdict else { panic!("conntrack state decides") };
    // The register was set to 3 on the way, so the rule for register 4 is out.
    assert_eq!(candidates.iter().map(|flow| flow.line).collect::<Vec<_>>(), [4, 5]);
}

#[test]
fn resubmit_goto_and_misses() {
    let normal =
        ["table=0, priority=1 actions=resubmit(,7)", "table=7, priority=9,icmp actions=goto_table:8"];
    let miss = rules(&normal);
    assert_eq!(dropped_at(&miss, &ping(1, [1; 4])), Some((8, None)));
    let with_end = rules(&[normal[0], normal[1], "table=8, priority=0 actions=output:2"]);
    assert!(forwarded(&with_end, &ping(1, [1; 4])));
    // Sent back where it came from: not sent at all.
    assert_eq!(dropped_at(&with_end, &ping(2, [1; 4])), Some((8, Some(3))));
    let mut cut = miss;
    cut.complete = false;
    assert!(matches!(walk(&cut, &ping(1, [1; 4])).verdict, WalkVerdict::Unknown { .. }));
}

#[test]
fn what_is_not_certain_is_never_a_drop() {
    let packet = ping(1, [1, 1, 1, 1]);
    for lines in [
        // A higher priority that depends on what is not known.
        ["priority=20,tun_id=0x5 actions=output:2", "priority=1 actions=drop"],
        // Two rules of one priority.
        ["priority=5,icmp actions=output:2", "priority=5,ip actions=drop"],
        // A header was rewritten before the lookup.
        [
            "priority=5 actions=mod_nw_dst:2.2.2.2,resubmit(,1)",
            "table=1, priority=1,nw_dst=1.1.1.1 actions=drop",
        ],
        ["priority=5 actions=group:1", "priority=1 actions=drop"],
        ["priority=5 actions=output:NXM_NX_REG15[]", "priority=1 actions=drop"],
        ["priority=5 actions=CONTROLLER:65535", "priority=1 actions=drop"],
        ["priority=5 actions=resubmit(,0)", "priority=1 actions=drop"],
    ] {
        let bridge = rules(&lines);
        assert!(matches!(walk(&bridge, &packet).verdict, WalkVerdict::Unknown { .. }), "{lines:?}");
    }
    // The same outcome either way is certain.
    let same = rules(&["priority=20,tun_id=0x5 actions=drop", "priority=1 actions=drop"]);
    assert_eq!(dropped_at(&same, &packet), Some((0, Some(2))));
    // One branch that sends is enough.
    let both = rules(&["priority=5 actions=resubmit(,1),output:9", "table=1, priority=1 actions=drop"]);
    assert!(forwarded(&both, &packet));
}

#[test]
fn a_dump_with_a_stranger_in_it_is_not_whole() {
    let parsed =
        OvsOpenflow::parse(&[item("dump-flows", "br0", "ovs-ofctl: br0 is not a bridge or a socket\n")]);
    assert!(!parsed.value.bridges["br0"].complete);
    assert_eq!(parsed.defects.len(), 1);
}

#[test]
fn corpus_parses() {
    let blocks: Vec<_> = corpus_texts("text/openvswitch+ovs/blocks", &["/dump-flows/"])
        .into_iter()
        // The folder also holds datapath flows and the suite's own scaffolding.
        .filter(|(_, text)| {
            text.contains("actions=") && !text.contains("AT_CHECK") && !text.contains("recirc_id(")
        })
        .collect();
    let (files, clean) = score::<OvsOpenflow>("dump-flows", &blocks);
    assert_eq!(files, clean);
    for (item, needle) in [("dump-flows", "_dump-flows_br"), ("show", "_show_br")] {
        let mut texts = corpus_texts("text/canonical+hotsos", &[needle]);
        texts.retain(|(name, _)| name.contains("ofctl"));
        let (files, clean) = score::<OvsOpenflow>(item, &texts);
        assert_eq!(files, clean);
    }
}

proptest! {
    #[test]
    fn hostile_text_never_panics(bytes in prop_oneof![hostile(ACL), hostile(FIREWALL), hostile(SHOW)], cut: bool) {
        survives::<OvsOpenflow>(&bytes, cut);
        let parsed = parse_one::<OvsOpenflow>("dump-flows", "br0", &String::from_utf8_lossy(&bytes));
        for bridge in parsed.value.bridges.values() {
            let _ = walk(bridge, &ping(4, [172, 16, 51, 6]));
        }
    }
}
