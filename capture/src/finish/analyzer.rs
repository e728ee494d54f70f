//! The program that explains a recording: finding it, and running it on a result.

use std::path::{Path, PathBuf};

use netcap_words::quote;
use rust_i18n::t;

use crate::error::{Error, Result};
use crate::host::programs;
use crate::privileged::{Privileged, analyzer_command};
use crate::ui;

/// Name of the program that explains a run.
const ANALYZER: &str = "netcap-analyze";

/// The analyzer: the one beside this program, then where programs are looked for. Looked for before anything is recorded,
/// so that nobody learns after a night that there is none.
pub(crate) fn analyzer() -> Result<PathBuf> {
    let exe = std::env::current_exe().ok();
    let found = programs::find(ANALYZER, exe.as_deref().and_then(Path::parent));
    found.ok_or_else(|| Error::Usage(t!("usage.no_analyzer").into_owned()))
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
            ui::note(&t!("end.no_analyzer", program = program.display(), why = e, path = quote::path(path)));
            None
        }
    }
}
