//! Two recordings beside each other: the host's bundle and the PC's bare capture, and what only looks like it.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use netcap_bundle::input::Input;
use netcap_bundle::packets::Direction::{In, Out};
use netcap_bundle::{Mac, Role};
use netcap_tests::bundle::{BundleBuilder, SealedBundle, pcap};
use netcap_tests::packets::{arp_announce, arp_probe, arp_reply, arp_request, mac};

use super::Books;
use crate::analysis::explain_beside;
use crate::engine::Progress;
use crate::finding::{Confidence, Finding, Severity, Subject};
use crate::testing::only;

const IP: Ipv4Addr = Ipv4Addr::new(172, 16, 51, 23);
const PC_IP: Ipv4Addr = Ipv4Addr::new(172, 16, 204, 111);
const ROUTER_IP: Ipv4Addr = Ipv4Addr::new(172, 16, 0, 1);
const SURE: (Severity, Confidence) = (Severity::Error, Confidence::Likely);
const MAYBE: (Severity, Confidence) = (Severity::Warning, Confidence::CannotTell);
const DAY_MS: i64 = 86_400_000;

fn host() -> Mac {
    mac("0c:da:41:1d:43:79")
}

fn rogue() -> Mac {
    mac("0c:da:41:1d:10:2e")
}

fn pc() -> Mac {
    mac("40:a8:f0:28:14:d8")
}

fn router() -> Mac {
    mac("00:1b:21:00:00:99")
}

/// The host has the address, asks the router and hears who asks everybody, for a minute.
fn bundle(owned: bool, more: &[Vec<u8>]) -> SealedBundle {
    let mut bundle = BundleBuilder::new(60_000);
    bundle.named("cvknode5123");
    bundle.point("vswitch0", Role::Internal, "").point("eth3", Role::Uplink { bond: None }, "");
    if owned {
        let addr = format!(
            r#"[{{"ifindex":5,"ifname":"vswitch0","flags":["UP","LOWER_UP"],"mtu":1500,"operstate":"UNKNOWN",
            "link_type":"ether","address":"{}","addr_info":[{{"family":"inet","local":"{IP}","prefixlen":16,
            "scope":"global"}}]}}]"#,
            host()
        );
        bundle.state(0, &[("links", "addr", "", &addr)]).state(50_000, &[("links", "addr", "", &addr)]);
    }
    for n in 0..30 {
        let asks = arp_request(host(), IP, ROUTER_IP);
        bundle.frame("vswitch0", n * 2_000, Out, &asks).frame("eth3", n * 2_000, Out, &asks);
        bundle.frame("eth3", n * 2_000 + 1, In, &arp_reply(router(), ROUTER_IP, host(), IP));
    }
    for (n, frame) in (0..).zip(more) {
        bundle.frame("eth3", 30_001 + n * 100, In, frame);
    }
    bundle.seal()
}

/// A PC's capture: it knows the router, and hears these answers from that time on, every second.
fn capture(dir: &Path, name: &str, from_ms: i64, answers: &[Vec<u8>], knows: bool) -> PathBuf {
    let path = dir.join(name);
    let mut frames = Vec::new();
    for n in 0..20 {
        let ms = from_ms + n * 1_000;
        frames.push((ms, arp_request(pc(), PC_IP, IP)));
        frames.extend(answers.iter().map(|answer| (ms + 1, answer.clone())));
        if knows {
            frames.push((ms + 2, arp_reply(router(), ROUTER_IP, pc(), PC_IP)));
        }
    }
    pcap(&path, &frames);
    path
}

fn across(paths: &[&Path]) -> Vec<Finding> {
    let mut books = Books::default();
    for path in paths {
        let input = Input::open(path).unwrap();
        books.extend([explain_beside(&input, None, &Progress::default()).1]);
    }
    books.findings()
}

/// The bundle of a host that owns the address, beside a PC that hears these answers.
fn beside(from_ms: i64, answers: &[Vec<u8>], knows: bool, more: &[Vec<u8>]) -> Vec<Finding> {
    let dir = tempfile::tempdir().unwrap();
    let (sealed, pc) = (bundle(true, more), capture(dir.path(), "pc.pcap", from_ms, answers, knows));
    let found = across(&[&sealed.path, &pc]);
    assert_eq!(found.len(), across(&[&pc, &sealed.path]).len(), "the order of the inputs");
    found
}

fn says(who: Mac) -> Vec<u8> {
    arp_reply(who, IP, pc(), PC_IP)
}

