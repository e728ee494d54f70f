//! The loss ledger balances, at every level of loss, and the watchdog tells a deaf point from a quiet one.

use std::thread;
use std::time::Duration;

use netcap_bundle::input::Input;
use netcap_tests::privileged;
use nix::sys::signal::Signal;

use crate::net::{Net, arp};
use crate::run::Run;

/// Frames sent while the recorder does not run: none lost, some, most.
const LEVELS: [usize; 3] = [200, 2_000, 12_000];

#[test]
fn frames_sent_are_the_sum_of_the_ledger_at_three_levels_of_loss() {
    if !privileged("frames_sent_are_the_sum_of_the_ledger_at_three_levels_of_loss") {
        return;
    }
    let net = Net::new();
    let mut losses = Vec::new();
    for burst in LEVELS {
        let run = Run::start(&net, &["--buffer", "1M", "--rotate-time=2s"]);
        net.send_in(&arp(&[], 100), 10);
        run.signal(Signal::SIGSTOP);
        net.send_in(&arp(&[], 1400), burst);
        run.signal(Signal::SIGCONT);
        thread::sleep(Duration::from_millis(1300));
        net.send_out(&arp(&[], 200), 10);
        thread::sleep(Duration::from_millis(700));
        let (_, bundle) = run.end(Signal::SIGINT);
        let input = Input::open(&bundle.path).unwrap();
        let sums = input.ledger.point("cap0").expect("a ledger").sums();
        let counts = &bundle.manifest.counts[0];
        let sent = burst as u64 + 20;
        assert_eq!(sums.received, sent, "{counts:?}");
        assert_eq!(sums.received, sums.written + sums.dropped);
        assert_eq!(
            (sums.received, sums.written, sums.dropped, sums.wire_bytes),
            (counts.received, counts.written, counts.dropped, counts.wire_bytes),
            "ledger and segments agree"
        );
        let spans = &input.ledger.point("cap0").unwrap().spans;
        let crossed: u64 =
            spans.iter().filter_map(|s| s.iface).map(netcap_bundle::ledger::IfaceCounts::packets).sum();
        assert!(crossed >= sent - 10, "the interface counted them too: {crossed}");
        assert!(!input.ledger.softnet.is_empty());
        assert!(!bundle.manifest.remarks.iter().any(|r| r.contains("disagree") || r.contains("unaccounted")));
        losses.push(sums.dropped);
    }
    assert!(losses[0] == 0 && losses[1] > 0 && losses[2] > 8_000, "{losses:?}");
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
    assert_eq!(spans.iter().filter_map(|s| s.iface).map(|c| c.rx_packets).sum::<u64>(), 48);
}
