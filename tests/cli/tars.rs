//! Tars that only an attacker writes: members twice, members with holes, headers without end. And every option on them.

use std::fs;
use std::path::PathBuf;

use netcap_tests::tars::hostile;

/// What may be said of an input besides its report.
const OPTIONS: [&[&str]; 9] = [
    &["--verbose", "--color", "always"],
    &["--each", "--json", "-"],
    &["--hlog", "-"],
    &["--together", "--json", "-"],
    &["--only", "acl-drop,packet-loss", "--fail-on", "info"],
    &["--lang", "zh-CN", "--fail-on", "never"],
    &["--threads", "1"],
    &["--threads", "1024", "--json", "-"],
    &["--expect"],
];

#[test]
fn every_option_answers_tars_that_only_an_attacker_writes() {
    let dir = tempfile::tempdir().unwrap();
    let honest = dir.path().join("honest.tar");
    let bundle = netcap_tests::sample("acl-drop", "fires");
    fs::write(&honest, &bundle).unwrap();
    let mut wrong = Vec::new();
    for (name, bytes) in hostile(&bundle) {
        let input = dir.path().join("input.tar");
        fs::write(&input, bytes).unwrap();
        for options in OPTIONS {
            let mut words: Vec<PathBuf> = options.iter().map(PathBuf::from).collect();
            match options {
                // A verdict is read from a file too.
                ["--expect"] => words.extend([input.clone(), honest.clone()]),
                [first, ..] if *first == "--together" => words.extend([honest.clone(), input.clone()]),
                _ => words.push(input.clone()),
            }
            if let Err(why) = crate::mutations::judge(&words) {
                wrong.push(format!("{name}, {options:?}: {why}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_member_that_is_there_twice_counts_once() {
    let dir = tempfile::tempdir().unwrap();
    let bundle = netcap_tests::sample("acl-drop", "fires");
    let verdict = |bytes: &[u8]| {
        let input = dir.path().join("input.tar");
        fs::write(&input, bytes).unwrap();
        crate::analyze(&["--json", "-", "--color", "never", input.to_str().unwrap()]).stdout
    };
    let want = verdict(&bundle);
    assert!(want.len() > 1000);
    for (name, bytes) in hostile(&bundle).into_iter().take(2) {
        assert!(verdict(&bytes) == want, "{name}");
    }
}
