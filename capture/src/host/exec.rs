//! Carrying out recipes: reading a file or running a read-only command, with a time-out and a byte cap.
//!
//! A command that hangs, floods or does not exist is a result like any other: it is recorded as what it was. Nothing here
//! can hold the recorder up for longer than the recipe allows, and nothing is left running behind it.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use netcap_bundle::Nanos;
use netcap_bundle::source::{How, Outcome, Reason, Recipe};
use netcap_bundle::state::Taken;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};

use super::services::{Host, Service};
use super::{clock, programs};

/// Longest wait for a command that was killed: one that waits for a disk that does not answer dies when the disk does
/// (state D, proc_pid_stat(5)), and that is no reason to wait with it.
const DYING: Duration = Duration::from_millis(500);
/// Bytes of standard error kept.
const STDERR_MAX: usize = 4096;
/// Carries out one recipe.
pub(crate) async fn take(host: &Host, source: &'static str, recipe: &'static Recipe, arg: &str) -> Taken {
    let at = clock::now();
    let start = Instant::now();
    let limit = Duration::from_millis(recipe.timeout_ms);
    let got = match recipe.how {
        How::Command(words) => run(host, &host.words(words, arg), recipe.bytes_max, limit).await,
        How::File(path) => {
            let path = path.replace("{}", arg);
            read(host.root.join(path.trim_start_matches('/')), recipe.bytes_max, limit).await
        }
    };
    let took_ns = i64::try_from(start.elapsed().as_nanos()).unwrap_or(i64::MAX);
    let Executed { outcome, bytes, truncated, stderr } = got;
    Taken { source, item: recipe.item, arg: arg.to_owned(), at, took_ns, outcome, bytes, truncated, stderr }
}

/// A sample of something that was not tried.
pub(crate) fn not_taken(
    source: &'static str,
    recipe: &'static Recipe,
    at: Nanos,
    reason: Reason,
    why: &str,
) -> Taken {
    let Executed { outcome, bytes, truncated, stderr } = Executed::failed(reason, why);
    let arg = String::new();
    Taken { source, item: recipe.item, arg, at, took_ns: 0, outcome, bytes, truncated, stderr }
}

/// What came of reading or running.
#[derive(Debug, PartialEq, Eq)]
pub struct Executed {
    /// How it ended.
    pub outcome: Outcome,
    /// Output or content.
    pub bytes: Vec<u8>,
    /// True when `bytes` was cut at the cap.
    pub truncated: bool,
    /// Start of standard error.
    pub stderr: Vec<u8>,
}

impl Executed {
    fn failed(reason: Reason, why: impl Into<String>) -> Self {
        let outcome = Outcome::Failed { reason, why: why.into() };
        Self { outcome, bytes: Vec::new(), truncated: false, stderr: Vec::new() }
    }
}

/// Runs a command in a process group of its own; at the time-out or the byte cap the whole group is killed.
pub async fn run(host: &Host, words: &[String], bytes_max: usize, limit: Duration) -> Executed {
    let Some((program, arguments)) = words.split_first() else {
        return Executed::failed(Reason::NoProgram, "empty command");
    };
    if let Some(absent) = Service::asked_by(program).and_then(|service| host.absent(service)) {
        return Executed::failed(absent.reason(), absent.to_string());
    }
    let Some(path) = programs::find(program, None) else {
        let absent = std::io::Error::from_raw_os_error(libc::ENOENT);
        return Executed::failed(Reason::NoProgram, format!("{program}: {absent}"));
    };
    let mut command = Command::new(path);
    command.arg0(program).args(arguments);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    programs::environment(command.as_std_mut());
    command.env("OVS_RUNDIR", &host.ovs_rundir);
    command.process_group(0).kill_on_drop(true);
    crate::sys::die_with_parent(command.as_std_mut());
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(e) => return Executed::failed(Reason::of_program(&e), format!("{program}: {e}")),
    };
    let group = Group::of(&child);
    // What is in here survives the time-out: a table that a hanging daemon gave half of is evidence too.
    let (mut bytes, mut stderr) = (Vec::new(), Vec::new());
    let collected = collect(&mut child, &group, bytes_max, (&mut bytes, &mut stderr));
    let outcome = tokio::time::timeout(limit, collected).await.unwrap_or(Outcome::TimedOut);
    group.kill();
    // The runtime reaps it when it dies after all.
    let _ = tokio::time::timeout(DYING, child.wait()).await;
    let unfinished = outcome == Outcome::TimedOut && !bytes.is_empty();
    let truncated = bytes.len() > bytes_max || unfinished;
    bytes.truncate(bytes_max);
    stderr.truncate(STDERR_MAX);
    Executed { outcome, bytes, truncated, stderr }
}

