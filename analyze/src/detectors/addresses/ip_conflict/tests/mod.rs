mod agreed;

use std::net::{Ipv4Addr, Ipv6Addr};

use netcap_bundle::packets::Direction::{In, Out, Unknown};
use netcap_bundle::{Mac, Role};
use netcap_tests::bundle::BundleBuilder;
use netcap_tests::packets::{
    arp, arp_announce, arp_probe, arp_reply, arp_request, echo, mac, nd_advertisement, nd_probe, tagged,
};

use crate::finding::{Confidence, Finding, Severity, Subject};
use crate::testing::{found, only};

const IP: Ipv4Addr = Ipv4Addr::new(172, 16, 51, 23);
const CLIENT_IP: Ipv4Addr = Ipv4Addr::new(172, 16, 204, 111);
const PROVEN: (Severity, Confidence) = (Severity::Error, Confidence::Proven);
const LIKELY: (Severity, Confidence) = (Severity::Error, Confidence::Likely);
const INFO: (Severity, Confidence) = (Severity::Info, Confidence::Proven);

fn a() -> Mac {
    mac("0c:da:41:1d:43:79")
}

fn b() -> Mac {
    mac("40:a8:f0:28:14:d8")
}

fn client() -> Mac {
    mac("00:1b:21:00:00:99")
}

/// Judges frames at one point, each at its millisecond.
fn judged(frames: &[(i64, Vec<u8>)]) -> Vec<Finding> {
    let mut bundle = BundleBuilder::new(600_000);
    bundle.point("eth0", Role::Other, "");
    for (ms, frame) in frames {
        bundle.frame("eth0", *ms, Unknown, frame);
    }
    found(&bundle.seal(), "ip-conflict")
}

fn says(who: Mac) -> Vec<u8> {
    arp_reply(who, IP, client(), CLIENT_IP)
}

#[test]
fn a_probe_answered_by_another_is_proven() {
    let findings =
        judged(&[(0, arp_probe(a(), IP)), (5, arp(2, a(), b(), b(), IP, a(), Ipv4Addr::UNSPECIFIED))]);
    assert_eq!(only(&findings), PROVEN);
    assert!(findings[0].claim.english().contains("asked whether it is free"));
    let Subject::Address { ip, claimants, .. } = &findings[0].subject else { panic!() };
    let macs: Vec<Mac> = claimants.iter().map(|c| c.mac).collect();
    assert_eq!((*ip, macs), (IP.into(), vec![a(), b()]));
}

#[test]
fn a_probe_answered_long_after_is_nothing() {
    assert!(judged(&[(0, arp_probe(a(), IP)), (30_000, says(b()))]).is_empty());
}

#[test]
fn two_probers_at_once_are_proven_and_the_check_of_a_dhcp_server_is_not() {
    assert_eq!(only(&judged(&[(0, arp_probe(a(), IP)), (400, arp_probe(b(), IP))])), PROVEN);
    let lease = [
        (0, arp_probe(a(), IP)),
        (1_500, arp_probe(b(), IP)),
        (2_500, arp_probe(b(), IP)),
        (4_500, arp_announce(b(), IP)),
    ];
    assert!(judged(&lease).is_empty());
}

#[test]
fn who_probes_many_addresses_checks_for_others() {
    let mut frames = Vec::new();
    for n in 0..4u8 {
        let ip = Ipv4Addr::new(10, 0, 0, n + 1);
        let owner = Mac([2, 0, 0, 0, 1, n]);
        frames.push((i64::from(n) * 1_000, arp_probe(a(), ip)));
        frames.push((i64::from(n) * 1_000 + 3, arp(2, a(), owner, owner, ip, a(), Ipv4Addr::UNSPECIFIED)));
    }
    assert!(judged(&frames).is_empty());
}

#[test]
fn two_announcers_are_proven_within_ten_seconds_and_likely_within_a_minute() {
    let at = |ms| judged(&[(0, arp_announce(a(), IP)), (ms, arp_announce(b(), IP))]);
    assert_eq!(only(&at(9_000)), PROVEN);
    assert_eq!(only(&at(11_200)), LIKELY);
    assert_eq!(only(&at(90_000)), INFO);
}

#[test]
fn in_turns_within_a_minute_is_proven() {
    let findings = judged(&[(0, says(a())), (20_000, says(b())), (40_000, says(a()))]);
    assert_eq!(only(&findings), PROVEN);
    assert_eq!(findings[0].evidence.len(), 4, "{:#?}", findings[0].evidence);
}

#[test]
fn a_failover_is_a_hand_over() {
    let frames = [(0, says(a())), (8_000, says(a())), (10_000, arp_announce(b(), IP)), (12_000, says(b()))];
    assert_eq!(only(&judged(&frames)), INFO);
}

