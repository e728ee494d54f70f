//! What a confined recording and its helper say to each other.
//!
//! A message is two little-endian lengths, a JSON head and bytes that belong to it; a descriptor may come with the first
//! byte. Each side asks or answers, one after the other, so a message needs no number.

use std::io::{self, IoSlice, Read, Write};
use std::net::IpAddr;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use netcap_bundle::Nanos;
use netcap_bundle::run::ShedLevel;
use netcap_bundle::source::Outcome;
use netcap_filters::Instruction;
use nix::errno::Errno;
use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::limits::Limits;
use crate::sys;

/// Bytes of a head at most: the longest is a filter of 4096 instructions (`BPF_MAXINSNS`, linux/bpf_common.h).
const HEAD_MAX: u32 = 1 << 20;
/// Bytes that come with a head at most: the cap of a recipe (16 MiB) and its error output.
const BODY_MAX: u32 = (16 << 20) + (64 << 10);
/// Both lengths.
const LENGTHS: usize = 8;

/// An instruction of a filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct WireInstruction {
    pub(super) code: u16,
    pub(super) jt: u8,
    pub(super) jf: u8,
    pub(super) k: u32,
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Request {
    /// The first message, sent before anything untrusted was seen: what the helper goes by. The channel for sockets
    /// comes with it.
    Hello {
        /// Directory of Open vSwitch's sockets.
        ovs_rundir: PathBuf,
        /// Where results lie.
        out: PathBuf,
        /// The program that explains a run, if that is wanted.
        analyzer: Option<PathBuf>,
        /// Its language.
        lang: String,
    },
    /// The last message before the recording is confined: what may be asked for from now on; once.
    Limits(Box<Limits>),
    /// A sample of host state.
    Recipe {
        /// The source's id.
        source: String,
        item: String,
        /// What it is repeated over; empty when once.
        arg: String,
    },
    /// One of the idle packet sockets that get rings later; only before the recording is confined are there any.
    Spare,
    /// A ring for one of them.
    Ring {
        /// Interface.
        iface: String,
        /// Filter.
        program: Vec<WireInstruction>,
        block_bytes: u32,
        blocks: u32,
    },
    /// Another filter for the ring of an interface: the same, keeping of what it matches what this level leaves.
    Cut {
        /// The interface's index.
        index: u32,
        level: ShedLevel,
    },
    /// A raw socket for pings.
    Ping {
        /// Who is pinged.
        address: IpAddr,
        /// The identifier of the requests.
        id: u16,
    },
    /// What the datapaths of Open vSwitch have counted so far.
    Datapaths,
    /// The run is over: the name of its control socket goes.
    Forget,
    /// The control socket of the run, listening under the name of root; once.
    Listen { run: String },
    /// The explanation of a result, printed.
    Analyze {
        /// The result.
        path: PathBuf,
    },
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Answer {
    /// A sample; its bytes come with it, those of standard error last.
    Sample {
        /// When it was started.
        at: Nanos,
        /// How long it took, in nanoseconds.
        took_ns: i64,
        /// How it ended.
        outcome: Outcome,
        /// True when it was cut.
        truncated: bool,
        /// Bytes of standard error.
        stderr: u32,
    },
    /// The limits hold.
    Limited {
        /// Idle packet sockets that are to be fetched now.
        spares: u32,
    },
    /// The socket comes with it.
    Spare,
    /// It receives.
    Ring {
        /// Which of the idle sockets has it, in the order they came.
        spare: u32,
        /// The interface's index.
        index: u32,
        /// Blocks that the kernel had memory for.
        blocks: u32,
    },
    /// The filter is in place.
    Cut,
    /// The socket comes with it.
    Ping,
    /// The socket comes with it.
    Listening,
    /// The name is gone.
    Forgotten,
    /// What `dpctl/show -s` said.
    Datapaths {
        /// As it came.
        text: String,
    },
    /// The analyzer has ended.
    Analyzed {
        /// Its exit status; absent when it was killed.
        status: Option<i32>,
    },
    /// It was not done.
    Refused {
        why: String,
        /// The system's error number, if it was the system that refused.
        errno: Option<i32>,
    },
}

impl Answer {
    /// For an error of the system.
    pub(super) fn refused(error: &io::Error) -> Self {
        Self::Refused { why: error.to_string(), errno: error.raw_os_error() }
    }

    /// The error again.
    pub(super) fn error(self) -> io::Error {
        match self {
            Self::Refused { errno: Some(code), .. } => io::Error::from_raw_os_error(code),
            Self::Refused { why, errno: None } => io::Error::other(why),
            other => io::Error::new(io::ErrorKind::InvalidData, format!("unexpected answer {other:?}")),
        }
    }
}

/// A filter as it travels.
pub(super) fn to_wire(program: &[Instruction]) -> Vec<WireInstruction> {
    program.iter().map(|&Instruction { code, jt, jf, k }| WireInstruction { code, jt, jf, k }).collect()
}

/// And as it is attached.
pub(super) fn from_wire(program: &[WireInstruction]) -> Vec<Instruction> {
    program.iter().map(|&WireInstruction { code, jt, jf, k }| Instruction { code, jt, jf, k }).collect()
}

fn too_long() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a message that is too long")
}

