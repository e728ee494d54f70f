//! A host that routes and bridges between a client and a server, in network namespaces; it can be recorded at four points.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use netcap_tests::lab::said;
use serde_json::Value;

use super::recording::{MIN_FREE, Recording};
use super::{NETCAP, explain};

static NEXT: AtomicU32 = AtomicU32::new(0);
/// The host's interfaces in the order of the way from client to server.
pub(crate) const POINTS: [&str; 4] = ["vnet7", "m0", "m1", "eth7"];
pub(crate) const SERVER: &str = "10.66.2.2";

/// client – vnet7 (host routes) m0 – m1 (host bridges) eth7 – server. The host cuts super-segments at eth7.
pub(crate) struct Path4 {
    names: [String; 3],
    dir: tempfile::TempDir,
}

impl Path4 {
    pub(crate) fn new(test: &str) -> Option<Self> {
        if !netcap_tests::privileged(test) {
            return None;
        }
        let id = format!("ncj{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let names = ["c", "h", "s"].map(|end| format!("{id}{end}"));
        let dir = tempfile::Builder::new().prefix("netcap-test-").tempdir().expect("a temporary directory");
        let path = Self { names, dir };
        let [c, h, s] = &path.names;
        for line in [
            format!("netns add {c}"),
            format!("netns add {h}"),
            format!("netns add {s}"),
            format!("-n {h} link add vnet7 type veth peer name c0 netns {c}"),
            format!("-n {h} link add m0 type veth peer name m1"),
            format!("-n {h} link add eth7 type veth peer name s0 netns {s}"),
            format!("-n {h} link add br7 type bridge"),
            format!("-n {h} link set m1 master br7"),
            format!("-n {h} link set eth7 master br7"),
            format!("-n {c} address add 10.66.1.2/24 dev c0"),
            format!("-n {h} address add 10.66.1.1/24 dev vnet7"),
            format!("-n {h} address add 10.66.2.1/24 dev m0"),
            format!("-n {s} address add {SERVER}/24 dev s0"),
        ] {
            ip(&line);
        }
        for (ns, device) in
            [(c, "c0"), (h, "vnet7"), (h, "m0"), (h, "m1"), (h, "eth7"), (h, "br7"), (s, "s0")]
        {
            ip(&format!("-n {ns} link set {device} up"));
        }
        ip(&format!("-n {c} route add default via 10.66.1.1"));
        ip(&format!("-n {s} route add default via 10.66.2.1"));
        path.insist("host", &["sysctl", "-qw", "net.ipv4.ip_forward=1"]);
        path.insist("host", &["ethtool", "-K", "eth7", "tso", "off", "gso", "off"]);
        Some(path)
    }

    fn command(&self, node: &str, words: &[&str]) -> Command {
        let name = match node {
            "client" => &self.names[0],
            "host" => &self.names[1],
            _ => &self.names[2],
        };
        let mut command = Command::new("ip");
        command.args(["netns", "exec", name]).args(words).stdin(Stdio::null());
        command
    }

    pub(crate) fn spawn(&self, node: &str, words: &[&str]) -> Child {
        let mut command = self.command(node, words);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("ip starts")
    }

    pub(crate) fn exec(&self, node: &str, words: &[&str]) -> Output {
        self.command(node, words).output().expect("ip starts")
    }

    pub(crate) fn insist(&self, node: &str, words: &[&str]) {
        let out = self.exec(node, words);
        assert!(out.status.success(), "{words:?}: {}", said(&out));
    }

    /// Records all four points while `during` runs, and explains the bundle.
    pub(crate) fn record(&self, name: &str, options: &[&str], during: impl FnOnce()) -> (PathBuf, Value) {
        let recording = self.start(name, options);
        during();
        let bundle = recording.end();
        let (_, json) = explain(&bundle);
        (bundle, json)
    }

    /// Starts to record all four points.
    pub(crate) fn start(&self, name: &str, options: &[&str]) -> Recording {
        let out = self.dir.path().join(name);
        let (text, points) = (out.to_string_lossy().into_owned(), POINTS.join(","));
        let words = [&[NETCAP, "--iface", &points, "--out", &text, MIN_FREE], options].concat();
        Recording::of(self.spawn("host", &words), &out)
    }

    /// A directory that goes away with it.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// TCP segments that the kernels of client and server sent again.
    pub(crate) fn sent_again(&self) -> u64 {
        let of = |node: &str| {
            let out = self.exec(node, &["cat", "/proc/net/snmp"]);
            let text = String::from_utf8_lossy(&out.stdout).into_owned();
            let mut tcp = text.lines().filter(|l| l.starts_with("Tcp:"));
            let (names, values) = (tcp.next().unwrap_or(""), tcp.next().unwrap_or(""));
            let at = names.split_whitespace().position(|n| n == "RetransSegs").expect("a counter");
            values.split_whitespace().nth(at).expect("its value").parse::<u64>().expect("a number")
        };
        of("client") + of("server")
    }

    /// Sends `count` datagrams from the client, fast. From a file, for a pipe may be read in parts.
    pub(crate) fn datagrams(&self, count: usize) {
        let zeros = self.dir.path().join("zeros");
        std::fs::write(&zeros, vec![0; count * 500]).expect("a file");
        let (from, to) = (format!("OPEN:{},rdonly", zeros.display()), format!("UDP-SENDTO:{SERVER}:9"));
        self.insist("client", &["socat", "-u", "-b", "500", &from, &to]);
    }
}

impl Drop for Path4 {
    fn drop(&mut self) {
        for name in &self.names {
            let _ = Command::new("ip").args(["netns", "del", name]).status();
        }
    }
}

fn ip(line: &str) {
    let status = Command::new("ip").args(line.split_whitespace()).status().expect("iproute2 is installed");
    assert!(status.success(), "ip {line}: {status}");
}
