//! The analyzer: a program of its own that may read everything.

use std::path::Path;
use std::process::Command;

/// The command that explains a result.
pub(crate) fn command(program: &Path, path: &Path, lang: &str) -> Command {
    // The host's own work goes first; the nice value is inherited.
    let _ = crate::sys::nice_this_thread(10);
    let mut command = Command::new(program);
    command.arg("--lang").arg(lang).arg(path);
    command
}
