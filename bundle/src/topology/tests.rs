use crate::Mac;
use crate::Role;
use crate::sources::network::links::Links;
use crate::sources::network::linux_bridge::LinuxBridge;
use crate::sources::network::neighbours::Neighbours;
use crate::sources::ovs::bond::OvsBond;
use crate::sources::ovs::datapath::OvsDatapath;
use crate::sources::ovs::fdb::OvsFdb;
use crate::sources::ovs::ovsdb::Ovsdb;
use crate::sources::shared::OfPort;
use crate::sources::vm::libvirt::Libvirt;
use proptest::prelude::*;
use std::net::IpAddr;
use unicode_width::UnicodeWidthStr;

use super::*;
use crate::source::Snapshot;
use crate::sources::shared::testing::{hostile, item, parse_one};

const DB: &str = include_str!("../sources/ovs/ovsdb/fixture.json");

const BOND: &str = "---- vswitch0_bond ----
bond_mode: active-backup
lacp_status: off
active member mac: e6:69:a0:48:4f:a9(eth3)

member eth2: enabled
  may_enable: true

member eth3: enabled
  active member
  may_enable: true
";

const DPIF: &str = "netdev@ovs-netdev: hit:40 missed:19
  vs-app:
    eth4 2/9: (system)
    eth5 1/8: (system)
    patch0 3/none: (patch: peer=patch1)
    vs-app 65534/7: (tap)
    vx0 4/10: (vxlan: remote_ip=10.0.0.2)
  vswitch0:
    dhcp0 5/6: (tap)
    eth2 1/2: (system)
    eth3 2/3: (system)
    patch1 6/none: (patch: peer=patch0)
    vnet0 3/4: (system)
    vnet1 4/5: (system)
    vswitch0 65534/1: (tap)
";

const LINK: &str = r#"[{"ifindex":1,"ifname":"lo","flags":["LOOPBACK","UP"],"mtu":65536,"operstate":"UNKNOWN"},
{"ifindex":2,"ifname":"eth9","flags":["UP","LOWER_UP"],"mtu":1500,"operstate":"UP","address":"02:00:00:00:00:09"},
{"ifindex":3,"ifname":"eth2","flags":["UP","NO-CARRIER"],"mtu":1500,"operstate":"DOWN","address":"46:1e:94:60:87:77"},
{"ifindex":12,"ifname":"eth6","flags":["SLAVE","UP","LOWER_UP"],"mtu":9000,"master":"bond7","operstate":"UP","address":"02:00:00:00:00:06","linkinfo":{"info_slave_kind":"bond","info_slave_data":{"state":"BACKUP","mii_status":"UP"}}},
{"ifindex":13,"ifname":"eth7","flags":["SLAVE","UP","LOWER_UP"],"mtu":9000,"master":"bond7","operstate":"UP","address":"02:00:00:00:00:06","linkinfo":{"info_slave_kind":"bond","info_slave_data":{"state":"ACTIVE","mii_status":"UP"}}},
{"ifindex":14,"ifname":"bond7","flags":["MASTER","UP","LOWER_UP"],"mtu":9000,"master":"br9","operstate":"UP","address":"02:00:00:00:00:06","linkinfo":{"info_kind":"bond","info_data":{"mode":"active-backup","active_slave":"eth7"},"info_slave_kind":"bridge"}},
{"ifindex":15,"ifname":"vswitch0","flags":["UP","LOWER_UP"],"mtu":1500,"operstate":"UNKNOWN","address":"1a:e7:c6:fa:ef:49","linkinfo":{"info_kind":"tun"}},
{"ifindex":16,"ifname":"tap7","flags":["UP","LOWER_UP"],"mtu":1500,"master":"br9","operstate":"UP","address":"fe:54:00:00:00:07","linkinfo":{"info_kind":"tun"}},
{"ifindex":18,"ifname":"br9","flags":["UP","LOWER_UP"],"mtu":1500,"operstate":"UP","address":"52:e0:65:c4:74:e9","linkinfo":{"info_kind":"bridge"}}]"#;

const ADDR: &str = r#"[{"ifindex":15,"ifname":"vswitch0","flags":["UP","LOWER_UP"],"mtu":1500,"addr_info":[{"family":"inet","local":"172.16.51.23","prefixlen":16,"scope":"global"},{"family":"inet6","local":"fe80::1","prefixlen":64,"scope":"link"}]}]"#;

