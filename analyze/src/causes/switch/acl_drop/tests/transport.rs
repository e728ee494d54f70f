//! Rules for TCP and UDP, with and without connection tracking.

use netcap_tests::packets::{syn, udp};

use super::*;
use crate::finding::{Confidence, Severity, Subject};
use crate::testing::only;

#[test]
fn connection_attempts_count_too() {
    let mut bundle = bundle("");
    for n in 10..20u16 {
        let frame = syn(vm(), gateway(), VM, GATEWAY, 40_000 + n, 22);
        bundle.frame("vnet0", i64::from(n) * 1_000, In, &frame);
    }
    states(&mut bundle, false, true, false);
    assert!(findings(bundle).is_empty(), "a rule for ICMP drops no TCP");
    let mut bundle = super::bundle("");
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
