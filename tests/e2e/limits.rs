//! When a run ends, when a segment ends, and which packets an interface of its own filter keeps.

use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use netcap_bundle::input::Input;
use netcap_bundle::packets::Direction::In;
use netcap_bundle::run::End;
use netcap_tests::{PATIENCE, privileged};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::net::{Net, arp, ip};
use crate::run::{Bundle, Run, entries, manifest, netcap, wait_for};

#[test]
fn a_hangup_begins_a_new_segment_and_ends_nothing() {
    if !privileged("a_hangup_begins_a_new_segment_and_ends_nothing") {
        return;
    }
    let net = Net::new();
    let run = Run::start(&net, &["arp"]);
    net.send_in(&arp(&[], 100), 5);
    run.took(5);
    run.signal(Signal::SIGHUP);
    run.segment(2);
    net.send_in(&arp(&[], 100), 7);
    let (output, bundle) = run.end(Signal::SIGTERM);
    assert!(output.status.success(), "{output:?}");
    let inside: Vec<u64> = bundle.manifest.segments.iter().map(|s| s.packets).collect();
    assert_eq!(inside, [5, 7]);
    assert_eq!(bundle.manifest.end, End::Stopped { by: "SIGTERM".into() });
}

#[test]
fn a_number_of_packets_or_a_time_of_day_ends_it() {
    if !privileged("a_number_of_packets_or_a_time_of_day_ends_it") {
        return;
    }
    let net = Net::new();
    let run = Run::start(&net, &["--max-packets=20", "arp"]);
    net.send_in(&arp(&[], 100), 15);
    run.took(15);
    thread::sleep(Duration::from_millis(700));
    assert!(run.dir().is_some(), "fifteen are not twenty");
    net.send_in(&arp(&[], 100), 10);
    wait_for("its own end", || !entries(run.out.path()).iter().any(|p| p.is_dir()));
    let bundle = Bundle::open(&entries(run.out.path())[0], None);
    assert_eq!(bundle.count(In, &arp(&[], 100)), 25);
    assert_eq!(bundle.manifest.end, End::Stopped { by: "--max-packets".into() });

    let out = tempfile::tempdir().unwrap();
    let place = out.path().display().to_string();
    // Far enough away that a slow start comes before it.
    let until = Duration::from_secs(8);
    let soon = netcap_bundle::Nanos(netcap::testing::now().0 + i64::try_from(until.as_nanos()).unwrap());
    let soon = soon.display(netcap::testing::utc_offset_s());
    let began = Instant::now();
    let words = ["--iface=cap0", "--min-free=0", "--out", &place, "--until", &soon];
    let output = netcap(&net, &words).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    // A time of day has seconds and no parts of them.
    assert!(began.elapsed() + Duration::from_secs(1) >= until, "{:?}", began.elapsed());
    assert!(began.elapsed() < until + PATIENCE, "{:?}", began.elapsed());
    assert_eq!(manifest(&entries(out.path())[0]).end, End::Duration);
}

#[test]
fn an_interface_has_a_filter_of_its_own() {
    if !privileged("an_interface_has_a_filter_of_its_own") {
        return;
    }
    let net = Net::new();
    ip(&format!("-n {} link add cap1 type veth peer name peer1 netns {}", net.near, net.far));
    for (ns, iface) in [(&net.near, "cap1"), (&net.far, "peer1")] {
        ip(&format!("-n {ns} link set {iface} up"));
    }
    let out = tempfile::tempdir().unwrap();
    let place = out.path().display().to_string();
    let words = ["--iface=cap0,cap1:ether proto 0x88cc", "--min-free=0", "--out", &place, "arp"];
    let child = netcap(&net, &words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_for("both points", || {
        let ready = |p: &std::path::PathBuf| p.join("packets/cap1/000001.pcapng.zst").exists();
        entries(out.path()).iter().any(ready)
    });
    let mut lldp = arp(&[], 80);
    lldp[12..14].copy_from_slice(&[0x88, 0xcc]);
    for frame in [&arp(&[], 100), &lldp] {
        net.send_in(frame, 3);
        net.send_in_on("peer1", frame, 4);
    }
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGINT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let bundle = Bundle::open(&entries(out.path())[0], None);
    assert_eq!((bundle.count(In, &arp(&[], 100)), bundle.count(In, &lldp)), (3, 4));
    let input = Input::open(&bundle.path).unwrap();
    let filters: Vec<_> = input.points.iter().map(|p| p.filter.as_str()).collect();
    assert_eq!(filters, ["arp", "ether proto 0x88cc"]);
    let bad = netcap(&net, &["--iface=cap0:icmmp", "--out", &place]).output().unwrap();
    assert_eq!(bad.status.code(), Some(2));
    let twice = netcap(&net, &["--iface=cap0:arp,cap0:icmp", "--out", &place]).output().unwrap();
    assert_eq!(twice.status.code(), Some(2));
}

#[test]
fn what_a_run_says_at_its_start_and_at_its_end() {
    if !privileged("what_a_run_says_at_its_start_and_at_its_end") {
        return;
    }
    let net = Net::new();
    let out = tempfile::tempdir().unwrap();
    let place = out.path().display().to_string();
    let common = ["--out", &place, "--disk-reserve=1M", "--duration=2s"];
    let output = netcap(&net, &["--ping=10.9.8.7"]).args(common).output().unwrap();
    let [answer, stderr] =
        [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    assert!(stderr.contains("no interface was named") && !stderr.contains("filter:"), "{stderr}");
    assert_eq!(
        stderr.matches("ping 10.9.8.7: sent").count(),
        1,
        "the numbers at the end and no others: {stderr}"
    );
    assert!(!answer.contains("0 points") && answer.contains("recorded: "), "{answer}");

    let filter = vec!["icmp"; 40].join(" or ");
    let output = netcap(&net, &["--iface=cap0", &filter]).args(common).output().unwrap();
    let [answer, stderr] =
        [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    let long = |line: &&str| line.len() > 100 && !line.contains(&place);
    assert_eq!(stderr.lines().find(long), None);
    assert_eq!(stderr.matches("dropped 0").count(), 1, "{stderr}");
    assert!(answer.contains("0 packets at 1 point, 0 dropped"), "{answer}");
}
