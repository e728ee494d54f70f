//! The helper from outside: what a recorder that was taken over may ask for, and what it gets.

use std::fs;
use std::io::{IoSlice, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command};
use std::sync::Arc;
use std::time::Duration;

use netcap_tests::privileged;
use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use serde_json::{Value, json};

use crate::net::Net;

/// Bytes of the rings of the plan.
const RING: u64 = 4 << 20;
/// Bytes that the helper may take, whatever it is asked: it is a copy of the program with a channel and a list.
const HELPER_MAX: u64 = 64 << 20;

/// A helper, and a recording that speaks to it as it likes.
pub(crate) struct Takeover {
    helper: Child,
    slow: UnixStream,
    sockets: UnixStream,
}

impl Takeover {
    /// Starts a helper in that namespace and tells it a plan: one interface, one ping.
    pub(crate) fn new(near: &str) -> Self {
        let (slow, there) = UnixStream::pair().expect("sockets");
        let (sockets, sockets_there) = UnixStream::pair().expect("sockets");
        for stream in [&slow, &sockets] {
            stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a time-out");
        }
        let mut command = Command::new("ip");
        command.args(["netns", "exec", near, env!("CARGO_BIN_EXE_netcap"), netcap::testing::HELPER]);
        let helper = command.stdin(OwnedFd::from(there)).spawn().expect("it starts");
        let mut all = Self { helper, slow, sockets };
        let hello = json!({"Hello": {"ovs_rundir": "/nonexistent", "out": "/nonexistent", "analyzer": null, "lang": "en"}});
        let (lengths, head) = pack(&hello);
        let fds = [sockets_there.as_raw_fd()];
        let rights = [ControlMessage::ScmRights(&fds)];
        let parts = [IoSlice::new(&lengths)];
        sendmsg::<()>(all.slow.as_raw_fd(), &parts, &rights, MsgFlags::empty(), None).expect("it listens");
        all.slow.write_all(&head).expect("it listens");
        assert!(all.socket(&ring("cap0", RING)).0.get("Refused").is_some(), "nothing before the plan");
        let limits = json!({"Limits": {
            "ifaces": ["cap0"], "follow": null, "old": [], "ring_bytes": RING, "rings": 2,
            "pings": ["127.0.0.1"],
            "state_interval_ms": 60_000,
        }});
        assert_eq!(all.socket(&limits).0, json!({"Limited": {"spares": 2}}));
        assert!(all.socket(&limits).0.get("Refused").is_some(), "the plan is fixed");
        all
    }

    /// Asks for a socket; what was answered, and what came with it.
    pub(crate) fn socket(&mut self, request: &Value) -> (Value, Option<OwnedFd>) {
        let (lengths, head) = pack(request);
        self.sockets.write_all(&[&lengths[..], &head].concat()).expect("it listens");
        let mut lengths = [0; 8];
        let (got, fd) = netcap::testing::receive_with_fd(&self.sockets, &mut lengths).expect("an answer");
        assert_eq!(got, lengths.len(), "to {request}");
        (body(&mut &self.sockets, lengths).0, fd)
    }

    /// Asks for a sample.
    fn sample(&mut self, source: &str, item: &str, arg: &str) -> Value {
        let (lengths, head) = pack(&json!({"Recipe": {"source": source, "item": item, "arg": arg}}));
        self.slow.write_all(&[&lengths[..], &head].concat()).expect("it listens");
        let mut lengths = [0; 8];
        self.slow.read_exact(&mut lengths).expect("an answer");
        body(&mut &self.slow, lengths).0
    }

    /// Bytes of memory that it takes.
    fn memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.helper.id())).expect("it lives");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("it is said");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") << 10
    }
}

impl Drop for Takeover {
    fn drop(&mut self) {
        // Who has confined itself may not; the helper ends with its channels then.
        if self.helper.kill().is_ok() {
            let _ = self.helper.wait();
        }
    }
}

/// A request for a ring of that many bytes that hears everything.
pub(crate) fn ring(iface: &str, bytes: u64) -> Value {
    let all = json!([{"code": 6, "jt": 0, "jf": 0, "k": 65535}]);
    json!({"Ring": {"iface": iface, "program": all, "block_bytes": 256 << 10, "blocks": bytes / (256 << 10)}})
}

