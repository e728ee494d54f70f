use std::net::Ipv4Addr;

use netcap_bundle::packets::Direction::{In, Out};
use netcap_bundle::{Mac, Role};
use netcap_tests::bundle::{BundleBuilder, DumpedPort, ovsdb_dump, pcap};
use netcap_tests::packets::{arp_request, echo, ethernet, mac, segment};

use crate::finding::{Confidence, Evidence, Finding, Severity, Subject};
use crate::testing::{explain_path, found, only};
use crate::text::Text;

const VM: Ipv4Addr = Ipv4Addr::new(172, 16, 51, 20);
const GATEWAY: Ipv4Addr = Ipv4Addr::new(172, 16, 51, 6);

fn vm() -> Mac {
    mac("0c:da:41:1d:56:a7")
}

fn gateway() -> Mac {
    mac("a0:36:9f:97:76:b8")
}

/// An IP packet of that size in all that must not be cut.
fn sized(mut frame: Vec<u8>, packet: u16) -> Vec<u8> {
    frame.resize(14 + usize::from(packet), 0);
    frame[16..18].copy_from_slice(&packet.to_be_bytes());
    frame[20] |= 0x40;
    frame
}

fn request(packet: u16, seq: u16) -> Vec<u8> {
    sized(echo(false, vm(), gateway(), VM, GATEWAY, seq), packet)
}

fn reply(packet: u16, seq: u16) -> Vec<u8> {
    sized(echo(true, gateway(), vm(), GATEWAY, VM, seq), packet)
}

fn links(mtu: u16) -> String {
    format!(
        r#"[{{"ifindex":2,"ifname":"eth3","flags":["UP","LOWER_UP"],"mtu":{mtu}}},
            {{"ifindex":3,"ifname":"vnet0","flags":["UP","LOWER_UP"],"mtu":1500}}]"#
    )
}

/// vnet0 and eth3 of one switch, where eth3 has those MTUs from these milliseconds on.
fn bundle(mtus: &[(i64, u16)]) -> BundleBuilder {
    let mut bundle = BundleBuilder::new(60_000);
    let role = Role::Vnet { vm: Some("vm1".into()), guest_mac: Some(vm()) };
    bundle.point("vnet0", role, "").point("eth3", Role::Uplink { bond: None }, "");
    for (ms, mtu) in mtus {
        bundle.state(*ms, &[("links", "link", "", &links(*mtu))]);
    }
    bundle
}

/// A ping that is answered.
fn pass(bundle: &mut BundleBuilder, ms: i64, packet: u16, seq: u16) {
    bundle.frame("vnet0", ms, In, &request(packet, seq)).frame("eth3", ms + 1, Out, &request(packet, seq));
    bundle.frame("eth3", ms + 2, In, &reply(packet, seq)).frame("vnet0", ms + 3, Out, &reply(packet, seq));
}

/// Pings of that size at these seconds that are seen at vnet0 only.
fn lose(bundle: &mut BundleBuilder, packet: u16, seconds: std::ops::Range<u16>) {
    for n in seconds {
        bundle.frame("vnet0", i64::from(n) * 1_000 + 500, In, &request(packet, n));
    }
}

fn findings(bundle: BundleBuilder) -> Vec<Finding> {
    found(&bundle.seal(), "mtu-mismatch")
}

#[test]
fn what_is_too_large_for_the_uplink_names_it_and_what_it_takes() {
    let mut bundle = bundle(&[(0, 1400)]);
    lose(&mut bundle, 1500, 10..16);
    for n in 10..16 {
        pass(&mut bundle, i64::from(n) * 1_000, 84, 100 + n);
    }
    let findings = findings(bundle);
    assert_eq!(only(&findings), (Severity::Error, Confidence::Proven));
    let finding = &findings[0];
    assert_eq!(
        finding.subject,
        Subject::Ports { switch: Some("vswitch0".into()), ports: vec!["eth3".into()] }
    );
    assert!(finding.claim.english().starts_with("eth3 takes IP packets of 1400 octets at most"));
    let Evidence::Snapshot { line, .. } = &finding.evidence[0] else { panic!("{:#?}", finding.evidence) };
    assert_eq!(line, "eth3: mtu 1400");
    let contrast = finding.evidence[1].what().english();
    assert!(
        contrast.contains("1500 octets (frame of 1514)") && contrast.ends_with("the largest of 84 octets")
    );
    assert_eq!(finding.consequences.len(), 1);
    assert!(finding.remedy.english().contains("ping -M do -s 1472 172.16.51.6"));
}

#[test]
fn what_fits_dies_of_something_else() {
    let mut small = bundle(&[(0, 1400)]);
    lose(&mut small, 1400, 10..16);
    let verdict = explain_path(&small.seal().path, 1);
    assert!(verdict.findings.iter().all(|finding| finding.detector != "mtu-mismatch"));
    let loss = verdict.findings.iter().find(|finding| finding.detector == "packet-loss").unwrap();
    let ruled: Vec<String> = loss.ruled.iter().map(|ruled| ruled.what.sentence().english()).collect();
    assert!(ruled.iter().any(|text| text.starts_with("a packet too large for the next port")), "{ruled:?}");
}

#[test]
fn only_the_large_ones_are_claimed() {
    let mut bundle = bundle(&[(0, 1400)]);
    lose(&mut bundle, 1500, 10..14);
    lose(&mut bundle, 84, 20..25);
    let verdict = explain_path(&bundle.seal().path, 1);
    let mtu = verdict.findings.iter().find(|finding| finding.detector == "mtu-mismatch").unwrap();
    assert!(mtu.consequences[0].english().starts_with("4 pings"));
    let loss = verdict.findings.iter().find(|finding| finding.detector == "packet-loss").unwrap();
    assert_eq!((loss.severity, loss.explained_by), (Severity::Warning, None));
}

