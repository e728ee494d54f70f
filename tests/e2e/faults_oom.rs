//! Out of memory: the kernel kills the recorder, or it does not even start; either way it is like any other kill.
//!
//! netcap runs in a memory control group (version 1) of its own, first in line for the kernel's killer, beside a process
//! that takes all that is left at a random moment.

#![allow(clippy::unwrap_used)] // a proof ends at the first breach

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::faults::{Scene, signal};
use crate::proof::{Proof, now};

/// Where version 1 control groups for memory are.
const GROUPS: &str = "/sys/fs/cgroup/memory";
/// Ends a process that is not killed by the kernel.
const PATIENCE: Duration = Duration::from_mins(1);

/// A control group with a limit; it is removed when it is dropped.
struct Group(PathBuf);

impl Group {
    fn new(round: u64, bytes: u64) -> Option<Self> {
        let path = Path::new(GROUPS).join(format!("nce2e-{}-{round}", std::process::id()));
        fs::create_dir(&path).ok()?;
        let group = Self(path);
        fs::write(group.0.join("memory.limit_in_bytes"), bytes.to_string()).ok()?;
        Some(group)
    }

    /// `sh -c` that goes into the group before it becomes the program; `adjust` is its place in the killer's list.
    fn command(&self, adjust: i32) -> Command {
        let mut shell = Command::new("sh");
        let enter = format!(
            "echo $$ >{}/cgroup.procs; echo {adjust} >/proc/$$/oom_score_adj; exec \"$@\"",
            self.0.display()
        );
        shell.args(["-c", &enter, "sh"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        shell
    }

    /// How often the kernel killed in it.
    fn kills(&self) -> u64 {
        let text = fs::read_to_string(self.0.join("memory.oom_control")).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("oom_kill "));
        line.and_then(|n| n.trim().parse().ok()).unwrap_or(0)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        for _ in 0..50 {
            if fs::remove_dir(&self.0).is_ok() {
                return;
            }
            thread::sleep(Duration::from_millis(50));
        }
    }
}

/// Waits for its end. Whoever survives is killed.
fn until_dead(child: &mut Child) {
    let until = Instant::now() + PATIENCE;
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > until {
            signal(child, Signal::SIGKILL);
        }
        thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn out_of_memory_is_like_any_other_kill() {
    let Some(mut proof) = Proof::new("out_of_memory_is_like_any_other_kill", "OOMS", 2) else { return };
    if Group::new(0, 64 << 20).is_none() {
        assert!(std::env::var_os("CI").is_none(), "no memory control group below {GROUPS}");
        return proof.at(0, "skipped: no memory control group of version 1 can be made here");
    }
    let scene = Scene::new();
    let (mut kills, mut left) = (0, 0);
    for round in 1..=proof.rounds {
        let out = tempfile::tempdir().unwrap();
        // Every third time there is too little from the start.
        let bytes = if round % 3 == 0 { proof.dice.within(1, 12) } else { 96 };
        let group = Group::new(round, bytes << 20).expect("a control group");
        let recorder =
            scene.stage.recorder(out.path(), &["--rotate-size=200K", "--min-free=0", "--buffer=8M"]);
        let mut child = group.command(1000);
        child.arg(recorder.get_program()).args(recorder.get_args());
        child.envs(recorder.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let mut child = child.spawn().expect("a shell");
        thread::sleep(proof.dice.ms(300, 3500));
        // From here on it may stand still, for the kernel looks for memory everywhere before it kills.
        let when = now();
        // `tail` keeps what may be the last line: all of it.
        let mut hog = group.command(0).args(["tail", "/dev/zero"]).spawn().expect("tail");
        until_dead(&mut child);
        signal(&hog, Signal::SIGKILL);
        let _ = hog.wait();
        kills += group.kills();
        let found = scene.judge(out.path(), when);
        left += usize::from(found.is_some());
        proof.at(round, &format!("the kernel killed {kills} processes, {left} runs were left"));
    }
}
