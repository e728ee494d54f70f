use std::net::{IpAddr, Ipv4Addr};

use netcap_bundle::Role;
use netcap_bundle::input::Input;
use netcap_bundle::packets::Direction::{In, Out};
use netcap_tests::bundle::{BundleBuilder, DumpedPort, ovsdb_dump};
use netcap_tests::packets::{arp_reply, arp_request, echo, mac};

use super::pairs::Basis;
use super::*;
use crate::clocks::ClockRelation;
use crate::finding::{Confidence, Severity, Subject};
use crate::text::Text;

const VM1: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const VM2: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
const VM3: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 3);
const FAR: Ipv4Addr = Ipv4Addr::new(10, 0, 9, 9);
/// The second host's clock is ahead of the first's by this.
const AHEAD_US: i64 = 3_000_123;
const PINGS: u16 = 200;

/// Two hosts with an uplink each and machines behind them.
struct Two {
    one: BundleBuilder,
    two: BundleBuilder,
}

impl Two {
    fn new(filter: &str) -> Self {
        let machine = || Role::Vnet { vm: None, guest_mac: None };
        let (mut one, mut two) = (BundleBuilder::new(60_000), BundleBuilder::new(60_000));
        one.named("host1").point("eth1", Role::Uplink { bond: None }, "").point("vnet1", machine(), "");
        two.named("host2").point("eth2", Role::Uplink { bond: None }, filter).point("vnet2", machine(), "");
        two.point("vnet3", machine(), "");
        Self { one, two }
    }

    /// One packet from the first host's machine, over the wire unless it is lost there, and on to the second's.
    fn there(&mut self, us: i64, frame: &[u8], port: &str, lost: bool) {
        self.one.frame_us("vnet1", us, In, frame).frame_us("eth1", us + 20, Out, frame);
        if !lost {
            let came = us + 120 + us / 1_000 % 7 * 10 + AHEAD_US;
            self.two.frame_us("eth2", came, In, frame).frame_us(port, came + 30, Out, frame);
        }
    }

    fn back(&mut self, us: i64, frame: &[u8], port: &str) {
        self.two.frame_us(port, us + AHEAD_US, In, frame).frame_us("eth2", us + AHEAD_US + 20, Out, frame);
        let came = us + 120 + us / 1_000 % 5 * 10;
        self.one.frame_us("eth1", came, In, frame).frame_us("vnet1", came + 30, Out, frame);
    }

    /// Pings from the first host's machine to one of the second's; those of which `lost` says so die on the wire.
    fn pings(&mut self, dst: Ipv4Addr, port: &str, lost: impl Fn(u16) -> bool) -> &mut Self {
        let (a, b) = (mac("02:00:00:00:00:01"), mac("02:00:00:00:00:02"));
        for n in 0..PINGS {
            let us = 5_000_000 + i64::from(n) * 200_000 + i64::from(dst.octets()[3]) * 1_000;
            self.there(us, &echo(false, a, b, VM1, dst, n), port, lost(n));
            if !lost(n) {
                self.back(us + 1_000, &echo(true, b, a, dst, VM1, n), port);
            }
        }
        self
    }

    fn together(self) -> Together {
        let (one, two) = (self.one.seal(), self.two.seal());
        look(&[Input::open(&one.path).unwrap(), Input::open(&two.path).unwrap()], &Progress::default())
    }
}

fn names(together: &Together) -> Vec<String> {
    let all = together.hops.iter();
    all.map(|hop| format!("{} to {}", hop.from, hop.to)).collect()
}

fn hop<'a>(together: &'a Together, from: &str, to: &str) -> &'a HostHop {
    let found = together.hops.iter().find(|hop| hop.from.to_string() == from && hop.to.to_string() == to);
    found.unwrap_or_else(|| panic!("{from} to {to} in {:?}", names(together)))
}

