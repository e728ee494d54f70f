//! The program that explains a recording: finding it, and running it on a result.

use std::path::{Path, PathBuf};

use rust_i18n::t;

use super::summary::quoted;
use crate::error::{Error, Result};
use crate::privileged::{Privileged, analyzer_command};
use crate::ui;

/// Name of the program that explains a run.
const ANALYZER: &str = "netcap-analyze";

/// The analyzer: the one beside this program, then that of the PATH. Looked for before anything is recorded, so that
/// nobody learns after a night that there is none.
pub(crate) fn analyzer() -> Result<PathBuf> {
    let exe = std::env::current_exe().ok();
    let beside = exe.as_deref().and_then(Path::parent).map(Path::to_owned);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = find_program(ANALYZER, beside.into_iter().chain(std::env::split_paths(&path)));
    found.ok_or_else(|| Error::Usage(t!("usage.no_analyzer").into_owned()))
}

/// The first of these directories that has a program of that name.
pub(crate) fn find_program(name: &str, dirs: impl Iterator<Item = PathBuf>) -> Option<PathBuf> {
    use std::os::unix::fs::PermissionsExt;
    let runs = |path: &PathBuf| {
        path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
    };
    dirs.map(|dir| dir.join(name)).find(runs)
}

/// Runs the analyzer on the result, in the language of this program. Gives what it said by its exit status, `None` when
/// it did not run.
pub(crate) fn analyze(program: &Path, path: &Path) -> Option<i32> {
    let status = analyzer_command(program, path, &rust_i18n::locale()).status();
    explained(program, path, status.map(|status| status.code()))
}

/// The same for a recording, which may not be allowed to run programs itself.
pub(crate) async fn analyze_run(privileged: &dyn Privileged, program: &Path, path: &Path) -> Option<i32> {
    explained(program, path, privileged.explain(program, path).await)
}

fn explained(program: &Path, path: &Path, done: std::io::Result<Option<i32>>) -> Option<i32> {
    match done {
        Ok(code) => code.or(Some(-1)),
        Err(e) => {
            ui::note(&t!("end.no_analyzer", program = program.display(), why = e, path = quoted(path)));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn only_what_can_be_run_is_a_program() {
        use std::os::unix::fs::PermissionsExt;
        let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let dirs = || [a.path().to_owned(), b.path().to_owned()].into_iter();
        assert_eq!(find_program("x", dirs()), None);
        for dir in [&a, &b] {
            fs::write(dir.path().join("x"), "").unwrap();
        }
        fs::set_permissions(b.path().join("x"), fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(find_program("x", dirs()), Some(b.path().join("x")));
    }
}
