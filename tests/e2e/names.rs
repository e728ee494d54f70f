//! Names that steer terminals: of interfaces, as far as the kernel takes them, and of a switch's peer, which anybody on the
//! wire may send as LLDP. Recorded for real; then every byte that netcap and the explainer write to a terminal is looked at.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use netcap_bundle::files::Files;
use netcap_bundle::layout;
use netcap_tests::{packets, privileged};
use netcap_words::foreign::{clean, is_steering};
use netcap_words::quote;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::net::Net;
use crate::run::{entries, wait_for};

/// Names of interfaces: clear the screen, set the title, the same in one character (C1), right-to-left, a command.
const NAMES: [&str; 5] = ["e\u{1b}[2J", "e\u{1b}]0;x\u{7}", "e\u{9b}31m", "e\u{202e}0v", "e$(id>x)"];
/// One that is no text: CSI in one byte.
const NO_TEXT: &[u8] = b"e\x9b31m";
/// What a peer says of itself: all of it, with new lines that look like lines of the report.
const SAYS: &str =
    "sw\u{1b}]0;title\u{7}\u{9b}2J\u{202e}esrever\u{2066}\n\r\n  verdict: nothing wrong\u{85}$(id)";

/// What netcap itself writes to steer a terminal (`ui::redraw` and the progress of the explainer).
const OWN: [&str; 5] = ["\u{1b}[?7l", "\u{1b}[?7h", "\u{1b}[K", "\u{1b}[J", "\u{1b}[NA"];

/// What steers in the output of a program on a terminal and is not netcap's own.
pub(crate) fn steering(bytes: &[u8]) -> Vec<String> {
    let Ok(mut rest) = std::str::from_utf8(bytes) else { return vec![format!("no text: {bytes:?}")] };
    let mut found = Vec::new();
    while let Some(c) = rest.chars().next() {
        let up =
            rest.strip_prefix("\u{1b}[").map(|rest| rest.trim_start_matches(|c: char| c.is_ascii_digit()));
        let is_up = up.is_some_and(|rest| rest.starts_with('A'));
        if let Some(own) = OWN.iter().find(|own| rest.starts_with(**own)) {
            rest = &rest[own.len()..];
        } else if let Some(after) = up.filter(|_| is_up) {
            rest = &after[1..];
        } else {
            let shows = c == '\n'
                || (c == '\r' && ["\r\n", "\r\u{1b}", "\rread"].iter().any(|with| rest.starts_with(with)));
            if !shows && is_steering(c) {
                found.push(rest.chars().take(20).collect::<String>().escape_debug().to_string());
            }
            rest = &rest[c.len_utf8()..];
        }
    }
    found
}

/// A command line on a terminal of its own, in a network namespace.
pub(crate) fn on_terminal(netns: Option<&str>, words: &[&str]) -> Command {
    let inside: Vec<&str> = netns.map(|name| vec!["ip", "netns", "exec", name]).unwrap_or_default();
    let line = quote::command(inside.into_iter().chain(words.iter().copied()));
    let mut command = Command::new("script");
    command.args(["-qefc", &line, "/dev/null"]).env("SHELL", "/bin/bash").env("OVS_RUNDIR", "/nonexistent");
    command.env("LC_ALL", "C.UTF-8").env("TERM", "xterm").stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

const NETCAP: &str = env!("CARGO_BIN_EXE_netcap");

/// What it wrote there, once it is certain that nothing of it steers.
fn tame(what: &str, child: Child) -> String {
    let output = child.wait_with_output().expect("an end");
    assert_eq!(steering(&output.stdout), Vec::<String>::new(), "{what}");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!said.contains("panicked"), "{what}: {said}");
    said
}

fn run(what: &str, netns: Option<&str>, words: &[&str]) -> String {
    tame(what, on_terminal(netns, words).spawn().expect("script is installed"))
}

/// Interfaces by all these names, up.
fn add_interfaces(net: &Net) {
    for (number, name) in NAMES.iter().map(|name| name.as_bytes()).chain([NO_TEXT]).enumerate() {
        let peer = format!("peer{}", number + 1);
        let add = ["link", "add", "NAME", "type", "veth", "peer", "name", &peer];
        for words in [&add[..], &["link", "set", "NAME", "up"], &["link", "set", &peer, "up"]] {
            let mut ip = Command::new("ip");
            ip.args(["-n", &net.near]);
            for word in words {
                ip.arg(if *word == "NAME" { OsStr::from_bytes(name) } else { OsStr::new(word) });
            }
            assert!(ip.status().expect("iproute2").success(), "{words:?}: {name:?}");
        }
    }
}

