use std::net::Ipv4Addr;

use netcap_bundle::packets::Direction::{In, Out};
use netcap_bundle::run::{Answer, PingRecord};
use netcap_bundle::{Mac, Role};
use netcap_tests::bundle::{BundleBuilder, at, pcap};
use netcap_tests::packets::{echo, mac};

use crate::finding::{Confidence, Finding, Severity};
use crate::testing::{explain_path, found, only};

const HOST: Ipv4Addr = Ipv4Addr::new(192, 168, 12, 19);
const GATEWAY: Ipv4Addr = Ipv4Addr::new(192, 168, 12, 254);

fn host() -> Mac {
    mac("fc:15:b4:1c:ad:79")
}

fn gateway() -> Mac {
    mac("00:00:0c:00:00:01")
}

fn request(seq: u16) -> Vec<u8> {
    echo(false, host(), gateway(), HOST, GATEWAY, seq)
}

fn reply(seq: u16) -> Vec<u8> {
    echo(true, gateway(), host(), GATEWAY, HOST, seq)
}

/// Ten pings of the host through an uplink, those in `lost` unanswered.
fn bundle(lost: &[u16]) -> BundleBuilder {
    let mut bundle = BundleBuilder::new(60_000);
    bundle.point("vswitch0", Role::Internal, "").point("eth3", Role::Uplink { bond: None }, "");
    for seq in 1..=10 {
        let ms = i64::from(seq) * 1_000;
        bundle.frame("vswitch0", ms, Out, &request(seq)).frame("eth3", ms, Out, &request(seq));
        if !lost.contains(&seq) {
            bundle.frame("eth3", ms + 1, In, &reply(seq)).frame("vswitch0", ms + 1, In, &reply(seq));
        }
    }
    bundle
}

fn findings(bundle: BundleBuilder) -> Vec<Finding> {
    found(&bundle.seal(), "ping-loss")
}

#[test]
fn two_lost_pings_are_a_warning_with_the_last_place() {
    let findings = findings(bundle(&[4, 5, 9]));
    assert_eq!(only(&findings), (Severity::Warning, Confidence::Proven));
    let claim = findings[0].claim.english();
    assert!(claim.starts_with("3 of 10 pings") && claim.contains("last seen at eth3"), "{claim}");
}

#[test]
fn one_lost_ping_is_worth_knowing_and_none_is_nothing() {
    assert_eq!(only(&findings(bundle(&[4]))).0, Severity::Info);
    assert!(findings(bundle(&[])).is_empty());
}

#[test]
fn the_end_of_the_capture_is_no_loss() {
    let mut bundle = bundle(&[]);
    for seq in 20..25 {
        bundle.frame("vswitch0", 58_500, Out, &request(seq));
    }
    assert!(findings(bundle).is_empty());
}

#[test]
fn what_the_capture_lost_is_not_counted() {
    let mut bundle = bundle(&[]);
    bundle.frame("eth3", 20_000, Out, &request(30)).frame("eth3", 20_500, Out, &request(31));
    bundle.frame_after_loss("eth3", 21_000, Out, &request(32), 7);
    bundle.frame("eth3", 21_001, In, &reply(32));
    assert!(findings(bundle).is_empty());
}

#[test]
fn multicast_needs_no_answer() {
    let mut bundle = bundle(&[]);
    for seq in 40..45 {
        let group = Ipv4Addr::new(224, 0, 0, 1);
        let frame = echo(false, host(), mac("01:00:5e:00:00:01"), HOST, group, seq);
        bundle.frame("vswitch0", 20_000 + i64::from(seq), Out, &frame);
    }
    assert!(findings(bundle).is_empty());
}

#[test]
fn a_bare_file_without_any_answer_cannot_tell() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("one.pcap");
    let mut frames: Vec<(i64, Vec<u8>)> = (1..5).map(|seq| (i64::from(seq) * 1_000, request(seq))).collect();
    frames.push((20_000, netcap_tests::packets::arp_request(host(), HOST, GATEWAY)));
    pcap(&path, &frames);
    let verdict = explain_path(&path, 1);
    assert_eq!(only(&verdict.findings), (Severity::Info, Confidence::CannotTell));
}

