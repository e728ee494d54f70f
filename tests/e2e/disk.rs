//! The disk: the budget holds at every moment, others keep their room, and one file costs no second copy.

use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use netcap::testing::directory_bytes;
use netcap::testing::disk_left;
use netcap_bundle::files::Files;
use netcap_bundle::run::End;
use netcap_tests::privileged;
use nix::sys::signal::Signal;

use crate::crash::noise;
use crate::net::{Net, arp};
use crate::run::{Run, entries, lying, manifest, netcap, wait_for};

#[test]
fn the_budget_holds_at_every_moment_and_the_manifest_remembers_what_went() {
    if !privileged("the_budget_holds_at_every_moment_and_the_manifest_remembers_what_went") {
        return;
    }
    const MAX: u64 = 4 << 20;
    let net = Net::new();
    let run = Run::start(&net, &["--max-disk=4M", "--rotate-size=64K", "--ping=127.0.0.1"]);
    let (over, most) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let watcher = {
        let (out, over, most) = (run.out.path().to_owned(), over.clone(), most.clone());
        thread::spawn(move || {
            while !over.load(Relaxed) {
                most.fetch_max(directory_bytes(&out), Relaxed);
                thread::sleep(Duration::from_millis(1));
            }
        })
    };
    let frames = noise(3000);
    for _ in 0..6 {
        net.send_each_in(frames.clone());
        thread::sleep(Duration::from_millis(300));
    }
    let (output, bundle) = run.end(Signal::SIGINT);
    over.store(true, Relaxed);
    watcher.join().unwrap();
    assert!(output.status.success(), "{output:?}");
    let most = most.load(Relaxed);
    assert!((MAX / 2..=MAX).contains(&most), "{most} bytes of {MAX}");
    let [gone] = &bundle.manifest.pruned[..] else { panic!("{:?}", bundle.manifest.pruned) };
    let counts = &bundle.manifest.counts[0];
    assert!(gone.segments > 20 && gone.from < gone.until, "{gone:?}");
    assert_eq!(counts.received + gone.received, 18_000);
    assert_eq!(counts.written, bundle.packets.len() as u64);
    assert!(counts.written > 500, "and something is left: {counts:?}");
    let first = bundle.manifest.segments[0].number;
    assert_eq!(u64::from(first), gone.segments + 1, "the oldest went");
    let remarks = &bundle.manifest.remarks;
    assert!(!remarks.iter().any(|r| r.contains("disagree") || r.contains("unaccounted")), "{remarks:?}");
}

#[test]
fn the_run_ends_before_others_are_out_of_room() {
    if !privileged("the_run_ends_before_others_are_out_of_room") {
        return;
    }
    let net = Net::new();
    let disk = SmallDisk::new("24m");
    let words = ["--iface=cap0", "--out", &disk.place, "--min-free=25%", "--duration=10m"];
    let child = netcap(&net, &words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_for("the first segment", || {
        entries(Path::new(&disk.place)).iter().any(|d| d.join("packets/cap0/000001.pcapng.zst").exists())
    });
    net.send_in(&arp(&[], 100), 50);
    wait_for("the packets on the disk", || {
        entries(Path::new(&disk.place)).iter().find(|p| p.is_dir()).is_some_and(|dir| lying(dir) == 50)
    });
    std::fs::write(Path::new(&disk.place).join("others"), vec![1; 15 << 20]).unwrap();
    let output = child.wait_with_output().unwrap();
    let left = disk_left(Path::new(&disk.place)).unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("--min-free"), "{text}");
    assert!(left >= 6 << 20, "{left} bytes are left");
    let tar =
        entries(Path::new(&disk.place)).into_iter().find(|p| p.extension().is_some()).expect("a bundle");
    let manifest = manifest(&tar);
    assert!(matches!(manifest.end, End::Failed { .. }), "{:?}", manifest.end);
    assert_eq!(manifest.counts[0].written, 50);
}

#[test]
fn earlier_runs_count_and_are_left_alone() {
    if !privileged("earlier_runs_count_and_are_left_alone") {
        return;
    }
    let net = Net::new();
    let out = tempfile::tempdir().unwrap();
    let earlier = out.path().join("host-20260101000000.tar");
    std::fs::write(&earlier, vec![0; 5 << 20]).unwrap();
    let place = out.path().display().to_string();
    let words = ["--iface=cap0", "--out", &place, "--min-free=0", "--duration=1s"];
    let refused = netcap(&net, &words).arg("--max-disk-total=6M").output().unwrap();
    let text = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(refused.status.code() == Some(1) && text.contains("--max-disk-total"), "{text}");
    let done = netcap(&net, &words).arg("--max-disk-total=20M").output().unwrap();
    assert!(done.status.success(), "{done:?}");
    assert_eq!(earlier.metadata().unwrap().len(), 5 << 20);
    assert_eq!(entries(out.path()).len(), 2);
    let refused = netcap(&net, &words).arg("--max-disk=1K").output().unwrap();
    let text = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(refused.status.code() == Some(2) && text.contains("at least 1.5 MiB"), "{text}");
}

#[test]
fn one_file_by_stream_by_copy_and_by_moving() {
    if !privileged("one_file_by_stream_by_copy_and_by_moving") {
        return;
    }
    let net = Net::new();
    let run = Run::start(&net, &["--no-bundle", "--duration=2s"]);
    net.send_in(&arp(&[], 100), 5);
    wait_for("its end", || run.dir().is_some_and(|dir| dir.join("manifest.json").exists()));
    let dir = run.dir().unwrap();
    let name = dir.display().to_string();
    let bundle = |words: &[&str]| netcap(&net, &[&["bundle", &name], words].concat()).output().unwrap();
    wait_for("the lock", || bundle(&["-o", "/dev/null"]).status.success() || !dir.exists());
    assert!(std::fs::metadata("/dev/null").unwrap().file_type().is_char_device(), "a device is not replaced");
    let streamed = bundle(&["-o", "-"]);
    assert!(streamed.status.success() && bundle(&["-o", "-", "--move"]).status.code() == Some(2));
    let moved = bundle(&["--move"]);
    assert!(moved.status.success() && !dir.exists(), "{moved:?}");
    let tar = dir.with_extension("tar");
    let there = run.out.path().join("streamed");
    std::fs::write(&there, &streamed.stdout).unwrap();
    let [one, two] = [&tar, &there].map(|path| Files::tar(path).unwrap().expect("a tar"));
    assert!(one.paths().count() > 10 && one.paths().eq(two.paths()));
    assert!(one.paths().all(|path| one.read_small(path) == two.read_small(path)));
    assert_eq!(manifest(&tar).counts[0].written, 5);
}

/// A disk of its own.
pub(crate) struct SmallDisk {
    /// Where it is mounted.
    pub(crate) place: String,
    _dir: tempfile::TempDir,
}

impl SmallDisk {
    pub(crate) fn new(size: &str) -> Self {
        let dir = tempfile::tempdir().expect("a place to mount");
        let place = dir.path().display().to_string();
        let option = format!("size={size}");
        let mut mount = std::process::Command::new("mount");
        let mounted = mount.args(["-t", "tmpfs", "-o", &option, "e2e", &place]).status();
        assert!(mounted.is_ok_and(|s| s.success()), "a small disk can be mounted");
        Self { place, _dir: dir }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg(&self.place).status();
    }
}
