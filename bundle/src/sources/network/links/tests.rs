use proptest::prelude::*;

use super::*;
use crate::sources::shared::testing::{corpus_texts, hostile, item, parse_one, score, survives};

const LINK: &str = r#"[
{"ifindex":1,"ifname":"lo","flags":["LOOPBACK","UP","LOWER_UP"],"mtu":65536,"operstate":"UNKNOWN","address":"00:00:00:00:00:00"},
{"ifindex":10,"ifname":"eth2","flags":["NO-CARRIER","BROADCAST","MULTICAST","UP"],"mtu":1500,"qdisc":"mq","master":"ovs-system","operstate":"DOWN","address":"d4:61:fe:17:c9:aa","linkinfo":{"info_slave_kind":"openvswitch"},"stats64":{"rx":{"bytes":106867962564,"packets":54153826,"errors":0,"dropped":7,"over_errors":83979,"multicast":1,"length_errors":0,"crc_errors":3,"frame_errors":2,"fifo_errors":4,"missed_errors":5},"tx":{"bytes":1528917305,"packets":8404047,"errors":0,"dropped":0,"carrier_errors":6,"collisions":0}}},
{"ifindex":11,"link":"pvnet0","ifname":"vnet0","flags":["BROADCAST","MULTICAST","UP","LOWER_UP"],"mtu":1500,"master":"br9","operstate":"UP","address":"76:1e:78:8a:d6:92","linkinfo":{"info_kind":"veth","info_slave_kind":"bridge"}},
{"ifindex":12,"ifname":"eth4","flags":["BROADCAST","SLAVE","UP","LOWER_UP"],"mtu":9000,"master":"bond7","operstate":"UP","address":"02:00:00:00:00:07","permaddr":"02:00:00:00:00:04","linkinfo":{"info_slave_kind":"bond","info_slave_data":{"state":"BACKUP","mii_status":"UP","perm_hwaddr":"02:00:00:00:00:04"}}},
{"ifindex":13,"ifname":"bond7","flags":["MASTER","UP"],"mtu":9000,"operstate":"UP","address":"02:00:00:00:00:07","linkinfo":{"info_kind":"bond","info_data":{"mode":"active-backup","active_slave":"eth5"}}},
{"ifindex":14,"ifname":"bond7.100","link":"bond7","flags":["UP"],"mtu":9000,"operstate":"UP","linkinfo":{"info_kind":"vlan","info_data":{"protocol":"802.1Q","id":100}}},
{"ifindex":18,"ifname":"br9","flags":["UP","LOWER_UP"],"mtu":1500,"operstate":"UNKNOWN","address":"52:e0:65:c4:74:e9","linkinfo":{"info_kind":"bridge","info_data":{"stp_state":0,"vlan_filtering":1}}}]"#;

const ADDR: &str = r#"[{"ifindex":18,"ifname":"br9","flags":["UP","LOWER_UP"],"mtu":1500,"operstate":"UNKNOWN","address":"52:e0:65:c4:74:e9","addr_info":[{"family":"inet","local":"172.16.51.23","prefixlen":16,"scope":"global","label":"br9"},{"family":"inet6","local":"fe80::eda:41ff:fe1d:4379","prefixlen":64,"scope":"link"}]},{}]"#;

const ROUTE: &str = r#"[{"dst":"default","gateway":"172.16.0.1","dev":"br9","flags":[]},{"dst":"172.16.0.0/16","dev":"br9","protocol":"kernel","scope":"link","prefsrc":"172.16.51.23","flags":[]},{"type":"local","dst":"127.0.0.1","dev":"lo","table":"local","protocol":"kernel","scope":"host","prefsrc":"127.0.0.1","flags":[]}]"#;

const TEXT: &str = "\
1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN group default qlen 1000
    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00 promiscuity 0 minmtu 0 maxmtu 0
    inet 127.0.0.1/8 scope host lo
       valid_lft forever preferred_lft forever
11: vnet0@pvnet0: <BROADCAST,MULTICAST,PROMISC,UP,LOWER_UP> mtu 1500 qdisc noqueue master br9 state UP group default qlen 1000
    link/ether 76:1e:78:8a:d6:92 brd ff:ff:ff:ff:ff:ff promiscuity 1  allmulti 0 minmtu 68 maxmtu 65535
    veth
    bridge_slave state forwarding priority 32 cost 2
    inet6 fe80::741e:78ff:fe8a:d692/64 scope link
       valid_lft forever preferred_lft forever
    RX:  bytes packets errors dropped  missed   mcast
          1006      13      1       2       3       4
    RX errors:  length    crc   frame    fifo overrun
                     0      5       6       7       8
    TX:  bytes packets errors dropped carrier collsns
          1576      20      0       0       9       0
