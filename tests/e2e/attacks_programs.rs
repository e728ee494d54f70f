//! Programs that strangers have put in root's way: netcap and its script start what the host has installed.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use netcap_tests::{privileged, root};

use crate::attacks_files::STRANGER;
use crate::life::text;
use crate::net::Net;
use crate::run::netcap;

/// A program that leaves a mark when it is started.
fn trap(at: &Path, mark: &Path) {
    fs::write(at, format!("#!/bin/sh\n: >{}\n", mark.display())).expect("a file");
    fs::set_permissions(at, fs::Permissions::from_mode(0o755)).expect("a program");
}

#[test]
fn no_path_makes_root_start_what_lies_around() {
    if !privileged("no_path_makes_root_start_what_lies_around") {
        return;
    }
    let (net, place) = (Net::new(), tempfile::tempdir().unwrap());
    let (here, open) = (place.path().join("here"), place.path().join("open"));
    let mark = place.path().join("mark");
    for dir in [&here, &open] {
        fs::create_dir(dir).unwrap();
        for name in ["ip", "ethtool", "ovs-vsctl", "virsh", "bridge", "tc", "nft"] {
            trap(&dir.join(name), &mark);
        }
    }
    fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
    for path in ["", ".", ":/usr/sbin:/usr/bin", "here:/usr/bin", &format!("{}:/usr/bin", open.display())] {
        for words in [&["points"][..], &["--iface=cap0", "--duration=1s", "--min-free=1M", "--out", "OUT"]] {
            let out = place.path().join("out").display().to_string();
            let words = words.iter().map(|word| if *word == "OUT" { out.as_str() } else { word });
            let mut command = Command::new("ip");
            command.args(["netns", "exec", &net.near, "env"]).arg(format!("PATH={path}"));
            command.arg(env!("CARGO_BIN_EXE_netcap")).args(words).current_dir(&here);
            command.env("OVS_RUNDIR", "/nonexistent").env("LC_ALL", "C");
            let output = command.output().unwrap();
            assert!(output.status.success(), "PATH={path}: {output:?}");
            assert!(!mark.exists(), "PATH={path}: a stranger's program was started");
        }
    }
}

#[test]
fn only_root_chooses_where_tools_are_and_nobody_puts_an_analyzer_beside_netcap() {
    if !privileged("only_root_chooses_where_tools_are_and_nobody_puts_an_analyzer_beside_netcap") {
        return;
    }
    let (net, place) = (Net::new(), tempfile::tempdir().unwrap());
    let (open, mark) = (place.path().join("open"), place.path().join("mark"));
    fs::create_dir(&open).unwrap();
    for name in ["ip", "netcap-analyze"] {
        trap(&open.join(name), &mark);
    }
    // A sticky directory, as /tmp is: root's netcap lies there, and anybody's program beside it.
    let program = open.join("netcap");
    fs::copy(env!("CARGO_BIN_EXE_netcap"), &program).unwrap();
    for mode in [0o777, 0o1777] {
        fs::set_permissions(&open, fs::Permissions::from_mode(mode)).unwrap();
        for words in [&["points", "--tools"][..], &["--iface=cap0", "--tools"]] {
            let output = netcap(&net, words).arg(&open).output().unwrap();
            let said = text(&output.stderr);
            assert!(output.status.code() == Some(2) && said.contains("no program of"), "{output:?}");
        }
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &net.near]).arg(&program).arg("--out").arg(place.path().join("out"));
        command.args(["--iface=cap0", "--duration=1s", "--min-free=1M", "--analyze"]);
        let output = command.env("OVS_RUNDIR", "/nonexistent").env("LC_ALL", "C").output().unwrap();
        let said = text(&output.stderr);
        assert!(output.status.code() == Some(2) && said.contains("only root can change"), "{output:?}");
    }
    fs::set_permissions(&open, fs::Permissions::from_mode(0o755)).unwrap();
    assert!(!mark.exists());
    let output = netcap(&net, &["points", "--tools"]).arg(&open).output().unwrap();
    assert!(mark.exists(), "where only root can put one, it is the one that is asked: {output:?}");
}

