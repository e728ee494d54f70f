//! The samples: each bundle gives the verdict stored beside it, byte for byte, for any number of threads.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use netcap_tests::lab::said;
use netcap_tests::{files_below, root};
use serde_json::Value;

fn cases() -> Vec<PathBuf> {
    let found = files_below(&root().join("samples"), "expected.json");
    assert!(found.len() >= 18, "six detectors have three cases each: {found:?}");
    found.into_iter().map(|p| p.parent().expect("a folder").to_owned()).collect()
}

fn analyze(dir: &Path, options: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_netcap-analyze"))
        .args(options)
        .arg("bundle.tar")
        .current_dir(dir)
        .output()
        .expect("netcap-analyze starts")
}

#[test]
fn every_sample_gives_its_expected_verdict() {
    for dir in cases() {
        let out = analyze(&dir, &["--fail-on", "never", "--expect", "expected.json"]);
        assert!(out.status.success(), "{}: {}", dir.display(), said(&out));
    }
}

#[test]
fn the_bytes_do_not_depend_on_the_number_of_threads() {
    for dir in cases() {
        let stored = std::fs::read(dir.join("expected.json")).expect("expected.json");
        for threads in ["1", "2", "8"] {
            let out = analyze(&dir, &["--fail-on", "never", "--json", "-", "--threads", threads]);
            assert!(out.stdout == stored, "{} with {threads} threads", dir.display());
        }
    }
}

/// What the folder names promise, independent of the goldens: a blessed mistake must not pass.
#[test]
fn a_detector_fires_in_its_first_case_and_nowhere_near_it() {
    for dir in cases() {
        let text = std::fs::read_to_string(dir.join("expected.json")).expect("expected.json");
        let json: Value = serde_json::from_str(&text).expect("JSON");
        let case = dir.file_name().and_then(|n| n.to_str()).expect("a case").to_owned();
        let id = dir.parent().and_then(|p| p.file_name()).and_then(|n| n.to_str()).expect("an id").to_owned();
        let alarms = json["findings"]
            .as_array()
            .expect("findings")
            .iter()
            .filter(|f| f["detector"] == id.as_str() && f["severity"] != "info")
            .count();
        if id == "latency" {
            assert_eq!(alarms, 0, "{id}/{case}");
            assert!(!json["histograms"].as_array().expect("histograms").is_empty(), "{id}/{case}");
        } else {
            assert_eq!(alarms > 0, case.starts_with("fires"), "{id}/{case}: {alarms} alarms");
        }
    }
}

/// What a replay finds is `likely`, and names the rule with its counter; the flow of the datapath was in no dump.
#[test]
fn a_flow_that_idled_out_is_replayed() {
    let told = |case: &str| {
        let file = root().join("samples/acl-drop").join(case).join("expected.json");
        let json: Value = serde_json::from_slice(&std::fs::read(file).expect("expected.json")).expect("JSON");
        let all = json["findings"].as_array().expect("findings");
        all.iter().find(|f| f["detector"] == "acl-drop").expect("a finding").clone()
    };
    let (seen, replayed) = (told("fires"), told("fires-idled-out"));
    assert_eq!((&seen["confidence"], &replayed["confidence"]), (&"proven".into(), &"likely".into()));
    assert!(seen["subject"]["flow"].is_string() && replayed["subject"]["flow"].is_null(), "{replayed:#}");
    let rule = replayed["subject"]["rule"].as_str().expect("a rule");
    assert!(rule.starts_with("cookie=0x20 table=0 priority=30004,icmp"), "{rule}");
    let mut counters = replayed["evidence"].as_array().expect("evidence").iter();
    let counter = counters.find(|e| e["name"] == "n_packets").expect("the rule's counter");
    assert_eq!(counter["after"].as_u64().zip(counter["before"].as_u64()).map(|(b, a)| b - a), Some(6));
}
