use crate::sources::shared::OfPort;
use netcap_words::wire::{ether_type, ip_protocol};
use proptest::prelude::*;

use super::*;
use crate::sources::shared::testing::{corpus_texts, hostile, parse_one, score, survives};
use crate::sources::shared::{CtKnowledge, PacketFields, Ternary, VlanTag};

pub(crate) const SHOW: &str = "\
netdev@ovs-netdev:
  lookups: hit:40 missed:19 lost:2
  flows: 6
  port 0: ovs-netdev (tap)
  port 1: vswitch0 (tap)
  port 2: eth2
  port 10: vxlan_sys_4789 (vxlan: packet_type=ptap)
";

pub(crate) const DPIF: &str = "\
netdev@ovs-netdev: hit:40 missed:19
  vs-app:
    eth4 2/9: (system)
    patch0 3/none: (patch: peer=patch1)
    vs-app 65534/7: (tap)
  vswitch0:
    vnet0 3/4: (system)
    vnet1 4/5: (system)
    vswitch0 65534/1: (tap)
";

const FLOWS: &str = "\
flow-dump from the main thread:
recirc_id(0),in_port(5),packet_type(ns=0,id=0),eth_type(0x0800),ipv4(dst=172.16.51.6,proto=1,frag=no), packets:2, bytes:148, used:0.103s, actions:drop
ct_state(-new-est),recirc_id(0x2),in_port(4),packet_type(ns=0,id=0),eth_type(0x0800),ipv4(frag=no), packets:2, bytes:108, used:0.095s, flags:S, actions:drop
ct_state(-trk),recirc_id(0),in_port(5),packet_type(ns=0,id=0),eth(src=0c:da:41:1d:10:2e,dst=ff:ff:ff:ff:ff:ff),eth_type(0x0806),arp(sip=172.16.51.20,tip=172.16.51.6,op=1), packets:2, bytes:84, used:0.071s, actions:1,3
ct_state(+trk),recirc_id(0x3),in_port(4),packet_type(ns=0,id=0),eth(src=0c:da:41:1d:43:79,dst=0c:da:41:1d:10:2e),eth_type(0x0800),ipv4(frag=no), packets:2, bytes:108, used:never, flags:S, actions:ct(commit,zone=188),push_vlan(vid=188,pcp=0),1,3,5
recirc_id(0),in_port(1),packet_type(ns=0,id=0),eth(src=00:06:07:08:09:0a,dst=00:01:02:03:04:05),eth_type(0x8100),vlan(vid=1000,pcp=5/0x0),encap(eth_type(0x0800),ipv4(src=10.0.0.0/255.0.0.0,frag=no),tcp(dst=0x16/0xfffe)), packets:0, bytes:0, used:never, actions:2
ufid:fa67557c-3803-469c-9a61-14650f4cc296, skb_priority(0/0),skb_mark(0/0),ct_state(0/0),ct_zone(0/0),recirc_id(0),dp_hash(0/0),in_port(vnet1),packet_type(ns=0,id=0),eth(src=0c:da:41:1d:10:2e/00:00:00:00:00:00,dst=a0:36:9f:97:76:b8/00:00:00:00:00:00),eth_type(0x0800),ipv4(src=172.16.51.20/0.0.0.0,dst=172.16.51.6,proto=1,tos=0/0,ttl=64/0,frag=no),icmp(type=8/0,code=0/0), packets:2, bytes:148, used:0.076s, dp:ovs, actions:drop, dp-extra-info:miniflow_bits(4,2)
";

/// As a manual prints it: wrapped line, no blank after the last comma of the match.
const MANUAL: &str = "recirc_id(0),in_port(8),eth_type(0x0800),ipv4(dst=172.16.51.6,proto=1,tos=0/0xfc,frag=no),packets:10426,bytes:1021748,used:0.369s,actions:drop\n";

fn flows() -> Vec<DpFlow> {
    let parsed = parse_one::<OvsDatapath>("dump-flows", "", FLOWS);
    assert_eq!(parsed.defects, []);
    parsed.value.flows
}

fn ping_to_gateway() -> PacketFields {
    PacketFields {
        dp_port: Some(5),
        port_name: Some("vnet1".to_owned()),
        eth_type: Some(ether_type::IPV4),
        vlan: VlanTag::None,
        ip_src: Some([172, 16, 51, 20].into()),
        ip_dst: Some([172, 16, 51, 6].into()),
        ip_proto: Some(ip_protocol::ICMP),
        icmp_type: Some(8),
        icmp_code: Some(0),
        ct: CtKnowledge::Untracked,
        ..PacketFields::default()
    }
}

#[test]
fn two_numberings_of_one_port() {
    let mut parsed = parse_one::<OvsDatapath>("dpctl-show", "", SHOW);
    parsed.value.ports = parse_one::<OvsDatapath>("dpif-show", "", DPIF).value.ports;
    assert_eq!(parsed.defects, []);
    let dp = parsed.value;
    assert_eq!(
        (dp.datapaths[0].lost, dp.datapaths[0].flows, dp.datapaths[0].ports.len()),
        (Some(2), Some(6), 4)
    );
    assert_eq!(dp.datapaths[0].ports[3].kind.as_deref(), Some("vxlan"));
    let vnet0 = dp.port("vnet0").unwrap();
    assert_eq!((vnet0.bridge.as_str(), vnet0.ofport, vnet0.dp_port), ("vswitch0", OfPort(3), Some(4)));
    let patch = dp.port("patch0").unwrap();
    assert_eq!((patch.dp_port, patch.kind.as_str(), patch.options.as_str()), (None, "patch", "peer=patch1"));
    assert_eq!(
        (dp.iface_of(5), dp.iface_of(2), dp.dp_port_of("eth2")),
        (Some("vnet1"), Some("eth2"), Some(2))
    );
}

