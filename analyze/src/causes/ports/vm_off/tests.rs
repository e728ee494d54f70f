use std::net::Ipv4Addr;

use netcap_bundle::packets::Direction::{In, Out};
use netcap_bundle::{Mac, Role, layout};
use netcap_tests::bundle::{BundleBuilder, at};
use netcap_tests::packets::{echo, mac};

use crate::analysis::Verdict;
use crate::finding::{Confidence, Finding};
use crate::testing::explain_path;

const VM: Ipv4Addr = Ipv4Addr::new(172, 16, 51, 20);
const GATEWAY: Ipv4Addr = Ipv4Addr::new(172, 16, 51, 254);

fn machine(last: u8) -> Mac {
    Mac([0x0c, 0xda, 0x41, 0x1d, 0x56, last])
}

fn role(vm: &str, last: u8) -> Role {
    Role::Vnet { vm: Some(vm.into()), guest_mac: Some(machine(last)) }
}

/// The gateway pings vm1 every half second from 1 s to 9 s. From 5 s on nobody answers, and what is for vm1 is flooded to
/// vm2. The interface of vm1 is gone since `left_ms`.
fn verdict(left_ms: Option<i64>) -> Verdict {
    let mut bundle = BundleBuilder::new(12_000);
    bundle.point("vnet0", role("vm1", 1), "").point("vnet1", role("vm2", 2), "");
    bundle.point("eth3", Role::Uplink { bond: None }, "");
    if let Some(ms) = left_ms {
        let line = format!("{{\"at\":{},\"change\":\"left\",\"id\":\"vnet0\"}}\n", at(ms).0);
        bundle.write(layout::CHANGES, &line);
    }
    let gateway = mac("a0:36:9f:97:76:b8");
    for n in 0..17_u16 {
        let us = 1_000_000 + i64::from(n) * 500_000;
        let request = echo(false, gateway, machine(1), GATEWAY, VM, n);
        bundle.frame_us("eth3", us, In, &request);
        if us < 5_000_000 {
            let reply = echo(true, machine(1), gateway, VM, GATEWAY, n);
            bundle.frame_us("vnet0", us + 30, Out, &request).frame_us("vnet0", us + 200, In, &reply);
            bundle.frame_us("eth3", us + 230, Out, &reply);
        } else {
            bundle.frame_us("vnet1", us + 30, Out, &request);
        }
    }
    explain_path(&bundle.seal().path, 2)
}

fn found(verdict: &Verdict) -> Option<&Finding> {
    verdict.findings.iter().find(|finding| finding.detector == "vm-off")
}

#[test]
fn a_machine_that_is_gone_explains_what_died_since_and_a_flood_is_no_delivery() {
    let verdict = verdict(Some(4_900));
    let finding = found(&verdict).unwrap();
    assert_eq!(finding.confidence, Confidence::Proven);
    assert_eq!(
        finding.claim.english(),
        "VM vm1 was off or starting: its port vnet0 of vswitch0 was gone from 08:00:04.900 to the end of the recording."
    );
    let lost: Vec<String> = finding.consequences.iter().map(crate::text::Text::english).collect();
    assert_eq!(lost, ["9 pings from 172.16.51.254 to 172.16.51.20 were lost"]);
    let pings = verdict.findings.iter().find(|finding| finding.detector == "ping-loss").unwrap();
    assert_eq!(pings.explained_by, Some("vm-off"));
    assert!(pings.claim.english().contains("last seen at eth3"), "{}", pings.claim.english());
}

#[test]
fn what_died_before_is_not_the_machines_end() {
    let verdict = verdict(Some(7_900));
    let finding = found(&verdict).unwrap();
    let lost: Vec<String> = finding.consequences.iter().map(crate::text::Text::english).collect();
    assert_eq!(lost, ["3 pings from 172.16.51.254 to 172.16.51.20 were lost"]);
}

#[test]
fn a_machine_that_is_there_and_silent_is_not_off() {
    assert!(found(&verdict(None)).is_none());
}
