//! One bridge: tables, registers, conjunctions, action sets, groups.

use super::*;
use crate::sources::ovs::conntrack::OvsConntrack;
use crate::sources::ovs::openflow::OvsOpenflow;

const ANY: [u8; 4] = [1, 1, 1, 1];

#[test]
fn resubmit_goto_and_misses() {
    let normal =
        ["table=0, priority=1 actions=resubmit(,7)", "table=7, priority=9,icmp actions=goto_table:8"];
    let miss = rules(&normal);
    assert_eq!(dropped_at(&miss, ping(1, ANY)), Some((8, None)));
    let with_end = rules(&[normal[0], normal[1], "table=8, priority=0 actions=output:2"]);
    assert_eq!(forwarded(&with_end, ping(1, ANY)), ["2"]);
    // Sent back where it came from: not sent at all.
    assert_eq!(dropped_at(&with_end, ping(2, ANY)), Some((8, Some(3))));
    let mut cut = miss;
    cut.bridges.get_mut("br0").unwrap().complete = false;
    assert!(cannot_tell(&cut, ping(1, ANY)));
}

#[test]
fn what_a_resubmitted_rule_writes_stays_written() {
    let text = [
        "table=0, priority=1 actions=resubmit(,1),resubmit(,2)",
        "table=1, priority=1 actions=load:0x5->NXM_NX_REG3[4..7],move:NXM_NX_REG3[0..7]->NXM_NX_REG4[8..15]",
        "table=2, priority=5,reg4=0x5000 actions=mod_nw_dst:9.9.9.9,resubmit(,3)",
        "table=2, priority=1 actions=drop",
        "table=3, priority=1,icmp,nw_dst=9.9.9.9 actions=output:NXM_NX_REG3[4..7]",
    ];
    assert_eq!(forwarded(&rules(&text), ping(1, ANY)), ["5"]);
}

#[test]
fn tags_are_pushed_set_and_taken() {
    let text = [
        "table=0, priority=1 actions=push_vlan:0x8100,set_field:4197->vlan_vid,resubmit(,1)",
        "table=0, priority=2,dl_vlan=9 actions=push_vlan:0x8100,set_field:4197->vlan_vid,resubmit(,1)",
        "table=1, priority=1,dl_vlan=101 actions=strip_vlan,resubmit(,2)",
        "table=2, priority=1,vlan_tci=0x0000/0x1fff actions=mod_vlan_vid:7,resubmit(,3)",
        "table=3, priority=1,dl_vlan=7 actions=output:2",
    ];
    let rules = rules(&text);
    assert_eq!(forwarded(&rules, ping(1, ANY)), ["2"]);
    let outer = Packet::of_frame(Some(OfPort(1)), &tagged(9, &icmp(ANY, ANY, 8)));
    // Behind the pushed tag is the old one, so table 2 does not match.
    assert_eq!(dropped_at(&rules, outer), Some((2, None)));
    // Without a match on the tag the same text may be OpenFlow 1.0's `mod_vlan_vid`, which pushes nothing.
    let other = Packet::of_frame(Some(OfPort(1)), &tagged(10, &icmp(ANY, ANY, 8)));
    assert!(cannot_tell(&rules, other));
}

#[test]
fn a_conjunction_needs_all_its_parts() {
    let text = [
        "table=0, priority=50,ip,nw_src=172.16.51.20 actions=conjunction(7,1/2)",
        "table=0, priority=50,ip,nw_dst=1.1.1.1 actions=conjunction(7,2/2),conjunction(8,2/2)",
        "table=0, priority=50,conj_id=7,ip actions=output:4",
        "table=0, priority=1 actions=drop",
    ];
    let rules = rules(&text);
    assert_eq!(forwarded(&rules, ping(1, ANY)), ["4"]);
    assert_eq!(dropped_at(&rules, ping(1, [2, 2, 2, 2])), Some((0, Some(4))));
}

#[test]
fn the_action_set_is_done_at_the_end() {
    let text = [
        "table=0, priority=1 actions=write_actions(output:3),goto_table:1",
        "table=1, priority=5,nw_dst=2.2.2.2,ip actions=clear_actions",
        "table=1, priority=1 actions=write_actions(output:4)",
    ];
    let rules = rules(&text);
    assert_eq!(forwarded(&rules, ping(1, ANY)), ["4"]);
    assert_eq!(dropped_at(&rules, ping(1, [2, 2, 2, 2])), Some((1, Some(2))));
}

