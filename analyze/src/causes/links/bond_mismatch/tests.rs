use std::net::Ipv4Addr;

use netcap_bundle::packets::Direction::{In, Out};
use netcap_bundle::{Mac, Role};
use netcap_tests::bundle::{BundleBuilder, DumpedPort, SealedBundle, bond_show, ovsdb_dump};
use netcap_tests::packets::{arp_reply, arp_request, echo, mac, udp};

use crate::finding::{Confidence, Severity};
use crate::testing::{found, only};

const VM: Ipv4Addr = Ipv4Addr::new(172, 16, 51, 20);
const GATEWAY: Ipv4Addr = Ipv4Addr::new(172, 16, 51, 6);

fn vm() -> Mac {
    mac("0c:da:41:1d:56:a7")
}

fn gateway() -> Mac {
    mac("a0:36:9f:97:76:b8")
}

/// vnet0 and an active-backup bond of eth2 and eth3, read at these milliseconds with this active member.
fn bundle(states: &[(i64, &str)]) -> BundleBuilder {
    let mut bundle = BundleBuilder::new(60_000);
    let member = || Role::Uplink { bond: Some("vswitch0_bond".into()) };
    let vnet = Role::Vnet { vm: Some("vm1".into()), guest_mac: Some(vm()) };
    bundle.point("vnet0", vnet, "").point("eth2", member(), "").point("eth3", member(), "");
    let ports = [
        DumpedPort { name: "vswitch0_bond", ifaces: &["eth2", "eth3"], ..DumpedPort::default() },
        DumpedPort { name: "vnet0", ifaces: &["vnet0"], guest: Some(vm()), ..DumpedPort::default() },
    ];
    bundle.state(0, &[("ovsdb", "dump", "", &ovsdb_dump("netdev", &ports))]);
    for (ms, active) in states {
        bundle.state(*ms, &[("ovs-bond", "bond-show", "", &bond_show("active-backup", active, "off"))]);
    }
    bundle
}

/// The VM asks the gateway by eth3; eight pings of the gateway arrive where they are said to.
fn pings(bundle: &mut BundleBuilder, speaks: bool, arrive: &[&str]) {
    for n in 20..28_u16 {
        let ms = i64::from(n) * 1_000;
        if speaks {
            let other = echo(false, vm(), gateway(), VM, Ipv4Addr::new(172, 16, 51, 9), n);
            bundle.frame("vnet0", ms - 500, In, &other).frame("eth3", ms - 499, Out, &other);
        }
        for (after, member) in arrive.iter().enumerate() {
            let us = ms * 1_000 - 10 * i64::try_from(after).unwrap();
            bundle.frame_us(member, us, In, &echo(false, gateway(), vm(), GATEWAY, VM, 100 + n));
        }
    }
}

fn mismatch(bundle: BundleBuilder) -> (SealedBundle, Vec<crate::finding::Finding>) {
    let sealed = bundle.seal();
    let findings = found(&sealed, "bond-mismatch");
    (sealed, findings)
}

const STEADY: [(i64, &str); 3] = [(0, "eth3"), (30_000, "eth3"), (58_000, "eth3")];

#[test]
fn frames_at_the_backup_for_who_speaks_by_the_active_member_are_proven() {
    let mut bundle = bundle(&STEADY);
    pings(&mut bundle, true, &["eth2"]);
    let (sealed, findings) = mismatch(bundle);
    assert_eq!(only(&findings), (Severity::Error, Confidence::Proven));
    let claim = findings[0].claim.english();
    assert!(claim.contains("sends frames for 0c:da:41:1d:56:a7 to eth2"), "{claim}");
    let lost = found(&sealed, "ping-loss");
    assert!(lost.iter().any(|loss| loss.explained_by == Some("bond-mismatch")), "{lost:#?}");
}

#[test]
fn of_who_was_not_heard_there_it_is_likely() {
    let mut bundle = bundle(&STEADY);
    pings(&mut bundle, false, &["eth2"]);
    let (_, findings) = mismatch(bundle);
    assert_eq!(only(&findings), (Severity::Error, Confidence::Likely));
    assert!(!findings[0].claim.english().contains("one link"));
}

#[test]
fn a_flood_that_arrives_at_both_members_is_no_mismatch() {
    let mut bundle = bundle(&STEADY);
    pings(&mut bundle, true, &["eth2", "eth3"]);
    assert!(mismatch(bundle).1.is_empty());
}

#[test]
fn what_arrives_at_the_active_member_is_no_mismatch() {
    let mut bundle = bundle(&STEADY);
    pings(&mut bundle, true, &["eth3"]);
    assert!(mismatch(bundle).1.is_empty());
}

/// Nobody knows which member took what between two readings that differ.
#[test]
fn around_a_failover_nothing_is_said() {
    let mut bundle = bundle(&[(0, "eth2"), (19_000, "eth2"), (29_000, "eth3"), (58_000, "eth3")]);
    pings(&mut bundle, true, &["eth2"]);
    assert!(mismatch(bundle).1.is_empty());
}

/// DNS answers and connections of the gateway, one a second.
fn datagrams(bundle: &mut BundleBuilder, arrive: &[&str]) {
    for n in 20..28_u16 {
        let us = i64::from(n) * 1_000_000;
        let frame = udp(gateway(), vm(), GATEWAY, VM, (53, 4_000 + n), b"answer");
        for (after, member) in (0_i64..).zip(arrive) {
            bundle.frame_us(member, us + 10 * after, In, &frame);
        }
    }
}

#[test]
fn datagrams_at_the_backup_alone_are_a_mismatch_as_pings_are() {
    let mut alone = bundle(&STEADY);
    datagrams(&mut alone, &["eth2"]);
    let findings = mismatch(alone).1;
    assert_eq!(only(&findings), (Severity::Error, Confidence::Likely));
    assert!(findings[0].consequences.iter().any(|line| line.english().starts_with('8')), "{findings:#?}");
    for arrive in [&["eth3"][..], &["eth2", "eth3"], &["eth3", "eth2"]] {
        let mut flooded = bundle(&STEADY);
        datagrams(&mut flooded, arrive);
        assert!(mismatch(flooded).1.is_empty(), "{arrive:?}");
    }
}

/// The machine asks who the gateway is, and the replies arrive where they are said to.
fn asked(arrive: &[&str], delivered: bool) -> BundleBuilder {
    let mut bundle = bundle(&STEADY);
    for n in 20..28_i64 {
        let (us, asks) = (n * 1_000_000, arp_request(vm(), VM, GATEWAY));
        bundle.frame_us("vnet0", us, In, &asks).frame_us("eth3", us + 50, Out, &asks);
        let reply = arp_reply(gateway(), GATEWAY, vm(), VM);
        for (after, member) in (0_i64..).zip(arrive) {
            bundle.frame_us(member, us + 300 + 10 * after, In, &reply);
        }
        if delivered {
            bundle.frame_us("vnet0", us + 400, Out, &reply);
        }
    }
    bundle
}

#[test]
fn arp_replies_at_the_backup_alone_did_not_reach_who_asked() {
    let (sealed, findings) = mismatch(asked(&["eth2"], false));
    assert_eq!(only(&findings), (Severity::Error, Confidence::Proven));
    assert!(found(&sealed, "arp-unanswered").is_empty(), "somebody answers");
    assert!(mismatch(asked(&["eth2", "eth3"], true)).1.is_empty());
    assert!(mismatch(asked(&["eth2", "eth3"], false)).1.is_empty(), "the active member had them");
}
