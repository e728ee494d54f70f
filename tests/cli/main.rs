//! `netcap-analyze` from outside: exit codes, reports, machine output, comparisons; and the corpus, when there is one.

#![allow(clippy::unwrap_used, clippy::print_stdout)] // a test that cannot go on panics

mod across;
mod change;
mod corpus;
mod crowds;
mod hostile;
mod inputs;
mod many;
mod mutations;
mod specials;
mod tars;
mod threads;

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use netcap_bundle::Role;
use netcap_bundle::packets::Direction::{In, Out};
use serde_json::Value;

use netcap_tests::bundle::{BundleBuilder, pcap};
use netcap_tests::packets::{arp_announce, arp_request, echo, mac};

const IP: Ipv4Addr = Ipv4Addr::new(172, 16, 51, 23);
const OTHER: Ipv4Addr = Ipv4Addr::new(172, 16, 51, 1);

/// Runs the program in a locale and zone that must not matter.
pub fn analyze(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_netcap-analyze"))
        .args(args)
        .env_remove("LC_ALL")
        .env_remove("LC_MESSAGES")
        .env("LANG", "C")
        .env("TZ", "America/New_York")
        .output()
        .unwrap()
}

fn code(out: &Output) -> i32 {
    out.status.code().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A capture with a conflict, and one without, in a folder.
fn captures() -> (tempfile::TempDir, PathBuf, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = (mac("0c:da:41:1d:43:79"), mac("40:a8:f0:28:14:d8"));
    let bad = dir.path().join("conflict.pcap");
    pcap(&bad, &[(0, arp_announce(a, IP)), (1_000, arp_announce(b, IP)), (2_000, arp_announce(a, IP))]);
    let good = dir.path().join("healthy.pcap");
    let mut frames = vec![(0, arp_request(a, IP, OTHER))];
    for seq in 1..20u16 {
        let ms = i64::from(seq) * 100;
        frames.push((ms, echo(false, a, b, IP, OTHER, seq)));
        frames.push((ms + 1, echo(true, b, a, OTHER, IP, seq)));
    }
    pcap(&good, &frames);
    (dir, bad, good)
}

/// Everything that looks or measures.
fn ids() -> impl Iterator<Item = &'static str> {
    netcap_analyze::testing::ids().into_iter()
}

