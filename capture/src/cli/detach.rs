//! `--detach`: a recorder that outlives its terminal, and a command that returns once it really records.
//!
//! The command starts itself again in a session of its own (setsid(2)), with what it says at the start still on the
//! terminal, and waits. The recorder reports through its standard output: a word when it is there, a line when packets
//! are taken in. Then it lets go of the terminal. A recorder that cannot start ends before that line, and the command
//! ends with its exit status; a command that is interrupted before takes the recorder with it.
//!
//! Where systemd is at work, the recorder gets a scope of its own (`systemd-run --scope`): logind may kill all that is
//! left in the scope of a login (`KillUserProcesses=`, logind.conf(5)), session of its own or not. A scope, not a service,
//! for a service would lose the network namespace and the limits that the user set up.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use netcap_bundle::Op;
use nix::unistd::{chdir, dup2_stderr, dup2_stdin, dup2_stdout, setsid};
use rust_i18n::t;
use serde::{Deserialize, Serialize};

use crate::disk::rundir::RunDir;
use crate::error::{Error, Result};
use crate::host::programs;
use crate::ui;

/// Set for the recorder that was started to be left alone.
const DETACHED_ENV: &str = "NETCAP_DETACHED";
/// What the recorder says first.
const HELLO: &str = "here";
/// There when systemd is the init system (sd_booted(3)).
const SYSTEMD_DIR: &str = "/run/systemd/system";

/// What the recorder says when it records.
#[derive(Debug, Serialize, Deserialize)]
struct Started {
    run: String,
    pid: u32,
    dir: PathBuf,
}

/// The recorder's end of the pipe to the command that started it.
#[derive(Debug)]
pub(super) struct LaunchPipe {
    /// Opened early: later the recorder may open nothing but its own files.
    null: File,
}

/// Whether this process is the recorder that was started to be left alone.
pub(super) fn is_recorder() -> bool {
    std::env::var_os(DETACHED_ENV).is_some()
}

impl LaunchPipe {
    /// Leaves the terminal's session and says so.
    pub(super) fn take() -> Result<Self> {
        // Refused only to the leader of a process group, who has a session to himself already.
        let _ = setsid();
        let null = OpenOptions::new().read(true).write(true).open("/dev/null");
        let null = null.map_err(Error::file(Op::Open, "/dev/null"))?;
        write_line(HELLO).map_err(|_| Error::Other(t!("detach.alone").into_owned()))?;
        Ok(Self { null })
    }

    /// Packets are taken in: reports it and lets go of the terminal. An error when nobody is there to hear it.
    pub(super) fn report_started(self, run: &RunDir) -> Result<()> {
        let started = Started { run: run.info.run.clone(), pid: std::process::id(), dir: run.path.clone() };
        let line = serde_json::to_string(&started).map_err(|e| Error::Other(e.to_string()))?;
        write_line(&line).map_err(|_| Error::Other(t!("detach.alone").into_owned()))?;
        let away = dup2_stdin(&self.null).and(dup2_stdout(&self.null)).and(dup2_stderr(&self.null));
        away.map_err(|e| Error::Other(e.to_string()))?;
        // A file system that somebody wants to unmount must not be busy for the directory he once stood in.
        let _ = chdir("/");
        Ok(())
    }
}

fn write_line(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

/// Starts the recorder and waits until it records; gives the exit status.
pub(super) fn launch(quiet: bool) -> Result<u8> {
    let program = std::env::current_exe().map_err(Error::file(Op::Find, "netcap"))?;
    if let Some(systemd_run) = systemd_run() {
        let mut command = Command::new(&systemd_run);
        command.args(scope_options()).arg("--").arg(&program);
        match attempt(command)? {
            Launch::NotStarted(status) => ui::note(&t!("detach.no_scope", status = status)),
            Launch::Started(started) => return Ok(print_started(&started, quiet)),
            Launch::Failed(status) => return Ok(status),
        }
    }
    match attempt(Command::new(&program))? {
        Launch::Started(started) => Ok(print_started(&started, quiet)),
        Launch::Failed(status) | Launch::NotStarted(status) => Ok(status),
    }
}

/// How a start went.
enum Launch {
    /// It records.
    Started(Started),
    /// The recorder could not start and has said why.
    Failed(u8),
    /// The recorder was never there.
    NotStarted(u8),
}

fn attempt(mut command: Command) -> Result<Launch> {
    command
        .args(std::env::args_os().skip(1))
        .env(DETACHED_ENV, "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    let mut child = command.spawn().map_err(Error::file(Op::Start, command.get_program()))?;
    let mut lines =
        BufReader::new(child.stdout.take().ok_or_else(|| Error::Other("no pipe".into()))?).lines();
    let mut next = || lines.next().and_then(std::result::Result::ok);
    if next().as_deref() != Some(HELLO) {
        return Ok(Launch::NotStarted(ended(&mut child)));
    }
    let started = next().and_then(|line| serde_json::from_str(&line).ok());
    Ok(started.map_or_else(|| Launch::Failed(ended(&mut child)), Launch::Started))
}

/// Its exit status, 1 when a signal ended it.
fn ended(child: &mut Child) -> u8 {
    let status = child.wait().unwrap_or_else(|_| ExitStatusExt::from_raw(1 << 8));
    match status.code().and_then(|code| u8::try_from(code).ok()) {
        // It went without having recorded.
        None | Some(0) => 1,
        Some(code) => code,
    }
}

fn print_started(started: &Started, quiet: bool) -> u8 {
    if quiet {
        ui::answer(&started.run);
    } else {
        ui::answer(&t!("detach.begun", run = started.run, pid = started.pid));
    }
    0
}

/// The program that gives us a scope, where there is systemd to ask.
fn systemd_run() -> Option<PathBuf> {
    if !Path::new(SYSTEMD_DIR).is_dir() {
        return None;
    }
    programs::find("systemd-run", None)
}

/// Options that systemd 219 (the oldest in the field) knows too. The name must be free: scopes that ended badly stay.
fn scope_options() -> Vec<String> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let unit = format!("--unit=netcap-{}-{since}", std::process::id());
    vec!["--scope".into(), "--quiet".into(), unit, "--description=netcap, a flight recorder".into()]
}
