//! A file system that a server behind it keeps: FUSE for real, by way of bindfs. A file that is removed while it is open
//! gets another name there, as on NFS, and keeps its directory.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use netcap_bundle::layout;
use netcap_tests::privileged;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::life::{outside, text};
use crate::net::{Net, arp};
use crate::run::{Bundle, entries, netcap, wait_for};

/// A directory that is served to another place.
pub(crate) struct Served {
    /// Where it is used.
    pub(crate) place: PathBuf,
    server: Child,
    _dir: tempfile::TempDir,
}

impl Served {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().expect("a place");
        let (real, place) = (dir.path().join("real"), dir.path().join("place"));
        for dir in [&real, &place] {
            fs::create_dir(dir).expect("a directory");
        }
        let mut bindfs = Command::new("bindfs");
        let server = bindfs.arg("-f").args([&real, &place]).spawn().expect("bindfs is installed");
        fs::write(real.join("served"), "").expect("a file");
        wait_for("the mount", || place.join("served").exists());
        fs::remove_file(real.join("served")).expect("it is ours");
        Self { place, server, _dir: dir }
    }

    /// Its server stops answering, or goes on.
    pub(crate) fn hangs(&self, hangs: bool) {
        let pid = Pid::from_raw(i32::try_from(self.server.id()).expect("a pid"));
        kill(pid, if hangs { Signal::SIGSTOP } else { Signal::SIGCONT }).expect("it is there");
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // What waits for it gets an error.
        let _ = self.server.kill();
        let _ = self.server.wait();
        let _ = Command::new("umount").arg("-l").arg(&self.place).status();
    }
}

/// Starts recording there; gives the recorder and its directory, with 50 packets on the disk.
pub(crate) fn recorder(net: &Net, place: &Path) -> (Child, PathBuf) {
    let out = place.display().to_string();
    let words = ["--iface=cap0", "--out", &out, "--disk-reserve=1M", "--duration=10m"];
    let child = netcap(net, &words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let child = child.expect("netcap starts");
    let run = || entries(place).into_iter().find(|dir| dir.join(layout::segment("cap0", 1)).exists());
    wait_for("the first segment", || run().is_some());
    net.send_in(&arp(&[], 100), 50);
    let run = run().expect("it is there");
    wait_for("the packets in the file", || crate::run::lying(&run) == 50);
    (child, run)
}

/// Ends it as Ctrl-C does.
fn interrupted(child: Child) -> Output {
    kill(Pid::from_raw(i32::try_from(child.id()).expect("a pid")), Signal::SIGINT).expect("it is there");
    child.wait_with_output().expect("an end")
}

#[test]
fn nothing_is_left_beside_the_tar_where_open_files_keep_their_directory() {
    if !privileged("nothing_is_left_beside_the_tar_where_open_files_keep_their_directory") {
        return;
    }
    let (net, served) = (Net::new(), Served::new());
    let (child, run) = recorder(&net, &served.place);
    let output = interrupted(child);
    let said = text(&output.stdout) + &text(&output.stderr);
    assert!(output.status.success() && !said.contains("is left"), "{said}");
    let tar = run.with_file_name(format!("{}.tar", run.file_name().unwrap().to_str().unwrap()));
    assert!(matches!(&entries(&served.place)[..], [only] if *only == tar), "{said}");
    assert_eq!(Bundle::open(&tar, None).packets.len(), 50);
}

#[test]
fn a_directory_that_another_program_keeps_is_named_and_its_tar_is_whole() {
    if !privileged("a_directory_that_another_program_keeps_is_named_and_its_tar_is_whole") {
        return;
    }
    let (net, served) = (Net::new(), Served::new());
    for (moving, file) in [(false, layout::LOG.to_owned()), (true, layout::segment("cap0", 1))] {
        let (child, run) = recorder(&net, &served.place);
        let name = run.display().to_string();
        // Somebody reads the log, or a packet file, while it is recorded and for longer.
        let reader = File::open(run.join(file)).unwrap();
        let output = if moving {
            kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGKILL).unwrap();
            child.wait_with_output().unwrap();
            let sealed = outside(&["seal", "--no-bundle", &name]);
            assert!(sealed.status.success(), "{sealed:?}");
            outside(&["bundle", "--move", &name])
        } else {
            interrupted(child)
        };
        let said = text(&output.stdout) + &text(&output.stderr);
        let lines: Vec<_> = said.lines().filter(|line| line.contains("is whole")).collect();
        let [line] = lines[..] else { panic!("{said}") };
        assert!(output.status.success() && line.contains(&format!("directory {name}, ")), "{said}");
        let tar = PathBuf::from(format!("{name}.tar"));
        assert_eq!(Bundle::open(&tar, None).packets.len(), 50);
        let left = entries(&run);
        assert!(
            left.iter().all(|path| path.to_string_lossy().contains("fuse_hidden") || path.is_dir()),
            "{left:?}"
        );
        // Once more while it is kept, and when it is not.
        let again = outside(&["seal", &name]);
        assert!(again.status.success() && text(&again.stdout).contains("is whole"), "{again:?}");
        drop(reader);
        let again = outside(&["seal", &name]);
        assert!(again.status.success() && !run.exists() && tar.exists(), "{again:?}");
        fs::remove_file(tar).unwrap();
    }
}

