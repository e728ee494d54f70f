//! A long night in minutes: rotations by the thousand, by size, by time and by hangup, oldest segments going all the
//! while; memory, file descriptors, files in a directory and the manifest stay as they were.
//!
//! Eight hours at the defaults rotate each of 20 points 96 times (1,920 rotations); `scripts/prove-soak` makes 20,000 and
//! looks at the host's state every second instead of every tenth.

#![allow(clippy::unwrap_used)] // a proof ends at the first breach

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::thread;
use std::time::{Duration, Instant};

use netcap_bundle::layout;
use nix::sys::signal::Signal;

use crate::faults::{runs, signal};
use crate::proof::stage::Stage;
use crate::proof::traffic::Traffic;
use crate::proof::{Dice, Proof, sealed};
use crate::run::wait_for;
use netcap_tests::PATIENCE;

/// Points of the run.
const POINTS: usize = 12;
/// Frames a second into each, of these bytes of noise.
const RATE: u64 = 700;
/// See [`RATE`].
const LENGTH: usize = 1000;
/// Bytes of the run: a small part of what is recorded.
const MAX_DISK: u64 = 32 << 20;
/// Time between two looks at the process.
const LOOK: Duration = Duration::from_millis(250);
/// Bytes by which the memory of the last fifth may exceed that of the third: the allocator's pages come and go, and on a
/// busy machine more waits for the disk. A leak of 500 bytes a rotation would show in 20,000.
const RSS_GROWTH_MAX: i64 = 4 << 20;
/// Below this its buffers still fill, later on a busy machine than on an idle one, and growth is no leak: they hold
/// 8 MiB once they were used.
const RSS_FILLING: i64 = 8 << 20;
/// Bytes by which it may exceed that of the first: what waits for the disk has been as much as it may be (16 MiB), and
/// its buffers are kept (8 MiB).
const RSS_FILLED_MAX: i64 = 24 << 20;
/// Files by which the calm after the night may exceed the calm before it: each point rotates once a second then, too.
const FILES_GROWTH_MAX: i64 = 2;
/// Most files at any moment: closed segments and indexes are held until they are on the disk, a second later.
const FILES_MAX: i64 = 1000;
/// Bytes of the manifest for each segment and file it names, besides 64 KiB.
const ENTRY_MAX: u64 = 600;
/// A segment counts at least so much in the budget, so a run has no more of them.
const SEGMENT_PRICE: u64 = 3 * 1024;
/// Bytes of a point's index, besides the lines of what is there: those of what has gone are drawn together now and then.
const INDEX_MAX: u64 = 160 << 10;

/// One look at the process.
struct Sample {
    /// Bytes of memory of all its processes.
    rss: i64,
    /// Open files of all of them.
    files: i64,
}

impl Sample {
    /// Of everything called netcap on the stage.
    fn take(stage: &Stage) -> Self {
        let mut sample = Self { rss: 0, files: 0 };
        let processes = stage.processes();
        let ours =
            processes.iter().filter_map(|line| line.split_once(' ')).filter(|(_, n)| n.starts_with("netcap"));
        for (pid, _) in ours {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
            let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
            let kib: i64 = line.split_whitespace().next().and_then(|n| n.parse().ok()).unwrap_or(0);
            let files = fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count);
            sample.rss += kib << 10;
            sample.files += i64::try_from(files).unwrap();
        }
        sample
    }
}

/// The middle of one fifth of the samples.
fn fifth(samples: &[Sample], which: usize, of: impl Fn(&Sample) -> i64) -> i64 {
    let length = samples.len() / 5;
    let mut values: Vec<i64> = samples[which * length..(which + 1) * length].iter().map(of).collect();
    values.sort_unstable();
    values[values.len() / 2]
}

/// Least open files while nothing happens but a rotation each second.
fn calm(stage: &Stage) -> i64 {
    thread::sleep(Duration::from_secs(2));
    let look = |_| {
        thread::sleep(Duration::from_millis(60));
        Sample::take(stage).files
    };
    (0..40).map(look).min().unwrap_or(0)
}

/// Segments begun so far, and the most files of one directory.
fn progress(dir: &Path) -> (u64, u64) {
    let (mut rotations, mut most) = (0, 0);
    for point in 0..POINTS {
        let folder = dir.join(layout::point_dir(&format!("cap{point}")));
        let segments = netcap_tests::files_below(&folder, layout::SEGMENT_END);
        most = most.max(segments.len() as u64);
        let last = segments.last().and_then(|path| path.strip_prefix(dir).ok()?.to_str()).map(str::to_owned);
        rotations += last.and_then(|name| Some(u64::from(layout::parse_segment(&name)?.1))).unwrap_or(0);
    }
    (rotations, most)
}

