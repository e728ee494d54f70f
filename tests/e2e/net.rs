//! Two network namespaces joined by a veth pair: netcap listens on `cap0` in the first.

use std::fs::File;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use nix::sched::{CloneFlags, setns};
use pnet::datalink::{self, Channel, Config};

/// One pair of namespaces; they are gone when this is dropped.
pub(crate) struct Net {
    /// Where netcap runs, with `cap0`.
    pub(crate) near: String,
    /// The other end, with `peer0`.
    pub(crate) far: String,
}

/// Tests of one program run side by side.
static NEXT: AtomicU32 = AtomicU32::new(0);

impl Net {
    /// Makes the namespaces and the pair.
    pub(crate) fn new() -> Self {
        let id = format!("nce2e-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let net = Self { near: format!("{id}-a"), far: format!("{id}-b") };
        ip(&format!("netns add {}", net.near));
        ip(&format!("netns add {}", net.far));
        for ns in [&net.near, &net.far] {
            // Their own chatter would be counted as well.
            inside(ns, "sysctl", &["-qw", "net.ipv6.conf.default.disable_ipv6=1"]);
        }
        net.plug();
        net
    }

    /// Makes the pair, for the first time or again.
    pub(crate) fn plug(&self) {
        ip(&format!("-n {} link add cap0 type veth peer name peer0 netns {}", self.near, self.far));
        ip(&format!("-n {} link set peer0 up", self.far));
        ip(&format!("-n {} link set cap0 up", self.near));
    }

    /// Takes the pair away.
    pub(crate) fn unplug(&self) {
        ip(&format!("-n {} link del cap0", self.near));
    }

    /// Sends a frame `count` times out of `cap0`.
    pub(crate) fn send_out(&self, frame: &[u8], count: usize) {
        send(&self.near, "cap0", vec![frame.to_vec(); count]);
    }

    /// Sends a frame `count` times into `cap0`.
    pub(crate) fn send_in(&self, frame: &[u8], count: usize) {
        send(&self.far, "peer0", vec![frame.to_vec(); count]);
    }

    /// Sends a frame `count` times out of another interface of the far side.
    pub(crate) fn send_in_on(&self, peer: &str, frame: &[u8], count: usize) {
        send(&self.far, peer, vec![frame.to_vec(); count]);
    }

    /// Sends these frames out of `cap0`.
    pub(crate) fn send_each_out(&self, frames: Vec<Vec<u8>>) {
        send(&self.near, "cap0", frames);
    }

    /// Sends these frames into `cap0`.
    pub(crate) fn send_each_in(&self, frames: Vec<Vec<u8>>) {
        send(&self.far, "peer0", frames);
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        for ns in [&self.near, &self.far] {
            let _ = Command::new("ip").args(["netns", "del", ns]).status();
        }
    }
}

/// Runs `ip` and insists.
pub(crate) fn ip(words: &str) {
    let status = Command::new("ip").args(words.split_whitespace()).status().expect("iproute2 is installed");
    assert!(status.success(), "ip {words}: {status}");
}

fn inside(ns: &str, program: &str, words: &[&str]) {
    let _ = Command::new("ip").args(["netns", "exec", ns, program]).args(words).status();
}

/// Sends from a thread that has moved into the namespace; the thread ends with it.
fn send(ns: &str, iface: &str, frames: Vec<Vec<u8>>) {
    let (ns, iface) = (ns.to_owned(), iface.to_owned());
    let sender = move || {
        let file = File::open(format!("/run/netns/{ns}")).expect("the namespace is there");
        setns(file, CloneFlags::CLONE_NEWNET).expect("root may enter it");
        let iface =
            datalink::interfaces().into_iter().find(|i| i.name == iface).expect("the interface is there");
        let config = Config { promiscuous: false, ..Config::default() };
        let Ok(Channel::Ethernet(mut tx, _)) = datalink::channel(&iface, config) else {
            panic!("no channel")
        };
        for frame in frames {
            // A full queue is not an error of the test: try again.
            while !matches!(tx.send_to(&frame, None), Some(Ok(()))) {
                thread::yield_now();
            }
        }
    };
    thread::spawn(sender).join().expect("all frames were sent");
}

/// An ARP request padded to `length` bytes, with these tags (TPID, VLAN) behind the addresses.
pub(crate) fn arp(tags: &[(u16, u16)], length: usize) -> Vec<u8> {
    let mut frame = vec![0xff; 6];
    frame.extend_from_slice(&[0x0c, 0xda, 0x41, 0x1d, 0x56, 0xa7]);
    for (tpid, vlan) in tags {
        frame.extend_from_slice(&tpid.to_be_bytes());
        frame.extend_from_slice(&vlan.to_be_bytes());
    }
    frame.extend_from_slice(&[0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 1]);
    frame
        .extend_from_slice(&[0x0c, 0xda, 0x41, 0x1d, 0x56, 0xa7, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 10, 0, 0, 2]);
    frame.resize(length, 0);
    frame
}