fn pack(head: &impl Serialize, body: &[u8]) -> io::Result<([u8; LENGTHS], Vec<u8>)> {
    let head = serde_json::to_vec(head)?;
    let length = |bytes: usize, max| u32::try_from(bytes).ok().filter(|n| *n <= max).ok_or_else(too_long);
    let mut lengths = [0; LENGTHS];
    lengths[..4].copy_from_slice(&length(head.len(), HEAD_MAX)?.to_le_bytes());
    lengths[4..].copy_from_slice(&length(body.len(), BODY_MAX)?.to_le_bytes());
    Ok((lengths, head))
}

/// Lengths of head and body, if the other side keeps to the limits.
fn unpack(lengths: [u8; LENGTHS]) -> io::Result<(usize, usize)> {
    let both = u64::from_le_bytes(lengths);
    let [head, body] = [both & u64::from(u32::MAX), both >> 32].map(|n| u32::try_from(n).unwrap_or(u32::MAX));
    if head > HEAD_MAX || body > BODY_MAX {
        return Err(too_long());
    }
    Ok((head as usize, body as usize))
}

/// Sends a message without a body, with a descriptor if there is one. Without one it takes no call that could send any: a
/// confined recording has none.
pub(super) fn send(mut to: &UnixStream, head: &impl Serialize, fd: Option<BorrowedFd<'_>>) -> io::Result<()> {
    let (lengths, head) = pack(head, &[])?;
    let Some(fd) = fd else {
        to.write_all(&lengths)?;
        return to.write_all(&head);
    };
    let fds = [fd.as_raw_fd()];
    let rights = [ControlMessage::ScmRights(&fds)];
    let parts = [IoSlice::new(&lengths)];
    let sent = loop {
        match sendmsg::<()>(to.as_raw_fd(), &parts, &rights, MsgFlags::MSG_NOSIGNAL, None) {
            Err(Errno::EINTR) => {}
            sent => break sent?,
        }
    };
    to.write_all(lengths.get(sent..).unwrap_or_default())?;
    to.write_all(&head)
}

/// Receives such a message; `None` when the other side is gone.
pub(super) fn receive<T: DeserializeOwned>(
    mut from: &UnixStream,
) -> io::Result<Option<(T, Option<OwnedFd>)>> {
    let mut lengths = [0; LENGTHS];
    let (got, fd) = sys::receive_with_fd(from, &mut lengths)?;
    if got == 0 {
        return Ok(None);
    }
    from.read_exact(lengths.get_mut(got..).unwrap_or_default())?;
    let (head, body) = unpack(lengths)?;
    let mut bytes = vec![0; head + body];
    from.read_exact(&mut bytes)?;
    bytes.truncate(head);
    Ok(Some((serde_json::from_slice(&bytes)?, fd)))
}