#[test]
fn a_packet_from_host_to_host_is_one_journey() {
    let mut two = Two::new("");
    two.pings(VM2, "vnet2", |_| false);
    let together = two.together();
    assert_eq!(together.findings, Vec::new());
    let (there, back) =
        (hop(&together, "host1 eth1", "host2 eth2"), hop(&together, "host2 eth2", "host1 eth1"));
    assert_eq!(together.hops.len(), 2, "only the wire lies between the hosts: {:?}", names(&together));
    for hop in [there, back] {
        assert_eq!((hop.histogram.len(), hop.reordered), (u64::from(PINGS), 0));
        assert!(hop.bound_ns > 0 && hop.bound_ns < 150_000, "{}", hop.bound_ns);
        // The wire takes 100 to 160 us; how it is shared between the two ways is what the bound says.
        let p50 = i64::try_from(hop.histogram.value_at_percentile(50.0)).unwrap();
        assert!((p50 - 125_000).abs() <= hop.bound_ns + 5_000, "{p50} +- {}", hop.bound_ns);
    }
    assert_eq!((together.followed, together.one_in), (u64::from(PINGS) * 8, 1));
}

/// A PC's capture says of no frame which way it went; the host's bundle says it of the same frames.
#[test]
fn a_bare_capture_is_compared_by_the_directions_of_the_other_host() {
    let dir = tempfile::tempdir().unwrap();
    let (host, pc) = (mac("02:00:00:00:00:01"), mac("02:00:00:00:00:02"));
    let mut one = BundleBuilder::new(60_000);
    one.named("host1").point("eth1", Role::Uplink { bond: None }, "");
    let mut frames = Vec::new();
    for n in 0..60u16 {
        let ms = 1_000 + i64::from(n) * 500;
        let (request, reply) = (echo(false, pc, host, VM2, VM1, n), echo(true, host, pc, VM1, VM2, n));
        one.frame("eth1", ms, In, &request).frame("eth1", ms + 1, Out, &reply);
        // The PC's clock is 40 s ahead; a packet takes a millisecond.
        frames.extend([(ms + 39_999, request), (ms + 40_002, reply)]);
    }
    let path = dir.path().join("pc.pcap");
    netcap_tests::bundle::pcap(&path, &frames);
    let sealed = one.seal();
    for turned in [false, true] {
        let mut inputs = vec![Input::open(&sealed.path).unwrap(), Input::open(&path).unwrap()];
        if turned {
            inputs.reverse();
        }
        let together = look(&inputs, &Progress::default());
        let ClockRelation::Known(stretches) = &together.pairs[0].clocks else {
            panic!("{:?}", together.pairs)
        };
        let (offset, bound) = stretches[0].offset_ns();
        let really = if turned { -40_000_000_000 } else { 40_000_000_000_i64 };
        assert!((offset - really).abs() <= bound && bound <= 1_600_000, "{offset} +- {bound}");
        assert_eq!((together.joined, &together.remarks), (2, &Vec::new()));
    }
}

#[test]
fn what_is_lost_on_the_wire_is_told_with_both_ends() {
    let mut two = Two::new("");
    two.pings(VM2, "vnet2", |n| n % 10 == 3);
    let together = two.together();
    let [finding] = together.findings.as_slice() else { panic!("{:#?}", together.findings) };
    assert_eq!((finding.confidence, finding.severity), (Confidence::Likely, Severity::Warning));
    let Subject::Hop { from, to, flow: Some(flow) } = &finding.subject else { panic!("{finding:?}") };
    assert_eq!((from.as_str(), to.as_slice()), ("host1 eth1", ["host2 eth2".to_owned()].as_slice()));
    assert_eq!((flow.src, flow.dst), (IpAddr::from(VM1), IpAddr::from(VM2)));
    let claim = finding.claim.english();
    assert!(claim.starts_with("20 of 200 icmp packets"), "{claim}");
    let evidence = format!("{:?}", finding.evidence);
    assert!(evidence.contains("host1: ") && evidence.contains("eth1"), "{evidence}");
}

#[test]
fn beside_a_loss_of_the_capture_nobody_can_tell() {
    let mut two = Two::new("");
    two.pings(VM2, "vnet2", |n| n % 10 == 3);
    // The capture of the second host lost packets from its beginning to its end.
    let odd = echo(false, mac("02:00:00:00:00:08"), mac("02:00:00:00:00:09"), FAR, FAR, 1);
    two.two.frame_after_loss("eth2", 59_000, In, &odd, 50);
    for second in 6..57 {
        two.two.frame_after_loss("eth2", second * 1_000, In, &odd, 1);
    }
    let together = two.together();
    let [finding] = together.findings.as_slice() else { panic!("{:#?}", together.findings) };
    assert_eq!(finding.confidence, Confidence::CannotTell, "{finding:#?}");
    assert!(finding.remedy.english().contains("host2 eth2"), "{finding:#?}");
}

