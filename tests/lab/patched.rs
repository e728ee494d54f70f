//! A machine's packets that die on a second bridge behind a patch port.

use netcap_tests::lab::{Lab, said};
use serde_json::Value;

use super::{GATEWAY, explain, one, record};

/// Moves the first machine's port to a bridge of its own, which a patch joins to the bridge with the uplinks.
const SETUP: &str = "\
    ids=$(ovs-vsctl --timeout=10 get Interface vnet0 external_ids:attached-mac); \
    ovs-vsctl --timeout=10 del-port vnet0 \
        -- add-br machines -- set Bridge machines datapath_type=netdev fail_mode=standalone \
        -- add-port machines vnet0 -- set Interface vnet0 external_ids:attached-mac=$ids external_ids:vm-name=vm1 \
        -- add-port machines up -- set Interface up type=patch options:peer=down \
        -- add-port vswitch0 down -- set Interface down type=patch options:peer=up";

fn host(lab: &Lab, script: &str) {
    let out = lab.exec("host1", &["sh", "-ec", script]);
    assert!(out.status.success(), "{script}: {}", said(&out));
}

/// The only finding of `acl-drop`, which names the rule, its bridge, and how its counter grew.
fn named<'a>(json: &'a Value, confidence: &str) -> &'a Value {
    let rule = format!("rule 'table=0 priority=30004,icmp,nw_dst={GATEWAY} actions=drop' of vswitch0");
    let finding = one(json, "acl-drop", confidence, &["cookie=0x77", &rule, "dump-flows@vswitch0"]);
    assert!(finding["remedy"].as_str().expect("a text").contains("(cookie 0x77) in vswitch0"), "{finding:#}");
    let evidence = finding["evidence"].as_array().expect("evidence");
    let counter = evidence.iter().find(|e| e["name"] == "n_packets").expect("the rule's counter");
    assert!(counter["after"].as_u64() > counter["before"].as_u64(), "{counter}");
    // The packet's first rule is the other bridge's.
    let step = evidence.iter().find(|e| e["line"] == "table=0 priority=0 actions=NORMAL").expect("a step");
    assert!(step["file"].as_str().expect("a file").contains("dump-flows@machines"), "{step}");
    finding
}

#[test]
fn a_rule_behind_a_patch_port_is_named() {
    let Some(lab) = Lab::up("patched", &["--vms", "1"]) else { return };
    host(&lab, SETUP);
    let points = ["--vswitch", "vswitch0", "--iface", "vnet0", "icmp or arp"];
    let ping = lab.exec("vm1", &["ping", "-c", "3", "-i", "0.2", GATEWAY]);
    assert!(ping.status.success(), "the machine reaches the gateway: {}", said(&ping));
    let (_, json) = explain(&record(&lab, 6, &points, &[("vm1", &format!("ping -c 3 -i 0.2 {GATEWAY}"))]));
    assert_eq!(json["findings"], serde_json::json!([]), "{json:#}");
    assert!(!json.to_string().contains("need.other-port"));

    let drop = format!("cookie=0x77,priority=30004,icmp,nw_dst={GATEWAY},actions=drop");
    host(&lab, &format!("ovs-ofctl add-flow vswitch0 {drop}"));
    let again = |seconds: u64, script: &str| {
        std::fs::remove_dir_all(lab.dir().join("out")).expect("the bundle before goes");
        let file = lab.dir().join("pings.sh");
        std::fs::write(&file, script).expect("a script");
        explain(&record(&lab, seconds, &points, &[("vm1", &format!("sh {}", file.display()))])).1
    };
    let json = again(14, &format!("ping -c 12 {GATEWAY}"));
    let seen = named(&json, "proven");
    assert!(seen["subject"]["flow"].as_str().expect("a flow").contains("actions:drop"), "{seen:#}");

    // The pings begin and end between two dumps of the datapath, and what they leave there is gone before the next.
    host(
        &lab,
        "ovs-vsctl --timeout=10 set Open_vSwitch . other_config:max-idle=500; \
         while ovs-appctl dpctl/dump-flows | grep -q 'proto=1.*drop'; do sleep 0.2; done",
    );
    let index = lab.dir().join("out/*/state/index.jsonl").display().to_string();
    let json = again(
        14,
        &format!(
            r#"until [ "$(cat {index} | grep -c '"ovs-datapath","item":"dump-flows"')" -ge 2 ]; do sleep 0.1; done
            for n in 1 2 3 4 5 6; do ping -q -c 1 -W 1 {GATEWAY} & done; wait"#
        ),
    );
    assert!(named(&json, "likely")["subject"]["flow"].is_null(), "{json:#}");
}
