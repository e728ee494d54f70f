use netcap_bundle::Role;
use netcap_bundle::run::safe_name;

use super::select::name_apart;
use super::*;
use crate::host::available::{Available, SwitchPort};
use netcap_bundle::topology::SwitchKind;

fn point(iface: &str, role: Role, vswitch: Option<&str>) -> Point {
    Point { role, vswitch: vswitch.map(str::to_owned), ..Point::bare(iface) }
}

fn vnet(iface: &str, vm: &str, mac: &str) -> Point {
    let role = Role::Vnet { vm: Some(vm.into()), guest_mac: mac.parse().ok() };
    Point { mac: format!("fe{}", &mac[2..]).parse().ok(), ..point(iface, role, Some("vswitch0")) }
}

fn available() -> Available {
    let bond = || Role::Uplink { bond: Some("bond0".into()) };
    Available {
        points: vec![
            point("vswitch0", Role::Internal, Some("vswitch0")),
            point("dhcp0", Role::Internal, Some("vswitch0")),
            point("eth2", bond(), Some("vswitch0")),
            point("eth3", bond(), Some("vswitch0")),
            vnet("vnet0", "ubu14", "0c:da:41:1d:56:a7"),
            vnet("vnet1", "ubu14", "0c:da:41:1d:56:a8"),
            vnet("vnet2", "麒麟", "0c:da:41:1d:56:a9"),
            point("br0", Role::Internal, Some("br0")),
            point("eth0", Role::Uplink { bond: None }, Some("br0")),
            point("tun9", Role::Other, None),
        ],
        switches: [("vswitch0".into(), SwitchKind::Ovs), ("br0".into(), SwitchKind::LinuxBridge)].into(),
        unrecordable: vec![SwitchPort { iface: "dpdk0".into(), switch: "vswitch0".into() }],
        not_ethernet: ["tun9".to_owned()].into(),
        unasked: vec!["nobody answered".into()],
    }
}

fn chosen(wanted: &Selection) -> Vec<String> {
    select(&available(), wanted).unwrap().into_iter().map(|p| p.iface).collect()
}

fn refused(wanted: &Selection) -> String {
    select(&available(), wanted).unwrap_err().to_string()
}

fn list(names: &[&str]) -> Vec<String> {
    names.iter().map(|n| (*n).to_owned()).collect()
}

#[test]
fn a_switch_is_its_own_port_and_every_uplink() {
    assert_eq!(
        chosen(&Selection { vswitches: list(&["vswitch0"]), ..Selection::default() }),
        ["vswitch0", "eth2", "eth3"]
    );
    assert_eq!(chosen(&Selection { vswitches: list(&["br0"]), ..Selection::default() }), ["br0", "eth0"]);
}

#[test]
fn macs_vms_and_duplicates() {
    let wanted = Selection {
        ifaces: list(&["eth2", "vnet0", "eth2"]),
        macs: list(&["0CDA411D56A7", "fe:da:41:1d:56:a9"]),
        vms: list(&["ubu14"]),
        ..Selection::default()
    };
    assert_eq!(chosen(&wanted), ["eth2", "vnet0", "vnet2", "vnet1"]);
    assert_eq!(chosen(&Selection { vms: list(&["麒麟"]), ..Selection::default() }), ["vnet2"]);
}

#[test]
fn unknown_names_list_what_exists() {
    rust_i18n::set_locale("en");
    let text = refused(&Selection { vswitches: list(&["vswitch9"]), ..Selection::default() });
    assert_eq!(
        text,
        "there is no virtual switch 'vswitch9' here; there are: br0 (Linux, uplinks: 1, vnets: 0), \
         vswitch0 (OVS, uplinks: 2, vnets: 3); did you mean 'vswitch0'?\nnobody answered"
    );
    let text = refused(&Selection { ifaces: list(&["vent0"]), ..Selection::default() });
    assert!(text.contains("eth2") && text.contains("did you mean 'vnet0'"), "{text}");
    let text = refused(&Selection { vms: list(&["zzzzzzzz"]), ..Selection::default() });
    assert!(text.contains("ubu14") && !text.contains("did you mean"), "{text}");
    let text = refused(&Selection { macs: list(&["0c:da:41:1d:56:ff"]), ..Selection::default() });
    assert!(text.contains("0c:da:41:1d:56:a7 (vnet0)"), "{text}");
    assert!(refused(&Selection { macs: list(&["zz"]), ..Selection::default() }).contains("not a MAC"));
    assert!(refused(&Selection { ifaces: list(&["dpdk0"]), ..Selection::default() }).contains("vswitch0"));
    assert!(refused(&Selection { ifaces: list(&["tun9"]), ..Selection::default() }).contains("Ethernet"));
}

#[test]
fn names_that_look_alike_in_files_stay_apart() {
    let mut points = vec![point("a b", Role::Other, None), point("a_b", Role::Other, None)];
    name_apart(&mut points);
    assert_ne!(points[0].id, points[1].id);
    assert!(points.iter().all(|p| p.id == safe_name(&p.id)), "and are file names: {points:?}");
}

#[test]
fn who_joins_is_who_would_be_chosen_now_or_is_new_on_a_recorded_switch() {
    let wanted = |vswitch: &str, vm: &str| Selection {
        vswitches: vec![vswitch.into()],
        vms: vec![vm.into()],
        ..Selection::default()
    };
    let available = available();
    let start = select(&available, &Selection { vswitches: vec!["vswitch0".into()], ..Selection::default() })
        .unwrap();
    let names = |points: Vec<Point>| points.into_iter().map(|p| p.iface).collect::<Vec<_>>();
    let start = names(start);
    assert_eq!(
        names(follow(&available, &wanted("vswitch0", "nobody"), |_| false)),
        start,
        "who is gone is no mistake"
    );
    let vnets: Vec<&Point> =
        available.points.iter().filter(|p| matches!(p.role, Role::Vnet { .. })).collect();
    let new = &vnets[0].iface;
    let grown = names(follow(&available, &wanted("vswitch0", ""), |iface| iface == new));
    assert_eq!(grown, [start, vec![new.clone()]].concat());
    assert!(
        follow(&available, &wanted("vswitch9", ""), |_| true).is_empty(),
        "another switch is nobody's business"
    );
}

#[test]
fn ids_are_fresh() {
    let used = ["vnet3", "vnet3-2"];
    assert_eq!(fresh_id("vnet3", used.into_iter()), "vnet3-3");
    assert_eq!(fresh_id("vnet4", used.into_iter()), "vnet4");
}
