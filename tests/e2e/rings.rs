//! Sockets of rings in the hands of a recorder that was taken over: a process that has some, confines itself and tries.

use std::fs;
use std::io;
use std::net::UdpSocket;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::process::Command;

use netcap::testing::attempts::{Attempt, CHANGING, RENUMBERING, RENUMBERING_PERHAPS, SENDING};
use netcap::testing::{FileLayer, User, confine, duplicate_from};
use netcap_tests::privileged;
use serde_json::{Value, json};

use crate::net::Net;
use crate::takeover::{Takeover, ring};

/// Set in the process that tries; holds where it may write.
const PLACE: &str = "NETCAP_TEST_RINGS";
/// The namespace of the helper.
const NEAR: &str = "NETCAP_TEST_RINGS_NEAR";
/// From here on descriptors are those of rings.
const FROM: i32 = 500;

#[test]
fn nothing_is_sent_through_the_socket_of_a_ring() {
    if !privileged("nothing_is_sent_through_the_socket_of_a_ring") {
        return;
    }
    let (net, place) = (Net::new(), tempfile::tempdir().expect("it can be made"));
    let before = arrived(&net);
    let output = Command::new(std::env::current_exe().expect("it has a name"))
        .args(["--exact", "rings::attempts", "--nocapture", "--test-threads=1"])
        .envs([(PLACE, place.path().as_os_str()), (NEAR, net.near.as_ref())])
        .output()
        .expect("it starts");
    assert!(output.status.success(), "{output:?}");
    let report: Value =
        serde_json::from_slice(&fs::read(place.path().join("report")).expect("it got as far as that"))
            .expect("it is JSON");
    assert_eq!(report["wrong"], json!([]));
    assert!(report["tried"].as_u64() >= Some(45), "{report}");
    assert_eq!(arrived(&net) - before, SENDING.len() as u64, "one of each way, before it was confined");
}

/// Frames that came to the far end.
fn arrived(net: &Net) -> u64 {
    let output = Command::new("ip").args(["-n", &net.far, "-j", "-s", "link", "show", "peer0"]).output();
    let links: Value = serde_json::from_slice(&output.expect("iproute2 is installed").stdout).expect("JSON");
    links[0]["stats64"]["rx"]["packets"].as_u64().expect("a number")
}

/// Not a test by itself: the process that is started.
#[test]
fn attempts() {
    let Some(place) = std::env::var_os(PLACE).map(PathBuf::from) else { return };
    let mut taken = Takeover::new(&std::env::var(NEAR).expect("all are set"));
    let mut spare = || taken.socket(&json!("Spare")).1.expect("there is one");
    let high = |fd: OwnedFd| duplicate_from(fd.as_fd(), FROM).expect("there is room");
    let (heard, other) = (high(spare()), high(spare()));
    let answer = taken.socket(&ring("cap0", 1 << 20)).0;
    assert_eq!(answer["Ring"]["spare"], 0, "{answer}");
    let ping = taken.socket(&json!({"Ping": {"address": "127.0.0.1", "id": 7}})).1.expect("a socket");
    let mut report = Report::default();
    for (name, works) in SENDING {
        report.works(name, works(heard.as_fd()));
    }
    // Not with the one that is bound to the interface: it must stay so.
    for (name, works) in CHANGING.into_iter().chain(RENUMBERING) {
        report.works(name, works(other.as_fd()));
    }
    report.works("a host", UdpSocket::bind("127.0.0.1:0"));
    let user = User::find(None).expect("there is nobody");
    let sandbox = confine(&user, std::slice::from_ref(&place), FileLayer::Best, FROM).expect("it can be");
    assert!(!sandbox.missing.iter().any(|layer| layer.starts_with("seccomp")), "{sandbox:?}");
    let all: Vec<Attempt> = [&SENDING[..], &CHANGING, &RENUMBERING, &RENUMBERING_PERHAPS]
        .into_iter()
        .flatten()
        .copied()
        .collect();
    for socket in [&heard, &other] {
        for (name, works) in &all {
            report.refused(name, works(socket.as_fd()));
        }
    }
    for (name, works) in CHANGING {
        report.refused(&format!("{name} of pings"), works(ping.as_fd()));
    }
    report.refused("a host", UdpSocket::bind("127.0.0.1:0"));
    let refused = taken.socket(&json!("Spare")).0;
    assert!(refused.get("Refused").is_some(), "{refused}");
    let report = json!({"wrong": report.wrong, "tried": report.tried});
    fs::write(place.join("report"), report.to_string()).expect("its own place");
}

/// What did not come out as it should.
#[derive(Default)]
struct Report {
    wrong: Vec<String>,
    tried: u64,
}

impl Report {
    fn works<T>(&mut self, what: &str, done: io::Result<T>) {
        self.tried += 1;
        if let Err(e) = done {
            self.wrong.push(format!("before, {what}: {e}"));
        }
    }

    fn refused<T>(&mut self, what: &str, done: io::Result<T>) {
        self.tried += 1;
        // A socket cannot be opened by name: there is no such device.
        let refusals = [libc::EPERM, libc::EACCES, libc::ENOSYS, libc::ENXIO].map(Some);
        match done {
            Ok(_) => self.wrong.push(format!("{what}: it worked")),
            Err(e) if refusals.contains(&e.raw_os_error()) => {}
            Err(e) => self.wrong.push(format!("{what}: {e}")),
        }
    }
}
