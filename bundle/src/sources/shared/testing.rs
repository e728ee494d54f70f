//! Helpers of the parsers' tests: fresh items, corpus texts, and hostile variants of real text.

use std::path::PathBuf;

use proptest::prelude::*;

use crate::Nanos;
use crate::source::{Outcome, Parsed, RawItem, Snapshot};

/// An item that was recorded without trouble.
pub(crate) fn item<'a>(name: &'a str, arg: &'a str, text: &'a str) -> RawItem<'a> {
    RawItem { item: name, arg, at: Nanos(0), outcome: &Outcome::Ok, bytes: text.as_bytes(), truncated: false }
}

/// Parses one healthy item.
pub(crate) fn parse_one<S: Snapshot>(name: &str, arg: &str, text: &str) -> Parsed<S> {
    S::parse(&[item(name, arg, text)])
}

/// Real text with bytes flipped, a piece cut out, and the end cut off; or arbitrary bytes.
pub(crate) fn hostile(real: &'static str) -> impl Strategy<Value = Vec<u8>> {
    let length = real.len().max(1);
    let edits = prop::collection::vec((0..length, any::<u8>()), 0..8);
    let mutated = (edits, 0..length, 0..64_usize, 0..=length).prop_map(move |(edits, from, gap, end)| {
        let mut bytes = real.as_bytes().to_vec();
        for (at, byte) in edits {
            if let Some(place) = bytes.get_mut(at) {
                *place = byte;
            }
        }
        bytes.truncate(end);
        let from = from.min(bytes.len());
        let to = (from + gap).min(bytes.len());
        bytes.drain(from..to);
        bytes
    });
    prop_oneof![4 => mutated, 1 => prop::collection::vec(any::<u8>(), 0..400)]
}

/// Parses hostile bytes as every item of the source; the result only has to exist.
pub(crate) fn survives<S: Snapshot>(bytes: &[u8], truncated: bool) {
    for recipe in S::DEF.recipes {
        let item =
            RawItem { item: recipe.item, arg: "br0", at: Nanos(0), outcome: &Outcome::Ok, bytes, truncated };
        let parsed = S::parse(&[item]);
        assert!(parsed.defects.len() <= crate::source::sample::DEFECTS_MAX);
    }
}

/// The folder named by `NETCAP_CORPUS`, below which `path` lies; says so and gives `None` when it is not set.
pub(crate) fn corpus(path: &str) -> Option<PathBuf> {
    let Some(root) = std::env::var_os("NETCAP_CORPUS") else {
        println!("skipped: NETCAP_CORPUS is not set");
        return None;
    };
    let place = PathBuf::from(root).join(path);
    assert!(place.exists(), "NETCAP_CORPUS has no {path}");
    Some(place)
}

/// Every file below `folder` whose path contains one of `needles`, with its text (without a leading `# cmd:` line).
pub(crate) fn corpus_texts(folder: &str, needles: &[&str]) -> Vec<(String, String)> {
    let Some(root) = corpus(folder) else { return Vec::new() };
    let mut found = Vec::new();
    let mut open = vec![root];
    while let Some(place) = open.pop() {
        if place.is_dir() {
            open.extend(std::fs::read_dir(&place).expect("folder").map(|entry| entry.expect("entry").path()));
        } else {
            let name = place.to_string_lossy().into_owned();
            if needles.iter().any(|needle| name.contains(needle)) {
                let bytes = std::fs::read(&place).expect("file");
                let text = String::from_utf8_lossy(&bytes).into_owned();
                let body = match text.split_once('\n') {
                    Some((first, rest)) if first.starts_with("# cmd:") => rest.to_owned(),
                    _ => text,
                };
                found.push((name, body));
            }
        }
    }
    found.sort();
    found
}

/// Parses corpus texts one by one as `item`, prints which have defects, and gives (files, files without defects).
pub(crate) fn score<S: Snapshot>(item: &str, texts: &[(String, String)]) -> (usize, usize) {
    let mut clean = 0;
    for (name, text) in texts {
        let parsed = parse_one::<S>(item, "br0", text);
        if parsed.defects.is_empty() {
            clean += 1;
        } else {
            println!("{name}: {:?}", parsed.defects.first());
        }
    }
    println!("{} {item}: {clean} of {} corpus files without defects", S::DEF.id, texts.len());
    (texts.len(), clean)
}