#[test]
fn a_rogue_that_only_the_pc_hears_is_a_conflict_with_both_macs() {
    let found = beside(10_000, &[says(rogue())], true, &[]);
    assert_eq!(only(&found), SURE);
    let Subject::Address { ip, claimants, .. } = &found[0].subject else { panic!("{found:?}") };
    let macs: Vec<Mac> = claimants.iter().map(|c| c.mac).collect();
    assert_eq!((*ip, macs), (IP.into(), vec![host(), rogue()]));
    let claim = found[0].claim.english();
    assert!(claim.contains("vswitch0 of cvknode5123") && claim.contains("pc.pcap"), "{claim}");
    let evidence = format!("{:?}", found[0].evidence);
    assert!(evidence.contains("cvknode5123: state/") && evidence.contains("pc.pcap"), "{evidence}");
}

#[test]
fn another_clock_or_a_capture_that_knows_nobody_makes_it_a_question() {
    // Eight hours, as of a clock that is set to local time.
    assert_eq!(only(&beside(8 * 3_600_000, &[says(rogue())], true, &[])), MAYBE);
    assert_eq!(only(&beside(10_000, &[says(rogue())], false, &[])), MAYBE);
}

#[test]
fn the_same_owner_and_who_is_known_to_both_are_no_conflict() {
    assert_eq!(beside(10_000, &[says(host())], true, &[]), Vec::new());
    assert_eq!(beside(10_000, &[says(rogue()), says(host())], true, &[]).len(), 0, "the PC saw both");
    assert_eq!(beside(10_000, &[says(rogue())], true, &[says(rogue())]).len(), 0, "the host saw both");
}

#[test]
fn virtual_routers_proxies_probes_and_neighbouring_ports_are_no_conflict() {
    for virtual_router in ["00:00:5e:00:01:0a", "00:00:0c:07:ac:01", "00:00:0c:9f:f0:01"] {
        assert_eq!(beside(10_000, &[says(mac(virtual_router))], true, &[]), Vec::new());
    }
    assert_eq!(beside(10_000, &[says(router())], true, &[]), Vec::new(), "the router answers for it");
    let many: Vec<_> = [IP, Ipv4Addr::new(172, 16, 51, 24), Ipv4Addr::new(172, 16, 51, 25)]
        .map(|ip| arp_reply(rogue(), ip, pc(), PC_IP))
        .into();
    assert_eq!(beside(10_000, &many, true, &[]), Vec::new(), "answers for several");
    assert_eq!(beside(10_000, &[arp_probe(rogue(), IP)], true, &[]), Vec::new(), "tracks addresses");
    assert_eq!(beside(10_000, &[says(mac("0c:da:41:1d:43:7a"))], true, &[]), Vec::new(), "one card");
}

#[test]
fn a_card_replaced_between_recordings_of_two_days_is_no_conflict() {
    assert_eq!(beside(DAY_MS, &[says(rogue())], true, &[]), Vec::new());
    let dir = tempfile::tempdir().unwrap();
    let (one, other) = (
        capture(dir.path(), "monday.pcap", 0, &[says(host())], true),
        capture(dir.path(), "tuesday.pcap", DAY_MS, &[says(rogue())], true),
    );
    assert_eq!(across(&[&one, &other]), Vec::new());
}

#[test]
fn bare_captures_need_one_time_and_one_network() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name, from_ms, who, knows| capture(dir.path(), name, from_ms, &[says(who)], knows);
    let a = file("a.pcap", 0, host(), true);
    assert_eq!(only(&across(&[&a, &file("b.pcap", 3_000, rogue(), true)])), SURE);
    assert_eq!(across(&[&a, &file("c.pcap", 20_000, rogue(), true)]), Vec::new(), "one after the other");
    let strange = file("d.pcap", 3_000, rogue(), false);
    // The PC itself is what both know; without it nothing says that it is one network.
    assert_eq!(across(&[&a, &strange]).len(), 1);
}

/// Who takes an address over announces it: a load balancer of a cluster, a keepalived without a MAC of its own.
#[test]
fn an_address_that_is_handed_over_with_an_announcement_is_no_conflict() {
    let dir = tempfile::tempdir().unwrap();
    let sealed = bundle(false, &[]);
    let taken = [arp_announce(rogue(), IP), says(rogue())];
    let pc = capture(dir.path(), "pc.pcap", 40_000, &taken, true);
    assert_eq!(across(&[&sealed.path, &pc]), Vec::new());
}

/// Both cards of a PC answer for both of its addresses, each in its own capture.
#[test]
fn a_machine_with_two_cards_is_one_device() {
    let dir = tempfile::tempdir().unwrap();
    let both = |who| [says(who), arp_reply(who, Ipv4Addr::new(172, 16, 51, 99), pc(), PC_IP)];
    let one = capture(dir.path(), "lan.pcap", 0, &both(host()), true);
    let other = capture(dir.path(), "wlan.pcap", 1_000, &both(rogue()), true);
    assert_eq!(across(&[&one, &other]), Vec::new());
}
