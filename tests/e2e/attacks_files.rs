//! Files that strangers have put in root's way: no link is followed, nothing else is read, changed or removed, nothing is
//! waited for, and the honest recording is still there afterwards.

use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use netcap_bundle::packets::Direction::In;
use netcap_bundle::{Role, layout};
use netcap_tests::bundle::{BundleBuilder, SealedBundle};
use netcap_tests::privileged;
use nix::fcntl::AT_FDCWD;

use crate::life::{outside, text};
use crate::net::{Net, arp};
use crate::run::{Bundle, entries, manifest, netcap};

/// Another user, as `nobody` is one.
pub(crate) const STRANGER: u32 = 65534;
/// What a victim's file says.
pub(crate) const THEIRS: &str = "not netcap's business\n";
/// Longest time for an answer about a file that never ends.
pub(crate) const ANSWER_MAX: Duration = Duration::from_secs(15);
/// The name of every recording here.
pub(crate) const RUN: &str = "host-20261121000000";

/// Runs a script of python as the stranger.
pub(crate) fn as_stranger(script: &str, words: &[&Path]) -> Output {
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "/usr/bin/python3", "-c", script]);
    command.args(words).stdin(Stdio::null()).output().expect("python3 starts")
}

/// A sealed recording with three packets, and beside it a file that nobody but its owner has anything to do with.
pub(crate) fn recording() -> (SealedBundle, PathBuf) {
    let mut bundle = BundleBuilder::new(10_000);
    bundle.point("vnet0", Role::Other, "");
    for ms in [100, 200, 300] {
        bundle.frame("vnet0", ms, In, &arp(&[], 60));
    }
    bundle
        .state(0, &[("neighbours", "neigh", "", "192.0.2.1 dev eth0 lladdr 02:00:00:00:00:01 REACHABLE\n")]);
    bundle.write(layout::CHANGES, "");
    let bundle = bundle.seal();
    let info = serde_json::to_vec(&manifest(&bundle.path).info).expect("it is data");
    fs::write(bundle.path.join(layout::RUN), info).expect("a file");
    let top = bundle.path.parent().expect("a place");
    fs::set_permissions(top, fs::Permissions::from_mode(0o755)).expect("it is ours");
    fs::create_dir(top.join("sys")).expect("a folder");
    let victim = top.join("sys/victim");
    fs::write(&victim, THEIRS).expect("a file");
    (bundle, victim)
}

/// What the program said, once it is certain that it said why it did not do all of it.
pub(crate) fn refused(output: &Output) -> String {
    let said = text(&output.stdout) + &text(&output.stderr);
    let refused = match output.status.code() {
        // Sealed all the same, and the recording stays where it is.
        Some(3) => said.contains("not bundled: "),
        Some(1 | 2) => said.trim().len() > 20,
        _ => false,
    };
    assert!(refused && !said.contains("panicked"), "{:?}: {said}", output.status);
    said
}

/// The recording is sealed and bundled, with all of its packets.
fn is_whole(run: &Path) {
    let sealed = outside(&["seal", &run.display().to_string()]);
    assert!(sealed.status.success(), "{sealed:?}");
    assert_eq!(Bundle::open(&run.with_extension("tar"), None).packets.len(), 3);
}

/// A tar as an attempt at a move leaves it, with this member, then one that the directory no longer has.
const HALF_MOVED: &str = r#"
import io, sys, tarfile
to, member, gone = sys.argv[1:]
tar = tarfile.open(to, "w", format=tarfile.GNU_FORMAT)
for name, data in ((member, b"x" * 600), (gone, b"y" * 600)):
    info = tarfile.TarInfo(name)
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))
tar.close()
"#;

#[test]
fn a_half_moved_run_takes_nothing_along_that_is_not_its_own() {
    if !privileged("a_half_moved_run_takes_nothing_along_that_is_not_its_own") {
        return;
    }
    let segment = layout::segment("vnet0", 1);
    for member in ["/../sys/victim", "/state/../../sys/victim", "/link/victim"] {
        let (bundle, victim) = recording();
        let run = &bundle.path;
        symlink(victim.parent().unwrap(), run.join("link")).unwrap();
        let kept = run.with_extension("kept");
        fs::rename(run.join(&segment), &kept).unwrap();
        let theirs = tempfile::tempdir().unwrap();
        chown(theirs.path(), Some(STRANGER), Some(STRANGER)).unwrap();
        let (made, moving) = (theirs.path().join("x"), run.with_extension("tar.moving"));
        let (member, gone) = (format!("{RUN}{member}"), format!("{RUN}/{segment}"));
        let tar = as_stranger(HALF_MOVED, &[&made, Path::new(&member), Path::new(&gone)]);
        assert!(tar.status.success(), "{tar:?}");
        fs::copy(&made, &moving).unwrap();
        let before = fs::read(&moving).unwrap();
        let said = refused(&outside(&["seal", &run.display().to_string()]));
        assert_eq!(fs::read_to_string(&victim).unwrap(), THEIRS, "{member}: {said}");
        assert!(run.join(layout::STATE_INDEX).is_file(), "{member}: {said}");
        assert!(fs::read(&moving).unwrap() == before, "{member}: {said}");
        // Nothing of the honest run is lost: without the stranger's tar it is bundled.
        fs::remove_file(&moving).unwrap();
        fs::remove_file(run.join("link")).unwrap();
        fs::rename(&kept, run.join(&segment)).unwrap();
        is_whole(run);
    }
}