#[test]
fn the_log_speaks_where_packets_are_silent() {
    let record =
        |seq: i64, answer| PingRecord { seq: seq.unsigned_abs(), sent: Some(at(seq * 1_000)), answer };
    let reply = || Answer::Reply { rtt_ns: 300_000, ttl: None, kernel: true };
    let mut records: Vec<_> = (1..8).map(|n| record(n, reply())).collect();
    records.extend([record(8, Answer::Lost), record(9, Answer::Lost), record(10, Answer::Open)]);
    let mut bundle = BundleBuilder::new(60_000);
    bundle.point("vswitch0", Role::Internal, "arp").pings("10.0.0.9", &records);
    let findings = findings(bundle);
    assert_eq!(only(&findings), (Severity::Warning, Confidence::Proven));
    assert!(findings[0].claim.english().starts_with("2 of 9 pings to 10.0.0.9"));
}

/// Pings to an address that nobody has, as a bundle's log and its unanswered ARP requests show them.
fn nobody(answered: bool) -> Finding {
    let lost = |seq: i64| PingRecord {
        seq: seq.unsigned_abs(),
        sent: Some(at(seq * 1_000)),
        answer: Answer::Error { why: "Destination Host Unreachable".into() },
    };
    let mut bundle = BundleBuilder::new(60_000);
    bundle.point("vswitch0", Role::Internal, "").pings(&GATEWAY.to_string(), &[lost(1), lost(2), lost(3)]);
    for ms in [1_000, 2_000, 3_000] {
        bundle.frame("vswitch0", ms, Out, &netcap_tests::packets::arp_request(host(), HOST, GATEWAY));
    }
    if answered {
        bundle.frame(
            "vswitch0",
            3_001,
            In,
            &netcap_tests::packets::arp_reply(gateway(), GATEWAY, host(), HOST),
        );
    }
    let mut findings = findings(bundle);
    assert_eq!(findings.len(), 1, "{findings:#?}");
    findings.remove(0)
}

#[test]
fn nobody_answers_arp_for_the_target() {
    let named = |finding: &Finding| {
        let evidence = finding.evidence.iter().any(|e| e.what().english().starts_with("nobody answers ARP"));
        (evidence, finding.remedy.english().starts_with("Nobody in this network has"))
    };
    assert_eq!(named(&nobody(false)), (true, true));
    assert_eq!(named(&nobody(true)), (false, false));
}

/// What a router says of a request: ICMP type and code, and the request's headers behind four octets of its own.
fn unreachable(kind: u8, code: u8, request: &[u8]) -> Vec<u8> {
    let quoted = &request[14..14 + 28];
    let mut icmp = vec![kind, code, 0, 0, 0, 0, 0, 0];
    icmp.extend(quoted);
    let mut ip = vec![0x45, 0, 0, u8::try_from(20 + icmp.len()).unwrap(), 0, 9, 0, 0, 64, 1, 0, 0];
    ip.extend([10, 40, 1, 1]);
    ip.extend(HOST.octets());
    ip.extend(icmp);
    netcap_tests::packets::ethernet(host(), gateway(), 0x0800, &ip)
}

/// In a bare file, three pings of which each one is refused three seconds later.
fn refused(kind: u8, code: u8) -> Vec<Finding> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("one.pcap");
    let mut frames = Vec::new();
    for seq in 1..4u16 {
        let at = i64::from(seq) * 1_000;
        frames.extend([(at, request(seq)), (at + 3_000, unreachable(kind, code, &request(seq)))]);
    }
    frames.push((60_000, netcap_tests::packets::arp_request(host(), HOST, GATEWAY)));
    frames.sort_by_key(|(at, _)| *at);
    pcap(&path, &frames);
    explain_path(&path, 1).findings
}