#[test]
fn switches_are_not_asked_where_a_stranger_could_answer() {
    if !privileged("switches_are_not_asked_where_a_stranger_could_answer") {
        return;
    }
    let (net, place) = (Net::new(), tempfile::tempdir().unwrap());
    let rundir = place.path().join("ovs");
    fs::create_dir(&rundir).unwrap();
    chown(&rundir, Some(STRANGER), None).unwrap();
    for words in [&["points"][..], &["--iface=cap0", "--duration=1s"]] {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &net.near, env!("CARGO_BIN_EXE_netcap")]).args(words);
        let output = command.env("OVS_RUNDIR", &rundir).env("LC_ALL", "C").output().unwrap();
        let said = text(&output.stderr);
        assert!(
            output.status.code() == Some(2) && said.contains("OVS_RUNDIR") && said.contains("65534"),
            "{said}"
        );
    }
}

/// The script as it lies somewhere, and what it is told to do with its results.
fn script(at: &Path, results: &Path) -> Output {
    let mut command = Command::new("bash");
    command.arg(at).arg("--iface=none9").env("CHECK_NETWORK_DIR", results).env("LC_ALL", "C");
    command.env_remove("CARGO_TARGET_DIR").output().expect("bash starts")
}

fn installed(dir: &Path) -> PathBuf {
    fs::create_dir_all(dir).expect("a folder");
    let at = dir.join("check_network.sh");
    fs::copy(root().join("scripts/check_network.sh"), &at).expect("a copy");
    at
}

#[test]
fn the_script_starts_no_recorder_of_a_stranger() {
    if !privileged("the_script_starts_no_recorder_of_a_stranger") {
        return;
    }
    for (lies, owner, mode) in [
        ("bin/netcap", STRANGER, 0o755),
        ("bin/netcap", 0, 0o777),
        ("dist/netcap", STRANGER, 0o755),
        ("dist", 0, 0o777),
    ] {
        let place = tempfile::tempdir().unwrap();
        let (mark, results) = (place.path().join("mark"), place.path().join("results"));
        let at = installed(&place.path().join("bin"));
        fs::create_dir_all(place.path().join("dist")).unwrap();
        let program = if lies.starts_with("bin") { "bin/netcap" } else { "dist/netcap" };
        trap(&place.path().join(program), &mark);
        let output = script(&at, &results);
        assert!(mark.exists(), "the test can fail: {output:?}");
        fs::remove_file(&mark).unwrap();
        chown(place.path().join(lies), Some(owner), None).unwrap();
        fs::set_permissions(place.path().join(lies), fs::Permissions::from_mode(mode)).unwrap();
        let output = script(&at, &results);
        assert!(!mark.exists(), "{lies} of {owner}, {mode:o}: {output:?}");
        assert!(text(&output.stderr).contains(program), "it says what it did not start: {output:?}");
    }
}

#[test]
fn the_script_writes_nothing_where_others_can() {
    if !privileged("the_script_writes_nothing_where_others_can") {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let (at, mark) = (installed(&place.path().join("bin")), place.path().join("mark"));
    trap(&place.path().join("bin/netcap"), &mark);
    let (results, victim) = (place.path().join("results"), place.path().join("victim"));
    fs::create_dir(&results).unwrap();
    fs::write(&victim, "theirs").unwrap();
    std::os::unix::fs::symlink(&victim, results.join("check_network.log")).unwrap();
    chown(&results, Some(STRANGER), None).unwrap();
    let output = script(&at, &results);
    assert!(output.status.code() == Some(2) && !mark.exists(), "{output:?}");
    assert!(text(&output.stderr).contains("CHECK_NETWORK_DIR"), "{output:?}");
    assert_eq!(fs::read_to_string(&victim).unwrap(), "theirs");
}
