//! Every sentence a user reads exists in every language.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Key, then language, then sentence.
fn sentences() -> BTreeMap<String, BTreeMap<String, String>> {
    let mut out: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    let mut key = String::new();
    let catalogues = [
        include_str!("../locales/netcap.yml"),
        include_str!("../locales/files.yml"),
        include_str!("../locales/filters.yml"),
    ];
    for line in catalogues.into_iter().flat_map(str::lines) {
        match line.strip_prefix("  ") {
            None => key = line.trim_end_matches(':').to_owned(),
            Some(rest) => {
                let (language, sentence) = rest.split_once(": ").unwrap();
                out.entry(key.clone()).or_default().insert(language.into(), sentence.into());
            }
        }
    }
    out
}

/// The `%{name}` places of a sentence.
fn places(sentence: &str) -> BTreeSet<&str> {
    sentence.split("%{").skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name).collect()
}

fn sources(dir: &Path, out: &mut String) {
    for entry in std::fs::read_dir(dir).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, out);
        } else {
            out.push_str(&std::fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn both_languages_say_the_same() {
    for (key, languages) in sentences() {
        let [en, zh] = ["en", "zh-CN"].map(|l| languages.get(l).unwrap_or_else(|| panic!("{key} lacks {l}")));
        assert_eq!(places(en), places(zh), "{key}");
    }
}

#[test]
fn every_sentence_is_said_and_every_key_has_one() {
    let mut text = String::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut text);
    let sentences = sentences();
    for key in sentences.keys() {
        assert!(text.contains(&format!("\"{key}\"")), "nobody says {key}");
    }
    let used = text.split("t!(\n").chain(text.split("t!(")).skip(1).filter_map(|rest| {
        rest.trim_start().strip_prefix('"').and_then(|rest| rest.split_once('"')).map(|(key, _)| key)
    });
    // Those of the help have a catalogue and tests of their own (`help.rs`).
    let used = used.filter(|key| !key.starts_with("help."));
    for key in used.filter(|key| key.contains('.') && !key.contains(['{', ' '])) {
        assert!(sentences.contains_key(key), "{key} has no sentence");
    }
}
