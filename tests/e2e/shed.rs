//! Load shedding: what is given up is given up in order, reported, counted, and taken back.

use std::thread;
use std::time::{Duration, Instant};

use netcap_bundle::files::Files;
use netcap_bundle::ledger::Ledger;
use netcap_bundle::run::{ShedLevel, ShedReason};
use netcap_tests::{PATIENCE, privileged};
use nix::sys::signal::Signal;

use crate::net::{Net, arp};
use crate::run::Run;

#[test]
fn a_processor_limit_that_is_far_too_low_costs_frames_their_ends_and_is_in_the_ledger() {
    if !privileged("a_processor_limit_that_is_far_too_low_costs_frames_their_ends_and_is_in_the_ledger") {
        return;
    }
    let net = Net::new();
    let run = Run::start(&net, &["--cpu-limit=1%", "--level=3", "--state-interval=1s"]);
    // Until frames are cut, and some more: so many of them are.
    let (mut sent, mut cut) = (0, 0);
    let until = Instant::now() + PATIENCE;
    while cut < 10 {
        assert!(Instant::now() < until, "no frame is cut after {sent}");
        net.send_in(&arp(&[], 1000), 4000);
        sent += 4000;
        thread::sleep(Duration::from_millis(200));
        let step = run.point("cap0").and_then(|point| point["step"].as_str().map(str::to_owned));
        cut += usize::from(cut > 0 || step.is_some_and(|step| step.starts_with("cut")));
    }
    let (output, bundle) = run.end(Signal::SIGINT);
    assert!(output.status.success(), "{output:?}");
    let files = Files::tar(&bundle.path).unwrap().unwrap();
    let ledger = Ledger::read(&files);
    let steps = &ledger.point("cap0").unwrap().steps;
    let down: Vec<ShedLevel> = steps.iter().filter(|s| s.why == ShedReason::Cpu).map(|s| s.step).collect();
    assert!(
        down.starts_with(&[ShedLevel::Level1, ShedLevel::Fast, ShedLevel::Fastest, ShedLevel::Cut256]),
        "{steps:?}"
    );
    assert!(bundle.packets.iter().all(|p| p.wire_len == 1000 && [1000, 256, 128].contains(&p.data.len())));
    let lengths: std::collections::BTreeSet<usize> = bundle.packets.iter().map(|p| p.data.len()).collect();
    assert!(lengths.iter().any(|length| *length < 1000), "some are cut: {lengths:?} {steps:?}");
    let counts = &bundle.manifest.counts[0];
    assert_eq!((counts.received, counts.shed), (sent, 0), "the only point is never put off: {counts:?}");
    assert_eq!(counts.received, counts.written + counts.dropped);
    let [shed] = &bundle.manifest.shed[..] else { panic!("{:?}", bundle.manifest.shed) };
    assert!(shed.deepest >= ShedLevel::Cut256 && shed.cut_ms > 0 && shed.steps >= 4, "{shed:?}");
    let cost = bundle.manifest.cost.expect("it knows what it took");
    assert!(
        cost.user_ms + cost.system_ms > 10 && cost.rss_max > 1 << 20 && cost.written > 10_000,
        "{cost:?}"
    );
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("cost: ") && text.contains("gave up at most"), "{text}");
    let remarks = &bundle.manifest.remarks;
    assert!(!remarks.iter().any(|r| r.contains("disagree") || r.contains("unaccounted")), "{remarks:?}");
}

#[test]
fn of_several_points_the_least_telling_is_counted_and_not_recorded() {
    if !privileged("of_several_points_the_least_telling_is_counted_and_not_recorded") {
        return;
    }
    let net = Net::new();
    crate::net::ip(&format!("-n {} link add cap1 type veth peer name peer1 netns {}", net.near, net.far));
    for (ns, iface) in [(&net.near, "cap1"), (&net.far, "peer1")] {
        crate::net::ip(&format!("-n {ns} link set {iface} up"));
    }
    let run = Run::start(&net, &["--iface=cap1", "--cpu-limit=1%", "--state-interval=1s"]);
    let mut sent = (0, 0);
    let until = Instant::now() + PATIENCE;
    let shed = || run.point("cap1").is_some_and(|point| point["shed"].as_u64() > Some(0));
    while !shed() {
        let said = || run.point("cap1").map(|point| point["step"].clone());
        assert!(Instant::now() < until, "the busier point is recorded after {sent:?}: {:?}", said());
        // So many that the processor's share is exceeded when frames are cut already.
        net.send_in(&arp(&[], 1000), 4000);
        net.send_in_on("peer1", &arp(&[], 1000), 12_000);
        sent = (sent.0 + 4000, sent.1 + 12_000);
        thread::sleep(Duration::from_millis(50));
    }
    let (_, bundle) = run.end(Signal::SIGINT);
    let counts = &bundle.manifest.counts;
    let of = |id: &str| counts.iter().find(|c| c.point == id).expect("both points are there");
    let (quiet, busy) = (of("cap0"), of("cap1"));
    assert_eq!((quiet.received, busy.received), sent);
    assert_eq!(quiet.shed, 0, "{quiet:?}");
    assert!(busy.shed > 0, "of equals the busier one goes: {busy:?}");
    for count in counts {
        assert_eq!(count.received, count.written + count.dropped + count.shed);
    }
    let remarks = &bundle.manifest.remarks;
    assert!(!remarks.iter().any(|r| r.contains("disagree") || r.contains("unaccounted")), "{remarks:?}");
}