#[test]
fn a_larger_one_that_passed_contradicts() {
    let mut bundle = bundle(&[(0, 1400)]);
    lose(&mut bundle, 1450, 10..16);
    pass(&mut bundle, 12_000, 1500, 100);
    assert!(findings(bundle).is_empty());
}

#[test]
fn the_mtu_of_that_time_counts() {
    let mtus = [(0, 1400), (20_000, 1500)];
    let mut after = bundle(&mtus);
    lose(&mut after, 1500, 30..36);
    assert!(findings(after).is_empty());
    let mut before = bundle(&[(0, 1400), (10_000, 1400), (20_000, 1500)]);
    lose(&mut before, 1500, 2..8);
    assert_eq!(only(&findings(before)).1, Confidence::Proven);
    // Between the reading that says one thing and the one that says another nobody knows which held.
    let mut between = bundle(&mtus);
    lose(&mut between, 1500, 10..16);
    assert_eq!(only(&findings(between)).1, Confidence::Likely);
}

#[test]
fn super_segments_are_cut_before_they_leave() {
    let mut bundle = bundle(&[(0, 1400)]);
    for n in 0..4u16 {
        let frame = segment((vm(), gateway()), (VM, GATEWAY), 1_000 + u32::from(n) * 14_600, 14_600, n);
        bundle.frame("vnet0", 10_000 + i64::from(n) * 100, In, &frame);
    }
    assert!(findings(bundle).is_empty());
}

/// The switch in user space or in the kernel; small packets of another pair die together with a large one, and some alone.
fn batch(datapath: &str) -> Vec<Finding> {
    let ports = [
        DumpedPort { name: "eth3", ifaces: &["eth3"], ..DumpedPort::default() },
        DumpedPort { name: "vnet0", ifaces: &["vnet0"], guest: Some(vm()), ..DumpedPort::default() },
    ];
    let mut bundle = bundle(&[(0, 1400)]);
    bundle.state(1, &[("ovsdb", "dump", "", &ovsdb_dump(datapath, &ports))]);
    lose(&mut bundle, 1500, 10..14);
    let other = Ipv4Addr::new(172, 16, 51, 7);
    for n in 10..20u16 {
        let small = sized(echo(false, vm(), gateway(), VM, other, n), 84);
        bundle.frame_us("vnet0", i64::from(n) * 1_000_000 + 500_300, In, &small);
    }
    findings(bundle)
}

#[test]
fn the_rest_of_a_batch_is_told_apart() {
    let findings = batch("netdev");
    assert_eq!(only(&findings), (Severity::Error, Confidence::Proven));
    let consequences: Vec<String> = findings[0].consequences.iter().map(Text::english).collect();
    assert_eq!(consequences.len(), 2, "{consequences:?}");
    assert!(consequences.iter().all(|line| line.starts_with("4 pings")), "{consequences:?}");
    let kernel = batch("system");
    assert_eq!(kernel[0].consequences.len(), 1);
}

/// A bare file in which pings of one size are lost and those of another are answered.
fn bare(lost: u16, answered: u16, change: impl Fn(&mut Vec<(i64, Vec<u8>)>)) -> Vec<Finding> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("one.pcap");
    let mut frames = vec![(60_000, arp_request(vm(), VM, GATEWAY))];
    for n in 0..8u16 {
        let ms = 1_000 + i64::from(n) * 1_000;
        frames.push((ms, request(lost, n)));
        frames.extend([(ms + 300, request(answered, 100 + n)), (ms + 301, reply(answered, 100 + n))]);
    }
    change(&mut frames);
    frames.sort_by_key(|(at, _)| *at);
    pcap(&path, &frames);
    let findings = explain_path(&path, 1).findings;
    findings.into_iter().filter(|finding| finding.detector == "mtu-mismatch").collect()
}

#[test]
fn only_large_ones_that_are_lost_outside_are_likely() {
    let findings = bare(1500, 84, |_| {});
    assert_eq!(only(&findings), (Severity::Warning, Confidence::Likely));
    let claim = findings[0].claim.english();
    assert!(claim.contains("of 84 octets and not of 1500"), "{claim}");
    assert!(findings[0].evidence[0].what().english().starts_with("all 8 that were lost must not be cut"));
    assert!(findings[0].evidence[1].what().english().starts_with("8 smaller ones were answered"));
}

#[test]
fn what_looks_like_a_black_hole_and_is_none() {
    assert!(bare(84, 1500, |_| {}).is_empty(), "small ones are lost");
    assert!(bare(400, 84, |_| {}).is_empty(), "everything takes 576 octets");
    let some_small = |frames: &mut Vec<(i64, Vec<u8>)>| frames.push((3_500, request(60, 200)));
    assert!(bare(1500, 84, some_small).is_empty(), "a small one is lost too");
    let cut = |frames: &mut Vec<(i64, Vec<u8>)>| frames[1].1[20] &= !0x40;
    assert!(bare(1500, 84, cut).is_empty(), "what may be cut is cut");
    let too_big = |frames: &mut Vec<(i64, Vec<u8>)>| {
        let mut icmp = vec![3, 4, 0, 0, 0, 0, 5, 120];
        icmp.extend(&request(1500, 0)[14..14 + 28]);
        let mut ip = vec![0x45, 0, 0, 56, 0, 9, 0, 0, 64, 1, 0, 0, 10, 40, 1, 1];
        ip.extend(VM.octets());
        ip.extend(icmp);
        frames.push((1_002, ethernet(vm(), gateway(), 0x0800, &ip)));
    };
    assert!(bare(1500, 84, too_big).is_empty(), "a router says so");
}
