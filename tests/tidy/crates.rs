//! Which crate may know which.

use std::path::{Component, Path, PathBuf};

use netcap_tests::{files_below, root};

use crate::law::{CRATES, Law, code, read};

/// Each crate of the product and what it may be built from.
const ALLOWED: [(&str, &[&str]); 5] = [
    ("words", &[]),
    ("bundle", &["words"]),
    ("filters", &["words"]),
    ("capture", &["words", "bundle", "filters"]),
    ("analyze", &["words", "bundle", "filters"]),
];

#[test]
fn dependencies_point_one_way() {
    let mut law = Law::new("bundle and filters know neither recorder nor explainer, nor each other");
    for (krate, may) in ALLOWED {
        let path = root().join(krate).join("Cargo.toml");
        let text = read(&path);
        let dependencies = text.split("[dev-dependencies]").next().unwrap_or_default();
        let ours = dependencies.lines().filter_map(|line| line.strip_prefix("netcap-"));
        for name in ours.filter_map(|line| line.split(['.', ' ', '=']).next()) {
            if !may.contains(&name) {
                law.breach(&path, format!("netcap-{name}"));
            }
        }
    }
    law.judge();
}

/// The path without `.` and `..`, as far as it can be said without looking at the disk.
fn plain(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(out.pop()),
            Component::CurDir => {}
            other => out.push(other),
        }
    }
    out
}

#[test]
fn no_crate_compiles_a_file_of_another() {
    let mut law =
        Law::new("code that two crates need is a crate: `#[path]` and `include!` stay in their own");
    for krate in CRATES.into_iter().chain(["tests"]) {
        let home = root().join(krate);
        for path in files_below(&home, ".rs") {
            let text = code(&path);
            for mark in ["#[path = \"", "include!(\""] {
                for target in text.split(mark).skip(1).filter_map(|rest| rest.split('"').next()) {
                    let target = plain(&path.parent().unwrap_or(&home).join(target));
                    if !target.starts_with(&home) {
                        law.breach(&path, format!("{mark}… of {}", crate::law::short(&target)));
                    }
                }
            }
        }
    }
    law.judge();
}