fn name(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn the_exit_code_says_what_was_found() {
    let (dir, bad, good) = captures();
    assert_eq!(code(&analyze(&[name(&good)])), 0);
    assert_eq!(code(&analyze(&[name(&bad)])), 1);
    assert_eq!(code(&analyze(&["--fail-on", "never", name(&bad)])), 0);
    let junk = dir.path().join("junk");
    fs::write(&junk, "no packets here").unwrap();
    let out = analyze(&[name(&junk), name(&bad)]);
    assert_eq!(code(&out), 2);
    assert!(text(&out.stderr).contains("not a capture"), "{}", text(&out.stderr));
    assert!(text(&out.stdout).contains("172.16.51.23"), "a bad input must not stop the others");
    for wrong in [&[] as &[&str], &["--nonsense"], &["--threads", "0", "x"], &["--only", "nothing", "x"]] {
        let out = analyze(wrong);
        assert_eq!((code(&out), out.stdout.is_empty()), (2, true), "{wrong:?}");
    }
}

#[test]
fn json_has_the_promised_shape() {
    let (_dir, bad, good) = captures();
    let one: Value = serde_json::from_slice(&analyze(&["--json", "-", name(&bad)]).stdout).unwrap();
    assert_eq!(one["schema"], 1);
    let finding = &one["findings"][0];
    for key in ["detector", "severity", "confidence", "subject", "from", "to", "claim", "remedy"] {
        assert!(!finding[key].is_null(), "{key}");
    }
    assert!(finding["evidence"].as_array().is_some_and(|e| e.len() >= 2));
    assert!(finding["exonerations"].as_array().is_some_and(|e| !e.is_empty()));
    assert_eq!(finding["from"], "2026-11-21T00:00:00.000000000Z");
    let not = one["not_evaluated"].as_array().unwrap();
    assert!(not.iter().any(|n| n["detector"] == "acl-drop" && n["missing"].is_array()));
    let two: Value =
        serde_json::from_slice(&analyze(&["--json", "-", name(&bad), name(&good)]).stdout).unwrap();
    assert_eq!(two["inputs"].as_array().unwrap().len(), 2);
    assert_eq!(two["inputs"][1]["stats"]["packets"], 39);
    assert_eq!(two["inputs"][1]["histograms"][0]["n"], 19);
    assert_eq!(two["inputs"][1]["histograms"][0]["p50"].as_u64().map(|ns| ns / 10_000), Some(100));
}

#[test]
fn the_report_fits_speaks_both_languages_and_keeps_the_hosts_zone() {
    let mut bundle = BundleBuilder::new(60_000);
    let (a, b) = (mac("0c:da:41:1d:43:79"), mac("40:a8:f0:28:14:d8"));
    bundle.point("vswitch0", Role::Internal, "").point("eth3", Role::Uplink { bond: None }, "");
    bundle.frame("vswitch0", 0, Out, &arp_announce(a, IP)).frame("eth3", 500, In, &arp_announce(b, IP));
    let sealed = bundle.seal();
    let english = text(&analyze(&["-v", name(&sealed.path)]).stdout);
    assert!(english.contains("behind eth3 (outside this host)"), "{english}");
    assert!(english.contains("08:00:00.000"), "the zone of the host is +08:00: {english}");
    assert!(!english.contains('\u{1b}'), "no colours in a pipe");
    let chinese = text(&analyze(&["--lang", "zh", name(&sealed.path)]).stdout);
    assert!(chinese.contains("冲突") && chinese.contains("处理："), "{chinese}");
    for line in english.lines().chain(chinese.lines()) {
        assert!(unicode_width::UnicodeWidthStr::width(line) <= 100, "{line}");
    }
    let machine = |lang: &str| analyze(&["--json", "-", "--lang", lang, name(&sealed.path)]).stdout;
    assert_eq!(machine("en"), machine("zh"));
    assert!(text(&analyze(&["--color", "always", name(&sealed.path)]).stdout).contains('\u{1b}'));
}

#[test]
fn expect_prints_the_difference() {
    let (dir, bad, good) = captures();
    let stored = dir.path().join("verdict.json");
    assert_eq!(code(&analyze(&["--json", name(&stored), name(&bad)])), 1);
    let same = analyze(&["--expect", name(&stored), name(&bad)]);
    assert_eq!(code(&same), 0, "{}", text(&same.stderr));
    let differs = analyze(&["--expect", name(&stored), name(&good)]);
    assert_eq!(code(&differs), 1);
    let several = analyze(&["--expect", name(&stored), name(&bad), name(&good)]);
    assert_eq!((code(&several), several.stdout.is_empty()), (2, true), "said before the work");
    let diff = text(&differs.stderr);
    assert!(diff.contains("- ip-conflict error proven: 172.16.51.23"), "{diff}");
    fs::write(&stored, "{}").unwrap();
    assert_eq!(code(&analyze(&["--expect", name(&stored), name(&bad)])), 2);
}

#[test]
fn detectors_are_listed_and_explained() {
    let list = text(&analyze(&["--list"]).stdout);
    for id in ids() {
        assert!(list.lines().any(|l| l.starts_with(id)), "{list}");
        let page = analyze(&["--explain", id]);
        assert_eq!(code(&page), 0);
        assert!(text(&page.stdout).contains("Remedy"), "{id}");
    }
    let out = analyze(&["--explain", "nothing"]);
    assert_eq!(code(&out), 2);
    let all = ids().collect::<Vec<_>>().join(", ");
    assert!(text(&out.stderr).contains(&format!("there are {all}")), "{}", text(&out.stderr));
}

#[test]
fn histograms_are_written_as_a_log_that_reads_back() {
    let (dir, _, good) = captures();
    let log = dir.path().join("latency.hlog");
    assert_eq!(code(&analyze(&["--hlog", name(&log), name(&good)])), 0);
    let bytes = fs::read(&log).unwrap();
    assert!(text(&bytes).contains("#[StartTime: 1795219200.1"), "{}", text(&bytes));
    let entries: Vec<_> = hdrhistogram::serialization::interval_log::IntervalLogIterator::new(&bytes)
        .filter_map(Result::ok)
        .filter(|e| matches!(e, hdrhistogram::serialization::interval_log::LogEntry::Interval(_)))
        .collect();
    assert_eq!(entries.len(), 1);
    assert!(text(&bytes).contains("#[Histogram log format version 1.3]\n"));
    assert!(text(&bytes).contains("\n\"StartTimestamp\",\"Interval_Length\""));
    assert_eq!(analyze(&["--hlog", "-", name(&good)]).stdout, bytes);
    assert_eq!(code(&analyze(&["--hlog", "-", "--json", "-", name(&good)])), 2);
}

/// One fault is one alarm: its lost pings stay as information that points at the cause.
#[test]
fn a_symptom_points_at_its_cause() {
    let dir = tempfile::tempdir().unwrap();
    for id in ["acl-drop", "lldp-mac-flap"] {
        let bundle = dir.path().join(format!("{id}.tar"));
        fs::write(&bundle, netcap_tests::sample(id, "fires")).unwrap();
        let verdict: Value =
            serde_json::from_slice(&analyze(&["--json", "-", name(&bundle)]).stdout).unwrap();
        let findings = verdict["findings"].as_array().unwrap();
        assert_eq!(findings[0]["detector"], id);
        let loss = findings.iter().find(|f| f["detector"] == "ping-loss").unwrap();
        assert_eq!((&loss["explained_by"], &loss["severity"]), (&Value::from(id), &Value::from("info")));
        assert!(loss["claim"].as_str().unwrap().ends_with(&format!("Explained by [{id}].")), "{loss:#}");
        let evidence = findings[0]["evidence"].as_array().unwrap();
        let frames = evidence.iter().filter(|e| e["kind"] == "frame");
        let times: Vec<_> = frames.map(|e| e["at"].as_str().unwrap()).collect();
        assert!(!times.is_empty() && times.is_sorted(), "{times:?}");
        // What decides comes first: of a drop, the flow or the rule.
        assert!(id != "acl-drop" || evidence[0]["kind"] == "snapshot", "{evidence:#?}");
    }
}

/// A healthy verdict names who looked, an empty recording is not called healthy, and everything fits a terminal.
#[test]
fn silence_is_explained_and_lines_fit() {
    let (_dir, bad, good) = captures();
    let healthy = text(&analyze(&[name(&good)]).stdout);
    let (looked, not) = healthy.split_once("; ").expect(&healthy);
    let looked = looked.split_once("Looked for: ").expect(&healthy).1;
    assert!(["ip-conflict", "ping-loss"].iter().all(|id| looked.contains(id)), "{healthy}");
    assert!(!looked.contains("acl-drop") && not.contains("could not look"), "{healthy}");
    let mut bundle = BundleBuilder::new(60_000);
    bundle.point("vswitch0", Role::Internal, "arp").point("eth3", Role::Uplink { bond: None }, "arp");
    let empty = text(&analyze(&[name(&bundle.seal().path)]).stdout);
    assert!(empty.contains("no packet is in the capture of vswitch0, eth3"), "{empty}");
    let found = text(&analyze(&[name(&bad)]).stdout);
    assert!(found.contains("Found: 1 error.") && found.contains("ruled out: "), "{found}");
    let mut pages = vec![healthy, empty, found, text(&analyze(&["--list", "-v"]).stdout)];
    for tongue in ["zh", "zh-CN", "zh_CN"] {
        let list = text(&analyze(&["--list", "--lang", tongue]).stdout);
        assert!(list.contains("使用同一 IP 地址。") && list.contains("提示–错误"), "{list}");
        pages.push(list);
    }
    for id in ids() {
        pages.push(text(&analyze(&["--explain", id]).stdout));
    }
    for line in pages.iter().flat_map(|page| page.lines()) {
        assert!(unicode_width::UnicodeWidthStr::width(line) <= 100, "{line}");
    }
}

/// A log of pings is enough for round-trip times, and its losses carry no time that nobody wrote down.
#[test]
fn a_ping_log_alone_is_measured() {
    let dir = tempfile::tempdir().unwrap();
    let log = "PING 10.0.0.1 (10.0.0.1) 56(84) bytes of data.\n\
        64 bytes from 10.0.0.1: icmp_seq=1 ttl=64 time=0.345 ms\n\
        64 bytes from 10.0.0.1: icmp_seq=2 ttl=64 time=0.400 ms\n";
    fs::write(dir.path().join("20230607103752-ping.log"), log).unwrap();
    let out = text(&analyze(&[name(dir.path())]).stdout);
    assert!(out.contains("this host → 10.0.0.1") && out.contains("ping log"), "{out}");
    assert!(out.contains("No fault found") && !out.contains("latency: needs"), "{out}");
    let lossy = format!("{log}64 bytes from 10.0.0.1: icmp_seq=4 ttl=64 time=0.400 ms\n");
    fs::write(dir.path().join("20230607103752-ping.log"), lossy).unwrap();
    let out = text(&analyze(&[name(dir.path())]).stdout);
    assert!(out.contains("1 of 4 pings to 10.0.0.1 were lost") && !out.contains("1970"), "{out}");
    assert!(!out.contains("00:00:00"), "{out}");
}
