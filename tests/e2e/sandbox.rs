//! What a recording cannot do, and that it records all the same.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use netcap_bundle::files::Files;
use netcap_bundle::layout;
use netcap_bundle::packets::Direction::In;
use netcap_tests::privileged;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::net::{Net, arp};
use crate::run::{Run, wait_for};

/// Fields of `/proc/PID/task/TID/status` of every thread, by the thread's name.
fn threads(pid: u32) -> Vec<BTreeMap<String, String>> {
    let read = |path: std::path::PathBuf| {
        let text = fs::read_to_string(path.join("status")).unwrap_or_default();
        text.lines()
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_owned(), value.split_whitespace().collect::<Vec<_>>().join(" ")))
            .collect()
    };
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("it runs");
    tasks
        .flatten()
        .map(|task| read(task.path()))
        .filter(|status: &BTreeMap<_, _>| !status.is_empty())
        .collect()
}

/// The children of a process.
fn children(pid: u32) -> Vec<u32> {
    let parent = |child: &u32| {
        let stat = fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
        let fields = stat.rsplit_once(") ").map(|(_, rest)| rest.to_owned()).unwrap_or_default();
        let mut fields = fields.split(' ');
        (fields.next() != Some("Z")).then(|| fields.next().map(str::to_owned)).flatten()
    };
    let all = fs::read_dir("/proc").expect("proc").flatten();
    let pids = all.filter_map(|entry| entry.file_name().to_string_lossy().parse().ok());
    pids.filter(|child| parent(child) == Some(pid.to_string())).collect()
}

fn helper_of(run: &Run) -> u32 {
    let children = children(run.pid());
    assert_eq!(children.len(), 1, "one helper and nobody else");
    children[0]
}

#[test]
fn every_thread_is_confined_and_the_manifest_says_so() {
    if !privileged("every_thread_is_confined_and_the_manifest_says_so") {
        return;
    }
    let net = Net::new();
    let run = Run::start(&net, &["--ping=127.0.0.1", "--state-interval=1s", "arp"]);
    net.send_in(&arp(&[], 100), 50);
    let names = |threads: &[BTreeMap<String, String>]| -> Vec<String> {
        threads.iter().map(|status| status["Name"].clone()).collect()
    };
    wait_for("all of its threads, and host state", || {
        let names = names(&threads(run.pid()));
        let there = |name: &&str| names.iter().any(|have| have == name);
        ["netcap", "cap-cap0", "ping", "ledger"].iter().all(there)
            && netcap_tests::is_recording(&run.dir().unwrap())
    });
    let threads = threads(run.pid());
    for status in &threads {
        for set in ["CapEff", "CapPrm", "CapInh", "CapBnd", "CapAmb"] {
            assert_eq!(status[set], "0000000000000000", "{set} of {}", status["Name"]);
        }
        assert_eq!((&*status["NoNewPrivs"], &*status["Seccomp"]), ("1", "2"), "{}", status["Name"]);
        assert_eq!(status["Uid"], "65534 65534 65534 0", "{}", status["Name"]);
        assert_eq!((&*status["Gid"], &*status["Groups"]), ("65534 65534 65534 0", ""), "{}", status["Name"]);
    }
    let (output, bundle) = run.end(Signal::SIGINT);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(bundle.count(In, &arp(&[], 100)), 50);
    let sandbox = bundle.manifest.info.sandbox.clone().expect("it is said");
    assert!(sandbox.on && sandbox.seccomp && sandbox.missing.is_empty(), "{sandbox:?}");
    assert_eq!((&*sandbox.user, sandbox.capabilities.len()), ("nobody", 0));
    assert!(sandbox.landlock_abi.is_none_or(|abi| abi > 0));
    let file = fs::metadata(&bundle.path).unwrap();
    assert_eq!((file.uid(), file.gid(), file.mode() & 0o777), (0, 0, 0o600), "results are root's");
    let files = Files::tar(&bundle.path).unwrap().unwrap();
    let samples = files.text(layout::STATE_INDEX).unwrap();
    assert!(samples.contains("\"source\":\"links\"") && samples.contains("\"status\":\"ok\""), "{samples}");
}

