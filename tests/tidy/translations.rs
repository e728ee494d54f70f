//! What a user reads, in each language.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use netcap_tests::{files_below, root};

use crate::law::{Law, read};

/// The languages of every sentence; the first is the one that it is written in.
const LANGUAGES: [&str; 2] = ["en", "zh-CN"];

/// Every directory of sentences, of whatever crate.
fn catalogues() -> Vec<PathBuf> {
    let crates = fs::read_dir(root()).expect("the repository").flatten();
    let mut found: Vec<PathBuf> =
        crates.map(|entry| entry.path().join("locales")).filter(|dir| dir.is_dir()).collect();
    found.sort();
    assert!(found.len() > 1, "the programs have their sentences in */locales");
    found
}

/// The file of a catalogue that has this key.
fn file_of(catalogue: &Path, key: &str) -> PathBuf {
    let line = format!("{key}:");
    let has = |path: &PathBuf| read(path).lines().any(|l| l == line);
    files_below(catalogue, ".yml").into_iter().find(has).unwrap_or_else(|| catalogue.to_owned())
}

/// The names between `%{` and `}`.
fn placeholders(sentence: &str) -> BTreeSet<&str> {
    sentence.split("%{").skip(1).map(|rest| rest.split('}').next().unwrap_or(rest)).collect()
}

#[test]
fn translations_keep_their_placeholders() {
    let mut law =
        Law::new("a sentence is there in every language, with the placeholders that it has in English");
    for catalogue in catalogues() {
        // Read as the programs read it.
        let by_language = rust_i18n_support::load_locales(&catalogue.to_string_lossy(), |_| false);
        let none = BTreeMap::new();
        let [english, others @ ..] = LANGUAGES.map(|language| by_language.get(language).unwrap_or(&none));
        for (language, sentences) in LANGUAGES.into_iter().skip(1).zip(others) {
            for (key, sentence) in sentences {
                let file = || file_of(&catalogue, key);
                let Some(written) = english.get(key) else {
                    law.breach(&file(), format!("{key} is not there in English"));
                    continue;
                };
                let (want, have) = (placeholders(written), placeholders(sentence));
                for name in want.difference(&have) {
                    law.breach(&file(), format!("{key}: %{{{name}}} is missing in {language}"));
                }
                for name in have.difference(&want) {
                    law.breach(&file(), format!("{key}: %{{{name}}} of {language} is not there in English"));
                }
            }
            for key in english.keys().filter(|key| !sentences.contains_key(*key)) {
                law.breach(&file_of(&catalogue, key), format!("{key} is not there in {language}"));
            }
        }
    }
    law.judge();
}

#[test]
fn a_key_is_defined_once() {
    let mut law = Law::new("a key has one sentence: of two the programs take either");
    for catalogue in catalogues() {
        let mut seen = BTreeMap::new();
        for path in files_below(&catalogue, ".yml") {
            let text = read(&path);
            let keys = text.lines().filter(|l| !l.starts_with([' ', '_', '#']) && l.ends_with(':'));
            for key in keys {
                if let Some(first) = seen.insert(key.to_owned(), path.clone()) {
                    law.breach(&path, format!("{key} is also in {}", crate::law::short(&first)));
                }
            }
        }
    }
    law.judge();
}
