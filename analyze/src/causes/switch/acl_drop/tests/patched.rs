//! Rules of another bridge, behind patch ports.

use super::*;
use crate::finding::{Confidence, Severity};
use crate::testing::only;

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
    bundle.point_in("vnet0", vnet("E0530"), "", Some("app"), None);
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
