//! The loss ledger balances, at every level of loss, and the watchdog tells a deaf point from a quiet one.

use std::thread;
use std::time::Duration;

use netcap_bundle::input::Input;
use netcap_bundle::packets::PacketReader;
use netcap_bundle::run::PointSpan;
use netcap_tests::privileged;
use nix::sys::signal::Signal;

use crate::net::{Net, arp};
use crate::run::{Bundle, Run};

/// Frames sent while the recorder does not run: none lost, some, most; and as many as go while it does.
const LEVELS: [(usize, bool); 4] = [(200, true), (2_000, true), (12_000, true), (40_000, false)];

/// Frames that the filter does not want, among them.
const UNWANTED: usize = 330;

#[test]
fn frames_sent_are_the_sum_of_the_ledger_at_every_level_of_loss() {
    if !privileged("frames_sent_are_the_sum_of_the_ledger_at_every_level_of_loss") {
        return;
    }
    let net = Net::new();
    let mut losses = Vec::new();
    for (burst, stopped) in LEVELS {
        let run = Run::start(&net, &["--buffer", "1M", "--rotate-time=2s", "arp"]);
        net.send_in(&arp(&[], 100), 10);
        net.send_in(&unwanted(), UNWANTED - 30);
        if stopped {
            run.signal(Signal::SIGSTOP);
        }
        net.send_in(&arp(&[], 1400), burst);
        net.send_out(&unwanted(), 30);
        run.signal(Signal::SIGCONT);
        thread::sleep(Duration::from_millis(1300));
        net.send_out(&arp(&[], 200), 10);
        thread::sleep(Duration::from_millis(700));
        let (_, bundle) = run.end(Signal::SIGINT);
        losses.push(balanced(&bundle, burst as u64 + 20));
    }
    assert!(losses[0] == 0 && losses[1] > 0 && losses[2] > 8_000, "{losses:?}");
}

/// Frames that no ARP filter wants: an experimental ethertype.
fn unwanted() -> Vec<u8> {
    let mut frame = arp(&[], 300);
    frame[12..14].copy_from_slice(&[0x88, 0xb5]);
    frame
}

/// The ledger, the segments, the files of the segments and the manifest tell of `sent` frames; gives how many were lost.
fn balanced(bundle: &Bundle, sent: u64) -> u64 {
    let input = Input::open(&bundle.path).expect("the bundle opens");
    let ledger = input.ledger.point("cap0").expect("a ledger");
    let (sums, counts) = (ledger.sums(), &bundle.manifest.counts[0]);
    assert_eq!(sums.received, sent, "{counts:?}");
    assert_eq!(sums.received, sums.written + sums.dropped);
    assert_eq!(
        (sums.received, sums.written, sums.dropped, sums.wire_bytes),
        (counts.received, counts.written, counts.dropped, counts.wire_bytes),
        "ledger and segments agree"
    );
    assert_eq!(ledger.filtered(), Some(UNWANTED as u64), "a veth counts each frame: {:?}", ledger.spans);
    assert_eq!(counts.filtered, ledger.filtered());
    let seen: u64 = ledger.spans.iter().filter_map(PointSpan::seen).sum();
    assert_eq!(seen, sent + UNWANTED as u64, "every frame that was sent is in the ledger");
    let (mut received, mut dropped) = (0, 0);
    for segment in &input.segments {
        let mut reader =
            PacketReader::open(segment.open().expect("it opens")).expect("a capture").expect("whole");
        while reader.next_packet().is_some() {}
        let info = segment.info.as_ref().expect("sealed");
        let file = &reader.interfaces()[0];
        assert_eq!((file.received, file.dropped), (Some(info.received), Some(info.dropped)), "a lone file");
        (received, dropped) = (received + info.received, dropped + info.dropped);
    }
    assert_eq!((received, dropped), (sums.received, sums.dropped));
    assert!(!input.ledger.host.is_empty());
    assert!(!bundle.manifest.remarks.iter().any(|r| r.contains("disagree") || r.contains("unaccounted")));
    sums.dropped
}

#[test]
fn a_quiet_point_costs_nothing_and_a_filter_that_never_matches_is_mentioned() {
    if !privileged("a_quiet_point_costs_nothing_and_a_filter_that_never_matches_is_mentioned") {
        return;
    }
    let net = Net::new();
    let run = Run::start(&net, &["icmp"]);
    for _ in 0..24 {
        net.send_in(&arp(&[], 100), 2);
        thread::sleep(Duration::from_millis(500));
    }
    let (output, bundle) = run.end(Signal::SIGINT);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("nothing matched the filter for 1"), "{text}");
    assert!(
        bundle.manifest.remarks.is_empty(),
        "it may be what the user meant: {:?}",
        bundle.manifest.remarks
    );
    let input = Input::open(&bundle.path).unwrap();
    let spans = &input.ledger.point("cap0").unwrap().spans;
    assert!(spans.len() <= 3, "{spans:?}");
    assert_eq!(spans.iter().filter_map(|s| s.filtered).sum::<u64>(), 48, "they crossed and were not wanted");
    assert_eq!(spans.iter().filter_map(|s| s.iface).map(|c| c.rx_packets).sum::<u64>(), 48);
}