#[test]
fn a_router_that_says_why_is_believed_and_named() {
    let findings = refused(3, 1);
    assert_eq!(only(&findings), (Severity::Warning, Confidence::Proven));
    assert_eq!(
        findings[0].claim.english(),
        "None of 3 pings from 192.168.12.19 to 192.168.12.254 was answered; 10.40.1.1 says that it cannot reach the host."
    );
    assert!(findings[0].evidence.iter().any(|e| e.what().english().starts_with("10.40.1.1 says")));
    assert!(findings[0].remedy.english().starts_with("Nobody answers 10.40.1.1"));
    for (code, words) in [(0, "no route"), (13, "a filter forbids"), (4, "too big"), (2, "cannot be reached")]
    {
        let claim = refused(3, code)[0].claim.english();
        assert!(claim.contains(words), "{claim}");
    }
    assert!(refused(11, 0).is_empty(), "a traceroute");
}

/// The only point of a file without names is no place.
#[test]
fn a_bare_file_is_not_called_a_place() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("one.pcap");
    let mut frames: Vec<(i64, Vec<u8>)> = (1..5).map(|seq| (i64::from(seq) * 1_000, request(seq))).collect();
    frames.extend([(1_001, reply(1)), (20_000, netcap_tests::packets::arp_request(host(), HOST, GATEWAY))]);
    frames.sort_by_key(|(at, _)| *at);
    pcap(&path, &frames);
    let findings = explain_path(&path, 1).findings;
    let [finding] = findings.as_slice() else { panic!("{findings:#?}") };
    assert_eq!(
        finding.claim.english(),
        "3 of 4 pings from 192.168.12.19 to 192.168.12.254 were never answered."
    );
    let words = finding.evidence.iter().map(|e| e.what().english()).chain([finding.remedy.english()]);
    for text in words {
        assert!(!text.contains('#'), "{text}");
    }
}

const GUEST: Ipv4Addr = Ipv4Addr::new(192, 168, 12, 101);

fn guest() -> Mac {
    mac("0c:da:41:1d:56:a7")
}

fn machine(name: &str, guest: Mac) -> Role {
    Role::Vnet { vm: Some(name.into()), guest_mac: Some(guest) }
}

/// Five pings of the gateway to a machine behind vnet0.
fn to_machine(delivered: bool) -> BundleBuilder {
    let mut bundle = BundleBuilder::new(60_000);
    bundle.point("eth3", Role::Uplink { bond: None }, "").point("vnet0", machine("vm1", guest()), "");
    for seq in 1..=5 {
        let ms = i64::from(seq) * 1_000;
        let frame = echo(false, gateway(), guest(), GATEWAY, GUEST, seq);
        bundle.frame("eth3", ms, In, &frame);
        if delivered {
            bundle.frame("vnet0", ms, Out, &frame);
        }
    }
    bundle
}

#[test]
fn what_its_machine_got_is_lost_in_the_machine() {
    let findings = findings(to_machine(true));
    assert_eq!(only(&findings), (Severity::Warning, Confidence::Proven));
    let remedy = findings[0].remedy.english();
    assert!(remedy.starts_with("The requests were handed to the machine behind vnet0"), "{remedy}");
}

#[test]
fn a_recorded_port_of_the_one_who_is_asked_shows_both_directions() {
    // Its weight is that of the loss inside the switch, which explains it.
    assert_eq!(only(&findings(to_machine(false))), (Severity::Info, Confidence::Proven));
}

#[test]
fn what_the_network_floods_back_was_last_seen_where_it_left() {
    let mut bundle = bundle(&[4, 5, 9]);
    bundle.point("eth2", Role::Uplink { bond: None }, "");
    for seq in [4_u16, 5, 9] {
        bundle.frame("eth2", i64::from(seq) * 1_000 + 1, In, &request(seq));
    }
    let claim = findings(bundle)[0].claim.english();
    assert!(claim.contains("last seen at eth3"), "{claim}");
}