/// Bytes of what only grows, by kind.
fn growing(dir: &Path) -> BTreeMap<&'static str, u64> {
    let mut sums = BTreeMap::new();
    for path in netcap_tests::files_below(dir, "") {
        let name = path.strip_prefix(dir).unwrap().display().to_string();
        let kind = match name.as_str() {
            name if layout::parse_segment(name).is_some() => continue,
            name if name.starts_with(layout::PACKETS) => "indexes",
            name if name.starts_with(layout::LEDGERS) => "ledgers",
            name if name.starts_with(layout::STATE) => "state",
            name if name.starts_with(layout::PING) => "pings",
            layout::LOG => "log",
            _ => "other",
        };
        *sums.entry(kind).or_insert(0) += path.metadata().map_or(0, |meta| meta.len());
    }
    sums
}

/// Looks on, and now and then sends hangups in quick succession, until there were enough rotations.
fn night(child: &mut Child, dir: &Path, stage: &Stage, proof: &mut Proof) -> (Vec<Sample>, u64) {
    let (mut samples, mut most) = (Vec::new(), 0);
    let until = Instant::now() + PATIENCE + Duration::from_secs(proof.rounds / 4);
    let mut printed = 0;
    loop {
        storm(child, &mut proof.dice);
        thread::sleep(LOOK);
        samples.push(Sample::take(stage));
        let (rotations, files) = progress(dir);
        most = most.max(files);
        let last = samples.last().unwrap();
        if rotations >= printed + (proof.rounds / 20).max(1) {
            printed = rotations - rotations % (proof.rounds / 20).max(1);
            let figures =
                format!("{} KiB, {} open files; growing: {:?}", last.rss >> 10, last.files, growing(dir));
            proof.at(printed, &figures);
        }
        if rotations >= proof.rounds && samples.len() >= 20 {
            return (samples, most);
        }
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself after {rotations} rotations");
        assert!(Instant::now() < until, "only {rotations} rotations in time");
    }
}

/// Hangups in quick succession, sometimes.
fn storm(child: &Child, dice: &mut Dice) {
    if dice.once_in(4) {
        for _ in 0..dice.within(1, 8) {
            signal(child, Signal::SIGHUP);
            thread::sleep(dice.ms(1, 60));
        }
    }
}

#[test]
fn a_long_night_leaves_memory_files_and_manifest_as_they_were() {
    let name = "a_long_night_leaves_memory_files_and_manifest_as_they_were";
    let Some(mut proof) = Proof::new(name, "ROTATIONS", 400) else { return };
    let stage = Stage::new(POINTS, true);
    let out = tempfile::tempdir().unwrap();
    let max = format!("--max-disk={MAX_DISK}");
    let words = [max.as_str(), "--rotate-size=64K", "--rotate-time=1s", "--min-free=0"];
    let mut child = stage.recorder(out.path(), &words).spawn().expect("netcap starts");
    wait_for("the first segments", || runs(out.path()).first().is_some_and(|dir| progress(dir).0 >= 12));
    let dir: PathBuf = runs(out.path()).remove(0);
    let before = calm(&stage);
    let mut traffic = Traffic::start(&stage, RATE, LENGTH);
    let (samples, most) = night(&mut child, &dir, &stage, &mut proof);
    let grown = growing(&dir);
    traffic.stop();
    let after = calm(&stage);
    signal(&child, Signal::SIGINT);
    assert!(child.wait().unwrap().success(), "it ends orderly");
    stage.nothing_is_left();
    let tar = sealed::only_bundle(out.path());
    let sealed = sealed::check(&tar, POINTS);
    sealed.ledger_agrees(&tar, &traffic);
    sealed::explained(&tar);
    let manifest = &sealed.manifest;
    let pruned: u64 = manifest.pruned.iter().map(|gone| gone.segments).sum();
    let (kept, files) = (manifest.segments.len() as u64, manifest.files.len() as u64);
    let bytes = serde_json::to_vec_pretty(manifest).unwrap().len() as u64;
    let rss = [0, 1, 2, 3, 4].map(|n| fifth(&samples, n, |sample| sample.rss));
    let fds = samples.iter().map(|sample| sample.files).max().unwrap_or(0);
    let figures = format!(
        "{} rotations, {kept} segments kept; memory {:?} KiB in each fifth; open files {before} in the calm before, {fds} at \
         most, {after} in the calm after; {most} segments in a directory at most; manifest {bytes} bytes; growing: {grown:?}",
        pruned + kept,
        rss.map(|bytes| bytes >> 10),
    );
    proof.at(proof.rounds, &figures);
    assert!(pruned + kept >= proof.rounds, "{figures}");
    let (late, whole) = (rss[4] - rss[2], rss[4] - rss[0]);
    assert!(late <= RSS_GROWTH_MAX || whole <= RSS_FILLING, "{figures}");
    assert!(whole <= RSS_FILLED_MAX, "{figures}");
    assert!(after - before <= FILES_GROWTH_MAX && fds <= FILES_MAX, "{figures}");
    assert!(most <= MAX_DISK / SEGMENT_PRICE, "{figures}");
    assert!(grown["indexes"] <= POINTS as u64 * INDEX_MAX + ENTRY_MAX * kept, "{figures}");
    assert!(bytes <= (64 << 10) + ENTRY_MAX * (kept + files), "{figures}");
}
