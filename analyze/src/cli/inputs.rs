//! What the arguments stand for: an input each, or, for a folder of bundles, every bundle and capture below it.

use std::fs;
use std::path::{Path, PathBuf};

use netcap_bundle::layout;

/// Folders below a folder of bundles that are looked into.
const DEPTH_MAX: usize = 8;
/// Names of one folder that are kept, at most; what is beyond is said.
const NAMES_MAX: usize = 1_000_000;

/// The inputs, in the order of the arguments and, below a folder, of the names.
#[derive(Debug)]
pub(super) struct Inputs {
    /// What is left, the next one last; with its depth below the argument.
    todo: Vec<(PathBuf, usize)>,
    /// Every capture is an input of its own, and every folder is looked into.
    each: bool,
    /// Folders with more names than are kept.
    full: Vec<PathBuf>,
}

impl Inputs {
    pub(super) fn new(arguments: &[PathBuf], each: bool) -> Self {
        Self { todo: arguments.iter().rev().map(|path| (path.clone(), 0)).collect(), each, full: Vec::new() }
    }

    /// Folders with more names than are kept: some inputs of theirs did not come.
    pub(super) fn full(&self) -> &[PathBuf] {
        &self.full
    }

    /// Whether more inputs than arguments may come.
    pub(super) fn are_many(arguments: &[PathBuf], each: bool) -> bool {
        arguments.iter().any(|path| path.is_dir() && is_collection(path, each, 0))
    }
}

impl Iterator for Inputs {
    type Item = PathBuf;

    fn next(&mut self) -> Option<PathBuf> {
        loop {
            let (path, depth) = self.todo.pop()?;
            if !path.is_dir() || !is_collection(&path, self.each, depth) {
                return Some(path);
            }
            let (inside, whole) = names(&path, NAMES_MAX);
            if !whole {
                self.full.push(path);
            }
            let inside = inside.into_iter().rev();
            self.todo.extend(inside.filter(|path| is_wanted(path, depth)).map(|path| (path, depth + 1)));
        }
    }
}

/// A folder that is no bundle, and has one below it. Of a folder of the old script nothing below is a bundle: it is one
/// input.
fn is_collection(path: &Path, each: bool, depth: usize) -> bool {
    if depth > DEPTH_MAX || is_run(path) {
        return false;
    }
    each || names(path, NAMES_MAX).0.iter().any(|inside| {
        if inside.is_dir() {
            is_run(inside) || is_collection(inside, each, depth + 1)
        } else {
            is_tar(inside)
        }
    })
}

fn is_run(path: &Path) -> bool {
    path.join(layout::RUN).is_file() || path.join(layout::MANIFEST).is_file()
}

fn is_tar(path: &Path) -> bool {
    has_end(path, layout::BUNDLE_END)
}

/// Files whose name says that they are a bundle or a capture, and folders with such files: beside them lie notes,
/// checksums and links to what is here already.
fn is_wanted(path: &Path, depth: usize) -> bool {
    if path.is_dir() {
        let deep = depth > DEPTH_MAX;
        return is_run(path)
            || deep
            || names(path, NAMES_MAX).0.iter().any(|inside| is_wanted(inside, depth + 1));
    }
    let packed = [".zst", ".gz"];
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let plain = packed.iter().find_map(|end| name.strip_suffix(end)).unwrap_or(&name);
    is_tar(path) || [".pcap", ".pcapng", ".cap"].iter().any(|end| has_end(Path::new(plain), end))
}

fn has_end(path: &Path, end: &str) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().ends_with(end))
}

/// What is in a folder, in order, up to so many names, and whether that is all; links are not followed, so that the walk
/// ends.
fn names(path: &Path, most: usize) -> (Vec<PathBuf>, bool) {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    let real = entries.filter(|entry| entry.file_type().is_ok_and(|kind| !kind.is_symlink()));
    let mut real = real.map(|entry| entry.path());
    let mut names: Vec<PathBuf> = real.by_ref().take(most).collect();
    names.sort_unstable();
    (names, real.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn below(top: &Path, each: bool) -> Vec<String> {
        let inputs = Inputs::new(&[top.to_owned()], each);
        inputs.map(|p| p.strip_prefix(top).unwrap().display().to_string()).collect()
    }

    #[test]
    fn names_beyond_those_that_are_kept_are_noticed() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["a", "b", "c"] {
            fs::write(dir.path().join(name), "x").unwrap();
        }
        let names = |most| names(dir.path(), most);
        assert_eq!((names(3).0.len(), names(3).1), (3, true));
        assert_eq!((names(2).0.len(), names(2).1), (2, false));
    }

    #[test]
    fn a_folder_of_bundles_is_many_inputs_and_one_of_the_old_script_is_one() {
        let dir = tempfile::tempdir().unwrap();
        let put = |name: &str| {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        };
        put("old/eth2/a.pcap");
        put("old/20230607103752-ping.log");
        let old = dir.path().join("old");
        assert_eq!(below(&old, false), [""]);
        assert_eq!(below(&old, true), ["eth2/a.pcap"]);
        put("b/run-1.tar");
        put("b/run-1.tar.sha256");
        put("b/c/run-2/run.json");
        put("b/c/run-2/packets/eth2/000001.pcapng.zst");
        put("b/c/x.pcap.gz");
        put("b/notes.txt");
        put("b/old/eth2/a.pcap");
        put("b/checksums/a.sha256");
        fs::create_dir(dir.path().join("b/empty")).unwrap();
        assert_eq!(below(&dir.path().join("b"), false), ["c/run-2", "c/x.pcap.gz", "old", "run-1.tar"]);
        assert!(Inputs::are_many(&[dir.path().to_owned()], false));
        assert!(!Inputs::are_many(&[old], false));
    }
}