#[test]
fn a_run_that_others_can_change_is_left_alone() {
    if !privileged("a_run_that_others_can_change_is_left_alone") {
        return;
    }
    let (bundle, victim) = recording();
    let run = bundle.path.display().to_string();
    let spread = |command: &str| {
        let done = Command::new("sh").args(["-ec", command]).arg(&run).output().unwrap();
        assert!(done.status.success(), "{done:?}");
    };
    for (wrong, right) in [
        (r#"chown -R 65534 "$0""#, r#"chown -R 0 "$0""#),
        (r#"chmod 777 "$0""#, r#"chmod 755 "$0""#),
        (r#"chmod 777 "$0/..""#, r#"chmod 755 "$0/..""#),
        (r#"chown 65534 "$0/state""#, r#"chown 0 "$0/state""#),
    ] {
        spread(wrong);
        for words in [&["seal", &run][..], &["bundle", &run, "-o", "-"], &["bundle", &run, "--move"]] {
            let output = outside(words);
            let said = refused(&output);
            assert!(said.contains("65534") || said.contains("chmod go-w"), "{wrong}, {words:?}: {said}");
        }
        spread(right);
    }
    assert_eq!(fs::read_to_string(&victim).unwrap(), THEIRS);
    is_whole(&bundle.path);
}

#[test]
fn what_root_writes_goes_through_no_link() {
    if !privileged("what_root_writes_goes_through_no_link") {
        return;
    }
    let index = layout::segment_index("vnet0");
    for name in [
        "../host-20261121000000.tar.partial",
        "../host-20261121000000.tar.moving",
        "../host-20261121000000.tar",
        "manifest.partial",
        "manifest.json",
        "packets/vnet0/segments.partial",
        &index,
        "state/index.partial",
        layout::STATE_INDEX,
        layout::CHANGES,
        layout::RUN,
    ] {
        let (bundle, victim) = recording();
        let (run, link) = (bundle.path.display().to_string(), bundle.path.join(name));
        fs::remove_file(bundle.path.join(layout::MANIFEST)).unwrap();
        let kept = bundle.path.with_extension("kept");
        let had_one = fs::rename(&link, &kept).is_ok();
        symlink(&victim, &link).unwrap();
        for words in [
            &["seal", &run][..],
            &["bundle", &run],
            &["bundle", &run, "--move"],
            &["seal", &run, "--no-bundle"],
        ] {
            let output = outside(words);
            assert!(
                !text(&output.stderr).contains("panicked") && output.status.code().is_some(),
                "{output:?}"
            );
            assert_eq!(fs::read_to_string(&victim).unwrap(), THEIRS, "{name}, {words:?}");
            if !bundle.path.exists() {
                break;
            }
        }
        if bundle.path.exists() {
            let _ = fs::remove_file(&link);
            if had_one {
                fs::rename(&kept, &link).unwrap();
            }
            is_whole(&bundle.path);
        }
        assert_eq!(Bundle::open(&bundle.path.with_extension("tar"), None).packets.len(), 3, "{name}");
        assert!(victim.is_file());
    }
}

#[test]
fn a_pipe_of_a_stranger_gets_nothing_and_is_not_waited_for() {
    if !privileged("a_pipe_of_a_stranger_gets_nothing_and_is_not_waited_for") {
        return;
    }
    let ((bundle, _), place) = (recording(), tempfile::tempdir().unwrap());
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o1777)).unwrap();
    let pipe = place.path().join("run.tar");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::from_bits_truncate(0o666)).unwrap();
    chown(&pipe, Some(STRANGER), Some(STRANGER)).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_netcap"));
    command.arg("bundle").arg(&bundle.path).arg("-o").arg(&pipe).env("LC_ALL", "C").stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let ended = netcap_tests::ended_within(&mut child, ANSWER_MAX);
    let _ = child.kill();
    let said = text(&child.wait_with_output().unwrap().stderr);
    assert!(ended.and_then(|status| status.code()) == Some(1) && said.contains("65534"), "{ended:?} {said}");
    is_whole(&bundle.path);
}

#[test]
fn nothing_is_recorded_where_others_can_write() {
    if !privileged("nothing_is_recorded_where_others_can_write") {
        return;
    }
    let (net, top) = (Net::new(), tempfile::tempdir().unwrap());
    let place = |name: &str, mode: u32, owner: u32| {
        let path = top.path().join(name);
        fs::create_dir_all(path.join("own")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        chown(&path, Some(owner), None).unwrap();
        path.join("own")
    };
    let record = |out: &Path| {
        let out = out.display().to_string();
        let words = ["--no-sandbox", "--iface=cap0", "--out", &out, "--min-free=1M", "--duration=1s"];
        netcap(&net, &words).output().unwrap()
    };
    for (name, mode, owner) in
        [("theirs", 0o755, STRANGER), ("open", 0o777, 0), ("theirs-sticky", 0o1777, STRANGER)]
    {
        let own = place(name, mode, owner);
        for out in [own.parent().unwrap(), &own, &own.join("new")] {
            let said = refused(&record(out));
            assert!(said.contains("nothing is recorded into") && said.contains("--out="), "{said}");
        }
        assert!(entries(&own).is_empty() && entries(own.parent().unwrap()).len() == 1);
    }
    let own = place("sticky", 0o1777, 0);
    let output = record(&own);
    assert!(output.status.success() && entries(&own).len() == 1, "as /tmp is: {output:?}");
}

/// A stranger cannot touch root's own; where somebody could, a link that is there for a moment is not followed.
#[test]
fn a_file_that_is_swapped_for_a_link_never_shows_what_lies_outside() {
    const SECRET: &str = "root:$6$secret";
    if !privileged("a_file_that_is_swapped_for_a_link_never_shows_what_lies_outside") {
        return;
    }
    let (bundle, victim) = recording();
    fs::write(&victim, SECRET).unwrap();
    let (run, file) = (&bundle.path, bundle.path.join(layout::STATE_INDEX));
    let swap = "import os, sys\nos.rename(sys.argv[1], sys.argv[1] + '.x')";
    assert!(text(&as_stranger(swap, &[&file]).stderr).contains("PermissionError"));
    let link = run.with_extension("link");
    symlink(&victim, &link).unwrap();
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let flag = nix::fcntl::RenameFlags::RENAME_EXCHANGE;
            while !over.load(Relaxed) {
                let _ = nix::fcntl::renameat2(AT_FDCWD, &link, AT_FDCWD, &file, flag);
            }
        });
        for _ in 0..60 {
            let output = outside(&["bundle", &run.display().to_string(), "-o", "-"]);
            assert!(!text(&output.stdout).contains(SECRET), "root's file is in the bundle");
        }
        over.store(true, Relaxed);
    });
}

