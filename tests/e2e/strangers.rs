//! Users without rights around a recording: they can neither hide it, nor end it, nor keep root from asking.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::life::text;
use crate::net::Net;
use crate::run::{Run, netcap};
use netcap_tests::privileged;

/// Names like those of runs taken in the network namespace, listening and silent; then `/run/netcap` is tried.
const SQUATTER: &str = r#"
import os, resource, socket, sys, time
most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
kept = []
for n in range(1344):
    s = socket.socket(socket.AF_UNIX)
    s.bind("\0netcap/host-2026112104%04d" % n)
    s.listen()
    kept.append(s)
for attempt in (
    lambda: os.listdir("/run/netcap"),
    lambda: os.open("/run/netcap/host-1", os.O_CREAT | os.O_WRONLY),
    lambda: os.rename("/run/netcap", "/run/netcap2"),
    lambda: socket.socket(socket.AF_UNIX).connect("/run/netcap/" + sys.argv[1]),
):
    try:
        attempt()
        print("done", flush=True)
    except PermissionError:
        print("refused", flush=True)
print("ready", flush=True)
time.sleep(600)
"#;

struct Stranger(Child);

impl Stranger {
    /// As nobody, in the namespace of the recorder; gives what became of the attempts.
    fn start(net: &Net, run: &str) -> (Self, Vec<String>) {
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
        command.args(["/usr/bin/python3", "-c", SQUATTER, run]).stdout(Stdio::piped());
        let mut child = command.spawn().expect("python3 starts");
        let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let said = lines.map_while(Result::ok).take_while(|line| line != "ready").collect();
        (Self(child), said)
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn nobody_can_stand_in_for_a_run_or_keep_root_from_asking() {
    if !privileged("nobody_can_stand_in_for_a_run_or_keep_root_from_asking") {
        return;
    }
    let net = Net::new();
    let run = Run::start(&net, &["arp"]);
    let name = run.dir().expect("a directory").file_name().expect("a name").to_string_lossy().into_owned();
    let (_stranger, said) = Stranger::start(&net, &name);
    assert_eq!(said, ["refused"; 4], "of what root has made");
    let began = Instant::now();
    let status = netcap(&net, &["status"]).output().unwrap();
    let listed = text(&status.stdout);
    assert!(status.status.success() && listed.contains(&name), "{status:?}");
    assert!(!listed.contains("host-2026112104"), "{listed}");
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    let stopped = netcap(&net, &["stop", &name]).output().unwrap();
    assert!(stopped.status.success(), "{stopped:?}");
    let (_, bundle) = run.finish();
    assert_eq!(bundle.manifest.segments.len(), 1);
    assert!(!std::path::Path::new("/run/netcap").join(&name).exists(), "the name goes with the run");
}

#[test]
fn a_recorder_that_does_not_listen_was_not_told_to_stop() {
    if !privileged("a_recorder_that_does_not_listen_was_not_told_to_stop") {
        return;
    }
    let net = Net::new();
    let run = Run::start(&net, &["arp"]);
    let name = run.dir().expect("a directory").file_name().expect("a name").to_string_lossy().into_owned();
    run.signal(Signal::SIGSTOP);
    let began = Instant::now();
    let stopped = netcap(&net, &["stop", &name]).output().unwrap();
    let said = text(&stopped.stdout) + &text(&stopped.stderr);
    run.signal(Signal::SIGCONT);
    assert_eq!(stopped.status.code(), Some(1), "{said}");
    assert!(said.contains("was not told to stop"), "{said}");
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    let (_, bundle) = run.end(Signal::SIGINT);
    assert_eq!(bundle.manifest.segments.len(), 1);
}