#[test]
fn exit_clone_and_time_to_live() {
    let text = [
        "table=0, priority=9,in_port=1 actions=clone(mod_nw_dst:2.2.2.2),resubmit(,1),output:6",
        "table=1, priority=9,icmp,nw_dst=1.1.1.1 actions=exit",
        "table=0, priority=9,in_port=2 actions=mod_nw_ttl:1,dec_ttl,output:6",
    ];
    let rules = rules(&text);
    assert_eq!(dropped_at(&rules, ping(1, ANY)), Some((1, Some(2))));
    let ForwardingDecision::Dropped(end) = replay(&bare(&rules), "br0", ping(2, ANY)).decision else {
        panic!()
    };
    assert_eq!(end.cause, Cause::Ttl);
}

#[test]
fn groups_that_were_dumped_are_followed() {
    let flows = "priority=1 actions=group:1\npriority=2,in_port=2 actions=group:2\npriority=2,in_port=3 actions=group:9";
    let groups = "group_id=1,type=all,bucket=bucket_id:0,actions=drop,bucket=bucket_id:1,actions=output:7\n\
        group_id=2,type=select,bucket=bucket_id:0,weight:1,actions=drop,bucket=bucket_id:1,weight:1,actions=output:7\n";
    let flows = parse_one::<OvsOpenflow>("dump-flows", "br0", flows).value;
    let mut both = parse_one::<OvsOpenflow>("dump-groups", "br0", groups).value;
    let bridge = both.bridges.get_mut("br0").unwrap();
    bridge.flows.clone_from(&flows.bridges["br0"].flows);
    bridge.complete = true;
    assert_eq!(forwarded(&both, ping(1, ANY)), ["7"]);
    assert!(cannot_tell(&both, ping(2, ANY)) && cannot_tell(&both, ping(3, ANY)));
    assert!(cannot_tell(&flows, ping(1, ANY)), "without a dump of the groups");
}

#[test]
fn what_is_not_certain_is_never_a_drop() {
    for lines in [
        // A higher priority that depends on what is not known.
        ["priority=20,mpls_label=3 actions=output:2", "priority=1 actions=drop"],
        // Two rules of one priority.
        ["priority=5,icmp actions=output:2", "priority=5,ip actions=drop"],
        ["priority=5 actions=group:1", "priority=1 actions=drop"],
        ["priority=5 actions=encap(nsh)", "priority=1 actions=drop"],
        ["priority=5 actions=resubmit(,0)", "priority=1 actions=drop"],
        [
            "priority=5 actions=multipath(eth_src,50,hrw,2,0,NXM_NX_REG1[]),resubmit(,1)",
            "table=1, priority=1,reg1=1 actions=drop",
        ],
    ] {
        assert!(cannot_tell(&rules(&lines), ping(1, ANY)), "{lines:?}");
    }
    // The same outcome either way is certain.
    let same = rules(&["priority=20,mpls_label=3 actions=drop", "priority=1 actions=drop"]);
    assert_eq!(dropped_at(&same, ping(1, ANY)), Some((0, Some(2))));
    // One branch that sends is enough.
    let both = rules(&["priority=5 actions=resubmit(,1),output:9", "table=1, priority=1 actions=drop"]);
    assert_eq!(forwarded(&both, ping(1, ANY)), ["9"]);
}

const FIREWALL: &[&str] = &[
    "priority=10,ct_state=-trk,ip,in_port=3 actions=ct(table=5,zone=188)",
    "table=5, priority=1 actions=load:0x3->NXM_NX_REG1[],resubmit(,10)",
    "table=10, priority=40,ct_state=+est-rel-rpl,ip,in_port=3 actions=ct(commit,zone=188),NORMAL",
    "table=10, priority=39,ct_state=+est+rpl,ip actions=output:2",
    "table=10, priority=30,ct_state=+new-est,ip,reg1=0x3 actions=drop",
    "table=10, priority=20,ct_state=+inv+trk,ip,reg1=0x3 actions=drop",
    "table=10, priority=1 actions=output:8",
];

