//! A disk that fails while it is written to: the recording ends, says why and what to do, and keeps what it had.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use netcap_bundle::run::End;
use netcap_tests::{PATIENCE, privileged};

use crate::crash::noise;
use crate::net::{Net, arp};
use crate::run::{Bundle, entries, lying, netcap, wait_for};

/// Longest time from the fault to the end of the program.
const END_MAX: Duration = PATIENCE;

/// An ext4 file system in a file.
struct Ext4 {
    place: PathBuf,
    _dir: tempfile::TempDir,
}

impl Ext4 {
    fn new(mib: u64) -> Self {
        let dir = tempfile::tempdir().expect("a place for an image");
        let (image, place) = (dir.path().join("image"), dir.path().join("disk"));
        std::fs::create_dir(&place).expect("a place to mount");
        std::fs::File::create(&image).and_then(|f| f.set_len(mib << 20)).expect("room for an image");
        // No journal: an aborted one would keep what was synced before from a later mount without repair.
        insist(Command::new("mkfs.ext4").args(["-q", "-F", "-m", "0", "-O", "^has_journal"]).arg(&image));
        insist(Command::new("mount").args(["-o", "loop,errors=remount-ro"]).arg(&image).arg(&place));
        Self { place, _dir: dir }
    }
}

impl Drop for Ext4 {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.place).status();
    }
}

fn insist(command: &mut Command) {
    let done = command.output().expect("the program is installed");
    assert!(done.status.success(), "{command:?}: {done:?}");
}

/// Records onto the disk, does the damage after some packets are on it, and waits for the end.
fn record(net: &Net, place: &Path, damage: impl FnOnce(&Path)) -> Output {
    let out = place.display().to_string();
    let words = ["--iface=cap0", "--out", &out, "--min-free=0", "--max-disk=12M", "--duration=10m"];
    let child =
        netcap(net, &words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("netcap starts");
    let run = || entries(place).into_iter().find(|d| d.join("packets/cap0/000001.pcapng.zst").exists());
    wait_for("the first segment", || run().is_some());
    net.send_in(&arp(&[], 100), 50);
    wait_for("the packets in the file", || run().is_some_and(|dir| lying(&dir) == 50));
    // On the disk a second later.
    thread::sleep(Duration::from_secs(2));
    let (run, began) = (run().expect("the run"), Instant::now());
    damage(&run);
    net.send_each_in(noise(500));
    let output = child.wait_with_output().expect("an end");
    assert!(began.elapsed() < END_MAX, "{:?}: {output:?}", began.elapsed());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(!said.contains("panic"), "{said}");
    output
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stderr[..], &output.stdout].concat()).into_owned()
}

#[test]
fn a_full_disk_ends_it_and_the_reserve_seals_it() {
    if !privileged("a_full_disk_ends_it_and_the_reserve_seals_it") {
        return;
    }
    let (net, disk) = (Net::new(), Ext4::new(24));
    let output = record(&net, &disk.place, |_| {
        let others = std::fs::File::create(disk.place.join("others")).unwrap();
        let mut left = 32u64 << 20;
        while left > 512 {
            let more = nix::fcntl::fallocate(
                &others,
                nix::fcntl::FallocateFlags::empty(),
                i64::try_from(others.metadata().unwrap().len()).unwrap(),
                i64::try_from(left).unwrap(),
            );
            if more.is_err() {
                left /= 2;
            }
        }
    });
    let text = said(&output);
    assert!(text.contains("disk is full") && text.contains("--out"), "{text}");
    let sealed =
        |p: &PathBuf| p.extension().is_some_and(|end| end == "tar") || p.join("manifest.json").is_file();
    let found = entries(&disk.place).into_iter().find(sealed);
    let bundle =
        Bundle::open(&found.unwrap_or_else(|| panic!("the reserve is enough to seal: {text}")), None);
    assert!(matches!(bundle.manifest.end, End::Failed { .. }), "{:?}", bundle.manifest.end);
    assert!(bundle.packets.len() >= 50, "{}", bundle.packets.len());
}