#[test]
fn fields_counters_and_actions() {
    let flows = flows();
    let icmp = &flows[0];
    assert!(icmp.is_drop());
    assert_eq!((icmp.line, icmp.packets, icmp.bytes, icmp.used_ms), (2, 2, 148, Some(103)));
    assert_eq!(
        (icmp.in_port.as_deref(), icmp.eth_type(), icmp.ip_proto()),
        (Some("5"), Some(0x800), Some(1))
    );
    assert_eq!(icmp.ip_dst().unwrap().exact(), Some([172, 16, 51, 6].into()));
    assert_eq!(
        (flows[1].recirc_id, flows[1].ct_state(), flows[1].tcp_flags.as_deref()),
        (2, Some("-new-est"), Some("S"))
    );
    assert!(!flows[2].is_drop() && flows[2].ip_dst().is_some());
    assert_eq!(flows[3].used_ms, None);
}

#[test]
fn fields_behind_a_tag_are_found_and_the_tag_is_kept() {
    let tagged = &flows()[4];
    assert_eq!((tagged.vlans(), tagged.eth_type()), (vec![Some(1000)], Some(0x800)));
    assert_eq!(tagged.fields["eth_type"], "0x8100");
    assert!(tagged.l4_dst().unwrap().matches(23) && !tagged.l4_dst().unwrap().matches(24));
    assert!(tagged.ip_src().unwrap().matches([10, 9, 9, 9].into()));
}

#[test]
fn a_manuals_spelling_and_verbose_dumps_are_the_same_flow() {
    let parsed = parse_one::<OvsDatapath>("dump-flows", "", MANUAL);
    assert_eq!((parsed.defects.len(), parsed.value.flows[0].packets), (0, 10_426));
    assert!(parsed.value.flows[0].is_drop());
    let verbose = &flows()[5];
    assert_eq!((verbose.actions.as_str(), verbose.in_port.as_deref()), ("drop", Some("vnet1")));
    assert!(verbose.ufid.is_some());
}

#[test]
fn a_packet_finds_its_flow() {
    let (flows, ping) = (flows(), ping_to_gateway());
    assert_eq!(flows[0].matches(&ping), Ternary::Yes);
    assert_eq!(flows[5].matches(&ping), Ternary::Yes);
    for other in &flows[1..5] {
        assert_eq!(other.matches(&ping), Ternary::No, "{}", other.raw);
    }
    let elsewhere = PacketFields { ip_dst: Some([172, 16, 51, 7].into()), ..ping.clone() };
    assert_eq!(flows[0].matches(&elsewhere), Ternary::No);
    let half_known = PacketFields { ip_dst: None, ..ping };
    assert_eq!(flows[0].matches(&half_known), Ternary::Unknown);
}

#[test]
fn a_tagged_packet_is_not_certainly_an_untagged_flow() {
    let tagged = PacketFields { vlan: VlanTag::Tagged { vid: 5, pcp: None }, ..ping_to_gateway() };
    assert_eq!(flows()[0].matches(&tagged), Ternary::Unknown);
}

#[test]
fn flows_of_a_port_by_number_and_by_name() {
    let mut dp = parse_one::<OvsDatapath>("dump-flows", "", FLOWS).value;
    dp.ports = parse_one::<OvsDatapath>("dpif-show", "", DPIF).value.ports;
    let lines: Vec<usize> = dp.flows_in("vnet1").map(|flow| flow.line).collect();
    assert_eq!(lines, [2, 4, 7]);
}

#[test]
fn corpus_parses() {
    let blocks = "text/openvswitch+ovs/blocks";
    // Some blocks are cut by the test suite's `tail`, some dumps are a refused option.
    let whole = |texts: Vec<(String, String)>| -> Vec<(String, String)> {
        let wanted = |text: &str| {
            text.contains('@') && text.trim_start().len() == text.len() && !text.contains("AT_CHECK")
        };
        texts.into_iter().filter(|(_, text)| wanted(text)).collect()
    };
    let sos = corpus_texts("text/canonical+hotsos", &["dpctl.dump-flows"]);
    for (item, texts) in [
        ("dump-flows", corpus_texts(blocks, &["/dpctl_dump-flows/"])),
        ("dump-flows", sos),
        ("dpctl-show", corpus_texts(blocks, &["/dpctl_show/"])),
        ("dpctl-show", corpus_texts("text/canonical+hotsos", &["dpctl.show"])),
        ("dpif-show", whole(corpus_texts(blocks, &["/dpif_show/"]))),
    ] {
        let (files, clean) = score::<OvsDatapath>(item, &texts);
        assert_eq!(files, clean);
    }
}

proptest! {
    #[test]
    fn hostile_text_never_panics(
        bytes in prop_oneof![hostile(SHOW), hostile(DPIF), hostile(FLOWS), hostile(MANUAL)],
        cut: bool,
    ) {
        survives::<OvsDatapath>(&bytes, cut);
        for flow in parse_one::<OvsDatapath>("dump-flows", "", &String::from_utf8_lossy(&bytes)).value.flows {
            let _ = (flow.matches(&ping_to_gateway()), flow.vlans());
        }
    }
}
