//! Finding the runs of this host: the sockets in the directory that is root's alone.
//!
//! A socket file is found from every network namespace. One on which nobody listens is what a killed recorder left: it
//! is taken away by who finds it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::privileged::control::NUMBER;

/// Entries of the directory that are looked at; only root makes them.
const ENTRIES_MAX: usize = 4_096;

/// The control socket of a run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Socket {
    /// Its file.
    pub path: PathBuf,
}

impl Socket {
    /// The run whose name it bears; the one who answers says it again.
    pub(crate) fn run(&self) -> &str {
        let name = self.path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.split(NUMBER).next().unwrap_or(name)
    }
}

/// All of them, sorted by name.
pub(crate) fn sockets(dir: &Path) -> io::Result<Vec<Socket>> {
    let entries = match fs::read_dir(dir) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    // What begins with a dot is only about to get its name.
    let named =
        |path: &PathBuf| path.file_name().is_some_and(|name| !name.as_encoded_bytes().starts_with(b"."));
    let paths = entries.take(ENTRIES_MAX).flatten().map(|entry| entry.path()).filter(named);
    let mut out: Vec<Socket> = paths.map(|path| Socket { path }).collect();
    out.sort();
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_by_their_names_and_nothing_that_is_not_ready() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(sockets(&dir.path().join("none")).unwrap(), []);
        for name in ["h-2", "h-1~2", "h-1", ".h-3~77"] {
            fs::write(dir.path().join(name), "").unwrap();
        }
        let found = sockets(dir.path()).unwrap();
        assert_eq!(found.iter().map(Socket::run).collect::<Vec<_>>(), ["h-1", "h-1", "h-2"]);
    }
}
