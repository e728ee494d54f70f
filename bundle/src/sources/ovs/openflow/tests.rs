use crate::sources::shared::OfPort;
use proptest::prelude::*;

use super::*;
use crate::sources::shared::testing::{corpus_texts, hostile, item, parse_one, score, survives};

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
    }
}
