//! A lab host for one test: raised by `scripts/lab`, taken down when the test ends, whichever way it ends.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

static NEXT: AtomicU32 = AtomicU32::new(0);
/// One lab at a time in a process: the machine has two cores and timings matter to what is recorded.
static TURN: Mutex<()> = Mutex::new(());

/// A raised lab.
pub struct Lab {
    name: String,
    dir: tempfile::TempDir,
    _turn: MutexGuard<'static, ()>,
}

impl Lab {
    /// Raises a lab with the options of `scripts/lab up`, or `None` without root (see [`crate::privileged`]).
    ///
    /// # Panics
    /// When the lab cannot be raised.
    pub fn up(test: &str, options: &[&str]) -> Option<Self> {
        if !crate::privileged(test) {
            return None;
        }
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let name = format!("t{}n{}", std::process::id() % 100_000, NEXT.fetch_add(1, Ordering::Relaxed));
        let dir = tempfile::Builder::new().prefix("netcap-test-").tempdir().expect("a temporary directory");
        let lab = Self { name, dir, _turn: turn };
        lab.lab(&[&["up"], options].concat());
        Some(lab)
    }

    /// A directory that goes away with the lab.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Runs `scripts/lab ARGS` and expects it to succeed.
    ///
    /// # Panics
    /// When it does not.
    pub fn lab(&self, args: &[&str]) -> String {
        let out = self.command(args).output().expect("scripts/lab starts");
        assert!(out.status.success(), "lab {args:?}: {}", said(&out));
        String::from_utf8_lossy(&out.stdout).into_owned()
    }

    /// Runs a command in a node of the lab, whatever its status.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn exec(&self, node: &str, command: &[&str]) -> Output {
        self.command(&[&["exec", node], command].concat()).output().expect("scripts/lab starts")
    }

    /// Starts a command in a node of the lab.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn spawn(&self, node: &str, command: &[&str]) -> Child {
        self.command(&[&["exec", node], command].concat())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("scripts/lab starts")
    }

    /// Switches a fault on; `scripts/lab` makes sure that it breaks what it should.
    pub fn fault_on(&self, name: &str, options: &[&str]) {
        self.lab(&[&["fault", "on", name], options].concat());
    }

    /// The single bundle below `dir`.
    ///
    /// # Panics
    /// When there is none or more than one.
    pub fn bundle(dir: &Path) -> PathBuf {
        let found = crate::files_below(dir, ".tar");
        assert_eq!(found.len(), 1, "one bundle in {}: {found:?}", dir.display());
        found.into_iter().next().expect("there is one")
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(crate::root().join("scripts/lab"));
        command.args(args).env("NETCAP_LAB", &self.name).stdin(Stdio::null());
        command
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let out = self.command(&["down"]).output();
        if !std::thread::panicking() {
            let out = out.expect("scripts/lab starts");
            assert!(out.status.success(), "lab down: {}", said(&out));
        }
    }
}

/// What a command said, for a failed assertion.
pub fn said(out: &Output) -> String {
    let text = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
    format!("{}\n{}{}", out.status, text(&out.stdout), text(&out.stderr))
}