#[test]
fn a_failover_and_its_return_is_no_conflict_but_many_turns_are() {
    let turn = |n: i64, who: Mac| [(n * 120_000, arp_announce(who, IP)), (n * 120_000 + 3_000, says(who))];
    let there_and_back: Vec<_> = [turn(0, a()), turn(1, b()), turn(2, a())].concat();
    assert_eq!(only(&judged(&there_and_back)), INFO);
    let many: Vec<_> = [turn(0, a()), turn(1, b()), turn(2, a()), turn(3, b())].concat();
    assert_eq!(only(&judged(&many)), LIKELY);
}

#[test]
fn virtual_routers_proxies_and_link_local_are_exonerated() {
    let vrrp = mac("00:00:5e:00:01:33");
    assert!(judged(&[(0, says(vrrp)), (10, says(a())), (20, says(vrrp))]).is_empty());
    let own = Ipv4Addr::new(169, 254, 1, 1);
    assert!(judged(&[(0, arp_announce(a(), own)), (10, arp_announce(b(), own))]).is_empty());
    let mut proxy: Vec<_> = (1..=9u8)
        .map(|n| (i64::from(n), arp_reply(b(), Ipv4Addr::new(10, 9, 0, n), client(), CLIENT_IP)))
        .collect();
    let one = Ipv4Addr::new(10, 9, 0, 5);
    proxy.push((20, arp_request(a(), one, CLIENT_IP)));
    proxy.push((30, arp_reply(b(), one, client(), CLIENT_IP)));
    proxy.push((40, arp_request(a(), one, CLIENT_IP)));
    assert!(judged(&proxy).is_empty());
}

#[test]
fn clusters_and_alb_speak_with_two_macs() {
    let nlb = mac("02:bf:ac:10:33:17");
    let masked = arp(2, client(), mac("02:01:ac:10:33:17"), nlb, IP, client(), CLIENT_IP);
    assert!(judged(&[(0, says(nlb)), (10, masked)]).is_empty());
    // balance-alb: the frame leaves by one port and names another.
    let alb = arp(2, client(), a(), b(), IP, client(), CLIENT_IP);
    assert!(judged(&[(0, says(a())), (10, alb), (20, says(a()))]).is_empty());
    // A multihomed host answers for both its addresses by both its ports.
    let (x, y) = (mac("00:1b:21:00:00:10"), mac("00:1b:21:00:00:11"));
    let second = Ipv4Addr::new(172, 16, 52, 23);
    let flux: Vec<_> = (0..4)
        .flat_map(|n| {
            [x, y].map(|m| [(n * 500, says(m)), (n * 500, arp_reply(m, second, client(), CLIENT_IP))])
        })
        .flatten()
        .collect();
    assert!(judged(&flux).is_empty());
}

#[test]
fn other_vlans_and_switches_are_other_addresses() {
    let on = |vid, frame: &[u8]| tagged(vid, frame);
    let frames = [(0, on(10, &says(a()))), (10, on(20, &says(b()))), (20, on(10, &says(a())))];
    assert!(judged(&frames).is_empty());
    let mut bundle = BundleBuilder::new(60_000);
    bundle.point_in("vnet0", Role::Other, "", Some("vswitch0"), None);
    bundle.point_in("vnet1", Role::Other, "", Some("vs-app"), None);
    bundle.frame("vnet0", 0, In, &says(a())).frame("vnet1", 10, In, &says(b())).frame(
        "vnet0",
        20,
        In,
        &says(a()),
    );
    assert!(found(&bundle.seal(), "ip-conflict").is_empty());
}

#[test]
fn an_access_port_and_a_trunk_see_one_vlan() {
    let mut bundle = BundleBuilder::new(60_000);
    let vm = Role::Vnet { vm: Some("E0530".into()), guest_mac: Some(a()) };
    bundle.point_in("vnet3", vm, "", Some("vswitch0"), Some(188));
    bundle.point_in("eth3", Role::Uplink { bond: None }, "", Some("vswitch0"), None);
    bundle.frame("vnet3", 0, In, &says(a()));
    bundle.frame("eth3", 10, In, &tagged(188, &says(b())));
    bundle.frame("vnet3", 20, In, &says(a()));
    let findings = found(&bundle.seal(), "ip-conflict");
    assert_eq!(only(&findings), PROVEN);
    let line = findings[0].subject.line().english();
    assert!(line.contains("VLAN 188") && line.contains("vnet3, VM E0530"), "{line}");
    assert!(line.contains("behind eth3 (outside this host)"), "{line}");
}

