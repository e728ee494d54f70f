use netcap_tests::bundle::SealedBundle;

use crate::finding::{Confidence, Severity};
use crate::testing::scenes::every_other_ping;
use crate::testing::{found, only};

const SHOW: &str = "OFPT_FEATURES_REPLY (xid=0x2): dpid:0000525400000001\n 2(eth3): addr:52:54:00:00:00:02\n     \
    config:     0\n     state:      LIVE\n 3(vnet0): addr:fe:da:41:1d:56:a7\n     config:     0\n     \
    state:      LIVE\n";
const RULES: &str = " cookie=0x50, table=0, n_packets=9, n_bytes=1, priority=60,in_port=3 actions=meter:1,output:2\n \
    cookie=0x0, table=0, n_packets=9, n_bytes=1, priority=0 actions=output:2\n";

/// Of twenty pings every other one leaves by eth3. `samples` are the meter and the policer at 0, 32 and 58 seconds.
fn bundle(rules: &str, meter: [u64; 3], policer: Option<[u64; 3]>) -> SealedBundle {
    let mut bundle = every_other_ping();
    for (at, ms) in [0, 32_000, 58_000].into_iter().enumerate() {
        let meters = format!(
            "OFPST_METER reply (OF1.3) (xid=0x2):\nmeter:1 flow_count:1 packet_in_count:99 byte_in_count:9 duration:3s \
             bands:\n0: packet_count:{} byte_count:9\n",
            meter[at]
        );
        let queue = policer.map(|counts| {
            format!(
                "qdisc ingress ffff: dev vnet0 parent ffff:fff1 ----------------\n Sent 9 bytes 9 pkt (dropped {}, \
                 overlimits 0 requeues 0)\n",
                counts[at]
            )
        });
        let mut state = vec![
            ("ovs-openflow", "show", "vswitch0", SHOW),
            ("ovs-openflow", "dump-flows", "vswitch0", rules),
            ("ovs-meters", "meter-stats", "vswitch0", meters.as_str()),
        ];
        state.extend(queue.as_deref().map(|text| ("queues", "qdisc", "", text)));
        bundle.state(ms, &state);
    }
    bundle.seal()
}

#[test]
fn a_meter_on_their_way_that_counted_them_killed_them() {
    let findings = found(&bundle(RULES, [2, 12, 12], None), "policing");
    assert_eq!(only(&findings), (Severity::Error, Confidence::Proven));
    let claim = findings[0].claim.english();
    assert!(claim.starts_with("Meter 1 of vswitch0 drops what is over its rate"), "{claim}");
    assert!(format!("{:?}", findings[0].evidence).contains("actions=meter:1,output:2"));
}

#[test]
fn a_meter_that_stood_still_or_is_not_on_their_way_did_not() {
    assert!(found(&bundle(RULES, [12, 12, 12], None), "policing").is_empty());
    let elsewhere = RULES.replace("priority=60,in_port=3", "priority=60,in_port=9");
    assert!(found(&bundle(&elsewhere, [2, 12, 12], None), "policing").is_empty());
}

#[test]
fn the_policer_of_the_port_where_they_enter_counts_too() {
    let free = RULES.replace("meter:1,", "");
    let findings = found(&bundle(&free, [0; 3], Some([0, 10, 10])), "policing");
    assert_eq!(only(&findings), (Severity::Error, Confidence::Proven));
    assert!(findings[0].claim.english().starts_with("The policer at the ingress of vnet0"));
    assert!(found(&bundle(&free, [0; 3], Some([0, 0, 10])), "policing").is_empty(), "of another time");
}
