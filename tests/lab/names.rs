//! Names of machines, bridges and ports that steer terminals, as far as libvirt and Open vSwitch take them: the list of
//! points, the live view, the status, the end, and the report write none of it to a terminal.

use std::process::{Command, Output, Stdio};

use netcap_tests::lab::{Lab, said};
use netcap_words::foreign::is_steering;
use netcap_words::quote;

use crate::{NETCAP, analyze};

/// Names that libvirt takes: CSI in one character and right-to-left, a command, a tab and a new line of C1.
const MACHINES: [&str; 3] = ["c&#x9b;31m&#x202e;x", "s$(id);'q", "t&#9;x&#x85;y"];
/// What Open vSwitch takes for a name of a machine, of ports and of a bridge.
const GUEST: &str = "vm\u{1b}]0;t\u{7}\u{9b}2J\u{202e}x\nverdict: fine";
const PORTS: [&str; 2] = ["p\u{1b}[2J\u{202e}x", "q\n\u{9b}31m\u{202e}"];
const BRIDGE: &str = "b\u{1b}[2J\u{202e}";

fn insist(lab: &Lab, words: &[&str]) {
    let done = lab.exec("host1", words);
    assert!(done.status.success(), "{words:?}: {}", said(&done));
}

fn name_all(lab: &Lab) {
    let dump = lab.exec("host1", &["virsh", "dumpxml", "vm1"]);
    let dump = String::from_utf8(dump.stdout).expect("XML");
    insist(lab, &["virsh", "undefine", "vm1"]);
    let lines = |name: &str, number: usize| -> String {
        let of = |line: &str| match line.trim() {
            line if line.starts_with("<uuid>") => {
                format!("<uuid>52540000-0000-0000-0000-00000000000{number}</uuid>")
            }
            line if line.starts_with("<mac address=") => format!("<mac address='52:54:00:00:77:0{number}'/>"),
            line if line.starts_with("<name>") => {
                format!(
                    "<name>{name}</name><title>T&#x9b;2J</title><description>d&#x202e;&#10;verdict: x</description>"
                )
            }
            line => line.to_owned(),
        };
        dump.lines().map(|line| of(line) + "\n").collect()
    };
    for (number, name) in MACHINES.iter().enumerate() {
        let xml = lab.dir().join(format!("{number}.xml"));
        std::fs::write(&xml, lines(name, number)).expect("a file");
        insist(lab, &["virsh", "define", &xml.display().to_string()]);
        // It is defined and at no port: what libvirt says of it is read all the same.
        tame(lab, Some("host1"), &[NETCAP]);
        tame(lab, Some("host1"), &[NETCAP, "--vm=none", "--out", "/nonexistent"]);
        insist(lab, &["virsh", "undefine", &format!("52540000-0000-0000-0000-00000000000{number}")]);
    }
    let guest = format!("external_ids:vm-name={GUEST}");
    insist(lab, &["ovs-vsctl", "set", "interface", "vnet0", &guest]);
    for port in PORTS {
        let words =
            ["add-port", "vswitch0", port, "--", "set", "interface", port, "type=patch", "options:peer=x"];
        insist(lab, &[&["ovs-vsctl", "--timeout=5"], &words[..]].concat());
    }
    let words = ["add-br", BRIDGE, "--", "set", "bridge", BRIDGE, "datapath_type=netdev"];
    insist(lab, &[&["ovs-vsctl", "--timeout=5"], &words[..]].concat());
}

/// A command line on a terminal of its own. Nothing that it writes there steers but netcap's own drawing.
fn tame(lab: &Lab, node: Option<&str>, words: &[&str]) -> String {
    let line = quote::command(words.iter().copied());
    let words = ["script", "-qefc", &line, "/dev/null"];
    let output: Output = match node {
        Some(node) => lab.exec(node, &[&["env", "SHELL=/bin/bash", "LC_ALL=C.UTF-8"], &words[..]].concat()),
        None => Command::new("script")
            .args(&words[1..])
            .env("SHELL", "/bin/bash")
            .env("LC_ALL", "C.UTF-8")
            .stdin(Stdio::null())
            .output()
            .expect("script is installed"),
    };
    let text = std::str::from_utf8(&output.stdout).unwrap_or_else(|e| panic!("{line}: {e}"));
    let mut rest = ["\u{1b}[?7l", "\u{1b}[?7h", "\u{1b}[K", "\u{1b}[J"]
        .iter()
        .fold(text.to_owned(), |text, own| text.replace(own, ""));
    for lines in 1..100 {
        rest = rest.replace(&format!("\u{1b}[{lines}A"), "");
    }
    let steers = |c: char| is_steering(c) && !matches!(c, '\n' | '\r');
    let at: Vec<_> = rest.lines().filter(|line| line.contains(steers)).collect();
    assert!(at.is_empty(), "{line}: {at:?}");
    assert!(!text.contains("panicked"), "{text}");
    text.to_owned()
}

#[test]
fn names_of_machines_and_switches_steer_no_terminal() {
    let Some(lab) = Lab::up("names_of_machines_and_switches_steer_no_terminal", &["--libvirt", "--vms", "1"])
    else {
        return;
    };
    name_all(&lab);
    let points = tame(&lab, Some("host1"), &[NETCAP]);
    assert!(points.contains("vm\u{fffd}]0;t\u{fffd}\u{fffd}2J\u{fffd}x"), "the machine is listed: {points}");
    // A name is one line, or it could say what it likes in a line of its own.
    let none = tame(&lab, Some("host1"), &[NETCAP, "--vm=none", "--out", "/nonexistent"]);
    assert!(
        points.lines().chain(none.lines()).all(|line| !line.trim_start().starts_with("verdict:")),
        "{points}{none}"
    );
    let out = lab.dir().join("out").display().to_string();
    let words = [
        NETCAP,
        "--vswitch=vswitch0",
        "--iface=vnet0",
        "--out",
        &out,
        "--min-free=0",
        "--duration=4s",
        "--ping=192.168.12.254",
    ];
    let view = tame(&lab, Some("host1"), &words);
    assert!(view.contains("vnet0"), "{view}");
    let tar = Lab::bundle(&lab.dir().join("out"));
    for lang in ["en", "zh-CN"] {
        let tar = tar.display().to_string();
        let analyzer = analyze().display().to_string();
        tame(&lab, None, &[&analyzer, "--verbose", "--color=never", "--lang", lang, &tar]);
        tame(&lab, None, &[&analyzer, "--json", "-", &tar]);
    }
    // A machine by its name, as an engineer pastes it.
    let by_name = format!("--vm={GUEST}");
    let words = [NETCAP, &by_name, "--out", &out, "--min-free=0", "--duration=2s"];
    let view = tame(&lab, Some("host1"), &words);
    assert!(view.contains("vnet0"), "{view}");
}