/// Reads both outputs to their end or one byte beyond their cap, then the exit status.
async fn collect(
    child: &mut Child,
    group: &Group,
    bytes_max: usize,
    (bytes, errors): (&mut Vec<u8>, &mut Vec<u8>),
) -> Outcome {
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let out = async {
        capped(stdout, bytes_max, bytes).await;
        let more = bytes.len() > bytes_max;
        if more {
            // Enough: what it would still say is not wanted, and it must not wait for a reader.
            group.kill();
        }
        more
    };
    let err = async {
        let mut pipe = stderr;
        capped(pipe.as_mut(), STDERR_MAX, errors).await;
        if let Some(mut rest) = pipe {
            // Read on, so that a chatty command is not stopped by a full or closed pipe.
            let _ = tokio::io::copy(&mut rest, &mut tokio::io::sink()).await;
        }
    };
    let (truncated, ()) = tokio::join!(out, err);
    match child.wait().await {
        Err(e) => Outcome::Failed { reason: Reason::Other, why: e.to_string() },
        Ok(_) if truncated => Outcome::Ok,
        Ok(status) if status.success() => Outcome::Ok,
        Ok(status) => {
            let by_signal =
                || std::os::unix::process::ExitStatusExt::signal(&status).map_or(255, |s| 128 + s);
            Outcome::Exit { code: status.code().unwrap_or_else(by_signal) }
        }
    }
}

/// Up to one byte more than `max`. What was read before an error, or before nobody waits any more, is in `bytes`.
async fn capped(pipe: Option<impl AsyncRead + Unpin>, max: usize, bytes: &mut Vec<u8>) {
    let Some(pipe) = pipe else { return };
    let mut pipe = pipe.take(max as u64 + 1);
    // `read_to_end` promises nothing when it is given up half-way; this does.
    while pipe.read_buf(bytes).await.is_ok_and(|read| read > 0) {}
}

/// The process group of a child.
struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child) -> Self {
        Self(child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw))
    }

    /// Ends whatever is left of it; nobody left is no error.
    fn kill(&self) {
        if let Some(group) = self.0 {
            let _ = killpg(group, Signal::SIGKILL);
        }
    }
}

/// Reads a file on a thread of its own, for a file of /proc or /sys can block as well.
async fn read(path: PathBuf, bytes_max: usize, limit: Duration) -> Executed {
    let reading = tokio::task::spawn_blocking(move || read_now(&path, bytes_max));
    match tokio::time::timeout(limit, reading).await {
        Err(_) => Executed { outcome: Outcome::TimedOut, ..Executed::failed(Reason::Other, "") },
        Ok(Err(e)) => Executed::failed(Reason::Other, e.to_string()),
        Ok(Ok(got)) => got,
    }
}

