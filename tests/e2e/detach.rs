//! `--detach`: it returns when packets are taken in, and what it leaves outlives everything it was started from.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use netcap_bundle::packets::Direction::In;
use netcap_tests::privileged;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::life::{dir_in, outside, status_of, text};
use crate::net::{Net, arp};
use crate::run::{Bundle, entries, netcap, wait_for};

const WORDS: [&str; 4] = ["--detach", "--iface=cap0", "--min-free=0", "--out"];

fn place() -> (TempDir, String) {
    let out = tempfile::tempdir().expect("a place to write");
    let text = out.path().display().to_string();
    (out, text)
}

/// Runs `--detach` to its end; the recorder stays.
fn detach(net: &Net, out: &str, words: &[&str]) -> Output {
    netcap(net, &WORDS).arg(out).args(words).output().expect("netcap starts")
}

fn pid_of(run: &str) -> i32 {
    let status = status_of(run).expect("it answers");
    i32::try_from(status["pid"].as_u64().expect("a pid")).expect("a pid")
}

/// Session and controlling terminal: fields 6 and 7 of `/proc/PID/stat`, behind the name in brackets (proc(5)).
fn session_of(pid: i32) -> (i32, i32) {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("it is there");
    let (_, rest) = stat.rsplit_once(')').expect("a name");
    let words: Vec<i32> =
        rest.split_whitespace().skip(1).take(4).filter_map(|word| word.parse().ok()).collect();
    (words[2], words[3])
}

/// Ends it and opens its bundle.
fn stop(run: &str) -> Bundle {
    let stopped = outside(&["stop", run]);
    assert!(stopped.status.success(), "{stopped:?}");
    Bundle::open(Path::new(&format!("{run}.tar")), None)
}

#[test]
fn it_returns_when_it_records_and_every_packet_from_then_on_is_there() {
    if !privileged("it_returns_when_it_records_and_every_packet_from_then_on_is_there") {
        return;
    }
    let (net, (out, place)) = (Net::new(), place());
    let output = detach(&net, &place, &["arp"]);
    net.send_in(&arp(&[], 100), 123);
    let run = dir_in(out.path());
    let said = text(&output.stdout);
    assert!(output.status.success() && said.contains("netcap stop"), "{output:?}");
    assert!(run.ends_with(said.split_whitespace().nth(4).unwrap()), "it says its name: {said}");
    let stderr = text(&output.stderr);
    assert!(stderr.contains("recording: cap0") && !stderr.contains("Ctrl-C"), "{stderr}");
    let pid = pid_of(&run);
    assert_eq!(session_of(pid), (pid, 0), "a session of its own, and no terminal");
    for fd in 0..3 {
        assert_eq!(fs::read_link(format!("/proc/{pid}/fd/{fd}")).unwrap(), Path::new("/dev/null"));
    }
    assert_eq!(fs::read_link(format!("/proc/{pid}/cwd")).unwrap(), Path::new("/"));
    assert_eq!(stop(&run).count(In, &arp(&[], 100)), 123);
    assert_eq!(entries(out.path()).len(), 1);
}

#[test]
fn what_cannot_start_is_told_in_the_foreground_and_leaves_nothing() {
    if !privileged("what_cannot_start_is_told_in_the_foreground_and_leaves_nothing") {
        return;
    }
    let (net, (out, place)) = (Net::new(), place());
    let cases: [(&[&str], i32, &str); 4] = [
        (&["--iface=nosuch"], 2, "nosuch"),
        (&["icmmp"], 2, "icmp"),
        (&["--max-disk=1K"], 2, "--max-disk"),
        (&["--analyze"], 2, "netcap stop --analyze"),
    ];
    for (words, status, sentence) in cases {
        let output = detach(&net, &place, words);
        let stderr = text(&output.stderr);
        assert!(output.status.code() == Some(status) && stderr.contains(sentence), "{words:?}: {output:?}");
        assert_eq!(entries(out.path()), Vec::<std::path::PathBuf>::new(), "{words:?}");
    }
}

/// A shell on a terminal of its own, as a login has; script(1) holds the other end of the terminal.
fn login(net: &Net, command: &str) -> Child {
    // Tests that are run under nohup(1) must not make everything here outlive its terminal.
    let mut script = Command::new("env");
    script.args([
        "--default-signal=HUP",
        "script",
        "-qec",
        &format!("ip netns exec {} {command}; sleep 60", net.near),
        "/dev/null",
    ]);
    script.env("OVS_RUNDIR", "/nonexistent").env("LC_ALL", "C");
    script.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("script(1)")
}

