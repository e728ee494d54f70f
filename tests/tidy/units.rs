//! One unit = one file + one registry line + its samples.

use std::fs;
use std::path::{Path, PathBuf};

use netcap_tests::{files_below, root};

use crate::law::{Law, code, is_test, read};

/// Bytes of samples/ in all, at most.
const SAMPLES_MAX: u64 = 5 * 1024 * 1024;

/// What a detector, which reads tables and snapshots, has no use for.
const IO: [&str; 7] =
    ["std::fs", "TcpStream", "UdpSocket", "std::process", "std::thread", "std::env", "input::Files"];

/// A detector as its files say it.
struct Detector {
    /// The name of its file or folder.
    name: String,
    /// Where its line in the registry finds it: a chapter and the detector in it.
    path: String,
}

fn detectors() -> Vec<Detector> {
    let dir = root().join("analyze/src/detectors");
    let is_detector = |path: &PathBuf| code(path).contains("const DETECTOR: Detector");
    let found = files_below(&dir, ".rs").into_iter().filter(is_detector).map(|path| {
        let unit = if path.ends_with("mod.rs") { path.parent().unwrap_or(&dir) } else { &path };
        let inside = unit.strip_prefix(&dir).expect("a path below").with_extension("");
        let names: Vec<_> = inside.iter().map(|part| part.to_string_lossy().into_owned()).collect();
        Detector { name: names.last().cloned().unwrap_or_default(), path: names.join("::") }
    });
    let found: Vec<_> = found.collect();
    assert!(!found.is_empty());
    found
}

#[test]
fn detectors_do_no_io_and_know_no_other_detector() {
    let dir = root().join("analyze/src/detectors");
    let all = detectors();
    let mut law = Law::new("a detector reads tables and snapshots, never files, and never another detector");
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
    law.judge();
}

#[test]
fn every_detector_has_its_file_its_line_and_its_samples() {
    let mut law =
        Law::new("one detector = one file + one registry line + one sample folder with its three cases");
    let registry = root().join("analyze/src/detectors/mod.rs");
    let lines = read(&registry);
    let all = detectors();
    for Detector { name, path } in &all {
        if !lines.contains(&format!("    {path}::DETECTOR,")) {
            law.breach(&registry, format!("no line for {name}"));
        }
        three_cases(&mut law, &root().join("samples").join(name.replace('_', "-")));
    }
    for entry in fs::read_dir(root().join("samples")).unwrap().flatten().filter(|e| e.path().is_dir()) {
        let name = entry.file_name().to_string_lossy().replace('-', "_");
        if !all.iter().any(|detector| detector.name == name) {
            law.breach(&entry.path(), "samples of no detector");
        }
    }
    law.judge();
}

fn three_cases(law: &mut Law, samples: &Path) {
    for case in ["fires", "near-miss", "exonerated"] {
        for file in ["expected.json", "bundle.tar"] {
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
        if !all.contains(&format!("{}::{name}::DEF", place.join("::"))) {
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
