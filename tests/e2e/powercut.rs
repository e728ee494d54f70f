//! Power cuts: the disk is copied at random moments as the device has it at that instant, and the copy, after the journal
//! was replayed, holds everything but the last seconds, in one bundle after `netcap seal`.
//!
//! The run's file system is an ext4 in a file behind a loop device, mounted with the options everybody has (data=ordered,
//! barriers, commit=5). The file lies on an ext4 of its own, which is frozen (FIFREEZE) while it is copied: no write of
//! the loop device gets through, so the copy is one moment, also in the middle of a write-back. What it does not show is
//! a device that lies about what it has stored: the file has every write in the order in which it was made.

#![allow(clippy::unwrap_used)] // a proof ends at the first breach

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use netcap_bundle::layout;
use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::faults::{runs, signal};
use crate::proof::evidence::{Lying, born, lying};
use crate::proof::place::{Mounted, ext4_image, insist};
use crate::proof::sealed;
use crate::proof::stage::Stage;
use crate::proof::traffic::Traffic;
use crate::proof::{Proof, middle_and_most, now};

/// Points of a run.
const POINTS: usize = 3;
/// Frames a second into each, of these bytes of noise.
const RATE: u64 = 1000;
/// See [`RATE`].
const LENGTH: usize = 400;
/// Bytes of the run's file system, and of the one that holds it.
const DISK: u64 = 48 << 20;
/// See [`DISK`].
const SHELL: u64 = 96 << 20;
/// Sent longer ago than this before the cut: it must be there.
const MISSING_NS_MAX: i64 = 2_000_000_000;
/// Cuts of one run.
const CUTS: u64 = 6;

/// The run's file system inside the one that can be frozen.
struct Machine {
    disk: Mounted,
    shell: Mounted,
    _dir: TempDir,
}

impl Machine {
    fn new() -> Self {
        let dir = tempfile::tempdir_in("/dev/shm").unwrap();
        ext4_image(&dir.path().join("shell"), SHELL);
        let shell = Mounted::ext4(&dir.path().join("shell"));
        ext4_image(&shell.place.join("disk"), DISK);
        let disk = Mounted::ext4(&shell.place.join("disk"));
        Self { disk, shell, _dir: dir }
    }

    /// A copy of the disk as it is at this instant; gives the time just before it.
    fn cut(&self, to: &Path) -> i64 {
        let when = now();
        let frozen = Frozen::new(&self.shell.place);
        insist(Command::new("cp").arg("--sparse=always").arg(self.shell.place.join("disk")).arg(to));
        drop(frozen);
        when
    }
}

/// A file system that takes no writes until this is dropped.
struct Frozen<'a>(&'a Path);

impl<'a> Frozen<'a> {
    fn new(place: &'a Path) -> Self {
        insist(Command::new("fsfreeze").arg("-f").arg(place));
        Self(place)
    }
}

impl Drop for Frozen<'_> {
    fn drop(&mut self) {
        let _ = Command::new("fsfreeze").arg("-u").arg(self.0).status();
    }
}

/// One cut: when, what was being recorded since when, and the copy.
struct Cut {
    when: i64,
    born: Vec<Option<i64>>,
    image: PathBuf,
}

/// The machine comes up again with this disk: everything that was promised is there. Gives what lay there before it was
/// sealed.
fn come_up(cut: &Cut, stage: &Stage, traffic: &Traffic) -> Lying {
    let disk = Mounted::ext4(&cut.image);
    let dirs = runs(&disk.place);
    let dir = dirs.first().filter(|dir| dir.join(layout::RUN).exists());
    let before = match dir {
        Some(dir) => {
            let mut before = lying(dir, POINTS);
            before.begun(&cut.born);
            before
        }
        None => Lying::nothing(cut.born.clone()),
    };
    let missing = before.missing_ns(traffic, cut.when);
    assert!(
        missing <= MISSING_NS_MAX + traffic.late_ns(),
        "{} ms are missing: {before:?}",
        missing / 1_000_000
    );
    let Some(dir) = dir else { return before };
    let tar = sealed::seal(stage, dir);
    let sealed = sealed::check(&tar, POINTS);
    assert_eq!(before.flows, sealed.flows, "sealing neither loses nor adds");
    sealed.ledger_agrees(&tar, traffic);
    sealed::explained(&tar);
    before
}

#[test]
fn the_power_is_cut_at_any_moment_and_two_seconds_are_all_that_is_missing() {
    let name = "the_power_is_cut_at_any_moment_and_two_seconds_are_all_that_is_missing";
    let Some(mut proof) = Proof::new(name, "CUTS", 4) else { return };
    let stage = Stage::new(POINTS, true);
    let traffic = Traffic::start(&stage, RATE, LENGTH);
    let (mut missing, mut segments, mut open, mut round) = (Vec::new(), 0, 0, 0);
    while round < proof.rounds {
        let machine = Machine::new();
        let copies = tempfile::tempdir_in("/dev/shm").unwrap();
        let words = ["--rotate-size=200K", "--min-free=0", "--max-disk=24M"];
        let mut child = stage.recorder(&machine.disk.place, &words).spawn().expect("netcap starts");
        let mut cuts = Vec::new();
        for n in 0..CUTS.min(proof.rounds - round) {
            // The first ones while it begins.
            thread::sleep(if n == 0 { proof.dice.ms(50, 1500) } else { proof.dice.ms(100, 2500) });
            let image = copies.path().join(n.to_string());
            let born = runs(&machine.disk.place).first().map_or(vec![None; POINTS], |dir| born(dir, POINTS));
            cuts.push(Cut { when: machine.cut(&image), born, image });
        }
        signal(&child, Signal::SIGKILL);
        let _ = child.wait();
        stage.nothing_is_left();
        for cut in cuts {
            round += 1;
            let before = come_up(&cut, &stage, &traffic);
            missing.push(before.missing_ns(&traffic, cut.when));
            segments += before.segments;
            open += before.cut;
            let _ = fs::remove_file(cut.image);
            let (middle, most) = middle_and_most(&mut missing);
            let figures = format!(
                "{segments} segments ({open} open); missing before the cut: {} ms in the middle, {} ms at most",
                middle / 1_000_000,
                most / 1_000_000
            );
            proof.at(round, &figures);
        }
        thread::sleep(Duration::from_millis(50));
    }
}