#[test]
fn without_the_sandbox_it_is_root_in_one_process() {
    if !privileged("without_the_sandbox_it_is_root_in_one_process") {
        return;
    }
    let net = Net::new();
    let run = Run::start(&net, &["--no-sandbox", "arp"]);
    net.send_in(&arp(&[], 100), 50);
    let threads = threads(run.pid());
    assert!(threads.iter().all(|status| status["Seccomp"] == "0" && status["Uid"] == "0 0 0 0"));
    assert!(threads.iter().all(|status| status["CapEff"] != "0000000000000000"));
    assert!(children(run.pid()).iter().all(|pid| {
        !fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default().contains("helper")
    }));
    let (_, bundle) = run.end(Signal::SIGINT);
    assert_eq!(bundle.count(In, &arp(&[], 100)), 50);
    let sandbox = bundle.manifest.info.sandbox.clone().expect("it is said");
    assert!(!sandbox.on && sandbox.user == "root" && !sandbox.seccomp, "{sandbox:?}");
    assert!(sandbox.capabilities.contains(&"CAP_NET_RAW".into()));
}

#[test]
fn a_place_that_root_cannot_reach_costs_one_capability() {
    if !privileged("a_place_that_root_cannot_reach_costs_one_capability") {
        return;
    }
    let net = Net::new();
    let place = tempfile::tempdir().unwrap();
    let out = place.path().join("deep/results").display().to_string();
    let words = ["--iface=cap0", "--out", &out, "--min-free=1M", "--duration=1s", "--user=12345"];
    // Root goes through it only by way of its capability.
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o600)).unwrap();
    let output = crate::run::netcap(&net, &words).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let tar = crate::run::entries(Path::new(&out)).pop().expect("a bundle");
    let sandbox = crate::run::manifest(&tar).info.sandbox.expect("it is said");
    // In a root of its own there is nothing on the way to it that root could not pass.
    let needed = if sandbox.own_root { vec![] } else { vec!["CAP_DAC_OVERRIDE".to_owned()] };
    assert_eq!((sandbox.capabilities, &*sandbox.user), (needed, "12345"));
    assert_eq!(tar.metadata().unwrap().uid(), 0);
}

#[test]
fn a_helper_that_dies_takes_the_host_state_and_nothing_else() {
    if !privileged("a_helper_that_dies_takes_the_host_state_and_nothing_else") {
        return;
    }
    let net = Net::new();
    let mut run = Run::start(&net, &["--state-interval=1s", "--ping=127.0.0.1", "arp"]);
    net.send_in(&arp(&[], 100), 50);
    kill(Pid::from_raw(i32::try_from(helper_of(&run)).unwrap()), Signal::SIGKILL).unwrap();
    let index = run.dir().unwrap().join(layout::STATE_INDEX);
    wait_for("a round of host state without the helper", || {
        fs::read_to_string(&index).unwrap_or_default().contains("the privileged helper is gone")
    });
    assert!(run.runs());
    net.send_in(&arp(&[], 200), 50);
    let (output, bundle) = run.end(Signal::SIGTERM);
    assert!(output.status.success(), "{output:?}");
    assert_eq!((bundle.count(In, &arp(&[], 100)), bundle.count(In, &arp(&[], 200))), (50, 50));
    let remarks = &bundle.manifest.remarks;
    assert_eq!(remarks.iter().filter(|text| text.contains("helper is gone")).count(), 1, "{remarks:?}");
    let files = Files::tar(&bundle.path).unwrap().unwrap();
    assert!(files.text(layout::STATE_INDEX).unwrap().contains("the privileged helper is gone"));
}

#[test]
fn a_recorder_that_is_killed_leaves_no_process() {
    if !privileged("a_recorder_that_is_killed_leaves_no_process") {
        return;
    }
    let net = Net::new();
    for _ in 0..5 {
        let run = Run::start(&net, &["--state-interval=1s"]);
        let helper = helper_of(&run);
        drop(run.kill());
        let gone = || {
            let stat = fs::read_to_string(format!("/proc/{helper}/stat"));
            !stat.is_ok_and(|stat| stat.contains("(netcap-helper)") && !stat.contains(") Z "))
        };
        wait_for("the end of the helper", gone);
    }
}

