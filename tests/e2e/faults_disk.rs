//! Full disks: others fill the disk at random moments, and the budget and the floor hold at every one of them; what was
//! recorded stays readable, the end says why, and there is a complete bundle once there is room again.

#![allow(clippy::unwrap_used)] // a proof ends at the first breach

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use netcap::testing::disk_left;
use netcap_bundle::layout;
use netcap_tests::said;
use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::faults::{runs, signal};
use crate::proof::evidence::lying;
use crate::proof::place::{Mounted, Seen, Watcher, ext4_image};
use crate::proof::sealed::{self, Sealed};
use crate::proof::stage::Stage;
use crate::proof::traffic::Traffic;
use crate::proof::{Dice, Proof};
use crate::run::entries;

/// Points of a run.
const POINTS: usize = 2;
/// Frames a second into each, of these bytes of noise: 3 MB a second in all.
const RATE: u64 = 1500;
/// See [`RATE`].
const LENGTH: usize = 1000;
/// The file of others.
const OTHERS: &str = "others";
/// Bytes that others write at a time.
const BITE: u64 = 128 << 10;
const MIB: u64 = 1 << 20;
/// Bytes by which netcap may grow when others have taken the disk below its floor: what it is writing at that moment.
const TRESPASS_MAX: u64 = 128 << 10;

/// One disk and what netcap is told about it.
struct Disk {
    mounted: Mounted,
    /// Bytes it has.
    size: u64,
    /// What it is, for messages.
    what: String,
    max: u64,
    floor: u64,
    rotate: u64,
    _image: TempDir,
}

impl Disk {
    fn new(dice: &mut Dice) -> Self {
        let size = dice.within(10, 40) * MIB;
        let image = tempfile::tempdir_in("/dev/shm").unwrap();
        let (mounted, kind) = if dice.once_in(2) {
            let files = if dice.once_in(4) { dice.within(100, 300) } else { 100_000 };
            (Mounted::tmpfs(size, files), format!("tmpfs, {files} files"))
        } else {
            let path = image.path().join("disk");
            ext4_image(&path, size);
            (Mounted::ext4(&path), "ext4".to_owned())
        };
        let max = dice.within(3 * MIB, size + 4 * MIB);
        let floor = dice.one(&[0, 0, size / 20, size / 10, size / 4, MIB, 3 * MIB]);
        let rotate = dice.within(64 << 10, 800 << 10);
        let what =
            format!("{kind}, {size} bytes, --max-disk={max} --min-free={floor} --rotate-size={rotate}");
        Self { mounted, size, what, max, floor, rotate, _image: image }
    }

    fn others(&self) -> PathBuf {
        self.mounted.place.join(OTHERS)
    }

    /// Others write until so many bytes are free, or nothing more goes in.
    fn fill(&self, down_to: u64, turn: &Mutex<()>) {
        loop {
            let _held = turn.lock().unwrap();
            let left = disk_left(&self.mounted.place).unwrap_or(0);
            let bite = left.saturating_sub(down_to).min(BITE);
            let mut options = OpenOptions::new();
            let Ok(mut file) = options.create(true).append(true).open(self.others()) else { return };
            if bite == 0 || file.write_all(&vec![1; usize::try_from(bite).unwrap()]).is_err() {
                return;
            }
        }
    }
}

/// What one round came to.
struct Outcome {
    output: Output,
    seen: Arc<Seen>,
}

/// Records on the disk while others fill it, until it ends or has had its time.
fn record(disk: &Disk, stage: &Stage, dice: &mut Dice) -> Outcome {
    let turn = Arc::new(Mutex::new(()));
    // Something is there already.
    disk.fill(disk.size - dice.within(0, disk.size / 3), &turn);
    let watcher = Watcher::start(&disk.mounted.place, OTHERS, disk.floor, turn.clone());
    let [max, floor, rotate] =
        [("max-disk", disk.max), ("min-free", disk.floor), ("rotate-size", disk.rotate)]
            .map(|(name, bytes)| format!("--{name}={bytes}"));
    let mut recorder = stage.recorder(&disk.mounted.place, &[&max, &floor, &rotate]);
    let mut child = recorder.stderr(Stdio::piped()).spawn().expect("netcap starts");
    let until = Instant::now() + dice.ms(2000, 6000);
    let bites = dice.within(0, 4);
    for _ in 0..bites {
        thread::sleep(dice.ms(100, 1800));
        // Some leave netcap its floor, some leave nothing to anybody.
        let target =
            if dice.once_in(2) { disk.floor + dice.within(0, 2 * MIB) } else { dice.within(0, 64 << 10) };
        disk.fill(target, &turn);
        if dice.once_in(4) {
            let _held = turn.lock().unwrap();
            let _ = fs::remove_file(disk.others());
        }
    }
    while Instant::now() < until && child.try_wait().unwrap().is_none() {
        thread::sleep(Duration::from_millis(20));
    }
    signal(&child, Signal::SIGINT);
    let output = child.wait_with_output().unwrap();
    Outcome { output, seen: watcher.end() }
}