";

#[test]
fn state_kind_and_counters_from_json() {
    let parsed = Links::parse(&[item("link", "", LINK), item("addr", "", ADDR), item("route", "", ROUTE)]);
    assert_eq!(parsed.defects, []);
    let links = parsed.value;
    let eth2 = links.link("eth2").unwrap();
    assert!(eth2.admin_up() && !eth2.carrier());
    assert_eq!(
        (eth2.master.as_deref(), eth2.master_kind.as_deref()),
        (Some("ovs-system"), Some("openvswitch"))
    );
    let stats = eth2.stats.unwrap();
    assert_eq!((stats.rx.dropped, stats.rx.over, stats.rx.crc, stats.rx.frame), (7, 83_979, 3, 2));
    assert_eq!((stats.rx.fifo, stats.rx.missed, stats.tx.carrier, stats.tx.packets), (4, 5, 6, 8_404_047));
    assert!(links.link("vnet0").unwrap().carrier());
    assert_eq!(links.link("bond7.100").unwrap().vlan_id, Some(100));
}

#[test]
fn kernel_bonds_addresses_and_gateways() {
    let links =
        Links::parse(&[item("link", "", LINK), item("addr", "", ADDR), item("route", "", ROUTE)]).value;
    let member = links.link("eth4").unwrap();
    assert_eq!(member.bond_member, Some(BondMember { active: false, mii_up: true }));
    assert_ne!(member.permanent_mac, member.mac);
    assert_eq!(links.link("bond7").unwrap().bond.as_ref().unwrap().active.as_deref(), Some("eth5"));
    assert_eq!(links.owner("172.16.51.23".parse().unwrap()).unwrap().name, "br9");
    assert_eq!(links.link("br9").unwrap().stp, Some(false));
    assert_eq!(links.link("br9").unwrap().filters_vlans, Some(true));
    assert_eq!(links.gateways().collect::<Vec<_>>(), [("172.16.0.1".parse().unwrap(), "br9")]);
    assert_eq!(links.routes[2].table, "local");
}

#[test]
fn text_stands_in_for_json() {
    let refused = item("link", "", "");
    let parsed = Links::parse(&[refused, item("text", "", TEXT)]);
    assert_eq!(parsed.defects, []);
    let vnet0 = parsed.value.link("vnet0").unwrap();
    assert_eq!((vnet0.kind.as_deref(), vnet0.master_kind.as_deref()), (Some("veth"), Some("bridge")));
    assert_eq!((vnet0.master.as_deref(), vnet0.lower.as_deref()), (Some("br9"), Some("pvnet0")));
    assert_eq!((vnet0.mtu, vnet0.operstate.as_str(), vnet0.addresses[0].prefix), (Some(1500), "UP", 64));
    let stats = vnet0.stats.unwrap();
    assert_eq!((stats.rx.errors, stats.rx.dropped, stats.rx.missed, stats.rx.multicast), (1, 2, 3, 4));
    assert_eq!(
        (stats.rx.crc, stats.rx.frame, stats.rx.fifo, stats.rx.over, stats.tx.carrier),
        (5, 6, 7, 8, 9)
    );
    let json = Links::parse(&[item("link", "", LINK), item("text", "", TEXT)]);
    assert!(json.value.link("vnet0").unwrap().addresses.is_empty());
}

#[test]
fn something_else_is_a_defect() {
    assert_eq!(
        parse_one::<Links>("link", "", "Option \"-j\" is unknown, try \"ip -help\".").defects.len(),
        1
    );
    assert_eq!(parse_one::<Links>("link", "", "[{\"ifname\":\"eth0\"}]").defects.len(), 1);
}

#[test]
fn corpus_parses() {
    let texts =
        corpus_texts("text/canonical+hotsos", &["networking/ip_-d_address", "networking/ip_-s_-d_link"]);
    let (files, clean) = score::<Links>("text", &texts);
    assert_eq!(files, clean);
    for (_, text) in &texts {
        assert!(parse_one::<Links>("text", "", text).value.links.iter().all(|link| link.mtu.is_some()));
    }
}

proptest! {
    #[test]
    fn hostile_text_never_panics(
        bytes in prop_oneof![hostile(LINK), hostile(ADDR), hostile(ROUTE), hostile(TEXT)],
        cut: bool,
    ) {
        survives::<Links>(&bytes, cut);
    }
}
