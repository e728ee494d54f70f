use std::net::Ipv4Addr;

use netcap_bundle::Role;
use netcap_bundle::packets::Direction::{In, Out};
use netcap_tests::bundle::{BundleBuilder, SealedBundle};
use netcap_tests::packets::{arp_reply, arp_request, echo, mac};

use crate::finding::{Confidence, Evidence, Severity};
use crate::testing::{found, only};
use crate::text::Text;

const BOUND: Ipv4Addr = Ipv4Addr::new(172, 16, 51, 20);
const OTHER: Ipv4Addr = Ipv4Addr::new(172, 16, 51, 120);
const GATEWAY: Ipv4Addr = Ipv4Addr::new(172, 16, 51, 6);
const GUEST: &str = "0c:da:41:1d:56:a7";
const ROUTER: &str = "a0:36:9f:97:76:b8";
const SHOW: &str = "OFPT_FEATURES_REPLY (xid=0x2): dpid:0000525400000001\n 2(eth3): addr:52:54:00:00:00:02\n     \
    config:     0\n     state:      LIVE\n 3(vnet0): addr:fe:da:41:1d:56:a7\n     config:     0\n     \
    state:      LIVE\n";
const BINDING: &str = "\
 cookie=0x40, table=0, n_packets=9, n_bytes=1, priority=200,arp,in_port=3,arp_spa=172.16.51.20 actions=NORMAL
 cookie=0x40, table=0, n_packets=9, n_bytes=1, priority=200,ip,in_port=3,nw_src=172.16.51.20 actions=NORMAL
 cookie=0x41, table=0, n_packets=N, n_bytes=1, priority=190,arp,in_port=3 actions=drop
 cookie=0x42, table=0, n_packets=N, n_bytes=1, priority=190,ip,in_port=3 actions=drop
 cookie=0x0, table=0, n_packets=9, n_bytes=1, priority=0 actions=NORMAL
";

/// The guest pings the gateway and answers its ARP from `src`; the switch lets nothing of it out.
fn bundle(src: Ipv4Addr, rules: &str) -> SealedBundle {
    let (guest, router) = (mac(GUEST), mac(ROUTER));
    let mut bundle = BundleBuilder::new(60_000);
    bundle.point("vnet0", Role::Vnet { vm: Some("web".into()), guest_mac: Some(guest) }, "");
    bundle.point("eth3", Role::Uplink { bond: None }, "");
    let ask = arp_request(router, GATEWAY, src);
    for n in 0..10_u16 {
        let ms = 10_000 + i64::from(n) * 1_000;
        bundle.frame("vnet0", ms, In, &echo(false, guest, router, src, GATEWAY, n));
        if n < 3 {
            bundle.frame("eth3", ms + 100, In, &ask).frame("vnet0", ms + 101, Out, &ask);
            bundle.frame("vnet0", ms + 102, In, &arp_reply(guest, src, router, GATEWAY));
        }
    }
    for (ms, counted) in [(0, "0"), (30_000, "10"), (58_000, "10")] {
        let rules = rules.replace("=N,", &format!("={counted},"));
        bundle.state(
            ms,
            &[("ovs-openflow", "show", "vswitch0", SHOW), ("ovs-openflow", "dump-flows", "vswitch0", &rules)],
        );
    }
    bundle.seal()
}

#[test]
fn a_second_address_is_not_bound() {
    let sealed = bundle(OTHER, BINDING);
    let findings = found(&sealed, "ip-mac-binding");
    assert_eq!(only(&findings), (Severity::Error, Confidence::Proven));
    let claim = findings[0].claim.english();
    assert!(
        claim.contains(
            "vnet0, VM web is bound to 172.16.51.20 by rules of vswitch0, and sends with 172.16.51.120"
        ),
        "{claim}"
    );
    let died: Vec<String> = findings[0].consequences.iter().map(Text::english).collect();
    assert_eq!(
        died,
        [
            format!("10 pings from {OTHER} to {GATEWAY} were lost"),
            format!("3 ARP replies of {OTHER} to {GATEWAY} were lost"),
        ]
    );
    let passes =
        |e: &Evidence| matches!(e, Evidence::Snapshot { line, .. } if line.contains("nw_src=172.16.51.20"));
    assert!(findings[0].evidence.iter().any(passes), "{:#?}", findings[0].evidence);
    assert!(found(&sealed, "acl-drop").is_empty());
}

/// The binding lets the address pass, and another rule stops it.
#[test]
fn a_rule_against_the_destination_is_no_binding() {
    let deny = " cookie=0x50, table=0, n_packets=N, n_bytes=1, priority=300,icmp,in_port=3,nw_dst=172.16.51.6 actions=drop\n";
    let sealed = bundle(BOUND, &(deny.to_owned() + BINDING));
    assert!(found(&sealed, "ip-mac-binding").is_empty());
    assert_eq!(only(&found(&sealed, "acl-drop")).0, Severity::Error);
}

/// A rule against all IP of the port, and one that lets a service pass: nobody bound the port to an address.
#[test]
fn a_deny_rule_below_a_permitted_service_is_no_binding() {
    let service =
        BINDING.replace("ip,in_port=3,nw_src=172.16.51.20", "tcp,in_port=3,nw_src=172.16.51.20,tp_dst=80");
    let sealed = bundle(OTHER, &service.replace("arp,in_port=3,arp_spa=172.16.51.20", "arp,in_port=9"));
    assert!(found(&sealed, "ip-mac-binding").is_empty());
    assert!(!found(&sealed, "acl-drop").is_empty());
}

/// What the rules of another port let pass says nothing of this one.
#[test]
fn the_binding_of_another_port_binds_nobody_here() {
    let other = BINDING
        .replace("in_port=3,arp_spa", "in_port=7,arp_spa")
        .replace("in_port=3,nw_src", "in_port=7,nw_src");
    let sealed = bundle(OTHER, &other);
    assert!(found(&sealed, "ip-mac-binding").is_empty());
    assert!(!found(&sealed, "acl-drop").is_empty());
}

/// The card got another MAC: the address that is told is that one, not the IP address, which no rule names.
#[test]
fn a_port_that_is_bound_by_mac_names_the_mac() {
    let by_mac = "\
 cookie=0x40, table=0, n_packets=9, n_bytes=1, priority=200,in_port=3,dl_src=0c:da:41:1d:56:01 actions=NORMAL
 cookie=0x42, table=0, n_packets=N, n_bytes=1, priority=190,in_port=3 actions=drop
 cookie=0x0, table=0, n_packets=9, n_bytes=1, priority=0 actions=NORMAL
";
    let findings = found(&bundle(BOUND, by_mac), "ip-mac-binding");
    let claim = findings[0].claim.english();
    assert!(
        claim.contains(&format!("bound to 0c:da:41:1d:56:01 by rules of vswitch0, and sends with {GUEST}")),
        "{claim}"
    );
}