/// The gateway has the MAC of another machine for vm1: its answers go there.
#[test]
fn answers_to_another_mac_are_the_answerers_matter() {
    let other = mac("0c:da:41:1d:56:a8");
    let mut bundle = BundleBuilder::new(60_000);
    bundle.point("eth3", Role::Uplink { bond: None }, "");
    bundle.point("vnet0", machine("vm1", guest()), "").point("vnet1", machine("vm2", other), "");
    for seq in 1..=5 {
        let ms = i64::from(seq) * 1_000;
        let (ask, answer) = (
            echo(false, guest(), gateway(), GUEST, GATEWAY, seq),
            echo(true, gateway(), other, GATEWAY, GUEST, seq),
        );
        bundle.frame("vnet0", ms, In, &ask).frame("eth3", ms, Out, &ask);
        bundle.frame("eth3", ms + 1, In, &answer).frame("vnet1", ms + 1, Out, &answer);
    }
    let remedy = findings(bundle)[0].remedy.english();
    let said = format!("sends its answers to MAC {other}, while {GUEST} asks with MAC {}", guest());
    assert!(remedy.contains(&said), "{remedy}");
}

/// Only the first fragment is followed: where the others died nobody knows.
#[test]
fn the_place_of_a_fragmented_ping_is_that_of_its_first_fragment() {
    let mut bundle = BundleBuilder::new(60_000);
    bundle.point("vswitch0", Role::Internal, "").point("eth3", Role::Uplink { bond: None }, "");
    for seq in 20..25_u16 {
        let mut first = request(seq);
        first[20] = 0x20;
        let ms = i64::from(seq) * 1_000;
        bundle.frame("vswitch0", ms, Out, &first).frame("eth3", ms, Out, &first);
    }
    let remedy = findings(bundle)[0].remedy.english();
    assert!(remedy.starts_with("These pings were cut into fragments"), "{remedy}");
}

/// Pings to a shared address, and for each what else is in the file: the warning's claim, if it is one.
fn from_elsewhere(back: impl Fn(u16) -> Option<(i64, Vec<u8>)>) -> Vec<(Severity, String)> {
    let frames: Vec<_> = (1..=8)
        .flat_map(|seq| {
            let ms = i64::from(seq) * 1_000;
            let came = back(seq).map(|(after, frame)| (ms + after, frame));
            [Some((ms, request(seq))), came].into_iter().flatten()
        })
        .chain([(60_000, reply(99))])
        .collect();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("client.pcap");
    pcap(&path, &frames);
    let findings = explain_path(&path, 1).findings;
    let mine = findings.into_iter().filter(|finding| finding.detector == "ping-loss");
    mine.map(|finding| (finding.severity, finding.claim.english())).collect()
}

#[test]
fn an_answer_from_another_address_is_no_silence() {
    let server = Ipv4Addr::new(192, 168, 12, 77);
    let answer = |seq| echo(true, gateway(), host(), server, HOST, seq);
    let said = from_elsewhere(|seq| Some((1, answer(seq))));
    let [(Severity::Warning, claim)] = said.as_slice() else { panic!("{said:?}") };
    assert!(claim.contains(&format!("is answered by {server} instead")), "{claim}");
    let returned = |seq| echo(false, gateway(), host(), HOST, HOST, seq);
    let said = from_elsewhere(|seq| Some((1, returned(seq))));
    let [(Severity::Warning, claim)] = said.as_slice() else { panic!("{said:?}") };
    assert!(claim.contains("hairpin NAT"), "{claim}");
}

#[test]
fn answers_to_other_pings_are_not_theirs() {
    let server = Ipv4Addr::new(192, 168, 12, 77);
    // Other numbers, too late, of some pings only.
    for back in [
        (|seq| Some((1, echo(true, gateway(), host(), Ipv4Addr::new(192, 168, 12, 77), HOST, seq + 100))))
            as fn(u16) -> Option<(i64, Vec<u8>)>,
        |seq| Some((2_500, echo(true, gateway(), host(), Ipv4Addr::new(192, 168, 12, 77), HOST, seq))),
        |seq| {
            let frame = echo(true, gateway(), host(), Ipv4Addr::new(192, 168, 12, 77), HOST, seq);
            (seq < 4).then_some((1, frame))
        },
    ] {
        let said = from_elsewhere(back);
        assert!(
            !said.is_empty() && said.iter().all(|(_, claim)| !claim.contains(&server.to_string())),
            "{said:?}"
        );
    }
}
