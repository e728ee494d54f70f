//! What the laws share: the files they read, and a list of breaches, so that one run shows them all.

use std::fs;
use std::path::{Path, PathBuf};

use netcap_tests::{files_below, root};

/// The crates that users run or that these are made of.
pub(crate) const CRATES: [&str; 5] = ["words", "bundle", "filters", "capture", "analyze"];

/// Every source file of a crate.
pub(crate) fn sources(krate: &str) -> Vec<PathBuf> {
    files_below(&root().join(krate).join("src"), ".rs")
}

/// Every source file of all crates.
pub(crate) fn all_sources() -> Vec<PathBuf> {
    CRATES.into_iter().flat_map(sources).collect()
}

/// The text of a file of the repository.
pub(crate) fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The path of a file from the root of the repository.
pub(crate) fn short(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

/// What stands before the unit tests of a file.
pub(crate) fn before_tests(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default()
}

/// The code of a file: without comments, and without its tests.
pub(crate) fn code(path: &Path) -> String {
    let text = read(path);
    let lines = before_tests(&text).lines().filter(|l| !l.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

/// Whether a file is compiled for tests only.
pub(crate) fn is_test(path: &Path) -> bool {
    // Below the repository only: a clone may lie in a folder of any name.
    let root = root();
    let path = path.strip_prefix(&root).unwrap_or(path);
    let file = path.file_name().map(|f| f.to_string_lossy().into_owned()).unwrap_or_default();
    let helper = ["testing.rs", "tests.rs"].contains(&file.as_str()) || file.ends_with("_tests.rs");
    helper || path.components().any(|c| c.as_os_str() == "tests" || c.as_os_str() == "testing")
}

/// Collects breaches, so that a run lists them all.
pub(crate) struct Law {
    says: &'static str,
    breaches: Vec<String>,
}

impl Law {
    pub(crate) const fn new(says: &'static str) -> Self {
        Self { says, breaches: Vec::new() }
    }

    pub(crate) fn breach(&mut self, path: &Path, what: impl std::fmt::Display) {
        self.breaches.push(format!("  {}: {what}", short(path)));
    }

    pub(crate) fn judge(self) {
        assert!(
            self.breaches.is_empty(),
            "{}: {} breaches\n{}",
            self.says,
            self.breaches.len(),
            self.breaches.join("\n")
        );
    }
}

/// Files that a law lets pass, each because of something in it. One that is gone or needs no exception any more is a
/// breach itself: it would let pass whatever comes to stand there.
pub(crate) struct Exceptions {
    files: &'static [&'static str],
    used: Vec<&'static str>,
}

impl Exceptions {
    pub(crate) const fn of(files: &'static [&'static str]) -> Self {
        Self { files, used: Vec::new() }
    }

    /// Whether the breach in this file is let pass.
    pub(crate) fn allow(&mut self, path: &Path) -> bool {
        let Some(file) = self.files.iter().find(|file| root().join(file) == path) else { return false };
        self.used.push(file);
        true
    }

    /// Adds the exceptions that nothing needed to the breaches.
    pub(crate) fn settle(self, law: &mut Law) {
        for file in self.files.iter().filter(|file| !self.used.contains(file)) {
            law.breach(&root().join(file), "is an exception, and nothing in it needs one");
        }
    }
}

/// Forbids words in the code of files, but for some.
pub(crate) fn forbid(
    says: &'static str,
    files: impl IntoIterator<Item = PathBuf>,
    words: &[&str],
    except: &'static [&'static str],
) {
    let mut law = Law::new(says);
    let mut except = Exceptions::of(except);
    for path in files.into_iter().filter(|path| !is_test(path)) {
        let code = code(&path);
        for word in words.iter().filter(|w| code.contains(**w)) {
            if !except.allow(&path) {
                law.breach(&path, format!("{word:?}"));
            }
        }
    }
    except.settle(&mut law);
    law.judge();
}
