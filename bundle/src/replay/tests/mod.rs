use crate::sources::ovs::openflow::OvsOpenflow;
use proptest::prelude::*;

use super::*;
use crate::sources::shared::OfPort;
use crate::sources::shared::testing::{hostile, parse_one};

mod frames;
mod hosts;
mod pipelines;

use frames::{arp, icmp, tagged, tcp, udp};

const ACL: &str = "\
 cookie=0x0, duration=0.561s, table=0, n_packets=1, n_bytes=74, priority=20,icmp,in_port=4,nw_dst=172.16.51.6 actions=drop
 cookie=0x30, duration=0.501s, table=0, n_packets=0, n_bytes=0, priority=5,tcp,dl_vlan=188,dl_dst=01:00:00:00:00:00/01:00:00:00:00:00,nw_src=10.0.0.0/8,tp_dst=0x16/0xfffe actions=goto_table:10
 cookie=0x0, duration=20.866s, table=0, n_packets=34, n_bytes=2700, priority=0 actions=NORMAL
 cookie=0x0, duration=0.522s, table=10, n_packets=0, n_bytes=0, priority=0 actions=NORMAL
";

/// Rules of `br0` as `ovs-ofctl` prints them without statistics.
fn rules(lines: &[&str]) -> OvsOpenflow {
    let parsed = parse_one::<OvsOpenflow>("dump-flows", "br0", &lines.join("\n"));
    assert_eq!(parsed.defects, []);
    parsed.value
}

fn bare(openflow: &OvsOpenflow) -> Dumps<'_> {
    Dumps { openflow, ovsdb: None, datapath: None, fdb: None, conntrack: None }
}

fn ping(port: u16, dst: [u8; 4]) -> Packet {
    Packet::of_frame(Some(OfPort(port)), &icmp([172, 16, 51, 20], dst, 8))
}

/// Table and line of the rule that ends the packet.
fn dropped_at(openflow: &OvsOpenflow, packet: Packet) -> Option<(u8, Option<usize>)> {
    match replay(&bare(openflow), "br0", packet).decision {
        ForwardingDecision::Dropped(end) => Some((end.table, end.rule.map(|flow| flow.line))),
        _ => None,
    }
}

fn forwarded(openflow: &OvsOpenflow, packet: Packet) -> Vec<String> {
    match replay(&bare(openflow), "br0", packet).decision {
        ForwardingDecision::Forwarded(exits) => exits.into_iter().map(|exit| exit.port).collect(),
        _ => Vec::new(),
    }
}

fn cannot_tell(openflow: &OvsOpenflow, packet: Packet) -> bool {
    matches!(replay(&bare(openflow), "br0", packet).decision, ForwardingDecision::CannotTell { .. })
}

#[test]
fn the_rule_that_drops_the_ping_is_named_and_its_neighbours_pass() {
    let rules = rules(&[ACL]);
    assert_eq!(dropped_at(&rules, ping(4, [172, 16, 51, 6])), Some((0, Some(1))));
    assert_eq!(forwarded(&rules, ping(4, [172, 16, 51, 7])), ["NORMAL"]);
    assert_eq!(forwarded(&rules, ping(3, [172, 16, 51, 6])), ["NORMAL"]);
    let half = icmp([172, 16, 51, 20], [172, 16, 51, 6], 8);
    let cut = Packet::of_frame(Some(OfPort(4)), &half[..26]);
    let ForwardingDecision::CannotTell { candidates, .. } = replay(&bare(&rules), "br0", cut).decision else {
        panic!()
    };
    assert_eq!(candidates[0].line, 1);
}

#[test]
fn fields_answer_yes_no_or_unknown() {
    let ping = Packet::of_frame(Some(OfPort(4)), &tagged(188, &icmp([172, 16, 51, 20], [172, 16, 51, 6], 8)));
    let asked = Packet::of_frame(Some(OfPort(4)), &arp([10, 0, 0, 1], [10, 0, 0, 2]));
    let syn = Packet::of_frame(Some(OfPort(4)), &tcp([10, 0, 0, 1], [10, 0, 0, 2], 40_000, 22, 0x02));
    let answer = |text: &str, packet: &Packet| {
        let rules = rules(&[&format!("priority=1,{text} actions=drop")]);
        rules.bridges["br0"].flows[0].matches.matches(packet)
    };
    for text in [
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
        "reg1=0",
        "metadata=0x0/0xff",
        "tun_id=0",
        "nw_ttl=64",
        "ip_frag=no",
    ] {
        assert_eq!(answer(text, &ping), Ternary::Yes, "{text}");
    }
    for text in [
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
        "reg1=0x3",
        "ct_zone=5",
        "conj_id=1",
        "dl_vlan_pcp=3",
    ] {
        assert_eq!(answer(text, &ping), Ternary::No, "{text}");
    }
    for text in ["surprise", "nw_dst=garbage", "in_port=vnet0", "mpls_label=3", "surprise=1"] {
        assert_eq!(answer(text, &ping), Ternary::Unknown, "{text}");
    }
    for text in [
        "arp",
        "arp_op=1",
        "nw_proto=1",
        "arp_spa=10.0.0.0/24",
        "nw_src=10.0.0.1",
        "arp_sha=02:00:00:00:00:01",
    ] {
        assert_eq!(answer(text, &asked), Ternary::Yes, "{text}");
    }
    for text in ["tcp,tp_dst=22", "tcp_flags=+syn-ack", "tcp_flags=syn", "tcp_src=0x9c40/0xffff"] {
        assert_eq!(answer(text, &syn), Ternary::Yes, "{text}");
    }
    assert_eq!(answer("udp", &Packet::of_frame(None, &udp([1; 4], [2; 4], 1, 53))), Ternary::Yes);
    assert_eq!(answer("in_port=4", &Packet::of_frame(None, &udp([1; 4], [2; 4], 1, 53))), Ternary::Unknown);
}

/// Every bit that is taken away may turn an answer into "cannot tell", and into nothing else.
#[test]
fn a_cut_frame_never_changes_a_verdict() {
    let rules = rules(&[ACL, "table=0, priority=9,tcp,tp_dst=22 actions=drop"]);
    for whole in [
        icmp([172, 16, 51, 20], [172, 16, 51, 6], 8),
        tcp([172, 16, 51, 20], [172, 16, 51, 6], 5, 22, 2),
        arp([10, 0, 0, 1], [10, 0, 0, 2]),
    ] {
        let verdict =
            |frame: &[u8]| replay(&bare(&rules), "br0", Packet::of_frame(Some(OfPort(4)), frame)).decision;
        let full = verdict(&whole);
        for length in 0..whole.len() {
            let cut = verdict(&whole[..length]);
            assert!(cut == full || matches!(cut, ForwardingDecision::CannotTell { .. }), "{length}: {cut:?}");
        }
    }
}

proptest! {
    #[test]
    fn hostile_rules_and_frames_never_panic(
        bytes in hostile(ACL),
        frame in proptest::collection::vec(any::<u8>(), 0..200),
        text in "[a-z_]{1,12}[:(=][ -~]{0,40}",
    ) {
        let lines = String::from_utf8_lossy(&bytes).into_owned() + "\npriority=30000 actions=" + &text;
        let parsed = parse_one::<OvsOpenflow>("dump-flows", "br0", &lines);
        let _ = replay(&bare(&parsed.value), "br0", Packet::of_frame(Some(OfPort(4)), &frame));
        let _ = replay(&bare(&parsed.value), "br0", ping(4, [172, 16, 51, 6]));
    }
}