/// A way to end a recording, by its process and its name.
type End<'a> = &'a dyn Fn(&Child, &str);

/// A recording whose disk hangs, asked to end in some way; gives what it said.
fn ended_while_it_hangs(net: &Net, served: &Served, end: impl FnOnce(&Child, &str)) -> (Output, PathBuf) {
    let (child, run) = recorder(net, &served.place);
    let name = run.file_name().and_then(|name| name.to_str()).expect("a name").to_owned();
    served.hangs(true);
    net.send_each_in(vec![arp(&[], 100); 20_000]);
    let began = Instant::now();
    wait_for("a status that says so", || {
        let status = crate::life::status_of(&name);
        status.is_some_and(|status| status["disk_silent_s"].as_u64() > Some(9))
    });
    assert!(began.elapsed() < Duration::from_mins(1), "{:?}", began.elapsed());
    end(&child, &name);
    let output = child.wait_with_output().expect("an end");
    assert!(began.elapsed() < Duration::from_mins(2), "{:?}: {output:?}", began.elapsed());
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    (output, run)
}

#[test]
fn a_run_whose_disk_does_not_answer_can_be_ended_and_keeps_what_it_wrote() {
    if !privileged("a_run_whose_disk_does_not_answer_can_be_ended_and_keeps_what_it_wrote") {
        return;
    }
    let net = Net::new();
    let interrupt = |child: &Child| {
        kill(Pid::from_raw(i32::try_from(child.id()).expect("a pid")), Signal::SIGINT).expect("it is there");
    };
    let twice = |child: &Child, _: &str| {
        interrupt(child);
        std::thread::sleep(Duration::from_secs(2));
        interrupt(child);
    };
    let stop = |_: &Child, name: &str| {
        let stopped = outside(&["stop", name, "--out", "/nonexistent"]);
        let said = text(&stopped.stdout) + &text(&stopped.stderr);
        assert!(stopped.status.code() == Some(1) && said.contains("netcap seal"), "{stopped:?}");
    };
    let ends: [End<'_>; 2] = [&twice, &stop];
    for end in ends {
        let served = Served::new();
        let (output, run) = ended_while_it_hangs(&net, &served, end);
        let said = text(&output.stderr);
        for part in ["has not answered for", "waits 30 s more", "netcap seal"] {
            assert!(said.contains(part), "{part}: {said}");
        }
        // What dead runs left is looked for on a disk that hangs, too.
        let began = Instant::now();
        let status = outside(&["status", "--out", &served.place.display().to_string()]);
        assert!(
            began.elapsed() < Duration::from_secs(30) && text(&status.stderr).contains("answered"),
            "{status:?}"
        );
        served.hangs(false);
        let sealed = outside(&["seal", &run.display().to_string()]);
        assert!(sealed.status.success(), "{sealed:?}");
        assert!(Bundle::open(Path::new(&format!("{}.tar", run.display())), None).packets.len() >= 50);
    }
}
