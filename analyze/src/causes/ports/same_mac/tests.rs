use std::net::Ipv4Addr;

use netcap_bundle::packets::Direction::{In, Out};
use netcap_bundle::{Mac, Role};
use netcap_tests::bundle::{BundleBuilder, DumpedPort, ovsdb_dump};
use netcap_tests::packets::{echo, mac};

use crate::analysis::Verdict;
use crate::finding::{Confidence, Finding};
use crate::testing::explain_path;
use crate::text::Text;

const VM1: Ipv4Addr = Ipv4Addr::new(172, 16, 51, 20);
const VM2: Ipv4Addr = Ipv4Addr::new(172, 16, 51, 21);
const GATEWAY: Ipv4Addr = Ipv4Addr::new(172, 16, 51, 254);

/// How vm2 speaks with vm1's address.
#[derive(Clone, Copy)]
struct Case {
    /// VLANs of both ports.
    vlans: [Option<u16>; 2],
    /// vm2 speaks from that millisecond on, and vm1 until that one.
    from_ms: i64,
    until_ms: i64,
    /// The name of the second machine.
    second: &'static str,
    /// The switch was asked where it learned the address.
    asked: bool,
}

const TWICE: Case = Case { vlans: [None, None], from_ms: 1_000, until_ms: 9_000, second: "vm2", asked: true };

/// Both ping the gateway every half second; the answers go to whoever spoke last, which is vm2 every second time.
fn verdict(case: Case) -> Verdict {
    let (shared, gateway) = (mac("0c:da:41:1d:56:a7"), mac("a0:36:9f:97:76:b8"));
    let mut bundle = BundleBuilder::new(12_000);
    let role = |vm: &str, mac: Mac| Role::Vnet { vm: Some(vm.into()), guest_mac: Some(mac) };
    bundle.point_in("vnet0", role("vm1", shared), "", Some("vswitch0"), case.vlans[0]);
    let second = role(case.second, mac("0c:da:41:1d:56:a8"));
    bundle.point_in("vnet1", second, "", Some("vswitch0"), case.vlans[1]);
    bundle.point("eth3", Role::Uplink { bond: None }, "");
    // The switch has learned the address at vnet1 when it is asked.
    let port =
        |name, vlan: Option<u16>, guest| DumpedPort { name, ifaces: &[], tag: vlan, trunks: &[], guest };
    let ports = [
        DumpedPort { ifaces: &["vnet0"], ..port("vnet0", case.vlans[0], Some(shared)) },
        DumpedPort { ifaces: &["vnet1"], ..port("vnet1", case.vlans[1], Some(mac("0c:da:41:1d:56:a8"))) },
        DumpedPort { ifaces: &["eth3"], ..port("eth3", None, None) },
    ];
    let learned = format!(
        " port  VLAN  MAC                Age\n    2     {}  {shared}    0\n",
        case.vlans[1].unwrap_or(0)
    );
    if case.asked {
        let dump = ovsdb_dump("netdev", &ports);
        bundle.state(11_000, &[("ovsdb", "dump", "", &dump), ("ovs-fdb", "fdb-show", "vswitch0", &learned)]);
    }
    for n in 0..16_u16 {
        let us = 1_000_000 + i64::from(n) * 500_000;
        let [first, second] = [(VM1, 0), (VM2, 250_000)].map(|(vm, later)| {
            let (request, reply) =
                (echo(false, shared, gateway, vm, GATEWAY, n), echo(true, gateway, shared, GATEWAY, vm, n));
            (us + later, request, reply)
        });
        if us < case.until_ms * 1_000 {
            let (us, request, reply) = first;
            let to = if n % 2 == 0 || case.from_ms > 1_000 { "vnet0" } else { "vnet1" };
            bundle.frame_us("vnet0", us, In, &request).frame_us("eth3", us + 30, Out, &request);
            bundle.frame_us("eth3", us + 200, In, &reply).frame_us(to, us + 230, Out, &reply);
        }
        if us >= case.from_ms * 1_000 {
            let (us, request, reply) = second;
            bundle.frame_us("vnet1", us, In, &request).frame_us("eth3", us + 30, Out, &request);
            bundle.frame_us("eth3", us + 200, In, &reply).frame_us("vnet1", us + 230, Out, &reply);
        }
    }
    explain_path(&bundle.seal().path, 2)
}

fn found(verdict: &Verdict) -> Option<&Finding> {
    verdict.findings.iter().find(|finding| finding.detector == "same-mac")
}

#[test]
fn two_machines_with_one_address_lose_what_goes_to_the_other() {
    // What speaks from two ports is at home at both, whether or not the switch was asked.
    for asked in [true, false] {
        loses_what_goes_to_the_other(&verdict(Case { asked, ..TWICE }));
    }
}

fn loses_what_goes_to_the_other(verdict: &Verdict) {
    let finding = found(verdict).unwrap();
    assert_eq!(finding.confidence, Confidence::Proven);
    assert_eq!(
        finding.claim.english(),
        "Two machines have the MAC address 0c:da:41:1d:56:a7: vnet0, VM vm1 with 172.16.51.20 and vnet1, VM vm2 with \
         172.16.51.21. The switch sends what is for it to whichever spoke last."
    );
    let lost: Vec<String> = finding.consequences.iter().map(Text::english).collect();
    assert_eq!(lost, ["8 answers of 172.16.51.254 to pings of 172.16.51.20 were lost"]);
    assert!(
        finding.remedy.english().contains("0c:da:41:1d:56:a8 was given to it"),
        "{}",
        finding.remedy.english()
    );
    let pings = verdict.findings.iter().find(|finding| finding.detector == "ping-loss").unwrap();
    assert_eq!(pings.explained_by, Some("same-mac"));
}

#[test]
fn another_vlan_a_move_and_a_bond_of_the_guest_are_no_second_machine() {
    let cases = [
        Case { vlans: [Some(188), Some(189)], ..TWICE },
        Case { from_ms: 5_000, until_ms: 5_000, ..TWICE },
        Case { second: "vm1", ..TWICE },
    ];
    for case in cases {
        let verdict = verdict(case);
        assert!(found(&verdict).is_none(), "{:?}", found(&verdict).map(|finding| finding.claim.english()));
    }
}
