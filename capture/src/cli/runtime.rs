//! What a command runs in: one thread, and as many descriptors as the host allows.

use std::path::{Path, PathBuf};

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::error::{Error, Result};
use crate::host::programs;
use crate::host::services::Host;

/// Each point needs two descriptors; the usual soft limit of 1024 is there for programs that use select(2).
pub(super) fn raise_file_limit() {
    if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_NOFILE) {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}

/// The host, with Open vSwitch where the user or the environment says.
pub(super) fn host(ovs_rundir: Option<PathBuf>) -> Result<Host> {
    let ovs_rundir = ovs_rundir.filter(is_said);
    let dir = ovs_rundir.clone().unwrap_or_default();
    Host::chosen(ovs_rundir).map_err(Error::ovs(&dir))
}

/// An empty variable of the environment says nothing.
fn is_said(dir: &impl AsRef<Path>) -> bool {
    !dir.as_ref().as_os_str().is_empty()
}

/// Looks for programs where the user or the environment says, if they do.
pub(super) fn tools(dir: Option<&Path>) -> Result<()> {
    dir.filter(is_said).map_or(Ok(()), |dir| programs::use_tools(dir).map_err(Error::tools(dir)))
}

/// One thread is enough: packets have threads of their own, and commands run one after the other. A file of the host that
/// cannot be read to its end (a mount that hangs) is not waited for.
pub(super) fn block_on<T>(work: impl Future<Output = T>) -> Result<T> {
    let built = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = built.map_err(|e| Error::Other(e.to_string()))?;
    let done = runtime.block_on(work);
    runtime.shutdown_background();
    Ok(done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use netcap_bundle::source::{Each, How, Outcome, Recipe};
    use std::time::{Duration, Instant};

    #[test]
    fn a_file_that_hangs_does_not_keep_the_program_from_ending() {
        static RECIPE: Recipe =
            Recipe { item: "pipe", each: Each::Once, how: How::File("/pipe"), bytes_max: 4, timeout_ms: 100 };
        let dir = tempfile::tempdir().unwrap();
        // Nobody ever writes to it: opening it waits for ever, as reading from a server that is gone does.
        nix::unistd::mkfifo(&dir.path().join("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        let host = Host { root: dir.path().to_owned(), ovs_rundir: dir.path().to_owned() };
        let (sender, done) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let taken = block_on(crate::host::exec::take(&host, "x", &RECIPE, "")).unwrap();
            let _ = sender.send(taken.outcome);
        });
        let began = Instant::now();
        let outcome = done.recv_timeout(Duration::from_secs(5));
        assert_eq!(outcome, Ok(Outcome::TimedOut), "{:?}", began.elapsed());
    }
}
