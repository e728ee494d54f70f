//! What goes by is in the bundle: all of it, the right way round, with its tags, or counted as lost.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use netcap_bundle::packets::Direction::{In, Out};
use netcap_bundle::run::End;
use netcap_tests::{Lag, privileged};
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::net::{Net, arp};
use crate::run::{Run, entries, manifest, wait_for};

#[test]
fn both_directions_and_every_kind_of_tag() {
    if !privileged("both_directions_and_every_kind_of_tag") {
        return;
    }
    let net = Net::new();
    let run = Run::start(&net, &["arp"]);
    let frames = [
        arp(&[], 60),
        arp(&[(0x8100, 188)], 64),
        arp(&[(0x88a8, 7), (0x8100, 188)], 68),
        arp(&[(0x8100, 3), (0x8100, 0xe064)], 72),
    ];
    let mut other = arp(&[], 61);
    other[12..14].copy_from_slice(&[0x08, 0x00]);
    for (n, frame) in frames.iter().enumerate() {
        net.send_in(frame, 10 + n);
        net.send_out(frame, 20 + n);
    }
    net.send_in(&other, 5);
    let (output, bundle) = run.end(Signal::SIGINT);
    assert!(output.status.success(), "{output:?}");
    for (n, frame) in frames.iter().enumerate() {
        assert_eq!((bundle.count(In, frame), bundle.count(Out, frame)), (10 + n, 20 + n), "frame {n}");
    }
    assert_eq!(bundle.packets.len(), 46 + 86, "and nothing else");
    assert!(bundle.packets.iter().all(|p| p.wire_len as usize == p.data.len()));
    let counts = &bundle.manifest.counts[0];
    assert_eq!((counts.received, counts.written, counts.dropped), (132, 132, 0));
    assert_eq!(bundle.manifest.end, End::Stopped { by: "SIGINT".into() });
    assert_eq!(bundle.manifest.info.points[0].filter, "arp");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("132 packets") && text.contains(&bundle.path.display().to_string()), "{text}");
    assert!(text.contains("netcap-analyze ") && text.contains("scp "), "{text}");
    let mode = bundle.path.metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let left = entries(bundle.path.parent().unwrap());
    assert_eq!(left, std::slice::from_ref(&bundle.path), "only the tar is left");
}

#[test]
fn a_short_snaplen_cuts_frames_and_keeps_their_length() {
    if !privileged("a_short_snaplen_cuts_frames_and_keeps_their_length") {
        return;
    }
    let net = Net::new();
    let run = Run::start(&net, &["--snaplen", "40"]);
    net.send_in(&arp(&[], 1000), 3);
    let (_, bundle) = run.end(Signal::SIGTERM);
    let shape: Vec<_> = bundle.packets.iter().map(|p| (p.data.len(), p.wire_len)).collect();
    assert_eq!(shape, [(40, 1000); 3]);
}

#[test]
fn a_snaplen_of_one_byte_is_recorded_and_not_taken_for_shed() {
    if !privileged("a_snaplen_of_one_byte_is_recorded_and_not_taken_for_shed") {
        return;
    }
    let net = Net::new();
    let run = Run::start(&net, &["--snaplen", "1"]);
    net.send_in(&arp(&[], 1000), 50);
    let (output, bundle) = run.end(Signal::SIGINT);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(bundle.packets.len(), 50);
    assert!(bundle.packets.iter().all(|p| p.data.len() == 1 && p.wire_len == 1000));
    let counts = &bundle.manifest.counts[0];
    assert_eq!((counts.received, counts.written, counts.shed), (50, 50, 0), "{counts:?}");
}

/// Packets that a point took in, and those that it knows to be lost.
fn taken_or_lost(point: &Value) -> u64 {
    [&point["packets"], &point["dropped"]].into_iter().filter_map(Value::as_u64).sum()
}

/// A recorder without a processor for longer than it goes without asking the kernel: what the ring held by then came
/// before the loss.
#[test]
fn a_loss_after_a_long_stop_is_told_behind_what_the_ring_held() {
    if !privileged("a_loss_after_a_long_stop_is_told_behind_what_the_ring_held") {
        return;
    }
    let net = Net::new();
    let run = Run::start(&net, &["--buffer", "1M"]);
    net.send_in(&arp(&[], 100), 10);
    run.took(10);
    run.signal(Signal::SIGSTOP);
    net.send_in(&arp(&[], 300), 10);
    thread::sleep(Duration::from_millis(5_500));
    net.send_in(&arp(&[], 1400), 5000);
    run.signal(Signal::SIGCONT);
    run.wait_point("all of them", |point| taken_or_lost(point) == 5020);
    net.send_in(&arp(&[], 200), 10);
    let (_, bundle) = run.end(Signal::SIGINT);
    let counts = &bundle.manifest.counts[0];
    assert!(counts.dropped > 1000 && counts.received == counts.written + counts.dropped, "{counts:?}");
    let stamped: u64 = bundle.packets.iter().map(|p| p.lost).sum();
    assert_eq!(stamped, counts.dropped, "every loss is stamped on the packet behind it");
    let place = bundle.packets.iter().position(|p| p.lost > 0).unwrap();
    let around = (bundle.packets[place - 1].data.len(), bundle.packets[place].data.len());
    assert_eq!(around, (1400, 200), "the loss is where it happened");
}

