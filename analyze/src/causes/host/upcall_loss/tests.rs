use std::net::Ipv4Addr;

use netcap_bundle::Role;
use netcap_bundle::layout::SOFTNET;
use netcap_bundle::packets::Direction::{In, Out};
use netcap_tests::bundle::{BundleBuilder, at};
use netcap_tests::packets::{arp_request, echo, mac};

use crate::analysis::Verdict;
use crate::finding::{Confidence, Finding, Severity};
use crate::testing::explain_path;
use crate::text::Text;

const VM: Ipv4Addr = Ipv4Addr::new(172, 16, 51, 20);
const GATEWAY: Ipv4Addr = Ipv4Addr::new(172, 16, 51, 254);
const GUEST: &str = "0c:da:41:1d:56:a7";

/// Six ARP requests from 10 s to 15 s and six pings from 20 s to 25 s enter at vnet0 and leave nowhere. Each line of the
/// ledger: its second, how many upcalls, how many of them lost.
fn verdict(ledger: &[(i64, u64, u64)]) -> Verdict {
    let (vm, router) = (mac(GUEST), mac("a0:36:9f:97:76:b8"));
    let mut bundle = BundleBuilder::new(40_000);
    bundle.point("vnet0", Role::Vnet { vm: Some("web".into()), guest_mac: Some(vm) }, "");
    bundle.point("eth3", Role::Uplink { bond: None }, "");
    for second in 10..16 {
        bundle.frame("vnet0", second * 1_000 + 500, In, &arp_request(vm, VM, GATEWAY));
    }
    for n in 20..26_u16 {
        bundle.frame("vnet0", i64::from(n) * 1_000 + 500, In, &echo(false, vm, router, VM, GATEWAY, n));
    }
    // Something else passes all the time.
    for n in 1..38_u16 {
        let other = echo(false, vm, router, VM, Ipv4Addr::new(172, 16, 51, 9), n);
        bundle.frame_us("vnet0", i64::from(n) * 1_000_000, In, &other);
        bundle.frame_us("eth3", i64::from(n) * 1_000_000 + 30, Out, &other);
    }
    let line = |(second, asked, lost): &(i64, u64, u64)| {
        let at = at(second * 1_000).0;
        format!("{{\"at\":{at},\"ms\":1000,\"processed\":9,\"upcalls\":{asked},\"upcalls_lost\":{lost}}}\n")
    };
    bundle.write(SOFTNET, &ledger.iter().map(line).collect::<String>());
    explain_path(&bundle.seal().path, 1)
}

fn all_seconds(asked: u64, lost: u64) -> Vec<(i64, u64, u64)> {
    (5..35).map(|second| (second, asked, lost)).collect()
}

fn found(verdict: &Verdict) -> Option<&Finding> {
    verdict.findings.iter().find(|finding| finding.detector == "upcall-loss")
}

#[test]
fn where_all_upcalls_are_lost_it_is_proven_and_explains_arp_as_well() {
    let verdict = verdict(&all_seconds(27, 27));
    let finding = found(&verdict).unwrap();
    assert_eq!((finding.severity, finding.confidence), (Severity::Error, Confidence::Proven));
    let claim = finding.claim.english();
    assert!(claim.contains("lost 810 of 810 packets on their way to ovs-vswitchd"), "{claim}");
    let lost: Vec<String> = finding.consequences.iter().map(Text::english).collect();
    assert_eq!(
        lost,
        [
            "6 pings from 172.16.51.20 to 172.16.51.254 were lost",
            "6 ARP requests of 172.16.51.20 for 172.16.51.254 were lost"
        ]
    );
    let arp = verdict.findings.iter().find(|finding| finding.detector == "arp-unanswered").unwrap();
    assert_eq!((arp.severity, arp.explained_by), (Severity::Info, Some("upcall-loss")));
}

#[test]
fn where_some_are_lost_it_is_likely() {
    let verdict = verdict(&all_seconds(27, 9));
    assert_eq!(found(&verdict).unwrap().confidence, Confidence::Likely);
}

#[test]
fn losses_of_another_time_explain_nothing() {
    let elsewhere: Vec<_> = (27..35).map(|second| (second, 27, 27)).chain([(3, 20, 20)]).collect();
    let verdict = verdict(&elsewhere);
    assert!(found(&verdict).is_none());
    assert!(
        verdict.findings.iter().any(|f| f.detector == "arp-unanswered" && f.severity == Severity::Warning)
    );
}

#[test]
fn none_lost_is_exonerated() {
    assert!(found(&verdict(&all_seconds(27, 0))).is_none());
}

fn lossy(lines: &[(i64, i64, Option<u64>, u64)]) -> Vec<super::Lossy> {
    let span = |(second, ms, asked, lost): &(i64, i64, Option<u64>, u64)| {
        let asked = asked.map(|asked| format!(",\"upcalls\":{asked}")).unwrap_or_default();
        let at = at(second * 1_000).0;
        let line = format!("{{\"at\":{at},\"ms\":{ms},\"processed\":9{asked},\"upcalls_lost\":{lost}}}");
        serde_json::from_str(&line).unwrap()
    };
    super::Lossy::all(&lines.iter().map(span).collect::<Vec<_>>())
}

/// A line may sum up ten calm seconds before the one in which something was lost.
#[test]
fn where_few_were_lost_only_the_last_second_counts() {
    let few = lossy(&[(10, 10_000, Some(40), 0), (20, 10_000, Some(40), 12)]);
    assert!(few[0].covers(at(19_000)) && !few[0].covers(at(15_000)));
}

/// A daemon that is overrun answers nothing meanwhile: what it says then was counted since it was asked before.
#[test]
fn where_nearly_all_were_lost_all_counts_since_the_reading_before() {
    let most = lossy(&[(10, 10_000, Some(40), 0), (11, 1_000, None, 0), (30, 1_000, Some(900), 880)]);
    assert!(most[0].covers(at(15_000)) && !most[0].covers(at(9_000)));
    assert!(!most[0].is_near(at(15_000)) && most[0].is_near(at(29_500)));
}
