//! Killed at any moment, by anyone: what was written up to the last second is readable as it lies, `netcap seal` makes
//! one complete bundle of it, and nothing of the recorder is left on the host.

#![allow(clippy::unwrap_used)] // a proof ends at the first breach

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::thread;
use std::time::Duration;

use netcap_bundle::layout;
use netcap_bundle::run::End;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::proof::evidence::{Lying, lying};
use crate::proof::sealed::{self, Sealed};
use crate::proof::stage::Stage;
use crate::proof::traffic::Traffic;
use crate::proof::{Proof, middle_and_most, now};
use crate::run::{entries, wait_for};

/// Points of a run: their files are written side by side.
const POINTS: usize = 3;
/// Frames a second into each, of these bytes of noise: some rotations of 200 KB every second.
const RATE: u64 = 1500;
/// See [`RATE`].
const LENGTH: usize = 400;
/// Sent longer ago than this before the kill: it must be there.
const MISSING_NS_MAX: i64 = 1_000_000_000;

/// Sends a signal to a process that may have ended by itself.
pub(crate) fn signal(child: &Child, signal: Signal) {
    let _ = kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), signal);
}

/// The runs' directories below `out`.
pub(crate) fn runs(out: &Path) -> Vec<PathBuf> {
    entries(out).into_iter().filter(|path| path.is_dir() && !path.ends_with("lost+found")).collect()
}

/// A stage with its stream.
pub(crate) struct Scene {
    /// Goes before the stage it plays on.
    pub(crate) traffic: Traffic,
    /// The host.
    pub(crate) stage: Stage,
}

impl Scene {
    /// Raises it.
    pub(crate) fn new() -> Self {
        let stage = Stage::new(POINTS, true);
        let traffic = Traffic::start(&stage, RATE, LENGTH);
        Self { traffic, stage }
    }

    /// What was killed at `when` lies in `out`: checks it, seals it, checks that.
    pub(crate) fn judge(&self, out: &Path, when: i64) -> Option<(Lying, Sealed)> {
        self.stage.nothing_is_left();
        let dirs = runs(out);
        let Some(dir) = dirs.first().filter(|dir| dir.join(layout::RUN).exists()) else {
            return self.nothing_or_done(out, &dirs);
        };
        let before = lying(dir, POINTS);
        let most = MISSING_NS_MAX + self.traffic.late_ns();
        assert!(before.missing_ns(&self.traffic, when) <= most, "{before:?}");
        before.begins_at_once(&self.traffic);
        let tar = sealed::seal(&self.stage, dir);
        let sealed = sealed::check(&tar, POINTS);
        if half_bundled(&before, &sealed) {
            return Some((before, sealed));
        }
        assert_eq!(before.flows, sealed.flows, "sealing neither loses nor adds");
        self.agreed(&tar, &sealed);
        Some((before, sealed))
    }

    /// Killed before there was a run, or after there was a bundle.
    fn nothing_or_done(&self, out: &Path, dirs: &[PathBuf]) -> Option<(Lying, Sealed)> {
        for dir in dirs {
            let segments = netcap_tests::files_below(dir, layout::SEGMENT_END);
            assert!(segments.is_empty(), "a run without its description: {segments:?}");
        }
        let tars: Vec<_> = entries(out).into_iter().filter(|path| path.is_file()).collect();
        let tar = tars.first()?;
        let sealed = sealed::check(tar, POINTS);
        self.agreed(tar, &sealed);
        None
    }

    fn agreed(&self, tar: &Path, sealed: &Sealed) {
        sealed.ledger_agrees(tar, &self.traffic);
        sealed::explained(tar);
    }
}

/// Killed while it moved or removed what it had bundled: the directory alone is no longer the run.
fn half_bundled(before: &Lying, sealed: &Sealed) -> bool {
    sealed.manifest.end != End::Recovered && before.segments < sealed.manifest.segments.len()
}

