use std::net::Ipv4Addr;

use netcap_bundle::Role;
use netcap_bundle::packets::Direction::{In, Out};
use netcap_bundle::source::Outcome;
use netcap_tests::bundle::{BundleBuilder, DumpedPort, ovsdb_dump};
use netcap_tests::packets::{echo, mac};

use crate::analysis::Verdict;
use crate::finding::{Confidence, Finding};
use crate::testing::explain_path;
use crate::text::Text;

const VM: Ipv4Addr = Ipv4Addr::new(172, 16, 51, 20);
const GATEWAY: Ipv4Addr = Ipv4Addr::new(172, 16, 51, 254);

/// A VM pings every half second from 1 s to 19 s; from 10 s on nothing of it leaves. ovs-vswitchd is asked at these
/// milliseconds.
fn verdict(asked: &[(i64, Outcome)]) -> Verdict {
    verdict_with(asked, |_| {})
}

fn verdict_with(asked: &[(i64, Outcome)], more: impl FnOnce(&mut BundleBuilder)) -> Verdict {
    let mut bundle = BundleBuilder::new(22_000);
    let vm = mac("0c:da:41:1d:56:a7");
    let role = Role::Vnet { vm: Some("vm1".into()), guest_mac: Some(vm) };
    bundle.point("vnet0", role, "").point("eth3", Role::Uplink { bond: None }, "");
    for (ms, outcome) in asked {
        bundle.asked(*ms, "ovs-bond", "bond-show", outcome.clone(), "");
    }
    more(&mut bundle);
    let gateway = mac("a0:36:9f:97:76:b8");
    for n in 0..37_u16 {
        let us = 1_000_000 + i64::from(n) * 500_000;
        let request = echo(false, vm, gateway, VM, GATEWAY, n);
        bundle.frame_us("vnet0", us, In, &request);
        if us < 10_000_000 {
            let reply = echo(true, gateway, vm, GATEWAY, VM, n);
            bundle.frame_us("eth3", us + 30, Out, &request).frame_us("eth3", us + 200, In, &reply);
            bundle.frame_us("vnet0", us + 230, Out, &reply);
        }
    }
    explain_path(&bundle.seal().path, 2)
}

fn found(verdict: &Verdict) -> Option<&Finding> {
    verdict.findings.iter().find(|finding| finding.detector == "daemon-silent")
}

#[test]
fn what_died_while_the_daemon_was_silent_is_its_doing_and_the_remark_says_what_is_not_known() {
    let silent = || Outcome::TimedOut;
    let verdict = verdict(&[(500, Outcome::Ok), (10_500, silent()), (13_000, silent()), (17_000, silent())]);
    let finding = found(&verdict).unwrap();
    assert_eq!(finding.confidence, Confidence::Likely, "nobody saw what the switch did with them");
    assert_eq!(
        finding.claim.english(),
        "ovs-vswitchd answered nothing that it was asked from 08:00:10.500 on, until the recording ended: no new flow gets \
         into the datapath without it."
    );
    let lost: Vec<String> = finding.consequences.iter().map(Text::english).collect();
    assert_eq!(lost, ["19 pings from 172.16.51.20 to 172.16.51.254 were lost"]);
    let remarks: Vec<String> = verdict.remarks.iter().map(Text::english).collect();
    let said = "ovs-bond (bond-show) did not answer within its time limit, first at 08:00:10.500 and last at 08:00:17.000";
    assert!(remarks.iter().any(|remark| remark.starts_with(said)), "{remarks:?}");
    let not = verdict.not_evaluated.iter().find(|not| not.detector == "lldp-mac-flap").unwrap();
    assert_ne!(not.missing, ["need.bond-state"], "it was recorded with --vswitch");
}

#[test]
fn one_late_answer_is_no_silence() {
    let verdict = verdict(&[(500, Outcome::Ok), (10_500, Outcome::TimedOut), (13_000, Outcome::Ok)]);
    assert!(found(&verdict).is_none());
}

#[test]
fn what_died_after_it_answered_again_is_not_its_doing() {
    let asked = [(500, Outcome::TimedOut), (3_000, Outcome::TimedOut), (6_000, Outcome::Ok)];
    let verdict = verdict(&asked);
    let finding = found(&verdict).unwrap();
    assert!(finding.consequences.is_empty());
    assert_eq!(finding.confidence, Confidence::Likely, "the questions are close to each other");
}

/// The database answers while the daemon is hung, and says that the port was taken out of the switch.
#[test]
fn what_another_cause_explains_is_not_put_down_to_the_daemon() {
    let silent = || Outcome::TimedOut;
    let asked = [(500, Outcome::Ok), (10_500, silent()), (13_000, silent()), (17_000, silent())];
    let ports = |with: bool| {
        let mut ports = vec![DumpedPort { name: "eth3", ifaces: &["eth3"], ..DumpedPort::default() }];
        if with {
            ports.push(DumpedPort { name: "vnet0", ifaces: &["vnet0"], ..DumpedPort::default() });
        }
        ovsdb_dump("system", &ports)
    };
    let verdict = verdict_with(&asked, |bundle| {
        bundle.state(1_000, &[("ovsdb", "dump", "", &ports(true))]);
        bundle.state(9_900, &[("ovsdb", "dump", "", &ports(false))]);
        bundle.state(20_000, &[("ovsdb", "dump", "", &ports(false))]);
    });
    let gone = verdict.findings.iter().find(|finding| finding.detector == "port-gone").unwrap();
    assert_eq!((gone.confidence, gone.consequences.len()), (Confidence::Proven, 1));
    let finding = found(&verdict).unwrap();
    assert_eq!((finding.confidence, &finding.consequences), (Confidence::Proven, &Vec::new()));
}