/// Sends a message with a body.
pub(super) async fn write(
    to: &mut tokio::net::UnixStream,
    head: &impl Serialize,
    body: &[u8],
) -> io::Result<()> {
    let (lengths, head) = pack(head, body)?;
    to.write_all(&lengths).await?;
    to.write_all(&head).await?;
    to.write_all(body).await
}

/// Receives such a message; `None` when the other side is gone.
pub(super) async fn read<T: DeserializeOwned>(
    from: &mut tokio::net::UnixStream,
) -> io::Result<Option<(T, Vec<u8>)>> {
    let mut lengths = [0; LENGTHS];
    match from.read_exact(&mut lengths).await {
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    };
    let (head, body) = unpack(lengths)?;
    let mut bytes = vec![0; head + body];
    from.read_exact(&mut bytes).await?;
    let body = bytes.split_off(head);
    Ok(Some((serde_json::from_slice(&bytes)?, body)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::os::fd::AsFd;

    #[test]
    fn a_descriptor_travels_with_its_message() {
        let (a, b) = UnixStream::pair().unwrap();
        let request = Request::Ping { address: "10.0.0.1".parse().unwrap(), id: 7 };
        let file = tempfile::tempfile().unwrap();
        send(&a, &request, Some(file.as_fd())).unwrap();
        send(&a, &request, None).unwrap();
        let (got, fd) = receive::<Request>(&b).unwrap().unwrap();
        assert_eq!(got, request);
        (&file).write_all(b"here").unwrap();
        assert_eq!(std::fs::File::from(fd.unwrap()).metadata().unwrap().len(), 4);
        assert!(receive::<Request>(&b).unwrap().unwrap().1.is_none());
        drop(a);
        assert!(receive::<Request>(&b).unwrap().is_none());
    }

    #[tokio::test]
    async fn a_sample_travels_with_its_bytes() {
        let (mut a, mut b) = tokio::net::UnixStream::pair().unwrap();
        let answer = Answer::Sample {
            at: Nanos(7),
            took_ns: 9,
            outcome: Outcome::Exit { code: 3 },
            truncated: true,
            stderr: 2,
        };
        let body = vec![7; 300_000];
        let (sent, got) = tokio::join!(write(&mut a, &answer, &body), read::<Answer>(&mut b));
        sent.unwrap();
        assert_eq!(got.unwrap().unwrap(), (answer, body));
        drop(a);
        assert!(read::<Answer>(&mut b).await.unwrap().is_none());
    }

    #[test]
    fn errors_keep_their_number() {
        let error = io::Error::from_raw_os_error(libc::ENODEV);
        assert_eq!(Answer::refused(&error).error().raw_os_error(), Some(libc::ENODEV));
        assert_eq!(Answer::refused(&io::Error::other("no")).error().to_string(), "no");
        assert_eq!(Answer::Ping.error().kind(), io::ErrorKind::InvalidData);
    }

    proptest! {
        #[test]
        fn whatever_arrives_is_answered(bytes in proptest::collection::vec(any::<u8>(), 0..64), small in 0u8..40) {
            let (mut a, b) = UnixStream::pair().unwrap();
            let mut framed = vec![small, 0, 0, 0, 0, 0, 0, 0];
            framed.extend(&bytes);
            for text in [&bytes, &framed] {
                a.write_all(text).unwrap();
            }
            drop(a);
            while let Ok(Some(_)) = receive::<Request>(&b) {}
        }

        #[test]
        fn lengths_are_bounded(lengths in any::<[u8; LENGTHS]>()) {
            if let Ok((head, body)) = unpack(lengths) {
                prop_assert!(head <= HEAD_MAX as usize && body <= BODY_MAX as usize);
            }
        }
    }
}