fn read_now(path: &Path, bytes_max: usize) -> Executed {
    let mut bytes = Vec::new();
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(e) => return Executed::failed(Reason::of_file(&e), format!("{}: {e}", path.display())),
    };
    let read = file.take(bytes_max as u64 + 1).read_to_end(&mut bytes);
    let truncated = bytes.len() > bytes_max;
    bytes.truncate(bytes_max);
    let outcome = match read {
        Ok(_) => Outcome::Ok,
        Err(e) => Outcome::Failed { reason: Reason::of_file(&e), why: e.to_string() },
    };
    Executed { outcome, bytes, truncated, stderr: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(dir: &Path) -> Host {
        Host { root: dir.to_owned(), ovs_rundir: dir.join("ovs") }
    }

    async fn shell(script: &str, bytes_max: usize, limit_ms: u64) -> Executed {
        let dir = tempfile::tempdir().unwrap();
        let words = ["sh", "-c", script].map(str::to_owned);
        run(&host(dir.path()), &words, bytes_max, Duration::from_millis(limit_ms)).await
    }

    #[tokio::test]
    async fn output_status_and_errors_come_back() {
        let got = shell("echo out; echo err >&2; exit 3", 100, 5000).await;
        assert_eq!((got.bytes.as_slice(), got.stderr.as_slice()), (&b"out\n"[..], &b"err\n"[..]));
        assert_eq!((got.outcome, got.truncated), (Outcome::Exit { code: 3 }, false));
        assert_eq!(shell("kill -9 $$", 100, 5000).await.outcome, Outcome::Exit { code: 137 });
    }

    #[tokio::test]
    async fn a_command_that_hangs_is_ended_with_its_children() {
        let start = Instant::now();
        let dir = tempfile::tempdir().unwrap();
        let mark = dir.path().join("pid");
        let got = shell(&format!("sleep 60 & echo $! > {}; wait", mark.display()), 100, 300).await;
        assert_eq!(got.outcome, Outcome::TimedOut);
        assert!(start.elapsed() < Duration::from_secs(5));
        let pid: i32 = std::fs::read_to_string(mark).unwrap().trim().parse().unwrap();
        // The orphan is reaped by whoever adopted it; give it a moment.
        let dead = (0..50).any(|_| {
            std::thread::sleep(Duration::from_millis(20));
            !std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
        });
        assert!(dead, "the child {pid} still runs");
    }

    #[tokio::test]
    async fn what_a_command_said_before_its_time_was_over_is_kept() {
        let got = shell("echo one; echo why >&2; echo two; printf thr; sleep 60", 100, 500).await;
        assert_eq!((got.bytes.as_slice(), got.stderr.as_slice()), (&b"one\ntwo\nthr"[..], &b"why\n"[..]));
        assert_eq!((got.outcome, got.truncated), (Outcome::TimedOut, true));
        let silent = shell("sleep 60", 100, 200).await;
        assert_eq!((silent.outcome, silent.truncated, silent.bytes), (Outcome::TimedOut, false, Vec::new()));
        let full = shell("printf 0123456789; sleep 60", 10, 300).await;
        assert_eq!((full.outcome, full.truncated, full.bytes.len()), (Outcome::TimedOut, true, 10));
    }

    #[tokio::test]
    async fn a_flood_is_cut_at_the_cap() {
        let got = shell("yes", 1000, 5000).await;
        assert_eq!((got.bytes.len(), got.truncated, got.outcome), (1000, true, Outcome::Ok));
    }

    #[tokio::test]
    async fn what_is_not_there_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let host = host(dir.path());
        let limit = Duration::from_secs(5);
        for (words, reason) in [
            (&["ovs-vsctl", "show"][..], Reason::NoService),
            (&["virsh", "list"], Reason::NoService),
            (&["no-such-program-here"], Reason::NoProgram),
        ] {
            let words: Vec<String> = words.iter().map(|w| (*w).to_owned()).collect();
            let got = run(&host, &words, 100, limit).await;
            assert!(
                matches!(&got.outcome, Outcome::Failed { why, .. } if !why.is_empty()),
                "{words:?}: {got:?}"
            );
            assert_eq!(got.outcome.reason(), Some(reason), "{words:?}: {got:?}");
        }
        assert_eq!(read(dir.path().join("x"), 10, limit).await.outcome.reason(), Some(Reason::NoFile));
    }

    #[tokio::test]
    async fn files_are_read_below_the_root() {
        static RECIPE: Recipe = Recipe {
            item: "arp",
            each: netcap_bundle::source::Each::Once,
            how: How::File("/proc/net/arp"),
            bytes_max: 4,
            timeout_ms: 1000,
        };
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("proc/net")).unwrap();
        std::fs::write(dir.path().join("proc/net/arp"), "hello").unwrap();
        let taken = take(&host(dir.path()), "neighbours", &RECIPE, "").await;
        assert_eq!(
            (taken.bytes.as_slice(), taken.truncated, taken.outcome),
            (&b"hell"[..], true, Outcome::Ok)
        );
    }
}