fn pack(request: &Value) -> ([u8; 8], Vec<u8>) {
    let head = serde_json::to_vec(request).expect("it is JSON");
    ((head.len() as u64).to_le_bytes(), head)
}

fn body(from: &mut impl Read, lengths: [u8; 8]) -> (Value, Vec<u8>) {
    let both = u64::from_le_bytes(lengths);
    let (head, body) = (both & 0xffff_ffff, both >> 32);
    let mut bytes = vec![0; usize::try_from(head + body).expect("it fits")];
    from.read_exact(&mut bytes).expect("it is whole");
    let body = bytes.split_off(usize::try_from(head).expect("it fits"));
    (serde_json::from_slice(&bytes).expect("it is JSON"), body)
}

fn refused(answer: &Value, why: &str) {
    let said = answer["Refused"]["why"].as_str().unwrap_or_default();
    assert!(said.contains(why), "{why}: {answer}");
}

#[test]
fn a_recorder_that_was_taken_over_gets_what_is_in_the_plan() {
    if !privileged("a_recorder_that_was_taken_over_gets_what_is_in_the_plan") {
        return;
    }
    let net = Net::new();
    let mut taken = Takeover::new(&net.near);
    refused(&taken.socket(&ring("lo", RING)).0, "not in the plan");
    for _ in 0..20 {
        refused(&taken.socket(&ring("cap0", 512 << 20)).0, "no memory left");
    }
    let mut spare = || taken.socket(&json!("Spare")).1.map(Arc::new);
    let sockets = [spare(), spare(), spare(), spare()];
    let [Some(first), Some(_), None, None] = &sockets else { panic!("as many as in the plan: {sockets:?}") };
    let map = || {
        netcap::testing::Ring::map(
            first.clone(),
            netcap::testing::RingSize { block_bytes: 256 << 10, blocks: 16 },
        )
    };
    assert!(map().is_err(), "it has no ring yet");
    let (answer, fd) = taken.socket(&ring("cap0", RING));
    assert!(answer["Ring"]["spare"] == 0 && fd.is_none(), "{answer}");
    // It is not mapped, so the recording does not use it: whoever asks for the next has given it up.
    assert_eq!(taken.socket(&ring("cap0", RING)).0["Ring"]["spare"], 0);
    let mapped = map().expect("this one lives");
    refused(&taken.socket(&ring("cap0", 1 << 20)).0, "a ring already");
    drop(mapped);
    for n in 0..2000 {
        let host = nix::unistd::gethostname().expect("a name").to_string_lossy().into_owned();
        let name = if n % 2 == 0 { format!("elsewhere-{n}") } else { format!("{host}-x{n}") };
        refused(&taken.socket(&json!({"Listen": {"run": name}})).0, "under the name of the run");
    }
    let ping = |address: &str| json!({"Ping": {"address": address, "id": 7}});
    refused(&taken.socket(&ping("127.0.0.2")).0, "not in the plan");
    assert_eq!(taken.socket(&ping("127.0.0.1")).0, json!("Ping"));
    refused(&taken.socket(&ping("127.0.0.1")).0, "has its socket");
    let asked = (0..100).filter(|_| {
        let answer = taken.socket(&json!("Datapaths")).0;
        !answer["Refused"]["why"].as_str().unwrap_or_default().contains("too many questions")
    });
    assert!(asked.count() < 10);
    assert!(taken.memory() < HELPER_MAX, "{}", taken.memory());
}

#[test]
fn a_recorder_that_was_taken_over_does_not_choose_what_is_run() {
    if !privileged("a_recorder_that_was_taken_over_does_not_choose_what_is_run") {
        return;
    }
    let net = Net::new();
    let mut taken = Takeover::new(&net.near);
    refused(&taken.sample("sh", "dump", ""), "does not do that");
    refused(&taken.sample("ovs-openflow", "dump-flows", "br-of-nobody"), "the plan does not ask for this");
    let answers: Vec<Value> = (0..200).map(|_| taken.sample("links", "addr", "")).collect();
    let done = answers.iter().filter(|answer| answer.get("Sample").is_some()).count();
    assert!((1..100).contains(&done), "{done}: {}", answers[0]);
    refused(&answers[199], "the plan does not ask for this now");
    assert!(taken.memory() < HELPER_MAX, "{}", taken.memory());
}