#[test]
fn packets_of_which_none_arrives_are_missed_where_their_address_lives() {
    let mut two = Two::new("");
    two.pings(VM2, "vnet2", |_| false).pings(VM3, "vnet3", |_| true).pings(FAR, "vnet2", |_| true);
    // The third machine is there: it pings its neighbour on its own host.
    let (b, c) = (mac("02:00:00:00:00:02"), mac("02:00:00:00:00:03"));
    let own = echo(false, c, b, VM3, VM2, 77);
    two.two.frame_us("vnet3", 20_000_000, In, &own).frame_us("vnet2", 20_000_030, Out, &own);
    let together = two.together();
    let [finding] = together.findings.as_slice() else { panic!("{:#?}", together.findings) };
    let Subject::Hop { flow: Some(flow), .. } = &finding.subject else { panic!("{finding:?}") };
    assert_eq!(flow.dst, IpAddr::from(VM3), "what went to a far address may be anywhere");
    let open: Vec<String> = finding.exonerations.iter().map(|e| e.sentence().english()).collect();
    assert!(open.iter().any(|text| text.contains("meant for another place")), "{open:?}");
}

#[test]
fn a_filter_that_hides_them_is_no_loss() {
    let mut two = Two::new("not host 10.0.0.3");
    two.pings(VM2, "vnet2", |_| false).pings(VM3, "vnet3", |_| true);
    let own = echo(false, mac("02:00:00:00:00:03"), mac("02:00:00:00:00:02"), VM3, VM2, 77);
    two.two.frame_us("vnet3", 20_000_000, In, &own);
    assert_eq!(two.together().findings, Vec::new());
}

#[test]
fn what_both_hosts_hear_of_a_flood_went_from_neither_to_the_other() {
    let mut two = Two::new("");
    two.pings(VM2, "vnet2", |_| false);
    for n in 0..50 {
        let frame = echo(false, mac("02:00:00:00:00:0a"), mac("02:00:00:00:00:0b"), FAR, VM3, n);
        let us = 6_000_000 + i64::from(n) * 300_000;
        two.one.frame_us("eth1", us, In, &frame);
        two.two.frame_us("eth2", us + 200 + AHEAD_US, In, &frame);
    }
    let together = two.together();
    assert_eq!((together.hops.len(), together.findings.len()), (2, 0), "{:?}", names(&together));
    assert_eq!(hop(&together, "host1 eth1", "host2 eth2").histogram.len(), u64::from(PINGS));
}

#[test]
fn without_compared_clocks_nothing_is_missed() {
    let (a, b) = (mac("02:00:00:00:00:01"), mac("02:00:00:00:00:02"));
    let mut two = Two::new("");
    for n in 0..2 {
        let us = 5_000_000 + i64::from(n) * 1_000_000;
        two.there(us, &echo(false, a, b, VM1, VM2, n), "vnet2", false);
        two.back(us + 1_000, &echo(true, b, a, VM2, VM1, n), "vnet2");
    }
    let together = two.together();
    assert_eq!((together.findings.len(), together.hops.len(), together.joined), (0, 0, 1));
    let remarks: Vec<String> = together.remarks.iter().map(Text::english).collect();
    assert!(remarks.iter().any(|text| text.contains("between host1 and host2 are not said")), "{remarks:?}");
    let lines: Vec<String> = together.pairs[0].lines().iter().map(Text::english).collect();
    assert!(lines[0].contains("too few packets"), "{lines:?}");
}

impl Two {
    /// Questions to all that a third machine asks; both uplinks hear them, for `off` of them the second one a second late.
    fn asked_of_all(&mut self, count: u8, off: impl Fn(u8) -> bool) -> &mut Self {
        for n in 0..count {
            let frame = arp_request(
                mac("02:00:00:00:00:0c"),
                Ipv4Addr::new(10, 0, 0, 12),
                Ipv4Addr::new(10, 0, 1, n),
            );
            let us = 5_000_000 + i64::from(n) * 700_000 + i64::from(n) * i64::from(n) * 31_000;
            let late = if off(n) { 1_000_000 } else { 200 };
            self.one.frame_us("eth1", us, In, &frame);
            self.two.frame_us("eth2", us + late + AHEAD_US, In, &frame);
        }
        self
    }

