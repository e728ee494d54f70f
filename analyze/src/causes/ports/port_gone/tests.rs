use std::net::Ipv4Addr;

use netcap_bundle::packets::Direction::{In, Out};
use netcap_bundle::{Mac, Role};
use netcap_tests::bundle::{BundleBuilder, DumpedPort, ovsdb_dump};
use netcap_tests::packets::{echo, mac};

use crate::analysis::Verdict;
use crate::finding::{Confidence, Finding};
use crate::testing::explain_path;

const VM: Ipv4Addr = Ipv4Addr::new(172, 16, 51, 20);
const GATEWAY: Ipv4Addr = Ipv4Addr::new(172, 16, 51, 254);

fn vm() -> Mac {
    mac("0c:da:41:1d:56:a7")
}

fn gateway() -> Mac {
    mac("a0:36:9f:97:76:b8")
}

/// A VM pings every half second from 1 s to 9 s; from 5 s on nothing of it leaves. `vnet0` is in the switch by the dumps of
/// these milliseconds.
fn recording(dumps: &[(i64, bool)]) -> BundleBuilder {
    let mut bundle = BundleBuilder::new(12_000);
    let role = Role::Vnet { vm: Some("vm1".into()), guest_mac: Some(vm()) };
    bundle.point("vnet0", role, "").point("eth3", Role::Uplink { bond: None }, "");
    let own = DumpedPort { name: "vnet0", ifaces: &["vnet0"], guest: Some(vm()), ..DumpedPort::default() };
    let uplink = DumpedPort { name: "eth3", ifaces: &["eth3"], ..DumpedPort::default() };
    for (ms, there) in dumps {
        let ports = if *there { vec![own, uplink] } else { vec![uplink] };
        bundle.state(*ms, &[("ovsdb", "dump", "", &ovsdb_dump("system", &ports))]);
    }
    for n in 0..17_u16 {
        let ms = 1_000 + i64::from(n) * 500;
        let request = echo(false, vm(), gateway(), VM, GATEWAY, n);
        bundle.frame("vnet0", ms, In, &request);
        if ms < 5_000 {
            let reply = echo(true, gateway(), vm(), GATEWAY, VM, n);
            bundle.frame_us("eth3", ms * 1_000 + 30, Out, &request);
            bundle.frame_us("eth3", ms * 1_000 + 200, In, &reply);
            bundle.frame_us("vnet0", ms * 1_000 + 230, Out, &reply);
        }
    }
    bundle
}

fn verdict(dumps: &[(i64, bool)]) -> Verdict {
    explain_path(&recording(dumps).seal().path, 2)
}

fn found(verdict: &Verdict) -> Option<&Finding> {
    verdict.findings.iter().find(|finding| finding.detector == "port-gone")
}

#[test]
fn a_port_that_was_taken_out_of_its_switch_explains_what_died_since() {
    let verdict = verdict(&[(500, true), (4_800, true), (5_500, false), (9_500, false)]);
    let finding = found(&verdict).unwrap();
    assert_eq!(finding.confidence, Confidence::Proven);
    assert_eq!(
        finding.claim.english(),
        "vnet0 of VM vm1 was no port of vswitch0 from a time between 08:00:04.800 and 08:00:05.500 to the end of the \
         recording: what the VM sent went nowhere, and nothing could be sent to it."
    );
    let lost: Vec<String> = finding.consequences.iter().map(crate::text::Text::english).collect();
    assert_eq!(lost, ["9 pings from 172.16.51.20 to 172.16.51.254 were lost"]);
    let others = verdict.findings.iter().filter(|finding| finding.detector != "port-gone");
    for other in others {
        assert_eq!(other.explained_by, Some("port-gone"), "{}", other.claim.english());
    }
}

#[test]
fn between_two_readings_it_is_likely_only() {
    let verdict = verdict(&[(500, true), (4_800, true), (9_500, false)]);
    assert_eq!(found(&verdict).unwrap().confidence, Confidence::Likely);
}

#[test]
fn a_port_that_was_back_before_anything_died_explains_nothing() {
    let verdict = verdict(&[(500, true), (2_000, false), (3_000, true), (9_500, true)]);
    assert!(found(&verdict).is_none());
    let loss = verdict.findings.iter().find(|finding| finding.detector == "packet-loss").unwrap();
    assert_eq!(loss.explained_by, None);
}

#[test]
fn what_was_never_in_the_switch_was_not_taken_out() {
    assert!(found(&verdict(&[(500, false), (9_500, false)])).is_none());
}