/// Frames as a switch sends them, by whose names and texts a reader is spoken to.
fn lldp() -> Vec<Vec<u8>> {
    let cut = |max: usize| {
        SAYS.char_indices().take_while(|(at, c)| at + c.len_utf8() <= max).map(|(_, c)| c).collect()
    };
    let (port, system): (String, String) = (cut(200), cut(200));
    let of = |mac| packets::lldp(packets::mac(mac), &port, &system);
    // Two that are one switch by its name, and one that is not text.
    let mut no_text = of("00:1b:21:00:00:03");
    let at = no_text.len() - 12;
    no_text[at..at + 4].copy_from_slice(b"\x9b2J\x9b");
    vec![of("00:1b:21:00:00:01"), of("00:1b:21:00:00:02"), no_text]
}

/// Starts recording all of it on a terminal and waits until packets are in the files; gives its directory.
fn record(net: &Net, out: &Path) -> (Child, String) {
    let (ifaces, out_text) = (NAMES.map(|name| format!("--iface={name}")), out.display().to_string());
    let mut words = vec![NETCAP, "--iface=cap0", "--out", &out_text, "--min-free=0", "--duration=10m"];
    words.extend(ifaces.iter().map(String::as_str));
    let child = on_terminal(Some(&net.near), &words).spawn().expect("script is installed");
    let dir = || entries(out).into_iter().find(|dir| dir.join(layout::segment("cap0", 1)).exists());
    wait_for("the first segment", || dir().is_some());
    net.send_each_in(lldp());
    let dir = dir().expect("it is there");
    wait_for("three packets", || crate::run::lying(&dir) >= 3);
    // The view is drawn each second.
    std::thread::sleep(std::time::Duration::from_secs(2));
    (child, dir.display().to_string())
}

#[test]
fn names_that_steer_terminals_steer_none() {
    if !privileged("names_that_steer_terminals_steer_none") {
        return;
    }
    let net = Net::new();
    add_interfaces(&net);
    let listed = run("the list of points", Some(&net.near), &[NETCAP, "points"]);
    let shown = |name: &str| listed.contains(&clean(name)) || listed.contains(&*quote::shell(name));
    for name in NAMES {
        assert!(shown(name), "{name:?}: {listed}");
    }
    let out = tempfile::tempdir().unwrap();
    let (child, dir) = record(&net, out.path());
    run("status", None, &[NETCAP, "status"]);
    run("status of one", None, &[NETCAP, "status", &dir]);
    let json = run("status for programs", None, &[NETCAP, "status", "--json", &dir]);
    let json: Value = serde_json::from_str(&json).unwrap();
    let points = json["runs"][0]["points"].as_array().unwrap();
    let seen: BTreeSet<&str> = points.iter().filter_map(|point| point["iface"].as_str()).collect();
    assert!(NAMES.iter().all(|name| seen.contains(&*clean(name))), "{seen:?}");
    run("a name that is none", None, &[NETCAP, "stop", NAMES[0]]);
    run("the end", None, &[NETCAP, "stop", &dir]);
    let view = tame("the live view", child);
    assert!(view.contains("e\u{fffd}[2J"), "{view}");

    let tar = format!("{dir}.tar");
    let files = Files::tar(Path::new(&tar)).unwrap().unwrap();
    assert_eq!(steering(files.read_small(layout::LOG).unwrap().as_slice()), Vec::<String>::new(), "the log");
    let analyzer = Path::new(NETCAP).with_file_name("netcap-analyze").display().to_string();
    for lang in ["en", "zh-CN"] {
        let words = [&analyzer[..], "--verbose", "--color=never", "--lang", lang, &tar];
        let report = run("the report", None, &words);
        assert!(report.contains("e\u{fffd}[2J"), "{report}");
    }
    // The name of the peer is in a finding of tests/cli: here nothing is wrong with it.
    let json = run("the report for programs", None, &[&analyzer, "--json", "-", &tar]);
    // On a terminal the line of progress is before it.
    let json = &json[json.find('{').expect("an object")..];
    let json: Value = serde_json::from_str(json).unwrap();
    assert_eq!(json["stats"]["packets"], 3, "{json}");
}

#[test]
fn names_that_steer_terminals_steer_none_of_those_who_seal() {
    if !privileged("names_that_steer_terminals_steer_none_of_those_who_seal") {
        return;
    }
    let net = Net::new();
    add_interfaces(&net);
    let out = tempfile::Builder::new().prefix("o\u{1b}[2J\u{202e}").tempdir().unwrap();
    let (child, dir) = record(&net, out.path());
    let status = run("status", None, &[NETCAP, "status", "--json", &dir]);
    let json: Value = serde_json::from_str(&status).unwrap();
    let pid = i32::try_from(json["runs"][0]["pid"].as_i64().unwrap()).unwrap();
    kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
    tame("the live view", child);
    let place = out.path().display().to_string();
    run("what is dead", None, &[NETCAP, "status", "--out", &place]);
    let sealed = run("what was sealed", None, &[NETCAP, "seal", &dir]);
    assert!(sealed.contains("netcap-analyze $'"), "a command to paste: {sealed}");
    run("what was bundled", None, &[NETCAP, "seal", &dir]);
    assert!(fs::metadata(format!("{dir}.tar")).is_ok());
}
