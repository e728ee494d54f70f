//! How a crate's files are laid out.

use std::path::{Path, PathBuf};

use netcap_tests::{files_below, root};

use crate::law::{CRATES, Law, all_sources, before_tests, is_test, read};

/// Lines of a file before its tests, at most.
const LINES_MAX: usize = 420;

/// The sources of all crates, and the tests that are no unit tests.
fn styled() -> Vec<PathBuf> {
    let crates = CRATES.iter().map(|krate| root().join(krate).join("src"));
    crates.chain([root().join("tests")]).flat_map(|dir| files_below(&dir, ".rs")).collect()
}

fn name(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}

#[test]
fn files_stay_readable() {
    let mut law = Law::new("a file that outgrew its idea is split, and says what it is for");
    for path in all_sources().into_iter().filter(|path| !is_test(path)) {
        let text = read(&path);
        let lines = before_tests(&text).lines().count();
        if lines > LINES_MAX {
            law.breach(&path, format!("{lines} lines before its tests"));
        }
        if !text.trim_start().starts_with("//!") {
            law.breach(&path, "no //! that says what the file is for");
        }
    }
    law.judge();
}

#[test]
fn a_room_is_a_folder_with_its_mod_rs() {
    let mut law = Law::new("a room is a folder with `mod.rs`, never `x.rs` beside `x/`");
    for path in styled() {
        let folder = path.with_extension("");
        if folder.is_dir() {
            law.breach(&path, format!("stands beside {}/", crate::law::short(&folder)));
        }
        let below = path.parent().unwrap_or(&path);
        let is_room = ["mod.rs", "main.rs", "lib.rs"].iter().any(|root| below.join(root).is_file());
        if !is_room && !is_chapter(below) && !ROOTS_ELSEWHERE.iter().any(|dir| below.ends_with(dir)) {
            law.breach(&path, "lies in a folder without mod.rs");
        }
    }
    law.judge();
}

/// A chapter of a registry: the registry itself says which units are in it.
fn is_chapter(folder: &Path) -> bool {
    let Some((above, name)) = folder.parent().zip(folder.file_name()) else { return false };
    let declared = format!("mod {} {{", name.to_string_lossy());
    let registry = above.join("mod.rs");
    registry.is_file() && read(&registry).contains(&declared)
}

/// Folders in which every file is a program of its own.
const ROOTS_ELSEWHERE: [&str; 1] = ["tests/fuzz/fuzz_targets"];

#[test]
fn unit_tests_have_one_place() {
    let mut law = Law::new(
        "unit tests stand at the end of a file (`mod tests {}`); those of a room beside its mod.rs (`tests.rs`)",
    );
    for path in styled() {
        if name(&path).ends_with("_tests.rs") {
            law.breach(&path, "is `tests.rs` in a room, or stands at the end of the file that it tests");
        }
        let text = read(&path);
        let outside = text.contains("#[cfg(test)]\nmod tests;");
        match text.split_once("#[cfg(test)]\nmod tests {") {
            _ if outside && name(&path) != "mod.rs" && name(&path) != "lib.rs" => {
                law.breach(&path, "is no room, and its tests stand elsewhere");
            }
            Some(_) if name(&path) == "mod.rs" => law.breach(&path, "is a room, and has its tests inside"),
            Some((_, tests)) if !tests.trim_end().ends_with("\n}") || tests.matches("\n}\n").count() > 1 => {
                law.breach(&path, "goes on behind its tests");
            }
            _ => {}
        }
    }
    law.judge();
}