/// Something in place of a file that is read to its end, or that is another file too.
fn put(kind: &str, at: &Path, victim: &Path) {
    match kind {
        "pipe" => nix::unistd::mkfifo(at, nix::sys::stat::Mode::from_bits_truncate(0o644)).expect("a pipe"),
        "zeros" => symlink("/dev/zero", at).expect("a link"),
        "holes" => File::create(at).and_then(|file| file.set_len(12 << 30)).expect("a file of holes"),
        "folder" => fs::create_dir(at).expect("a folder"),
        _ => fs::hard_link(victim, at).expect("a second name"),
    }
}

#[test]
fn nothing_is_read_without_end() {
    if !privileged("nothing_is_read_without_end") {
        return;
    }
    let index = layout::segment_index("vnet0");
    for name in [layout::CHANGES, &index, layout::MANIFEST, layout::RUN, layout::STATE_INDEX] {
        for kind in ["pipe", "zeros", "holes", "folder", "second name"] {
            let (bundle, victim) = recording();
            let (run, top) =
                (bundle.path.display().to_string(), bundle.path.parent().unwrap().display().to_string());
            let (at, kept) = (bundle.path.join(name), bundle.path.with_extension("kept"));
            if name != layout::MANIFEST {
                fs::remove_file(bundle.path.join(layout::MANIFEST)).unwrap();
            }
            fs::rename(&at, &kept).unwrap();
            put(kind, &at, &victim);
            for words in
                [&["status", "--out", &top][..], &["bundle", &run, "-o", "-"], &["seal", "--no-bundle", &run]]
            {
                let began = Instant::now();
                let mut command = Command::new("prlimit");
                command.arg("--as=2147483648").arg(env!("CARGO_BIN_EXE_netcap")).args(words);
                let output = command.env("LC_ALL", "C").stdin(Stdio::null()).output().unwrap();
                let what = format!("{kind} as {name}, {words:?}");
                assert!(began.elapsed() < ANSWER_MAX, "{what}: {:?}", began.elapsed());
                assert!(matches!(output.status.code(), Some(0..=2)), "{what}: {}", text(&output.stderr));
                let (bytes, said) = (output.stdout.len(), text(&output.stdout));
                assert!(bytes < 1 << 20 && !said.contains(THEIRS), "{what}: {bytes} bytes");
            }
            assert_eq!(fs::read_to_string(&victim).unwrap(), THEIRS);
            let removed = if kind == "folder" { fs::remove_dir(&at) } else { fs::remove_file(&at) };
            removed.unwrap();
            fs::rename(&kept, &at).unwrap();
            is_whole(&bundle.path);
        }
    }
}