/// The sentence in which netcap says why it ended or refused.
fn reason(output: &Output) -> &'static str {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let reasons = [("No space left", "no space"), ("--min-free", "the floor"), ("--max-disk", "the budget")];
    let found = reasons.into_iter().find(|(words, _)| text.contains(words)).map(|(_, reason)| reason);
    match (output.status.code(), found) {
        (Some(0), _) => "told to",
        (Some(1), Some(reason)) => reason,
        _ => panic!("an end without a sentence about the disk: {}", said(output)),
    }
}

/// Everything that lies there is readable; gives the bundle of it once there is room again.
fn judge(disk: &Disk, stage: &Stage, traffic: &Traffic) -> Option<Sealed> {
    stage.nothing_is_left();
    let before = runs(&disk.mounted.place).first().map(|dir| (lying(dir, POINTS), sealed_there(dir)));
    let _ = fs::remove_file(disk.others());
    if let Some(dir) = runs(&disk.mounted.place).first() {
        if !dir.join(layout::RUN).exists() {
            assert!(before.is_some_and(|(before, _)| before.segments == 0), "{}", disk.what);
            return None;
        }
        sealed::seal(stage, dir);
    } else if tars(&disk.mounted.place).is_empty() {
        return None;
    }
    let tars = tars(&disk.mounted.place);
    let [tar] = &tars[..] else { panic!("{}: one bundle: {tars:?}", disk.what) };
    let sealed = sealed::check(tar, POINTS);
    if let Some((before, false)) = before {
        assert_eq!(before.flows, sealed.flows, "{}: sealing neither loses nor adds", disk.what);
    }
    // A ledger that found no room says so.
    let remarks = &sealed.manifest.remarks;
    if !remarks.iter().any(|text| text.contains("ledger") || text.contains("disagree")) {
        sealed.ledger_agrees(tar, traffic);
    }
    sealed::explained(tar);
    Some(sealed)
}

/// Whether a run was sealed before it ran out of room: then it may have been moved in part.
fn sealed_there(dir: &Path) -> bool {
    dir.join(layout::MANIFEST).exists()
}

fn tars(place: &Path) -> Vec<PathBuf> {
    let tar = |path: &PathBuf| path.to_string_lossy().ends_with(layout::BUNDLE_END);
    entries(place).into_iter().filter(tar).collect()
}

#[test]
fn a_disk_that_fills_at_any_moment_costs_neither_evidence_nor_the_room_of_others() {
    let name = "a_disk_that_fills_at_any_moment_costs_neither_evidence_nor_the_room_of_others";
    let Some(mut proof) = Proof::new(name, "DISKS", 4) else { return };
    let stage = Stage::new(POINTS, true);
    let traffic = Traffic::start(&stage, RATE, LENGTH);
    let (mut reasons, mut segments, mut trespass, mut closest) = (Vec::new(), 0, 0, 0);
    for round in 1..=proof.rounds {
        let disk = Disk::new(&mut proof.dice);
        let Outcome { output, seen } = record(&disk, &stage, &mut proof.dice);
        let [most, blocks, beyond, free] =
            [&seen.most, &seen.most_blocks, &seen.trespass, &seen.least_free].map(|n| n.load(Relaxed));
        reasons.push(reason(&output));
        assert!(beyond <= TRESPASS_MAX, "{}: {beyond} bytes more although only {free} were free", disk.what);
        assert!(
            most.max(blocks) <= disk.max,
            "{}: {most} bytes in {blocks} of blocks at one moment",
            disk.what
        );
        let sealed = judge(&disk, &stage, &traffic);
        segments += sealed.map_or(0, |sealed| sealed.manifest.segments.len());
        (trespass, closest) = (trespass.max(beyond), closest.max(blocks * 100 / disk.max));
        reasons.sort_unstable();
        let figures = format!(
            "ends: {:?}; {segments} segments, all readable; at most {closest} % of a budget; below a floor netcap grew by \
             {trespass} bytes at most",
            counted(&reasons)
        );
        proof.at(round, &figures);
    }
}

/// How often each of the sorted words occurs.
fn counted(words: &[&'static str]) -> Vec<(&'static str, usize)> {
    words.chunk_by(|a, b| a == b).map(|same| (same[0], same.len())).collect()
}
