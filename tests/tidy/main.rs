//! The laws of the repository: what review would otherwise have to remember.

use std::fs;
use std::path::{Path, PathBuf};

use netcap_tests::{files_below, root};

/// Lines of a file before its tests, at most.
const LINES_MAX: usize = 420;
/// Bytes of samples/ in all, at most.
const SAMPLES_MAX: u64 = 5 * 1024 * 1024;

fn sources(room: &str) -> Vec<PathBuf> {
    files_below(&root().join(room).join("src"), ".rs")
}

/// The code of a file: without comments, and without its tests.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).expect("a file of the tree");
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    code.lines().filter(|l| !l.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

fn is_test(path: &Path) -> bool {
    // Below the repository only: a clone may lie in a folder of any name.
    let root = root();
    let path = path.strip_prefix(&root).unwrap_or(path);
    let file = path.file_name().map(|f| f.to_string_lossy().into_owned()).unwrap_or_default();
    let helper = ["testing.rs", "tests.rs"].contains(&file.as_str()) || file.ends_with("_tests.rs");
    helper || path.components().any(|c| c.as_os_str() == "tests")
}

/// Collects breaches, so that a run lists them all.
struct Law(&'static str, Vec<String>);

impl Law {
    fn breach(&mut self, path: &Path, what: impl Into<String>) {
        let root = root();
        let short = path.strip_prefix(&root).unwrap_or(path);
        self.1.push(format!("  {}: {}", short.display(), what.into()));
    }

    fn judge(self) {
        assert!(self.1.is_empty(), "{}\n{}", self.0, self.1.join("\n"));
    }
}

fn forbid(law: &'static str, files: impl IntoIterator<Item = PathBuf>, words: &[&str], except: &[&str]) {
    let mut law = Law(law, Vec::new());
    for path in files {
        if except.iter().any(|e| path.ends_with(e)) || is_test(&path) {
            continue;
        }
        let code = code(&path);
        for word in words.iter().filter(|w| code.contains(**w)) {
            law.breach(&path, format!("{word:?}"));
        }
    }
    law.judge();
}

#[test]
fn dependencies_point_one_way() {
    let mut law = Law("bundle and filters know neither recorder nor explainer, nor each other", Vec::new());
    let allowed = [
        ("words", &[][..]),
        ("bundle", &["words"]),
        ("filters", &["words"]),
        ("capture", &["words", "bundle", "filters"]),
        ("analyze", &["words", "bundle", "filters"]),
    ];
    for (room, may) in allowed {
        let path = root().join(room).join("Cargo.toml");
        let text = fs::read_to_string(&path).unwrap();
        let dependencies = text.split("[dev-dependencies]").next().unwrap_or_default();
        for line in dependencies.lines().filter(|l| l.starts_with("netcap-")) {
            if !may.iter().any(|m| line.starts_with(&format!("netcap-{m}."))) {
                law.breach(&path, line);
            }
        }
    }
    law.judge();
}

#[test]
fn detectors_do_no_io_and_know_no_other_detector() {
    let dir = root().join("analyze/src/detectors");
    let all = detectors();
    let mut law =
        Law("a detector reads tables and snapshots, never files, and never another detector", Vec::new());
    for path in files_below(&dir, ".rs").into_iter().filter(|p| *p != dir.join("mod.rs") && !is_test(p)) {
        let code = code(&path);
        let io =
            ["std::fs", "TcpStream", "UdpSocket", "std::process", "std::thread", "std::env", "input::Files"];
        for word in io.iter().filter(|w| code.contains(**w)) {
            law.breach(&path, *word);
        }
        let inside = path.strip_prefix(&dir).unwrap();
        let inside = inside.with_extension("");
        let others = all.iter().filter(|(id, _)| !inside.iter().any(|part| part == id.as_str()));
        for (other, _) in others.filter(|(id, _)| code.contains(&format!("{id}::"))) {
            law.breach(&path, other);
        }
    }
    law.judge();
}

/// The detectors by the names of their files or folders, each with the path of its line in the registry: a chapter and
/// the detector in it.
fn detectors() -> Vec<(String, String)> {
    let dir = root().join("analyze/src/detectors");
    let is_detector = |path: &PathBuf| code(path).contains("const DETECTOR: Detector");
    let found = files_below(&dir, ".rs").into_iter().filter(is_detector).map(|path| {
        let unit = if path.ends_with("mod.rs") { path.parent().unwrap_or(&dir) } else { &path };
        let inside = unit.strip_prefix(&dir).expect("a path below").with_extension("");
        let names: Vec<_> = inside.iter().map(|part| part.to_string_lossy().into_owned()).collect();
        (names.last().cloned().unwrap_or_default(), names.join("::"))
    });
    let found: Vec<_> = found.collect();
    assert!(!found.is_empty());
    found
}

#[test]
fn unsafe_lives_in_one_place() {
    let all = ["words", "bundle", "filters", "capture", "analyze"].into_iter().flat_map(sources);
    forbid(
        "unsafe code lives in capture/src/sys: the ring, and what is around processes",
        all,
        &["unsafe {", "unsafe fn", "unsafe impl", "allow(unsafe_code)"],
        &["capture/src/sys/ring.rs", "capture/src/sys/process.rs"],
    );
}

#[test]
fn bundle_paths_are_spelt_in_one_file() {
    let all = ["words", "bundle", "filters", "capture", "analyze"].into_iter().flat_map(sources);
    let words = [
        "\"packets/",
        "\"state/",
        "\"ping/",
        "manifest.json\"",
        "\"run.json",
        "index.jsonl",
        "segments.jsonl",
        "\"topology.txt",
    ];
    forbid(
        "paths inside a bundle are spelt in bundle/src/run/layout.rs",
        all,
        &words,
        &["bundle/src/run/layout.rs"],
    );
}

#[test]
fn the_explainer_reads_no_clock() {
    forbid(
        "analyze reads no clock: the same bundle gives the same bytes (only progress may look at the time)",
        sources("analyze"),
        &["SystemTime", "Instant::now", "Timestamp::now", "Zoned::now", "TimeZone::system"],
        &["analyze/src/progress.rs"],
    );
    forbid(
        "bundle reads no clock and runs nothing",
        sources("bundle"),
        &["SystemTime", "Instant::now", "Timestamp::now", "std::process", "tokio"],
        &[],
    );
}

#[test]
fn every_detector_has_its_file_its_line_and_its_samples() {
    let mut law = Law(
        "one detector = one file + one registry line + one sample folder with its three cases",
        Vec::new(),
    );
    let registry = root().join("analyze/src/detectors/mod.rs");
    let lines = fs::read_to_string(&registry).unwrap();
    for (id, path) in detectors() {
        if !lines.contains(&format!("    {path}::DETECTOR,")) {
            law.breach(&registry, format!("no line for {id}"));
        }
        let samples = root().join("samples").join(id.replace('_', "-"));
        for case in ["fires", "near-miss", "exonerated"] {
            for file in ["expected.json", "bundle.tar"] {
                if !samples.join(case).join(file).is_file() {
                    law.breach(&samples, format!("no {case}/{file}"));
                }
            }
        }
    }
    for entry in fs::read_dir(root().join("samples")).unwrap().flatten().filter(|e| e.path().is_dir()) {
        let id = entry.file_name().to_string_lossy().replace('-', "_");
        if !detectors().iter().any(|(known, _)| *known == id) {
            law.breach(&entry.path(), "samples of no detector");
        }
    }
    law.judge();
}

#[test]
fn every_source_file_is_registered() {
    let mut law = Law("one source = one file (or folder) below its chapter + one registry line", Vec::new());
    let dir = root().join("bundle/src/sources");
    let registry = fs::read_to_string(dir.join("mod.rs")).unwrap();
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

#[test]
fn files_stay_readable() {
    let mut law = Law("a file that outgrew its idea is split", Vec::new());
    for path in ["words", "bundle", "filters", "capture", "analyze"].into_iter().flat_map(sources) {
        let text = fs::read_to_string(&path).unwrap();
        let lines = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().lines().count();
        if lines > LINES_MAX && !is_test(&path) {
            law.breach(&path, format!("{lines} lines before its tests"));
        }
        if !text.trim_start().starts_with("//!") && !is_test(&path) {
            law.breach(&path, "no //! that says what the file is for");
        }
    }
    law.judge();
}

#[test]
fn scripts_stop_at_the_first_error() {
    let mut law = Law("every script sets -euo pipefail and says what it is for", Vec::new());
    for entry in fs::read_dir(root().join("scripts")).unwrap().flatten() {
        let path = entry.path();
        if path.is_file() {
            let text = fs::read_to_string(&path).unwrap();
            if text.starts_with("#!/usr/bin/env bash") && !text.contains("set -euo pipefail") {
                law.breach(&path, "no set -euo pipefail");
            }
        }
    }
    law.judge();
}

#[test]
fn translations_keep_their_placeholders() {
    let mut law = Law("a translation has the placeholders of its English sentence", Vec::new());
    for room in ["capture", "analyze"] {
        let dir = root().join(room).join("locales");
        assert!(dir.is_dir(), "{room} has no locales");
        for path in files_below(&dir, ".yml") {
            let text = fs::read_to_string(&path).unwrap();
            for line in
                text.lines().filter(|l| l.contains("%{") && l.matches("%{").count() != l.matches('}').count())
            {
                law.breach(&path, line);
            }
        }
    }
    law.judge();
}

/// There on every Debian, whatever was left out (Essential: yes), and what comes with them.
const ESSENTIAL: [&str; 6] = ["cp", "env", "kill", "sh", "tar", "/bin/true"];

#[test]
fn setup_installs_what_tests_call() {
    let mut law =
        Law("scripts/setup and the lab name the package of every tool that a test calls", Vec::new());
    let lists =
        ["scripts/setup", "scripts/lab.d/common.sh"].map(|path| fs::read_to_string(root().join(path)));
    let lists: String = lists.into_iter().map(|list| list.expect("a script of the tree")).collect();
    let known: Vec<&str> = lists
        .split(|c: char| c.is_whitespace() || c == '(' || c == ')')
        .filter_map(|word| word.split_once(':').map(|(tool, _)| tool))
        .collect();
    for path in files_below(&root().join("tests"), ".rs") {
        let text = fs::read_to_string(&path).expect("a file of the tree");
        let called = text.split("Command::new(\"").skip(1).filter_map(|rest| rest.split_once('"'));
        for (tool, _) in called.filter(|(tool, _)| !ESSENTIAL.contains(tool) && !known.contains(tool)) {
            law.breach(&path, tool);
        }
    }
    law.judge();
}
