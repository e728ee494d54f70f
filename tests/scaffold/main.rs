//! What `scripts/new` writes compiles: one unit of each kind is begun in a copy of the tree.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use netcap_tests::{root, said};

/// One unit of every kind, in a chapter that is there and in one that is not.
const UNITS: [(&str, &str); 8] = [
    ("cause", "storage/disk-slow"),
    ("detector", "links/mtu-black-hole"),
    ("measurement", "packet-sizes"),
    ("section", "neighbourhood"),
    ("source", "network/ethtool"),
    ("source", "ovs/ovs-scaffold"),
    ("symptom", "loss/dns-failure"),
    ("table", "ether-types"),
];

/// The copy has always the same place, so that a second run compiles only what changed.
fn copy() -> PathBuf {
    let to = Path::new(env!("CARGO_TARGET_TMPDIR")).join("scaffold");
    if to.exists() {
        fs::remove_dir_all(&to).expect("the copy of an earlier run");
    }
    fs::create_dir_all(&to).expect("a place for the copy");
    let entries = fs::read_dir(root()).expect("the repository").flatten().map(|entry| entry.path());
    let left_out = ["target", "samples", ".git"].map(|name| root().join(name));
    // With the times of the files: what did not change is not compiled again.
    let out = Command::new("cp")
        .arg("-a")
        .args(entries.filter(|path| !left_out.contains(path)))
        .arg(&to)
        .output()
        .expect("cp starts");
    assert!(out.status.success(), "{}", said(&out));
    // Cargo tells crates of one name by their version, not by where they lie: what is compiled here must never be taken
    // for the repository's own.
    let manifest = to.join("Cargo.toml");
    let text = fs::read_to_string(&manifest).expect("the manifest");
    let version = format!("\nversion = {:?}\n", env!("CARGO_PKG_VERSION"));
    assert!(text.contains(&version), "the workspace has one version");
    fs::write(&manifest, text.replace(&version, "\nversion = \"0.0.0-scaffold\"\n")).expect("the manifest");
    to
}

#[test]
fn a_unit_of_every_kind_is_begun_and_compiles() {
    let tree = copy();
    for (kind, place) in UNITS {
        let out = Command::new(tree.join("scripts/new")).args([kind, place]).output().expect("scripts/new");
        assert!(out.status.success(), "{kind} {place}: {}", said(&out));
        let again = Command::new(tree.join("scripts/new")).args([kind, place]).output().expect("scripts/new");
        assert!(!again.status.success(), "{kind} {place} is begun twice");
    }
    // As tests see it, and for the sake of the crates above as they see it themselves.
    let libraries = ["-p", "netcap-bundle", "-p", "netcap-analyze", "--lib", "--profile", "test"];
    let out = cargo(&tree, &[&["check", "--offline"], &libraries[..]].concat());
    assert!(out.status.success(), "{}", said(&out));
    let warned = String::from_utf8_lossy(&out.stderr).contains("warning:");
    assert!(!warned, "what is begun gives warnings: {}", said(&out));
    let out = cargo(&tree, &["fmt", "--all", "--check"]);
    assert!(out.status.success(), "what is begun is not formatted: {}", said(&out));
}

fn cargo(tree: &Path, words: &[&str]) -> Output {
    // The dependencies are those of the repository, which are compiled already.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("the directory that cargo builds in");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(words).env("CARGO_TARGET_DIR", target).current_dir(tree).output().expect("cargo starts")
}

#[test]
fn what_is_no_unit_is_refused() {
    for (kind, place) in [("detector", "mtu-black-hole"), ("detector", "links/MTU"), ("thing", "links/x")] {
        let out = Command::new(root().join("scripts/new")).args([kind, place]).output().expect("scripts/new");
        assert!(!out.status.success() && said(&out).contains("new: "), "{kind} {place}: {}", said(&out));
    }
}
