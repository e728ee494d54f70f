//! Looking at a run and ending it from outside, whoever asks and however often.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use netcap_bundle::packets::Direction::In;
use netcap_bundle::run::End;
use netcap_tests::{PATIENCE, privileged};
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::net::{Net, arp};
use crate::run::{Bundle, Run, entries, manifest, wait_for};

/// Runs netcap where the test runs, which is not where the recorder does.
pub(crate) fn outside(words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_netcap"));
    command.args(words).env("LC_ALL", "C").stdin(Stdio::null()).output().expect("netcap starts")
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The directory of the only run in `out`: two tests may start runs of one name in the same second.
pub(crate) fn dir_in(out: &Path) -> String {
    entries(out).into_iter().find(|path| path.is_dir()).expect("a run").display().to_string()
}

pub(crate) fn status_of(run: &str) -> Option<Value> {
    let output = outside(&["status", run, "--json"]);
    let report: Value = serde_json::from_slice(&output.stdout).ok()?;
    report["runs"].get(0).cloned()
}

#[test]
fn a_run_is_seen_and_ended_from_another_network_namespace() {
    if !privileged("a_run_is_seen_and_ended_from_another_network_namespace") {
        return;
    }
    let net = Net::new();
    let run = Run::start(&net, &["--duration=10m", "arp"]);
    let (name, out) = (dir_in(run.out.path()), run.out.path().display().to_string());
    net.send_in(&arp(&[], 100), 500);
    let counted = || status_of(&name).is_some_and(|s| s["points"][0]["packets"] == 500);
    wait_for("the packets in the status", counted);
    let status = status_of(&name).unwrap();
    assert_eq!((&status["state"], &status["filter"]), (&"recording".into(), &"arp".into()));
    assert!(status["left_s"].as_u64().is_some_and(|left| (500..=600).contains(&left)), "{status}");
    assert!(status["disk_used"].as_u64() > Some(0) && status["disk_max"] == 1 << 30, "{status}");
    let shown = outside(&["status", &name]);
    assert!(shown.status.success() && text(&shown.stdout).contains("cap0"), "{shown:?}");
    assert!(text(&shown.stdout).lines().all(|line| line.len() <= 100 || line.contains(&out)), "{shown:?}");

    let rotated = outside(&["rotate", &name]);
    assert!(rotated.status.success(), "{rotated:?}");
    let packets = run.dir().unwrap().join("packets/cap0");
    wait_for("the second segment", || packets.join("000002.pcapng.zst").exists());

    let stopped = outside(&["stop", &name]);
    assert!(stopped.status.success(), "{stopped:?}");
    let tar = PathBuf::from(format!("{name}.tar"));
    let said = text(&stopped.stdout);
    assert!(said.contains(&tar.display().to_string()) && said.contains("500 packets"), "{said}");
    assert!(tar.is_file(), "it waits for the bundle");
    let again = outside(&["stop", &name, "--out", &out]);
    let said = text(&again.stdout);
    assert!(
        again.status.success() && (said.contains("over already") || said.contains("recorded: ")),
        "{again:?}"
    );
    let (output, bundle) = run.finish();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(bundle.manifest.end, End::Stopped { by: "netcap stop".into() });
    let unknown = outside(&["stop", "no-such-run", "--out", &out]);
    assert_eq!(unknown.status.code(), Some(2));
}

#[test]
fn nobody_but_root_and_the_owner_is_answered() {
    if !privileged("nobody_but_root_and_the_owner_is_answered") {
        return;
    }
    let net = Net::new();
    let mut run = Run::start(&net, &["arp"]);
    let name = dir_in(run.out.path());
    // Where anybody may run it.
    let place = tempfile::tempdir().unwrap();
    std::fs::set_permissions(place.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let program = place.path().join("netcap");
    std::fs::copy(env!("CARGO_BIN_EXE_netcap"), &program).unwrap();
    let asked = |words: &[&str]| {
        let mut command = Command::new("ip");
        command.args([
            "netns",
            "exec",
            &net.near,
            "setpriv",
            "--reuid=65534",
            "--regid=65534",
            "--clear-groups",
        ]);
        command.arg(&program).args(words).env("LC_ALL", "C").output().unwrap()
    };
    for words in [&["status", &name][..], &["stop", &name], &["rotate", &name]] {
        let output = asked(words);
        let said = text(&output.stdout) + &text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{words:?} {said}");
        assert!(said.contains("only root"), "{words:?} {said}");
    }
    // From outside of its namespace he cannot even reach it.
    let mut far = Command::new(&program);
    let far = far.args(["status", &name]).env("LC_ALL", "C").uid(65534).gid(65534).output().unwrap();
    assert_ne!(far.status.code(), Some(0), "{far:?}");
    thread::sleep(Duration::from_millis(300));
    assert!(run.runs(), "it records on");
    let (_, bundle) = run.end(Signal::SIGINT);
    assert_eq!(bundle.manifest.segments.len(), 1);
}

#[test]
fn a_crowd_at_the_socket_costs_no_packet() {
    if !privileged("a_crowd_at_the_socket_costs_no_packet") {
        return;
    }
    let net = Net::new();
    let run = Run::start(&net, &["arp"]);
    let name = dir_in(run.out.path());
    let crowd = {
        let run = Path::new(&name).file_name().expect("a name").to_string_lossy().into_owned();
        thread::spawn(move || crowd(&run))
    };
    for _ in 0..20 {
        net.send_in(&arp(&[], 100), 500);
        thread::sleep(Duration::from_millis(50));
    }
    assert!(crowd.join().unwrap() > 50, "there was a crowd");
    let stopped = outside(&["stop", &name]);
    assert!(stopped.status.success(), "{stopped:?}");
    let (_, bundle) = run.finish();
    assert_eq!((bundle.count(In, &arp(&[], 100)), bundle.manifest.counts[0].dropped), (10_000, 0));
}

/// Connects again and again with nonsense; gives how often.
fn crowd(run: &str) -> usize {
    use std::io::Write;
    use std::os::unix::net::UnixStream;
    let path = format!("/run/netcap/{run}");
    let connect = |n: usize| {
        let mut stream = UnixStream::connect(&path).ok()?;
        let _ = stream.write_all(&vec![b'x'; n * 100]);
        // Every tenth says nothing and stays.
        let _ = if n.is_multiple_of(10) { Ok(()) } else { stream.write_all(b"\n") };
        Some(stream)
    };
    (0..100).map_while(connect).collect::<Vec<_>>().len()
}

#[test]
fn dead_runs_are_listed_with_what_to_do() {
    if !privileged("dead_runs_are_listed_with_what_to_do") {
        return;
    }
    let net = Net::new();
    let run = Run::start(&net, &["arp"]);
    let name = dir_in(run.out.path());
    let (dir, out) = run.kill();
    let place = out.path().display().to_string();
    wait_for("its socket to be gone", || status_of(&name).is_none());
    let all = outside(&["status", "--out", &place]);
    let said = text(&all.stdout);
    assert!(all.status.success() && said.contains(&format!("netcap seal {}", dir.display())), "{all:?}");
    let one = outside(&["status", &name, "--out", &place]);
    assert_eq!(one.status.code(), Some(1), "{one:?}");
    assert_eq!(outside(&["stop", &name, "--out", &place]).status.code(), Some(2));
    assert!(outside(&["seal", &dir.display().to_string()]).status.success());
    assert_eq!(outside(&["status", &name, "--out", &place]).status.code(), Some(2), "nothing dead is left");
    assert_eq!(manifest(&entries(out.path())[0]).end, End::Recovered);
}

#[test]
fn several_runs_are_told_apart_and_end_together() {
    if !privileged("several_runs_are_told_apart_and_end_together") {
        return;
    }
    let net = Net::new();
    let out = tempfile::tempdir().unwrap();
    // With a /run of their own: --all must not mean the runs of other tests.
    let script = r#"
        set -e
        mount -t tmpfs none /run
        for n in 1 2; do "$0" -d -q --iface cap0 --min-free 0 --out "$1" arp >>"$1/names"; done
        "$0" status --json --out "$1" | grep -c '"state": "recording"'
        "$0" stop --out "$1" || echo "exit $?"
        "$0" stop --all
        "$0" status --out "$1"
    "#
    .replace(" -q ", " --quiet ");
    let mut command = Command::new("ip");
    command.args([
        "netns",
        "exec",
        &net.near,
        "unshare",
        "--pid",
        "--fork",
        "--mount-proc",
        "bash",
        "-c",
        &script,
    ]);
    command.arg(env!("CARGO_BIN_EXE_netcap")).arg(out.path()).env("OVS_RUNDIR", "/nonexistent");
    let output = command.env("LC_ALL", "C").output().unwrap();
    let (said, stderr) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{said}\n{stderr}");
    assert!(said.starts_with("2\nexit 2\n"), "two record, and none was named: {said}");
    assert!(stderr.contains("--all"), "{stderr}");
    assert!(said.trim_end().ends_with("nothing is being recorded on this host"), "{said}");
    let names = std::fs::read_to_string(out.path().join("names")).unwrap();
    let names: Vec<&str> = names.lines().collect();
    assert!(names.len() == 2 && names[0] != names[1], "{names:?}");
    for name in names {
        let tar = out.path().join(format!("{name}.tar"));
        assert_eq!(manifest(&tar).end, End::Stopped { by: "netcap stop".into() });
    }
    assert_eq!(entries(out.path()).len(), 3);
}

#[test]
fn all_ends_at_once_give_one_bundle() {
    if !privileged("all_ends_at_once_give_one_bundle") {
        return;
    }
    let net = Net::new();
    let run = Run::start(&net, &["--duration=4s", "arp"]);
    let begun = Instant::now();
    let name = dir_in(run.out.path());
    net.send_in(&arp(&[], 100), 300);
    thread::sleep(Duration::from_millis(3500).saturating_sub(begun.elapsed()));
    let stops: Vec<_> = (0..3)
        .map(|_| {
            let name = name.clone();
            thread::spawn(move || outside(&["stop", &name]))
        })
        .collect();
    run.signal(Signal::SIGINT);
    run.signal(Signal::SIGTERM);
    let tar = PathBuf::from(format!("{name}.tar"));
    for stop in stops {
        let output = stop.join().unwrap();
        // One that came when all was over did not find it any more, which it says.
        assert!([Some(0), Some(2)].contains(&output.status.code()), "{output:?}");
        let said = text(&output.stdout);
        assert!(!output.status.success() || said.contains(&tar.display().to_string()), "{output:?}");
    }
    let (output, bundle) = run.finish();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(entries(bundle.path.parent().unwrap()), std::slice::from_ref(&tar));
    assert_eq!(bundle.count(In, &arp(&[], 100)), 300);
}

/// Kills at a moment of ending; more with `NETCAP_KILLS`.
fn kills() -> u64 {
    std::env::var("NETCAP_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(6)
}

/// Waits for the moment of the next kill: before the manifest, while the tar grows, while the directory goes.
fn moment(n: u64, dir: &Path) {
    let begun = [dir.join("manifest.json"), PathBuf::from(format!("{}.tar", dir.display()))];
    let until = Instant::now() + PATIENCE;
    let sign = match n % 3 {
        0 => return thread::sleep(Duration::from_millis(40 + n * 67 % 300)),
        1 => &begun[0],
        _ => &begun[1],
    };
    while !sign.exists() && Instant::now() < until {
        thread::sleep(Duration::from_micros(100));
    }
    thread::sleep(Duration::from_millis(if n % 3 == 1 { n * 3 % 17 } else { 0 }));
}

#[test]
fn a_kill_while_it_ends_leaves_one_bundle_or_what_makes_one() {
    if !privileged("a_kill_while_it_ends_leaves_one_bundle_or_what_makes_one") {
        return;
    }
    let net = Net::new();
    for n in 0..kills() {
        let run = Run::start(&net, &["arp"]);
        let name = dir_in(run.out.path());
        net.send_in(&arp(&[], 1000), 2000);
        run.wrote(2000);
        let stop = {
            let name = name.clone();
            thread::spawn(move || outside(&["stop", &name]))
        };
        moment(n, Path::new(&name));
        let (out, stopped) = (run.kill_any(), stop.join().unwrap());
        let dir = PathBuf::from(&name);
        let tar = PathBuf::from(format!("{name}.tar"));
        let what = format!("round {n}: {stopped:?}");
        assert!(stopped.status.success() <= tar.is_file(), "success is told only of what is there; {what}");
        if dir.exists() {
            let sealed = outside(&["seal", &dir.display().to_string()]);
            assert!(sealed.status.success(), "{what} {sealed:?}");
        }
        assert_eq!(entries(out.path()), std::slice::from_ref(&tar), "{what}");
        let bundle = Bundle::open(&tar, None);
        assert_eq!(bundle.count(In, &arp(&[], 1000)), 2000, "{what}");
        let listed: u64 = bundle.manifest.counts.iter().map(|c| c.written).sum();
        assert_eq!(listed, 2000, "{what}");
    }
}
