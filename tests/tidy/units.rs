//! One unit = one file + one registry line + its samples.

use std::fs;
use std::path::Path;

use netcap_tests::{files_below, root};

use crate::law::{Law, code, is_test, read};

/// Bytes of samples/ in all, at most.
const SAMPLES_MAX: u64 = 5 * 1024 * 1024;

/// What a unit, which reads tables and snapshots, has no use for.
const IO: [&str; 7] =
    ["std::fs", "TcpStream", "UdpSocket", "std::process", "std::thread", "std::env", "input::Files"];

/// Rooms of units that make findings, each with the line by which the file of a unit is known.
const ROOMS: [(&str, &str); 3] = [
    ("analyze/src/causes", "const CAUSE: Cause"),
    ("analyze/src/detectors", "const DETECTOR: Detector"),
    ("analyze/src/symptoms", "const SYMPTOM: Symptom"),
];

/// A unit that makes findings, as its files say it.
struct Unit {
    /// The name of its file or folder.
    name: String,
    /// Its room.
    room: &'static str,
    /// Its line in the registry of the room: a chapter, the unit in it, and the constant.
    line: String,
}

fn units() -> Vec<Unit> {
    let mut found = Vec::new();
    for (room, known) in ROOMS {
        let dir = root().join(room);
        let constant = known.split([' ', ':']).nth(1).unwrap_or_default();
        for path in files_below(&dir, ".rs").into_iter().filter(|path| code(path).contains(known)) {
            let unit = if path.ends_with("mod.rs") { path.parent().unwrap_or(&dir) } else { &path };
            let inside = unit.strip_prefix(&dir).expect("a path below").with_extension("");
            let names: Vec<_> = inside.iter().map(|part| part.to_string_lossy().into_owned()).collect();
            let line = format!("{}::{constant}", names.join("::"));
            found.push(Unit { name: names.last().cloned().unwrap_or_default(), room, line });
        }
    }
    assert!(!found.is_empty());
    found
}

/// A measurement: the name of its file, and whether it is made of every input.
fn measurements() -> Vec<(String, bool)> {
    let files = files_below(&root().join("analyze/src/measure"), ".rs");
    let measures = files.iter().map(|path| (path, code(path)));
    let measures = measures.filter(|(_, code)| code.contains("const MEASUREMENT: Measurement ="));
    let name = |path: &Path| path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    measures.filter_map(|(path, code)| Some((name(path)?, code.contains("always: true")))).collect()
}

#[test]
fn units_do_no_io_and_know_no_other_unit() {
    let all = units();
    let mut law = Law::new(
        "a cause, detector or symptom reads tables and snapshots, never files, and never another unit",
    );
    for dir in ROOMS.map(|(room, _)| root().join(room)) {
        for path in files_below(&dir, ".rs").into_iter().filter(|p| *p != dir.join("mod.rs") && !is_test(p)) {
            let code = code(&path);
            for word in IO.iter().filter(|w| code.contains(**w)) {
                law.breach(&path, *word);
            }
            let inside = path.strip_prefix(&dir).unwrap().with_extension("");
            let others = all.iter().filter(|other| !inside.iter().any(|part| part == other.name.as_str()));
            for other in others.filter(|other| code.contains(&format!("{}::", other.name))) {
                law.breach(&path, &other.name);
            }
        }
    }
    law.judge();
}

#[test]
fn every_unit_has_its_file_its_line_and_its_samples() {
    let mut law = Law::new(
        "one cause, detector or symptom = one file + one registry line + one sample folder with its three cases",
    );
    let mut sampled = Vec::new();
    for Unit { name, room, line } in units() {
        let registry = root().join(room).join("mod.rs");
        if !read(&registry).contains(&line) {
            law.breach(&registry, format!("no {line}"));
        }
        sampled.push(name);
    }
    // What is measured of every input is in every golden.
    let (always, asked): (Vec<_>, Vec<_>) = measurements().into_iter().partition(|(_, always)| *always);
    sampled.extend(asked.into_iter().map(|(name, _)| name));
    for name in &sampled {
        three_cases(&mut law, &root().join("samples").join(name.replace('_', "-")));
    }
    sampled.extend(always.into_iter().map(|(name, _)| name));
    // Recordings of two hosts at one time are of all units.
    sampled.push("together".to_owned());
    for entry in fs::read_dir(root().join("samples")).unwrap().flatten().filter(|e| e.path().is_dir()) {
        if !sampled.contains(&entry.file_name().to_string_lossy().replace('-', "_")) {
            law.breach(&entry.path(), "samples of no unit");
        }
    }
    law.judge();
}

fn three_cases(law: &mut Law, samples: &Path) {
    for case in ["fires", "near-miss", "exonerated"] {
        for file in ["expected.json", "bundle.tar.zst"] {
            if !samples.join(case).join(file).is_file() {
                law.breach(samples, format!("no {case}/{file}"));
            }
        }
    }
}

#[test]
fn every_source_file_is_registered() {
    let mut law = Law::new("one source = one file (or folder) below its chapter + one registry line");
    let dir = root().join("bundle/src/sources");
    let registry = read(&dir.join("mod.rs"));
    let all = registry.split("ALL").nth(1).unwrap_or_default();
    for path in files_below(&dir, ".rs").into_iter().filter(|path| !is_test(path)) {
        let code = code(&path);
        let Some((_, rest)) = code.split_once("impl Snapshot for ") else { continue };
        let name: String = rest.chars().take_while(|c| c.is_alphanumeric()).collect();
        let inside = path.strip_prefix(&dir).unwrap().with_extension("");
        let place: Vec<_> =
            inside.iter().filter(|part| *part != "mod").map(|part| part.to_string_lossy()).collect();
        if place.len() != 2 {
            law.breach(&path, "not CHAPTER/SOURCE");
        }
        if !all.contains(&format!("Source::of::<{}::{name}>()", place.join("::"))) {
            law.breach(&path, "not in ALL");
        }
    }
    law.judge();
}

#[test]
fn samples_stay_small() {
    let total: u64 =
        files_below(&root().join("samples"), "").iter().map(|p| fs::metadata(p).map_or(0, |m| m.len())).sum();
    assert!(total < SAMPLES_MAX, "samples/ holds {total} bytes, more than {SAMPLES_MAX}");
}
