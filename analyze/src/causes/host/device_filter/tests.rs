use std::net::Ipv4Addr;

use netcap_bundle::Role;
use netcap_bundle::packets::Direction::In;
use netcap_tests::bundle::{BundleBuilder, DumpedPort, SealedBundle, ovsdb_dump};
use netcap_tests::packets::{echo, mac};

use crate::finding::{Confidence, Severity};
use crate::testing::{found, only, ruled};

const VM: Ipv4Addr = Ipv4Addr::new(172, 16, 51, 20);
const GATEWAY: Ipv4Addr = Ipv4Addr::new(172, 16, 51, 6);
const GUEST: &str = "0c:da:41:1d:56:a7";
const PORTS: &str = r#"[{"ifindex":3,"ifname":"eth2","flags":["UP"],"mtu":1500,"master":"br0","state":"forwarding"},{"ifindex":4,"ifname":"vnet0","flags":["UP"],"mtu":1500,"master":"br0","state":"forwarding"}]"#;

/// The chain of a hook at a device, with one rule.
fn chain(hook: &str, device: &str, rule: &str, packets: u64) -> String {
    let rule = rule.replace("counter", &format!("counter packets {packets} bytes 9"));
    format!(
        "table netdev guard {{\n\tchain c {{\n\t\ttype filter hook {hook} device \"{device}\" priority filter; policy \
         accept;\n\t\t{rule}\n\t}}\n}}\n"
    )
}

/// Ten pings of the guest enter the switch and leave it nowhere.
fn lost(switch: &str, datapath: &str, list: Option<[&str; 3]>) -> SealedBundle {
    let (vm, router) = (mac(GUEST), mac("a0:36:9f:97:76:b8"));
    let mut bundle = BundleBuilder::new(60_000);
    let vnet = Role::Vnet { vm: Some("web".into()), guest_mac: Some(vm) };
    bundle.point_in("vnet0", vnet, "", Some(switch), None);
    bundle.point_in("eth2", Role::Uplink { bond: None }, "", Some(switch), None);
    for n in 10..20_u16 {
        bundle.frame("vnet0", i64::from(n) * 1_000, In, &echo(false, vm, router, VM, GATEWAY, n));
    }
    let ports = ["eth2", "vnet0"].map(|name| DumpedPort {
        name,
        ifaces: if name == "eth2" { &["eth2"] } else { &["vnet0"] },
        guest: (name == "vnet0").then_some(vm),
        ..DumpedPort::default()
    });
    let database = ovsdb_dump(datapath, &ports);
    for (ms, packets) in [(0, 2), (30_000, 12), (58_000, 12)] {
        let rules = list.map(|[hook, device, rule]| chain(hook, device, rule, packets));
        let mut samples = vec![("bridge-filter", "ruleset", "", "")];
        samples.extend(rules.as_deref().map(|text| ("bridge-filter", "netdev", "", text)));
        samples.push(match switch {
            "br0" => ("linux-bridge", "link", "", PORTS),
            _ => ("ovsdb", "dump", "", database.as_str()),
        });
        bundle.state(ms, &samples);
    }
    bundle.seal()
}

const COUNTS: &str = "icmp type echo-request counter drop";

#[test]
fn a_rule_at_the_machines_device_that_counted_them_is_proven() {
    let sealed = lost("br0", "", Some(["ingress", "vnet0", COUNTS]));
    let findings = found(&sealed, "device-filter");
    assert_eq!(only(&findings), (Severity::Error, Confidence::Proven));
    let claim = findings[0].claim.english();
    assert!(
        claim.starts_with("A filter rule at the device vnet0 drops packets: 'icmp type echo-request drop'"),
        "{claim}"
    );
    assert!(claim.contains("ingress chain c of table netdev guard"), "{claim}");
}

#[test]
fn a_rule_that_does_not_count_is_likely_and_egress_counts_too() {
    let silent = lost("br0", "", Some(["ingress", "vnet0", "icmp type echo-request drop"]));
    assert_eq!(only(&found(&silent, "device-filter")).1, Confidence::Likely);
    let egress = lost("br0", "", Some(["egress", "eth2", COUNTS]));
    assert_eq!(only(&found(&egress, "device-filter")).1, Confidence::Proven);
}

#[test]
fn rules_for_others_and_at_other_devices_are_ruled_out() {
    for list in [
        ["ingress", "vnet0", "icmp type echo-reply counter drop"],
        ["ingress", "vnet0", "icmp type echo-request counter accept"],
        ["ingress", "eth2", COUNTS],
        ["egress", "vnet0", COUNTS],
    ] {
        let sealed = lost("br0", "", Some(list));
        assert!(found(&sealed, "device-filter").is_empty(), "{list:?}");
        let ruled = ruled(&sealed);
        assert!(
            ruled.iter().any(|text| text.starts_with("a filter rule at vnet0 or eth2")),
            "{list:?} {ruled:?}"
        );
    }
    let unread =
        lost("br0", "", Some(["ingress", "vnet0", "ip dscp cs1 accept\n\t\ticmp type echo-request drop"]));
    assert!(found(&unread, "device-filter").is_empty(), "an earlier rule may have decided");
}

/// Open vSwitch of the kernel takes frames behind these hooks, the one in userspace before them.
#[test]
fn of_open_vswitch_it_depends_on_the_datapath() {
    let rule = Some(["ingress", "vnet0", COUNTS]);
    assert_eq!(only(&found(&lost("vswitch0", "system", rule), "device-filter")).1, Confidence::Proven);
    assert!(found(&lost("vswitch0", "netdev", rule), "device-filter").is_empty());
}