const BRIDGE: &str = r#"[{"ifname":"tap7","master":"br9","mtu":1500,"state":"blocking"},{"ifname":"bond7","master":"br9","state":"forwarding"}]"#;

const BRIDGE_FDB: &str =
    r#"[{"mac":"00:11:22:33:44:55","ifname":"bond7","flags":[],"master":"br9","state":""}]"#;

const NEIGH: &str =
    r#"[{"dst":"172.16.51.20","dev":"vswitch0","lladdr":"0c:da:41:1d:43:79","state":["STALE"]}]"#;

const FDB: &str = " port  VLAN  MAC                Age
    1     0  00:23:89:5f:71:07    8
    6     0  00:aa:00:00:00:01    8
    3   188  02:99:00:00:00:01    7
";

fn domain(name: &str, mac: &str, dev: &str) -> String {
    format!(
        "<domain id='1'><name>{name}</name><devices><interface type='bridge'><mac address='{mac}'/><target dev='{dev}'/>
        <filterref filter='acl-test'/></interface><graphics type='vnc' port='5902'/></devices></domain>"
    )
}

/// Every source of one made-up host: an OVS host that also has a kernel bridge.
struct Host {
    ovsdb: Ovsdb,
    bond: OvsBond,
    datapath: OvsDatapath,
    fdb: OvsFdb,
    links: Links,
    linux_bridge: LinuxBridge,
    libvirt: Libvirt,
    neighbours: Neighbours,
}

impl Host {
    fn new() -> Self {
        let (mail, web) =
            (domain("邮件服务器", "0c:da:41:1d:43:79", "vnet0"), domain("web", "52:54:00:00:00:07", "tap7"));
        Self {
            ovsdb: parse_one::<Ovsdb>("dump", "", DB).value,
            bond: parse_one::<OvsBond>("bond-show", "", BOND).value,
            datapath: parse_one::<OvsDatapath>("dpif-show", "", DPIF).value,
            fdb: parse_one::<OvsFdb>("fdb-show", "vswitch0", FDB).value,
            links: Links::parse(&[item("link", "", LINK), item("addr", "", ADDR)]).value,
            linux_bridge: LinuxBridge::parse(&[item("link", "", BRIDGE), item("fdb", "", BRIDGE_FDB)]).value,
            libvirt: Libvirt::parse(&[item("domain", "a", &mail), item("domain", "b", &web)]).value,
            neighbours: parse_one::<Neighbours>("neigh", "", NEIGH).value,
        }
    }

    fn inputs(&self) -> Inputs<'_> {
        Inputs {
            ovsdb: Some(&self.ovsdb),
            bond: Some(&self.bond),
            datapath: Some(&self.datapath),
            fdb: Some(&self.fdb),
            links: Some(&self.links),
            linux_bridge: Some(&self.linux_bridge),
            libvirt: Some(&self.libvirt),
            neighbours: Some(&self.neighbours),
        }
    }
}

fn mac(text: &str) -> Mac {
    text.parse().unwrap()
}

#[test]
fn every_port_of_an_ovs_bridge_has_its_role() {
    let host = Host::new();
    let topology = Topology::build(&host.inputs());
    let switch = topology.switch("vswitch0").unwrap();
    let ports: Vec<(&str, &str)> =
        switch.ports.iter().map(|port| (port.iface.as_str(), port.role.word())).collect();
    let want = [
        ("dhcp0", "int"),
        ("vswitch0", "int"),
        ("eth2", "bond"),
        ("eth3", "bond"),
        ("vnet0", "vnet"),
        ("vnet1", "vnet"),
        ("patch1", "patch"),
    ];
    assert_eq!(ports, want);
    assert_eq!(topology.by_iface("vswitch0").unwrap().1.ips.len(), 2);
    assert_eq!(switch.uplinks().map(|port| port.active).collect::<Vec<_>>(), [Some(false), Some(true)]);
    let bond = switch.bond("vswitch0_bond").unwrap();
    assert!(bond.is_active_backup() && bond.active.as_deref() == Some("eth3"));
    let app = topology.switch("vs-app").unwrap();
    let tunnel = app.ports.iter().find(|port| port.iface == "vx0").unwrap();
    assert_eq!(tunnel.role, Role::Tunnel { proto: "vxlan".to_owned(), remote: Some("10.0.0.2".to_owned()) });
    assert!(!tunnel.capturable && !app.ports.iter().find(|port| port.iface == "patch0").unwrap().capturable);
}

