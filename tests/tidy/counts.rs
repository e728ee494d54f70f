//! No test knows how many members a registry has: a new one would break tests that have nothing to do with it.

use netcap_tests::{files_below, root};

use crate::law::{CRATES, Law, before_tests, is_test, read};

/// Registries, as code names them. What follows a name up to `.len()` or `.count()` is not looked at.
const REGISTRIES: [&str; 8] =
    ["::ALL", "REASONS", "PRESETS", "list()", "DETECTORS", "SOURCES", "\"not_evaluated\"]", "\"detectors\"]"];
/// Their members, as texts name them.
const MEMBERS: [&str; 5] = ["detectors", "sources", "presets", "symptoms", "causes"];
const NUMBERS: [&str; 9] = ["two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"];

/// Whether a line compares the length of a registry with a number.
fn counts_a_registry(line: &str) -> bool {
    let Some((before, after)) = line.split_once(".len()").or_else(|| line.split_once(".count()")) else {
        return false;
    };
    let after = after.trim_start_matches([',', ' ', '=', '>', '<', '!', ')']);
    REGISTRIES.iter().any(|registry| before.contains(registry))
        && after.starts_with(|c: char| c.is_ascii_digit())
}

/// Whether a line says how many members there are: `3 detectors`, `six detectors`.
fn names_a_count(line: &str) -> bool {
    MEMBERS.iter().any(|members| {
        line.match_indices(&format!(" {members}")).any(|(at, _)| {
            let word = line
                .get(..at)
                .and_then(|before| before.rsplit([' ', '"', '`', '(']).next())
                .unwrap_or_default();
            !word.is_empty() && (word.bytes().all(|b| b.is_ascii_digit()) || NUMBERS.contains(&word))
        })
    })
}

#[test]
fn no_test_counts_the_members_of_a_registry() {
    let mut law = Law::new("a test says what must be in a registry, never how much is");
    let tests = files_below(&root().join("tests"), ".rs");
    let tests = tests.into_iter().filter(|path| !path.starts_with(root().join("tests/tidy")));
    let all = CRATES.into_iter().flat_map(|krate| files_below(&root().join(krate), ".rs"));
    for path in tests.chain(all) {
        let text = read(&path);
        let whole = is_test(&path) || path.starts_with(root().join("tests"));
        let skip = if whole { 0 } else { before_tests(&text).lines().count() };
        for (at, line) in text.lines().enumerate().skip(skip) {
            if counts_a_registry(line) || names_a_count(line) {
                law.breach(&path, format!("line {}: {}", at + 1, line.trim()));
            }
        }
    }
    law.judge();
}

#[test]
fn counts_are_recognised() {
    for line in [
        "assert_eq!(sources::ALL.len(), 47);",
        "assert!(netcap_filters::list().len() >= 50);",
        "let not = one[\"not_evaluated\"].as_array().unwrap(); assert_eq!(not.len(), 4);",
        "assert!(text.contains(\"3 detectors could not look\"));",
        "six detectors have three cases each",
    ] {
        assert!(counts_a_registry(line) || names_a_count(line), "{line}");
    }
    for line in ["assert_eq!(ALL.len(), names.len());", "all sources are there", "let detectors = 3;"] {
        assert!(!counts_a_registry(line) && !names_a_count(line), "{line}");
    }
}