#[test]
fn a_disk_that_becomes_read_only_ends_it_and_is_sealed_later() {
    if !privileged("a_disk_that_becomes_read_only_ends_it_and_is_sealed_later") {
        return;
    }
    let (net, disk) = (Net::new(), Ext4::new(24));
    let output = record(&net, &disk.place, |_| {
        let mounts = std::fs::read_to_string("/proc/mounts").unwrap();
        let place = disk.place.display().to_string();
        let device = mounts.lines().find(|line| line.contains(&place)).unwrap();
        let device = device.split_whitespace().next().unwrap().trim_start_matches("/dev/");
        std::fs::write(format!("/sys/fs/ext4/{device}/trigger_fs_error"), "e2e").unwrap();
    });
    let text = said(&output);
    assert!(text.contains("read-only") && text.contains("netcap seal"), "{text}");
    // It stays read-only as long as anybody has it mounted: what is on it is sealed on another disk.
    let run = entries(&disk.place).into_iter().find(|p| p.join("run.json").exists()).expect("the run");
    let other = tempfile::tempdir().unwrap();
    insist(Command::new("cp").arg("-a").arg(&run).arg(other.path()));
    let run = other.path().join(run.file_name().unwrap());
    let sealed = netcap(&net, &["seal", "--no-bundle", &run.display().to_string()]).output().unwrap();
    assert!(sealed.status.success(), "{sealed:?}");
    assert!(Bundle::open(&run, None).packets.len() >= 50);
}

#[test]
fn a_directory_that_is_taken_away_ends_it() {
    if !privileged("a_directory_that_is_taken_away_ends_it") {
        return;
    }
    let (net, disk) = (Net::new(), Ext4::new(24));
    let output = record(&net, &disk.place, |run| std::fs::remove_dir_all(run).unwrap());
    let text = said(&output);
    assert!(text.contains("removed or unmounted"), "{text}");
    let left = entries(&disk.place).into_iter().filter(|p| !p.ends_with("lost+found")).collect::<Vec<_>>();
    assert!(left.is_empty(), "no half of a run is left: {left:?}");
}

#[test]
fn a_directory_that_is_moved_away_is_sealed_where_it_is_now() {
    if !privileged("a_directory_that_is_moved_away_is_sealed_where_it_is_now") {
        return;
    }
    let (net, disk) = (Net::new(), Ext4::new(24));
    let moved = disk.place.join("elsewhere");
    let output = record(&net, &disk.place, |run| std::fs::rename(run, &moved).unwrap());
    let text = said(&output);
    let place = moved.display().to_string();
    assert!(text.contains(&format!("moved to {place}")) && text.contains("not bundled"), "{text}");
    assert!(text.contains(&format!("netcap-analyze {place}")), "the last lines lead there: {text}");
    let bundle = Bundle::open(&moved, None);
    assert!(matches!(bundle.manifest.end, End::Failed { .. }), "{:?}", bundle.manifest.end);
    let written: u64 = bundle.manifest.counts.iter().map(|count| count.written).sum();
    assert!(bundle.packets.len() >= 50 && bundle.packets.len() as u64 == written, "{written}");
    assert!(bundle.manifest.counts.iter().all(|count| count.dropped == 0), "{:?}", bundle.manifest.counts);
    assert!(bundle.manifest.segments.iter().all(|segment| !segment.repaired));

    let sealed = netcap(&net, &["seal", &place]).output().unwrap();
    assert!(sealed.status.success() && !moved.exists(), "{sealed:?}");
    let tar = entries(&disk.place).into_iter().find(|p| p.extension().is_some_and(|e| e == "tar"));
    assert_eq!(Bundle::open(&tar.expect("a tar beside it"), None).packets.len() as u64, written);
}

/// A file system that takes no write until this is dropped; whoever writes cannot be killed meanwhile.
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

#[test]
fn a_command_that_cannot_be_killed_is_not_waited_for() {
    if !privileged("a_command_that_cannot_be_killed_is_not_waited_for") {
        return;
    }
    let disk = Ext4::new(24);
    let host = netcap::testing::Host { root: "/".into(), ovs_rundir: disk.place.clone() };
    let words = ["sh".into(), "-c".into(), format!("exec >{}/x", disk.place.display())];
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (got, took) = runtime.block_on(async {
        let frozen = Frozen::new(&disk.place);
        let began = Instant::now();
        let got = netcap::testing::run(&host, &words, 100, Duration::from_millis(300)).await;
        drop(frozen);
        (got, began.elapsed())
    });
    assert_eq!(got.outcome, netcap_bundle::source::Outcome::TimedOut);
    // Waited for, it would end with the test.
    assert!(took < Duration::from_secs(30), "{took:?}");
}