    /// The second host's machine speaks to its neighbour, so it is known to live there.
    fn neighbours(&mut self) -> &mut Self {
        let own = echo(false, mac("02:00:00:00:00:02"), mac("02:00:00:00:00:03"), VM2, VM3, 77);
        self.two.frame_us("vnet2", 20_000_000 + AHEAD_US, In, &own);
        self.two.frame_us("vnet3", 20_000_030 + AHEAD_US, Out, &own);
        self
    }
}

/// Nothing gets from the one host to the other but questions to all, which both hear.
#[test]
fn clocks_are_compared_by_what_both_heard_when_all_else_is_lost() {
    let mut two = Two::new("");
    two.pings(VM2, "vnet2", |_| true).neighbours().asked_of_all(14, |_| false);
    let together = two.together();
    let pair = &together.pairs[0];
    assert_eq!(pair.basis, Basis::Floods(14));
    let ClockRelation::Known(stretches) = &pair.clocks else { panic!("{pair:?}") };
    let (offset, bound) = stretches[0].offset_ns();
    assert!((offset - AHEAD_US * 1_000).abs() <= bound && bound < 21_000_000, "{offset} +- {bound}");
    let lines: Vec<String> = pair.lines().iter().map(Text::english).collect();
    assert!(lines[0].contains("by frames to all that both heard (14 agree)"), "{lines:?}");
    let [finding] = together.findings.as_slice() else { panic!("{:#?}", together.findings) };
    assert_eq!((finding.confidence, finding.from.is_some()), (Confidence::Likely, true));
    assert!(finding.claim.english().starts_with("200 of 200 icmp packets"), "{}", finding.claim.english());
}

/// Few of them, and ones that contradict, compare nothing: what is lost is placed all the same, without times.
#[test]
fn without_clocks_losses_are_placed_without_times() {
    for (count, off) in [(3, false), (14, true)] {
        let mut two = Two::new("");
        two.pings(VM2, "vnet2", |_| true).neighbours().asked_of_all(count, |n| off && n % 2 == 0);
        let together = two.together();
        assert_eq!(together.pairs[0].clocks, ClockRelation::TooFew, "{count}");
        let [finding] = together.findings.as_slice() else { panic!("{:#?}", together.findings) };
        assert_eq!((finding.confidence, finding.from, finding.to), (Confidence::Likely, None, None));
        let Subject::Hop { from, to, .. } = &finding.subject else { panic!("{finding:?}") };
        assert_eq!((from.as_str(), to.as_slice()), ("host1 eth1", ["host2 eth2".to_owned()].as_slice()));
        assert!(!format!("{:?}", finding.evidence).contains("Nanos"), "{:?}", finding.evidence);
        let open: Vec<String> = finding.exonerations.iter().map(|e| e.sentence().english()).collect();
        assert!(open.iter().any(|text| text.contains("clocks of the two could not be compared")), "{open:?}");
    }
}

/// Not one packet was seen at both: nobody knows whether they recorded at one time.
#[test]
fn of_recordings_with_nothing_in_common_nobody_can_tell() {
    let mut two = Two::new("");
    two.pings(VM2, "vnet2", |_| true).neighbours();
    let together = two.together();
    let [finding] = together.findings.as_slice() else { panic!("{:#?}", together.findings) };
    assert_eq!((finding.confidence, finding.severity), (Confidence::CannotTell, Severity::Info));
}

/// A few packets get through: the others are lost, and those few are not.
#[test]
fn what_got_through_is_not_counted_as_lost_without_clocks() {
    let mut two = Two::new("");
    two.pings(VM2, "vnet2", |n| n != 30 && n != 90).neighbours();
    let together = two.together();
    assert_eq!((together.joined, together.hops.len()), (1, 0));
    let [finding] = together.findings.as_slice() else { panic!("{:#?}", together.findings) };
    assert!(finding.claim.english().starts_with("198 of 200 icmp packets"), "{}", finding.claim.english());
}