#[test]
fn what_the_kernel_drops_is_counted_where_it_is_missing() {
    if !privileged("what_the_kernel_drops_is_counted_where_it_is_missing") {
        return;
    }
    let net = Net::new();
    let run = Run::start(&net, &["--buffer", "1M"]);
    net.send_in(&arp(&[], 100), 10);
    run.took(10);
    run.signal(Signal::SIGSTOP);
    net.send_in(&arp(&[], 1400), 5000);
    run.signal(Signal::SIGCONT);
    run.wait_point("all of them", |point| taken_or_lost(point) == 5010);
    net.send_in(&arp(&[], 200), 10);
    let (output, bundle) = run.end(Signal::SIGINT);
    let counts = &bundle.manifest.counts[0];
    assert!(counts.dropped > 1000, "{counts:?}");
    assert_eq!(counts.received, 5020);
    assert_eq!(counts.received, counts.written + counts.dropped);
    assert_eq!(counts.written, bundle.packets.len() as u64);
    let stamped: u64 = bundle.packets.iter().map(|p| p.lost).sum();
    assert_eq!(stamped, counts.dropped, "every loss is stamped on the packet behind it");
    let place = bundle.packets.iter().position(|p| p.lost > 0).unwrap();
    let around = (bundle.packets[place - 1].data.len(), bundle.packets[place].data.len());
    assert_eq!(around, (1400, 200), "the loss is where it happened");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains(&format!("{} of 5020 dropped", counts.dropped)), "{text}");
    assert_eq!(lost_by_tshark(&bundle.path), counts.dropped, "stock tools read the same loss");
}

/// What tshark reads out of the segments, as they lie in the bundle: the sum of `epb_dropcount`.
fn lost_by_tshark(bundle: &Path) -> u64 {
    let place = tempfile::tempdir().expect("a place");
    let tar =
        Command::new("tar").arg("-xf").arg(bundle).arg("-C").arg(place.path()).status().expect("tar starts");
    assert!(tar.success());
    let segments = netcap_tests::files_below(place.path(), ".pcapng.zst");
    let lost = |segment: &PathBuf| -> u64 {
        let mut tshark = Command::new("tshark");
        tshark.arg("-r").arg(segment).args(["-T", "fields", "-e", "frame.drop_count"]);
        let out = tshark.output().expect("tshark starts");
        assert!(out.status.success(), "{out:?}");
        String::from_utf8_lossy(&out.stdout).lines().filter_map(|l| l.trim().parse::<u64>().ok()).sum()
    };
    segments.iter().map(lost).sum()
}

#[test]
fn segments_end_by_time_without_a_packet_and_by_size() {
    if !privileged("segments_end_by_time_without_a_packet_and_by_size") {
        return;
    }
    let net = Net::new();
    let lag = Lag::watch();
    let run = Run::start(&net, &["--rotate-time=1s"]);
    run.segment(3);
    let (_, bundle) = run.end(Signal::SIGINT);
    let segments = &bundle.manifest.segments;
    assert!(segments.len() >= 3 && segments.iter().all(|s| s.packets == 0 && !s.repaired));
    // In between a file is closed and another one opened.
    let most_ns = i64::try_from(50_000_000 + 3 * lag.longest().as_nanos()).unwrap();
    for pair in segments.windows(2) {
        let gap_ns = pair[1].opened.since(pair[0].closed);
        assert!((0..most_ns).contains(&gap_ns), "a gap of {gap_ns} ns between two segments");
    }

    // The smallest segments, of frames that cannot be compressed.
    let run = Run::start(&net, &["--rotate_size", "64K"]);
    let noise: Vec<Vec<u8>> = (1_u64..=50).map(|seed| noisy(seed, 1_400)).collect();
    for number in 1..=3 {
        for frame in &noise {
            net.send_in(frame, 1);
        }
        run.segment(number + 1);
    }
    let (_, bundle) = run.end(Signal::SIGINT);
    assert!(bundle.manifest.segments.len() > 1);
    assert_eq!(noise.iter().map(|frame| bundle.count(In, frame)).sum::<usize>(), 150);
}

