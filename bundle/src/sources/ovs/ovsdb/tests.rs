use crate::sources::shared::OfPort;
use proptest::prelude::*;

use super::*;
use crate::sources::shared::testing::{hostile, parse_one, survives};

/// A dump of version 3.1: two bridges, two bonds, two taps with guests, a patch pair and a tunnel; columns and tables
/// that netcap does not read are left out.
pub(crate) const DUMP: &str = include_str!("fixture.json");

#[test]
fn joins_bridges_ports_and_interfaces() {
    let parsed = parse_one::<Ovsdb>("dump", "", DUMP);
    assert_eq!(parsed.defects, []);
    let db = parsed.value;
    assert_eq!(db.external_ids["system-id"], "cvknode1");
    let names: Vec<&str> = db.bridges.iter().map(|b| b.name.as_str()).collect();
    assert_eq!(names, ["vs-app", "vswitch0"]);
    assert_eq!(db.bridge("vs-app").unwrap().fail_mode.as_deref(), Some("secure"));
    let ports: Vec<&str> = db.bridges[1].ports.iter().map(|p| p.name.as_str()).collect();
    assert_eq!(ports, ["dhcp0", "patch1", "vnet0", "vnet1", "vswitch0", "vswitch0_bond"]);
}

#[test]
fn a_bond_has_members_and_an_active_one() {
    let db = parse_one::<Ovsdb>("dump", "", DUMP).value;
    let bond = db.bridges[1].ports.iter().find(|p| p.is_bond()).unwrap();
    let members: Vec<&str> = bond.interfaces.iter().map(|i| i.name.as_str()).collect();
    assert_eq!((bond.name.as_str(), members), ("vswitch0_bond", vec!["eth2", "eth3"]));
    assert_eq!(bond.bond_mode.as_deref(), Some("active-backup"));
    assert_eq!(bond.bond_active_member, bond.interfaces[1].mac_in_use);
}

#[test]
fn a_tap_names_its_guest_and_vlan() {
    let db = parse_one::<Ovsdb>("dump", "", DUMP).value;
    let (bridge, port, vnet0) = db.interface("vnet0").unwrap();
    assert_eq!(
        (bridge.name.as_str(), port.access_vlan(), vnet0.ofport),
        ("vswitch0", Some(188), Some(OfPort(3)))
    );
    assert_eq!(vnet0.attached_mac(), "0c:da:41:1d:43:79".parse().ok());
    assert_ne!(vnet0.mac_in_use, vnet0.attached_mac());
    assert_eq!((vnet0.admin_up, vnet0.link_up, vnet0.mtu), (Some(true), Some(true), Some(1500)));
    assert!(vnet0.statistics.contains_key("rx_dropped"));
    let (_, _, local) = db.interface("vswitch0").unwrap();
    assert_eq!((local.kind.as_str(), local.ofport), ("internal", Some(OfPort::LOCAL)));
    let (_, _, patch) = db.interface("patch1").unwrap();
    assert_eq!((patch.kind.as_str(), patch.options["peer"].as_str()), ("patch", "patch0"));
}

#[test]
fn a_cut_dump_gives_the_tables_before_the_cut() {
    let end = DUMP.find("\"Port table\"").unwrap();
    let parsed = parse_one::<Ovsdb>("dump", "", &DUMP[..end]);
    assert_eq!(parsed.value.bridges.len(), 2);
    assert!(parsed.value.bridges[1].ports.is_empty());
    assert!(parsed.defects.iter().any(|d| d.why.contains("referred to")));
}

#[test]
fn no_port_and_invalid_numbers_are_absent_values() {
    let text = r#"{"caption":"Interface table","data":[[["uuid","i"],"x",-1,["set",[]],9999999999]],
        "headings":["_uuid","name","ofport","mac_in_use","mtu"]}
        {"caption":"Port table","data":[[["uuid","p"],"x",["uuid","i"]]],"headings":["_uuid","name","interfaces"]}
        {"caption":"Bridge table","data":[[["uuid","b"],"br",["uuid","p"]]],"headings":["_uuid","name","ports"]}"#;
    let parsed = parse_one::<Ovsdb>("dump", "", text);
    assert_eq!(parsed.defects, []);
    let (_, _, iface) = parsed.value.interface("x").unwrap();
    assert_eq!((iface.ofport, iface.mac_in_use, iface.mtu), (None, None, None));
}

proptest! {
    #[test]
    fn hostile_text_never_panics(bytes in hostile(DUMP), cut: bool) {
        survives::<Ovsdb>(&bytes, cut);
    }
}