#[test]
fn patch_ports_join_bridges() {
    let names = |inputs: &Inputs<'_>, from: &str| {
        let topology = Topology::build(inputs);
        let (switches, whole) = topology.joined(from);
        (switches.iter().map(|switch| switch.name.clone()).collect::<Vec<_>>(), whole)
    };
    let host = Host::new();
    assert_eq!(names(&host.inputs(), "vs-app"), (vec!["vs-app".to_owned(), "vswitch0".to_owned()], true));
    assert_eq!(names(&host.inputs(), "vswitch0"), (vec!["vswitch0".to_owned(), "vs-app".to_owned()], true));
    assert_eq!(names(&host.inputs(), "br9"), (vec!["br9".to_owned()], true));
    assert_eq!(names(&host.inputs(), "nosuch"), (vec![], true));
}

#[test]
fn a_port_carries_what_its_mode_says() {
    let port = |vlan: Option<u16>, trunks: &[u16], mode: Option<&str>| {
        let mut port = Port::bare("p", crate::Role::Other);
        (port.vlan, port.trunks, port.vlan_mode) = (vlan, trunks.to_vec(), mode.map(Into::into));
        [0, 77, 188].map(|vlan| port.carries(vlan))
    };
    assert_eq!(port(None, &[], None), [true, true, true]);
    assert_eq!(port(Some(77), &[], None), [false, true, false]);
    assert_eq!(port(None, &[0, 188], None), [true, false, true]);
    assert_eq!(port(None, &[188], Some("trunk")), [false, false, true]);
    assert_eq!(port(Some(77), &[188], Some("native-untagged")), [false, true, true]);
    assert_eq!(port(Some(77), &[], Some("native-tagged")), [true, true, true]);
    assert_eq!(port(None, &[188], Some("access")), [true, false, false]);
}

#[test]
fn a_tap_knows_its_machine() {
    let host = Host::new();
    let topology = Topology::build(&host.inputs());
    let (switch, vnet0) = topology.by_iface("vnet0").unwrap();
    assert_eq!(switch.unwrap().name, "vswitch0");
    assert_eq!(
        (vnet0.vm.as_deref(), vnet0.vnc_port, vnet0.filter.as_deref()),
        (Some("邮件服务器"), Some(5902), Some("acl-test"))
    );
    assert_eq!((vnet0.ofport, vnet0.dp_port, vnet0.vlan), (Some(OfPort(3)), Some(4), Some(188)));
    assert_eq!(vnet0.guest_ips, ["172.16.51.20".parse::<IpAddr>().unwrap()]);
    assert_eq!(
        vnet0.role,
        Role::Vnet { vm: Some("邮件服务器".to_owned()), guest_mac: Some(mac("0c:da:41:1d:43:79")) }
    );
    assert_eq!(vnet0.guest_mac, Some(mac("0c:da:41:1d:43:79")));
    assert_eq!(topology.by_ip("172.16.51.20".parse().unwrap()).unwrap().1.iface, "vnet0");
}

#[test]
fn each_port_has_both_its_numbers() {
    let host = Host::new();
    let topology = Topology::build(&host.inputs());
    let numbers = |iface| topology.by_iface(iface).map(|(_, port)| (port.ofport, port.dp_port)).unwrap();
    assert_eq!(numbers("vnet0"), (Some(OfPort(3)), Some(4)));
    assert_eq!(numbers("eth3").1, Some(3));
    assert_eq!(numbers("vs-app").0, Some(OfPort::LOCAL));
}

#[test]
fn a_kernel_bridge_shows_the_members_of_its_bond() {
    let host = Host::new();
    let topology = Topology::build(&host.inputs());
    let switch = topology.switch("br9").unwrap();
    assert_eq!(switch.kind, SwitchKind::LinuxBridge);
    let ports: Vec<(&str, &str)> =
        switch.ports.iter().map(|port| (port.iface.as_str(), port.role.word())).collect();
    assert_eq!(ports, [("br9", "int"), ("eth6", "bond"), ("eth7", "bond"), ("tap7", "vnet")]);
    assert_eq!(switch.uplinks().map(|port| port.active).collect::<Vec<_>>(), [Some(false), Some(true)]);
    let tap = topology.by_iface("tap7").unwrap().1;
    assert_eq!(
        (tap.vm.as_deref(), tap.guest_mac, tap.stp_state.as_deref()),
        (Some("web"), Some(mac("52:54:00:00:00:07")), Some("blocking"))
    );
    assert_eq!(topology.others.iter().map(|port| port.iface.as_str()).collect::<Vec<_>>(), ["eth9"]);
}