#[test]
fn one_frame_at_several_points_is_one_frame() {
    let mut bundle = BundleBuilder::new(60_000);
    bundle.point("eth2", Role::Uplink { bond: None }, "").point("vnet0", Role::Other, "");
    for ms in [0, 1_000, 2_000] {
        bundle.frame("eth2", ms, In, &arp_announce(a(), IP)).frame("vnet0", ms, Out, &arp_announce(a(), IP));
    }
    assert!(found(&bundle.seal(), "ip-conflict").is_empty());
}

/// The host's own address in the snapshot, and one ARP packet of somebody else: the seed's quiet case.
#[test]
fn the_hosts_own_address_claimed_once_is_likely() {
    let addr = format!(
        r#"[{{"ifindex":5,"ifname":"vswitch0","flags":["UP","LOWER_UP"],"mtu":1500,"operstate":"UNKNOWN",
        "link_type":"ether","address":"{}","addr_info":[{{"family":"inet","local":"{IP}","prefixlen":16,
        "scope":"global"}}]}}]"#,
        a()
    );
    let bundle = |claims: &[Vec<u8>]| {
        let mut bundle = BundleBuilder::new(60_000);
        bundle.point("vswitch0", Role::Internal, "").point("eth3", Role::Uplink { bond: None }, "");
        bundle.state(0, &[("links", "addr", "", &addr)]).state(50_000, &[("links", "addr", "", &addr)]);
        for (n, frame) in (1..).zip(claims) {
            bundle.frame("eth3", n * 2_000, In, frame);
        }
        found(&bundle.seal(), "ip-conflict")
    };
    let findings = bundle(&[arp_request(b(), IP, CLIENT_IP)]);
    assert_eq!(only(&bundle(&[arp_request(b(), IP, CLIENT_IP), says(b())])), PROVEN);
    assert_eq!(only(&findings), LIKELY);
    // Seen where it came in and where it went on: one frame, said once.
    let mut three = BundleBuilder::new(60_000);
    three.point("vswitch0", Role::Internal, "").point("eth2", Role::Other, "").point("eth3", Role::Other, "");
    three.state(0, &[("links", "addr", "", &addr)]).state(50_000, &[("links", "addr", "", &addr)]);
    for point in ["eth2", "eth3", "vswitch0"] {
        three.frame(point, 2_000, In, &arp_request(b(), IP, CLIENT_IP));
    }
    let three = found(&three.seal(), "ip-conflict");
    assert_eq!((only(&three), three[0].evidence.len()), (LIKELY, findings[0].evidence.len()));
    let claim = findings[0].claim.english();
    assert!(claim.contains("vswitch0 (this host)") && claim.contains(&b().to_string()), "{claim}");
    assert!(bundle(&[arp_request(a(), IP, CLIENT_IP)]).is_empty());
    assert!(bundle(&[arp_request(b(), CLIENT_IP, IP)]).is_empty());
}

/// The VM's neighbours are all cached: it sends no ARP, and pings from the address that the PC announces.
#[test]
fn a_vm_that_only_talks_is_a_claimant_and_a_router_or_server_is_not() {
    let pings = |ttl: u8, reply: bool| {
        let mut bundle = BundleBuilder::new(60_000);
        bundle.point("vnet0", Role::Vnet { vm: Some("E0530".into()), guest_mac: Some(a()) }, "");
        bundle.point("eth3", Role::Uplink { bond: None }, "");
        for n in 0..10u16 {
            let mut frame = echo(reply, a(), client(), IP, CLIENT_IP, n);
            frame[22] = ttl;
            bundle.frame("vnet0", i64::from(n) * 1_000, In, &frame);
        }
        bundle.frame("eth3", 5_500, In, &arp_announce(b(), IP));
        found(&bundle.seal(), "ip-conflict")
    };
    assert_eq!(only(&pings(64, false)), PROVEN);
    assert!(pings(63, false).is_empty(), "routed");
    assert!(pings(64, true).is_empty(), "the server of a load balancer answers with the shared address");
}

#[test]
fn ipv6_probers_and_advertisements() {
    let ip: Ipv6Addr = "2001:db8::1".parse().unwrap();
    assert_eq!(only(&judged(&[(0, nd_probe(a(), ip)), (300, nd_probe(b(), ip))])), PROVEN);
    let owned = [(0, nd_probe(a(), ip)), (2, nd_advertisement(b(), ip, 0x20))];
    assert_eq!(only(&judged(&owned)), PROVEN);
    // Anycast and proxies do not override.
    let anycast = [(0, nd_advertisement(a(), ip, 0x40)), (5, nd_advertisement(b(), ip, 0x40))];
    assert!(judged(&anycast).is_empty());
}