#[test]
fn nobody_but_a_recording_gets_a_helper() {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_netcap"));
    let output = command.arg(netcap::testing::HELPER).stdin(std::process::Stdio::null()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
}

/// Records a second with an `ip` that does something else before its work; gives the bundle.
fn recorded_with_ip_that(net: &Net, does: &str, place: &Path, options: &[&str]) -> PathBuf {
    let tools = place.join("tools");
    fs::create_dir(&tools).expect("it can be made");
    let (ours, real) = (tools.join("ip"), tools.join("real-ip"));
    let script = format!("#!/bin/sh\n{does}\nexec {} \"$@\"\n", real.display());
    fs::write(&ours, script).expect("it can be made");
    fs::set_permissions(&ours, fs::Permissions::from_mode(0o755)).expect("it can be made");
    let out = place.join("out").display().to_string();
    let words = ["--iface=cap0", "--out", &out, "--min-free=1M", "--duration=1s"];
    let mut command = std::process::Command::new("ip");
    // No PATH makes netcap run another `ip` than the host's: this one takes its place, in the command's own mounts.
    let replaced =
        r#"ip=$(readlink -f "$(command -v ip)"); cp "$ip" "$1"; mount --bind "$0" "$ip"; shift; exec "$@""#;
    command.args(["netns", "exec", &net.near, "sh", "-ec", replaced]).args([&ours, &real]);
    command.arg(env!("CARGO_BIN_EXE_netcap")).args(words).args(options).env("OVS_RUNDIR", "/nonexistent");
    let output = command.output().expect("it can be made");
    assert!(output.status.success(), "{output:?}");
    crate::run::entries(Path::new(&out)).pop().expect("a bundle")
}

/// Records with an `ip` that leaves a mark; whether the mark is there, and whether the kernel has Landlock.
fn marked(net: &Net, options: &[&str]) -> (bool, bool) {
    let place = tempfile::tempdir().expect("it can be made");
    let mark = place.path().join("mark");
    let tar = recorded_with_ip_that(net, &format!(": >{}", mark.display()), place.path(), options);
    let samples = Files::tar(&tar)
        .expect("it opens")
        .expect("it is a bundle")
        .text(layout::STATE_INDEX)
        .expect("it has state");
    assert!(samples.contains("\"source\":\"links\""), "it was run: {samples}");
    let sandbox = crate::run::manifest(&tar).info.sandbox.expect("it is said");
    (mark.exists(), sandbox.landlock_abi.is_some())
}

#[test]
fn what_the_helper_and_its_commands_take_is_in_the_cost() {
    if !privileged("what_the_helper_and_its_commands_take_is_in_the_cost") {
        return;
    }
    let net = Net::new();
    let place = tempfile::tempdir().unwrap();
    let busy = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done";
    let tar = recorded_with_ip_that(&net, busy, place.path(), &[]);
    let manifest = crate::run::manifest(&tar);
    assert!(manifest.info.sandbox.is_some_and(|sandbox| sandbox.on), "it is the helper that runs commands");
    let cost = manifest.cost.expect("it knows what it took");
    assert!(cost.children_ms >= 100, "a busy command is not for nothing: {cost:?}");
    assert!(cost.rss_max > 1 << 20, "{cost:?}");
}

#[test]
fn a_command_that_is_not_read_only_fails_instead() {
    if !privileged("a_command_that_is_not_read_only_fails_instead") {
        return;
    }
    let net = Net::new();
    assert_eq!(marked(&net, &["--no-sandbox"]), (true, false), "the test can fail");
    let (mark, landlock) = marked(&net, &[]);
    assert_eq!(mark, !landlock);
}

#[test]
fn the_analyzer_is_run_by_the_helper_and_writes_nothing() {
    if !privileged("the_analyzer_is_run_by_the_helper_and_writes_nothing") {
        return;
    }
    let net = Net::new();
    let place = tempfile::tempdir().unwrap();
    let (netcap, analyzer) = (place.path().join("netcap"), place.path().join("netcap-analyze"));
    fs::copy(env!("CARGO_BIN_EXE_netcap"), &netcap).unwrap();
    let mark = place.path().join("mark");
    fs::write(&analyzer, format!("#!/bin/sh\necho \"explained $@\"\n: >{}\nexit 0\n", mark.display()))
        .unwrap();
    for program in [&netcap, &analyzer] {
        fs::set_permissions(program, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let out = place.path().join("out").display().to_string();
    let words = ["--iface=cap0", "--out", &out, "--min-free=1M", "--duration=1s", "--lang=en", "--analyze"];
    let mut command = std::process::Command::new("ip");
    command.args(["netns", "exec", &net.near]).arg(&netcap).args(words).env("OVS_RUNDIR", "/nonexistent");
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let tar = crate::run::entries(Path::new(&out)).pop().expect("a bundle");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains(&format!("explained --lang en {}", tar.display())), "{output:?}");
    let landlock = crate::run::manifest(&tar).info.sandbox.expect("it is said").landlock_abi.is_some();
    assert_eq!(mark.exists(), !landlock);
}