/// A frame that looks like no other.
fn noisy(seed: u64, length: usize) -> Vec<u8> {
    let mut frame = arp(&[], length);
    let mut state = seed;
    for byte in frame.iter_mut().skip(42) {
        // Knuth's MMIX generator; its high bits are the good ones.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        *byte = state.to_be_bytes()[0];
    }
    frame
}

#[test]
fn an_interface_that_goes_and_comes_back() {
    if !privileged("an_interface_that_goes_and_comes_back") {
        return;
    }
    let net = Net::new();
    let mut run = Run::start(&net, &[]);
    net.send_in(&arp(&[], 100), 3);
    run.took(3);
    net.unplug();
    run.wait_point("the gap", |point| point["away"] == true);
    thread::sleep(Duration::from_millis(600));
    assert!(run.runs());
    net.plug();
    run.segment(2);
    net.send_in(&arp(&[], 200), 4);
    let (output, bundle) = run.end(Signal::SIGINT);
    assert!(output.status.success(), "{output:?}");
    assert_eq!((bundle.count(In, &arp(&[], 100)), bundle.count(In, &arp(&[], 200))), (3, 4));
    let [first, second] = &bundle.manifest.segments[..] else { panic!("{:?}", bundle.manifest.segments) };
    assert!(second.opened.since(first.closed) > 500_000_000, "the time without an interface is not covered");
    let remarks = &bundle.manifest.remarks;
    assert!(remarks.iter().any(|r| r.contains("cap0") && r.contains("could not be heard")), "{remarks:?}");
}

#[test]
fn what_comes_back_under_the_name_and_is_no_ethernet_is_waited_out() {
    if !privileged("what_comes_back_under_the_name_and_is_no_ethernet_is_waited_out") {
        return;
    }
    for options in [&[][..], &["--no-sandbox"]] {
        let net = Net::new();
        let mut run = Run::start(&net, options);
        net.send_in(&arp(&[], 100), 3);
        run.took(3);
        net.unplug();
        crate::net::ip(&format!("-n {} tuntap add cap0 mode tun", net.near));
        crate::net::ip(&format!("-n {} link set cap0 up", net.near));
        // It was looked at, and would be heard by now.
        let log = run.dir().unwrap().join(netcap_bundle::layout::LOG);
        wait_for("a word about the tunnel", || {
            std::fs::read_to_string(&log).unwrap_or_default().contains("no Ethernet frames now")
        });
        thread::sleep(Duration::from_millis(2500));
        assert!(run.runs());
        let second = run.dir().unwrap().join("packets/cap0/000002.pcapng.zst");
        assert!(!second.exists(), "a tunnel was recorded");
        net.unplug();
        net.plug();
        run.segment(2);
        net.send_in(&arp(&[], 200), 4);
        let (output, bundle) = run.end(Signal::SIGINT);
        assert!(output.status.success(), "{output:?}");
        assert_eq!((bundle.count(In, &arp(&[], 100)), bundle.count(In, &arp(&[], 200))), (3, 4));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(
            said.matches("no Ethernet frames now").count(),
            2,
            "when it is seen, when it is over: {said}"
        );
        let remarks = &bundle.manifest.remarks;
        assert!(remarks.iter().any(|r| r.contains("no Ethernet frames now")), "{remarks:?}");
    }
}

#[test]
fn a_duration_ends_it_and_pings_are_logged() {
    if !privileged("a_duration_ends_it_and_pings_are_logged") {
        return;
    }
    let net = Net::new();
    crate::net::ip(&format!("-n {} addr add 10.9.8.1/24 dev cap0", net.near));
    crate::net::ip(&format!("-n {} addr add 10.9.8.2/24 dev peer0", net.far));
    let run = Run::start(&net, &["--duration=5s", "--ping=10.9.8.2", "--ping", "10.9.8.77", "icmp"]);
    wait_for("its own end", || !entries(run.out.path()).iter().any(|p| p.is_dir()));
    let tar = entries(run.out.path()).remove(0);
    let input = netcap_bundle::input::Input::open(&tar).unwrap();
    assert_eq!(manifest(&tar).end, End::Duration);
    use netcap_bundle::run::Answer;
    let of = |address: &str| input.pings.iter().find(|log| log.address == address).unwrap().records.clone();
    // The last one may be on its way when the time is over.
    let good: Vec<_> = of("10.9.8.2").into_iter().filter(|ping| ping.answer != Answer::Open).collect();
    let soon =
        |answer: &Answer| matches!(answer, Answer::Reply { rtt_ns: 1..1_000_000_000, kernel: true, .. });
    assert!(good.len() >= 3 && good.iter().all(|ping| soon(&ping.answer)), "{good:?}");
    let bad = of("10.9.8.77");
    assert!(bad.len() >= 3 && bad.iter().all(|r| !matches!(r.answer, Answer::Reply { .. })), "{bad:?}");
}