#[test]
fn recordings_of_different_times_are_told() {
    let mut two = Two::new("");
    two.pings(VM2, "vnet2", |_| true);
    let (one, mut late) = (two.one.seal(), BundleBuilder::new(200_000));
    late.named("host2").point("eth2", Role::Uplink { bond: None }, "");
    let sealed = late.seal();
    // The one that has no packets was recorded from its start on: shifted by hand, it begins after the other's end.
    let (one, mut two) = (Input::open(&one.path).unwrap(), Input::open(&sealed.path).unwrap());
    for segment in &mut two.segments {
        let info = segment.info.as_mut().unwrap();
        (info.opened, info.closed) = (info.opened.plus(100_000_000_000), info.closed.plus(100_000_000_000));
    }
    let together = look(&[one, two], &Progress::default());
    let lines: Vec<String> = together.pairs[0].lines().iter().map(Text::english).collect();
    assert!(lines[0].contains("before the other began"), "{lines:?}");
}

/// The state of the second host: its machine behind vnet7, which nobody records, and its ways out.
fn home(two: &mut Two, uplinks: &[&str]) {
    let mut ports: Vec<DumpedPort<'_>> = uplinks
        .iter()
        .map(|name| DumpedPort { name, ifaces: std::slice::from_ref(name), ..DumpedPort::default() })
        .collect();
    let guest = Some(mac("02:00:00:00:00:02"));
    ports.push(DumpedPort { name: "vnet7", ifaces: &["vnet7"], guest, ..DumpedPort::default() });
    two.two.state(0, &[("ovsdb", "dump", "", &ovsdb_dump("system", &ports))]);
}

/// Nothing of the machine was seen at its host, and its port was not recorded: the state says where it is.
#[test]
fn whose_port_was_not_recorded_is_found_by_the_hosts_state() {
    let lost = |uplinks: &[&str]| {
        let mut two = Two::new("");
        two.pings(VM2, "vnet2", |_| true).asked_of_all(14, |_| false);
        if !uplinks.is_empty() {
            home(&mut two, uplinks);
        }
        two.together().findings
    };
    let findings = lost(&["eth2"]);
    let [finding] = findings.as_slice() else { panic!("{findings:#?}") };
    assert_eq!((finding.severity, finding.confidence), (Severity::Warning, Confidence::Likely));
    let Subject::Hop { from, to, .. } = &finding.subject else { panic!("{finding:?}") };
    assert_eq!((from.as_str(), to.as_slice()), ("host1 eth1", ["host2 eth2".to_owned()].as_slice()));
    let said: Vec<String> = finding.exonerations.iter().map(|e| e.sentence().english()).collect();
    assert!(said.iter().any(|text| text.contains("is behind vnet7 of host2")), "{said:?}");
    // One of its ways in was not looked at.
    let findings = lost(&["eth2", "eth9"]);
    let [finding] = findings.as_slice() else { panic!("{findings:#?}") };
    assert_eq!((finding.severity, finding.confidence), (Severity::Info, Confidence::CannotTell));
    assert!(finding.remedy.english().contains("host2 eth9"), "{}", finding.remedy.english());
    // Nobody says where the machine is.
    assert_eq!(lost(&[]), Vec::new());
}

/// By the stamps as far as the clocks are known it came in before it left: that is within what they may be off.
#[test]
fn what_seems_to_arrive_before_it_leaves_is_not_lost() {
    let early = |us: i64| {
        let mut two = Two::new("");
        two.pings(VM2, "vnet2", |_| false);
        home(&mut two, &["eth2"]);
        let reply = arp_reply(mac("02:00:00:00:00:01"), VM1, mac("02:00:00:00:00:02"), VM2);
        two.one.frame_us("vnet1", 1_000_000, In, &reply).frame_us("eth1", 1_000_020, Out, &reply);
        two.two.frame_us("eth2", 1_000_020 - us + AHEAD_US, In, &reply);
        two.together().findings.len()
    };
    assert_eq!((early(-30), early(5)), (0, 0));
    assert_eq!(early(100_000), 1, "so early it is another one");
}
