//! A recorder that was taken over, for real: calls are made by the threads of a recording at work, and it goes on.
//!
//! On the host's kernel, and on one without Landlock (`scripts/prove-sandbox`).
#![cfg(target_arch = "x86_64")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use netcap_bundle::packets::Direction::In;
use netcap_tests::privileged;
use nix::sys::signal::Signal;

use crate::life::text;
use crate::net::{Net, arp};
use crate::run::{Run, wait_for};

/// What the kernel says of a call that is not allowed, or of a name that leads nowhere.
const REFUSED: [i64; 10] = [
    libc::EPERM as i64,
    libc::EACCES as i64,
    libc::ENOSYS as i64,
    libc::ENOENT as i64,
    libc::ENOTDIR as i64,
    libc::EROFS as i64,
    libc::EXDEV as i64,
    libc::EBADF as i64,
    libc::ESRCH as i64,
    libc::EAFNOSUPPORT as i64,
];
/// The file that the issue was about.
const CRON: &str = "/etc/cron.d/netcap-test-injected";

/// Removes it however the test ends.
struct Swept;

impl Drop for Swept {
    fn drop(&mut self) {
        let _ = fs::remove_file(CRON);
    }
}

/// The thread of that name.
fn thread(pid: u32, name: &str) -> Option<u32> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).ok()?.flatten();
    let mut ids = tasks.filter_map(|task| task.file_name().to_str()?.parse().ok());
    ids.find(|id| {
        let path = format!("/proc/{pid}/task/{id}/comm");
        fs::read_to_string(path).is_ok_and(|comm| comm.trim_end() == name)
    })
}

/// What each call gave that a thread of this name made.
fn answers(run: &Run, name: &str, outside: &Path) -> Vec<(String, i64)> {
    wait_for("its thread", || thread(run.pid(), name).is_some());
    let id = thread(run.pid(), name).expect("just seen").to_string();
    let output = Command::new("python3")
        .args(["-c", include_str!("inject.py"), &id])
        .args([&run.dir().expect("it records"), outside])
        .output()
        .expect("it is installed");
    assert!(output.status.success(), "{output:?}");
    let line = |line: &str| {
        let (name, answer) = line.split_once(' ')?;
        Some((name.to_owned(), answer.parse().ok()?))
    };
    text(&output.stdout).lines().filter_map(line).collect()
}

/// What a call of that name gave.
fn answer(answers: &[(String, i64)], name: &str) -> Option<i64> {
    answers.iter().find(|(have, _)| have == name).map(|(_, answer)| *answer)
}

/// A place that is not the recording's, with a file.
fn outside() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("it can be made");
    let victim = dir.path().join("victim");
    fs::write(&victim, "as it was").expect("it can be made");
    (dir, victim)
}

#[test]
fn code_in_the_recorder_reaches_nothing_and_the_recording_goes_on() {
    if !privileged("code_in_the_recorder_reaches_nothing_and_the_recording_goes_on") {
        return;
    }
    let (net, (place, victim), _swept) = (Net::new(), outside(), Swept);
    let run = Run::start(&net, &["--rotate-time=2s", "--state-interval=1s", "arp"]);
    net.send_in(&arp(&[], 100), 20);
    run.took(20);
    for name in ["cap-cap0", "netcap"] {
        let answers = answers(&run, name, place.path());
        assert!(answers.len() > 40, "{name}: {answers:?}");
        let own = answer(&answers, "own_file");
        assert!(own.is_some_and(|fd| fd >= 0), "{name}: a call can succeed: {own:?}");
        let held = |(call, answer): &&(String, i64)| call == "own_file" || REFUSED.contains(&-answer);
        let wrong: Vec<_> = answers.iter().filter(|answer| !held(answer)).collect();
        assert!(wrong.is_empty(), "{name}: {wrong:?}");
        fs::remove_file(run.dir().expect("it records").join("injected")).expect("it was made");
    }
    assert!(!Path::new(CRON).exists());
    assert_eq!(fs::read_to_string(&victim).expect("it is there"), "as it was");
    assert_eq!(crate::run::entries(place.path()), [victim]);
    run.segment(2);
    net.send_in(&arp(&[], 100), 30);
    let (output, bundle) = run.end(Signal::SIGTERM);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(bundle.count(In, &arp(&[], 100)), 50, "it records, rotates and seals");
    let sandbox = bundle.manifest.info.sandbox.clone().expect("it is said");
    assert!(
        sandbox.missing.is_empty() && (sandbox.own_root || sandbox.landlock_abi.is_some()),
        "{sandbox:?}"
    );
    if std::env::var("NETCAP_EXPECT_LANDLOCK").is_ok_and(|wants| wants == "no") {
        assert!(sandbox.own_root && sandbox.landlock_abi.is_none(), "{sandbox:?}");
    }
}

/// Without the sandbox the same calls do what they say: the test can fail.
#[test]
fn code_in_a_recorder_without_its_sandbox_is_root() {
    if !privileged("code_in_a_recorder_without_its_sandbox_is_root") {
        return;
    }
    let (net, (place, _), _swept) = (Net::new(), outside(), Swept);
    let run = Run::start(&net, &["--no-sandbox", "arp"]);
    let id = thread(run.pid(), "cap-cap0").expect("it records").to_string();
    let harmless =
        include_str!("inject.py").split("\nattempt(\"removing\"").next().expect("all have a start");
    let script = format!("{harmless}\nptrace(SETREGS, ctypes.byref(saved))\nptrace(DETACH)\n");
    let mut command = Command::new("python3");
    command.args(["-c", &script, &id]).args([&run.dir().expect("it records"), place.path()]);
    let output = command.output().expect("it is installed");
    let said = text(&output.stdout);
    for name in ["own_file", "a_job_for_cron", "a_file_outside", "reading_/etc/shadow"] {
        let line = said.lines().find_map(|line| line.strip_prefix(name)).expect("it was tried");
        assert!(!line.trim().starts_with('-'), "{name}: {output:?}");
    }
    assert!(Path::new(CRON).exists() && place.path().join("injected").exists());
    drop(run.kill_any());
}