fn with_connections(text: &str, packet: Packet) -> (String, Option<usize>) {
    let (rules, table) = (rules(FIREWALL), parse_one::<OvsConntrack>("dump", "", text).value);
    let replay = replay(&Dumps { conntrack: Some(&table), ..bare(&rules) }, "br0", packet);
    let state = replay.tracked.first().map(|lookup| lookup.state.clone()).unwrap_or_default();
    let line = match replay.decision {
        ForwardingDecision::Dropped(end) => end.rule.map(|rule| rule.line),
        ForwardingDecision::Forwarded(_) => Some(0),
        ForwardingDecision::CannotTell { .. } => None,
    };
    (state, line)
}

#[test]
fn conntrack_state_comes_from_the_dump() {
    let packet =
        |flags| Packet::of_frame(Some(OfPort(3)), &tcp([10, 0, 0, 1], [10, 0, 0, 2], 4000, 22, flags));
    let entry = |zone: &str, state: &str| {
        format!(
            "tcp,orig=(src=10.0.0.1,dst=10.0.0.2,sport=4000,dport=22),reply=(src=10.0.0.2,dst=10.0.0.1,sport=22,dport=4000){zone},protoinfo=(state={state})\n"
        )
    };
    assert_eq!(with_connections("", packet(2)), ("+trk+new".into(), Some(5)));
    assert_eq!(with_connections("", packet(0x12)), ("+trk+inv".into(), Some(6)));
    assert_eq!(with_connections(&entry(",zone=188", "SYN_SENT"), packet(2)).1, Some(5));
    assert_eq!(
        with_connections(&entry(",zone=188", "ESTABLISHED"), packet(0x10)),
        ("+trk+est".into(), Some(0))
    );
    // A zone is a table of its own.
    assert_eq!(with_connections(&entry("", "ESTABLISHED"), packet(2)).1, Some(5));
    let back = Packet::of_frame(Some(OfPort(3)), &tcp([10, 0, 0, 2], [10, 0, 0, 1], 22, 4000, 0x12));
    assert_eq!(with_connections(&entry(",zone=188", "SYN_SENT"), back), ("+trk+est+rpl".into(), Some(0)));
    // Without a state nobody knows whether it was answered.
    let udp = Packet::of_frame(Some(OfPort(3)), &udp([10, 0, 0, 1], [10, 0, 0, 2], 4000, 53));
    let line = "udp,orig=(src=10.0.0.1,dst=10.0.0.2,sport=4000,dport=53),reply=(src=10.0.0.2,dst=10.0.0.1,sport=53,dport=4000),zone=188\n";
    assert_eq!(with_connections(line, udp), ("+trk".into(), None));
    // A dump that failed says nothing of what is not in it.
    let rules = rules(FIREWALL);
    let broken = OvsConntrack::default();
    let dumps = Dumps { conntrack: Some(&broken), ..bare(&rules) };
    assert!(matches!(replay(&dumps, "br0", packet(2)).decision, ForwardingDecision::CannotTell { .. }));
    assert!(cannot_tell(&rules, packet(2)), "no dump at all");
}

#[test]
fn addresses_are_translated_as_the_connection_says() {
    let lines = [
        "priority=1,ct_state=-trk,ip actions=ct(table=1,nat)",
        "table=1, priority=9,ct_state=+dnat,tcp,nw_dst=192.168.0.5,tp_dst=8080 actions=drop",
        "table=1, priority=1 actions=output:3",
    ];
    let dump = "tcp,orig=(src=10.0.0.1,dst=10.0.0.2,sport=4000,dport=80),reply=(src=192.168.0.5,dst=10.0.0.1,sport=8080,dport=4000),protoinfo=(state=ESTABLISHED)\n";
    let (rules, table) = (rules(&lines), parse_one::<OvsConntrack>("dump", "", dump).value);
    let packet = Packet::of_frame(Some(OfPort(3)), &tcp([10, 0, 0, 1], [10, 0, 0, 2], 4000, 80, 0x10));
    let replay = replay(&Dumps { conntrack: Some(&table), ..bare(&rules) }, "br0", packet);
    let ForwardingDecision::Dropped(end) = &replay.decision else { panic!("{replay:#?}") };
    assert_eq!((end.rule.unwrap().line, replay.tracked[0].entry.unwrap().line), (2, 1));
}