#[test]
fn it_outlives_the_terminal_and_a_hangup_still_means_new_segments() {
    if !privileged("it_outlives_the_terminal_and_a_hangup_still_means_new_segments") {
        return;
    }
    let (net, (out, place)) = (Net::new(), place());
    let program = env!("CARGO_BIN_EXE_netcap");
    let words = format!("{program} {} {place} arp", WORDS.join(" "));
    // The twin without --detach shows that the terminal's end is one.
    let (twin_out, twin_place) = self::place();
    let twin_words = words.replace("--detach ", "").replace(&place, &twin_place);
    let ready = |out: &TempDir| {
        entries(out.path()).iter().any(|dir| dir.join("packets/cap0/000001.pcapng.zst").exists())
    };
    let (mut login, mut twin) = (login(&net, &words), self::login(&net, &twin_words));
    wait_for("both", || ready(&out) && ready(&twin_out));
    let run = dir_in(out.path());
    wait_for("it to let go", || session_of(pid_of(&run)).1 == 0);
    for child in [&mut login, &mut twin] {
        // The terminal is gone with the last who holds its other end.
        child.kill().unwrap();
        child.wait().unwrap();
    }
    wait_for("the twin's bundle", || entries(twin_out.path()).iter().all(|path| path.is_file()));
    thread::sleep(Duration::from_millis(300));
    net.send_in(&arp(&[], 100), 50);
    kill(Pid::from_raw(pid_of(&run)), Signal::SIGHUP).unwrap();
    let second = Path::new(&run).join("packets/cap0/000002.pcapng.zst");
    wait_for("the second segment", || second.exists());
    net.send_in(&arp(&[], 100), 70);
    let bundle = stop(&run);
    assert_eq!(bundle.count(In, &arp(&[], 100)), 120);
    assert!(bundle.manifest.segments.len() >= 2);
}

/// A `systemd-run` that notes how it was called and does what a scope does to a process: replaces itself by it.
fn stand_in(dir: &Path, script: &str) {
    let path = dir.join("systemd-run");
    fs::write(&path, format!("#!/bin/bash\n{script}\n")).expect("a file");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("a program");
}

/// The same where systemd seems to be at work: in a mount namespace whose /run says so. The control sockets stay those of
/// the host.
fn detach_under(net: &Net, out: &str, tools: &Path) -> Output {
    let script = r#"
        set -e
        mkdir -p -m 700 /run/netcap
        keep=$(mktemp -d)
        mount --bind /run/netcap "$keep"
        mount -t tmpfs none /run
        mkdir -p /run/systemd/system /run/netcap
        mount --bind "$keep" /run/netcap
        umount "$keep"
        rmdir "$keep"
        exec "$0" "$@"
    "#;
    let mut command = Command::new("ip");
    command.args(["netns", "exec", &net.near, "unshare", "--mount", "bash", "-c", script]);
    command.arg(env!("CARGO_BIN_EXE_netcap")).args(WORDS).args([out, "arp"]);
    command.env("NETCAP_TOOLS", tools).env("OVS_RUNDIR", "/nonexistent").env("LC_ALL", "C");
    command.output().expect("it starts")
}

#[test]
fn where_systemd_is_at_work_it_gets_a_scope_of_its_own() {
    if !privileged("where_systemd_is_at_work_it_gets_a_scope_of_its_own") {
        return;
    }
    let (net, (out, place)) = (Net::new(), place());
    let tools = tempfile::tempdir().unwrap();
    let log = tools.path().join("called");
    let script = format!(
        r#"printf '%s\n' "$@" >{}; while [[ $1 != -- ]]; do shift; done; shift; exec "$@""#,
        log.display()
    );
    stand_in(tools.path(), &script);
    let output = detach_under(&net, &place, tools.path());
    assert!(output.status.success(), "{output:?}");
    let called = fs::read_to_string(&log).unwrap();
    let called: Vec<&str> = called.lines().collect();
    assert!(
        called[0] == "--scope" && called.iter().any(|word| word.starts_with("--unit=netcap-")),
        "{called:?}"
    );
    let behind: Vec<&&str> = called.iter().skip_while(|word| **word != "--").skip(1).collect();
    assert!(
        behind[0].ends_with("netcap") && behind[1..].iter().any(|word| ***word == *"--detach"),
        "{called:?}"
    );
    net.send_in(&arp(&[], 100), 9);
    assert_eq!(stop(&dir_in(out.path())).count(In, &arp(&[], 100)), 9);
}

#[test]
fn a_systemd_that_refuses_is_told_and_does_not_keep_it_from_recording() {
    if !privileged("a_systemd_that_refuses_is_told_and_does_not_keep_it_from_recording") {
        return;
    }
    let (net, (out, place)) = (Net::new(), place());
    let tools = tempfile::tempdir().unwrap();
    stand_in(tools.path(), "echo 'Failed to connect to bus' >&2; exit 1");
    let output = detach_under(&net, &place, tools.path());
    let stderr = text(&output.stderr);
    assert!(output.status.success() && stderr.contains("KillUserProcesses"), "{output:?}");
    stop(&dir_in(out.path()));
}