#[test]
fn addresses_are_located() {
    let host = Host::new();
    let topology = Topology::build(&host.inputs());
    let own = topology.locate(mac("1a:e7:c6:fa:ef:49"));
    assert_eq!(
        own,
        Some(MacLocation::Own { iface: "vswitch0".to_owned(), switch: Some("vswitch0".to_owned()) })
    );
    assert!(
        matches!(topology.locate(mac("0c:da:41:1d:10:2e")), Some(MacLocation::Guest { iface, .. }) if iface == "vnet1")
    );
    let Some(MacLocation::Learned { entry, role }) = topology.locate(mac("00:23:89:5f:71:07")) else {
        panic!("learned")
    };
    assert_eq!((entry.iface.as_deref(), entry.age_s, role.unwrap().word()), (Some("eth2"), Some(8), "bond"));
    assert!(
        matches!(topology.locate(mac("00:11:22:33:44:55")), Some(MacLocation::Learned { entry, .. }) if entry.switch == "br9")
    );
    assert_eq!(topology.locate(mac("00:00:00:00:00:99")), None);
}

#[test]
fn a_database_alone_is_enough_and_nothing_is_not_an_error() {
    let host = Host::new();
    let topology = Topology::build(&Inputs { ovsdb: Some(&host.ovsdb), ..Inputs::default() });
    let switch = topology.switch("vswitch0").unwrap();
    assert_eq!(switch.uplinks().map(|port| port.active).collect::<Vec<_>>(), [Some(false), Some(true)]);
    assert_eq!(switch.bonds[0].mode, "active-backup");
    let (_, vnet1) = topology.by_iface("vnet1").unwrap();
    assert_eq!((vnet1.vm.as_deref(), vnet1.guest_mac), (None, Some(mac("0c:da:41:1d:10:2e"))));
    assert_eq!(Topology::build(&Inputs::default()), Topology::default());
    assert!(render_listports(&Topology::default()).contains("no virtual switch"));
}

#[test]
fn the_table_is_aligned_and_fits_a_terminal() {
    let host = Host::new();
    let text = render_listports(&Topology::build(&host.inputs()));
    // Every column is in use here; a host with fewer facts has fewer columns.
    assert!(text.lines().all(|line| line.width() <= 116), "{text}");
    let block: Vec<&str> =
        text.split("vswitch0 (ovs netdev)\n").nth(1).unwrap().lines().skip(1).take(8).collect();
    let column = |line: &str, word: &str| line.find(word).map(|at| line[..at].width());
    let vnc = column(block[0], "VNC").unwrap();
    assert_eq!(block.iter().filter_map(|line| column(line, "5902")).collect::<Vec<_>>(), [vnc]);
    assert!(text.contains("vswitch0_bond: active-backup, lacp off, active eth3"));
    assert!(text.contains("65534/1") && text.contains("no carrier") && text.contains("邮件服务器"));
}

#[test]
fn trunks_are_shown_as_ranges_and_controls_never_reach_the_terminal() {
    let mut host = Host::new();
    let port = host.ovsdb.bridges[1].ports.iter_mut().find(|port| port.name == "vnet1").unwrap();
    port.trunks = vec![12, 5, 10, 11, 11];
    port.interfaces[0].name = "vnet\u{1b}[2J".to_owned();
    let text = render_listports(&Topology::build(&host.inputs()));
    assert!(text.contains("t5,10-12") && !text.contains('\u{1b}'));
}

proptest! {
    #[test]
    fn a_hostile_host_is_joined_and_shown(db in hostile(DB), dpif in hostile(DPIF), link in hostile(LINK), fdb in hostile(FDB)) {
        let mut host = Host::new();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        host.ovsdb = parse_one::<Ovsdb>("dump", "", &text(&db)).value;
        host.datapath = parse_one::<OvsDatapath>("dpif-show", "", &text(&dpif)).value;
        host.links = parse_one::<Links>("link", "", &text(&link)).value;
        host.fdb = parse_one::<OvsFdb>("fdb-show", "vswitch0", &text(&fdb)).value;
        let topology = Topology::build(&host.inputs());
        let shown = render_listports(&topology);
        prop_assert!(shown.chars().all(|c| c == '\n' || !c.is_control()));
        let _ = topology.locate(mac("00:23:89:5f:71:07"));
    }
}