#[test]
fn killed_at_any_moment_the_last_second_is_all_that_is_missing() {
    let Some(mut proof) =
        Proof::new("killed_at_any_moment_the_last_second_is_all_that_is_missing", "KILLS", 5)
    else {
        return;
    };
    let scene = Scene::new();
    let (mut missing, mut segments, mut cut, mut frames) = (Vec::new(), 0, 0, 0);
    // A recorder that was faster than the signal is checked as well, and is no kill.
    let (mut kills, mut faster) = (0, 0);
    while kills < proof.rounds {
        let out = tempfile::tempdir().unwrap();
        let mut words = vec!["--rotate-size=200K", "--min-free=0"];
        if proof.dice.once_in(4) {
            words.push("--max-disk=6M");
        }
        let mut child = scene.stage.recorder(out.path(), &words).spawn().expect("netcap starts");
        let mut when = match (kills + faster) % 4 {
            // Before and while it opens what it needs.
            0 => killed_after(&child, proof.dice.ms(0, 500)),
            // While it ends, seals and bundles.
            1 => {
                begun(&mut child, out.path());
                thread::sleep(proof.dice.ms(700, 3000));
                let ended = now();
                signal(&child, Signal::SIGINT);
                killed_after(&child, proof.dice.ms(0, 1500)).min(ended)
            }
            _ => {
                begun(&mut child, out.path());
                killed_after(&child, proof.dice.ms(0, 4200))
            }
        };
        let status = child.wait().unwrap();
        if status.success() {
            faster += 1;
            when = 0;
        } else {
            // SIGINT ends it like any other program as long as it has not begun.
            let killed = status.signal() == Some(9);
            assert!(killed || status.signal() == Some(2) && runs(out.path()).is_empty(), "{status}");
            kills += u64::from(killed);
            faster += u64::from(!killed);
        }
        if let Some((found, sealed)) = scene.judge(out.path(), when) {
            missing.push(found.missing_ns(&scene.traffic, when));
            segments += found.segments;
            cut += found.cut;
            frames += sealed.flows.iter().map(|flow| flow.count).sum::<u64>();
        }
        let (middle, most) = middle_and_most(&mut missing);
        let figures = format!(
            "{faster} more were faster; {} left a run, {segments} segments as they lay ({cut} cut), {frames} frames; \
             missing before the kill: {} ms in the middle, {} ms at most",
            missing.len(),
            middle / 1_000_000,
            most / 1_000_000
        );
        proof.at(kills, &figures);
    }
}

/// Waits until it listens to all of its points.
fn begun(child: &mut Child, out: &Path) {
    wait_for("the recording to begin", || {
        assert!(child.try_wait().unwrap().is_none(), "it ends before it has begun");
        runs(out).first().is_some_and(|run| netcap_tests::is_recording(run))
    });
}

/// Kills it after a while; gives the time just before.
fn killed_after(child: &Child, after: Duration) -> i64 {
    thread::sleep(after);
    let when = now();
    signal(child, Signal::SIGKILL);
    when
}

/// A command that is killed at a random moment of the time it usually takes; whether it ended by itself.
fn cut_short(stage: &Stage, words: &[&str], after: Duration) -> bool {
    let mut child = stage.netcap(words).spawn().unwrap();
    thread::sleep(after);
    signal(&child, Signal::SIGKILL);
    child.wait().unwrap().success()
}

#[test]
fn killed_while_it_seals_or_moves_there_is_one_bundle_in_the_end() {
    let Some(mut proof) =
        Proof::new("killed_while_it_seals_or_moves_there_is_one_bundle_in_the_end", "SEALS", 8)
    else {
        return;
    };
    let scene = Scene::new();
    let first = tempfile::tempdir().unwrap();
    let mut child =
        scene.stage.recorder(first.path(), &["--rotate-size=200K", "--min-free=0"]).spawn().unwrap();
    begun(&mut child, first.path());
    let when = killed_after(&child, Duration::from_secs(5));
    child.wait().unwrap();
    let original = runs(first.path()).into_iter().next().expect("a run");
    let before = lying(&original, POINTS);
    let most = MISSING_NS_MAX + scene.traffic.late_ns();
    assert!(before.missing_ns(&scene.traffic, when) <= most && before.segments > 12, "{before:?}");
    let Scene { stage, traffic } = scene;
    drop(traffic);
    let (mut kills, mut longest) = (0, Duration::from_millis(400));
    for round in 1..=proof.rounds {
        let out = tempfile::tempdir().unwrap();
        let dir = out.path().join(original.file_name().unwrap());
        let copied = std::process::Command::new("cp").arg("-a").arg(&original).arg(&dir).status();
        assert!(copied.unwrap().success());
        let name = dir.display().to_string();
        let words: &[&str] = match round % 3 {
            0 => &["seal", &name],
            1 => &["bundle", "--move", &name],
            _ => &["seal", "--no-bundle", &name],
        };
        // It may be killed several times over.
        for _ in 0..proof.dice.within(1, 4) {
            let after = proof.dice.ms(0, u64::try_from(longest.as_millis()).unwrap());
            kills += u64::from(!cut_short(&stage, words, after));
        }
        let begun = std::time::Instant::now();
        let last = stage.netcap(&["seal", &name]).output().unwrap();
        longest = begun.elapsed().clamp(Duration::from_millis(60), Duration::from_secs(2));
        assert!(last.status.success(), "{words:?}: {}", netcap_tests::said(&last));
        let tar = sealed::only_bundle(out.path());
        let sealed = sealed::check(&tar, POINTS);
        assert_eq!(sealed.flows, before.flows, "{words:?}: every packet, once");
        proof.at(round, &format!("{kills} kills, {} segments each", before.segments));
    }
}
