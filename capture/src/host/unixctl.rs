//! A connection to ovs-vswitchd that stays open: over it the ledger asks `dpctl/show -s` each second.
//!
//! Measured with six ports: a forked `ovs-appctl` costs 4.4 ms of CPU a call, 0.4 % of a core each second for this
//! column alone; asking over a kept connection costs the daemon 0.2 ms and us less. The protocol is the one ovs-appctl
//! speaks (JSON-RPC 1.0 without separators, ovs-vswitchd(8), RFC 7047 section 4), the command only reads.

use std::io::{self, BufReader, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use netcap_bundle::held::Dir;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect as connect_to, socket};
use serde_json::Value;

/// Longest wait for an answer: the ledger's second waits with it.
pub(crate) const ANSWER_MAX: Duration = Duration::from_millis(200);
/// Bytes of an answer: a port takes 250.
const ANSWER_BYTES_MAX: u64 = 768 << 10;
/// Bytes of the daemon's pid file at most.
const PID_BYTES_MAX: u64 = 64;
pub(crate) const QUESTION: &[u8] = br#"{"id":0,"method":"dpctl/show","params":["-s"]}"#;

/// A connection to ovs-vswitchd that stays open.
#[derive(Debug)]
pub(crate) struct Link {
    rundir: PathBuf,
    stream: Option<BufReader<UnixStream>>,
}

impl Link {
    /// To the daemon of that directory; it is looked for when something is asked.
    pub(crate) fn new(rundir: &Path) -> Self {
        Self { rundir: rundir.to_owned(), stream: None }
    }

    /// What `dpctl/show -s` says now.
    pub(crate) fn ask(&mut self) -> io::Result<String> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => connect(&self.rundir)?,
        };
        let text = ask(&mut stream)?;
        // Only now: after an answer that did not come, the next would be taken for it.
        self.stream = Some(stream);
        Ok(text)
    }
}

/// The daemon's control socket carries its process id.
fn connect(rundir: &Path) -> io::Result<BufReader<UnixStream>> {
    // Whatever lies there is not waited for, as a pipe would be.
    let pid = Dir::visit(rundir)?.read_all("ovs-vswitchd.pid", PID_BYTES_MAX)?;
    let pid: u32 = String::from_utf8_lossy(&pid).trim().parse().map_err(io::Error::other)?;
    // The time-out goes for the connection too: a daemon that hangs lets its backlog fill up, and whoever connects then waits.
    let stream = socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    let stream = UnixStream::from(stream);
    stream.set_read_timeout(Some(ANSWER_MAX))?;
    stream.set_write_timeout(Some(ANSWER_MAX))?;
    connect_to(stream.as_raw_fd(), &UnixAddr::new(&rundir.join(format!("ovs-vswitchd.{pid}.ctl")))?)?;
    Ok(BufReader::new(stream))
}

fn ask(link: &mut BufReader<UnixStream>) -> io::Result<String> {
    link.get_mut().write_all(QUESTION)?;
    let read = serde_json::Deserializer::from_reader(link.by_ref().take(ANSWER_BYTES_MAX));
    let answer: Value =
        read.into_iter().next().ok_or(io::ErrorKind::UnexpectedEof)?.map_err(io::Error::other)?;
    let text = answer.get("result").and_then(Value::as_str);
    text.map(str::to_owned).ok_or_else(|| io::Error::other("refused"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::errno::Errno;
    use nix::sys::socket::{Backlog, listen};
    use std::os::unix::net::UnixListener;

    #[test]
    fn a_daemon_that_takes_nobody_in_is_not_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("ovs-vswitchd.pid"), "7\n").unwrap();
        let path = dir.path().join("ovs-vswitchd.7.ctl");
        let daemon = UnixListener::bind(&path).unwrap();
        // That of std is as long as the host allows: more than a test may have descriptors.
        listen(&daemon, Backlog::new(1).unwrap()).unwrap();
        let mut waiting = Vec::new();
        let full = loop {
            let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
            let one = socket(AddressFamily::Unix, SockType::Stream, flags, None).unwrap();
            match connect_to(one.as_raw_fd(), &UnixAddr::new(&path).unwrap()) {
                Ok(()) => waiting.push(one),
                Err(e) => break e,
            }
        };
        assert_eq!(full, Errno::EAGAIN);
        let (sender, asked) = std::sync::mpsc::channel();
        let mut link = Link::new(dir.path());
        std::thread::spawn(move || sender.send(link.ask().map_err(|e| e.kind())));
        let asked = asked.recv_timeout(Duration::from_secs(20)).expect("it gives up");
        assert_eq!(asked, Err(io::ErrorKind::WouldBlock));
    }
}
