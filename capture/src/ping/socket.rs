//! The raw socket of one ping: kernel stamps for what arrives and, through the error queue, for what leaves.
//!
//! `SO_TIMESTAMPING` (Documentation/networking/timestamping.rst): the stamp of sending is taken where the packet leaves for
//! the driver (`TX_SOFTWARE`), or, with drivers that do not give one, where it enters the queue (`TX_SCHED`).

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use netcap_bundle::Nanos;
use nix::cmsg_space;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrStorage, Timestamps, recvmsg, sendto};

use super::packet::{self, Received};
use crate::host::clock;
use crate::privileged::Privileged;

/// Packets read in one turn; more are read in the next.
const TURN: usize = 64;

/// Something the socket heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum SocketEvent {
    /// Our request left at that time.
    Sent { seq: u16, at: Nanos },
    /// An answer.
    Reply { seq: u16, at: Nanos, ttl: Option<u8>, kernel: bool },
    /// An error instead of an answer.
    Error { seq: u16, why: String },
}

/// A socket that pings one address.
pub(super) struct Socket {
    fd: OwnedFd,
    address: IpAddr,
    id: u16,
}

impl Socket {
    /// Opens the socket with a filter for this ping's own identifier.
    pub(super) fn open(address: IpAddr, privileged: &dyn Privileged) -> io::Result<Self> {
        let id = identifier();
        Ok(Self { fd: privileged.ping(address, id)?, address, id })
    }

    /// Sends one request.
    pub(super) fn send(&self, seq: u64) -> io::Result<()> {
        let bytes =
            packet::request(self.address, self.id, seq).ok_or_else(|| io::Error::other("no packet"))?;
        let to = SockaddrStorage::from(SocketAddr::new(self.address, 0));
        sendto(self.fd.as_raw_fd(), &bytes, &to, MsgFlags::empty())?;
        Ok(())
    }

    /// Waits for something to hear, then gives all of it: stamps of sending first, for answers need them.
    pub(super) fn hear(&self, wait: Duration) -> Vec<SocketEvent> {
        let mut fds = [PollFd::new(self.fd.as_fd(), PollFlags::POLLIN)];
        let timeout = PollTimeout::try_from(wait).unwrap_or(PollTimeout::ZERO);
        if !matches!(poll(&mut fds, timeout), Ok(n) if n > 0) {
            return Vec::new();
        }
        let messages = |flags| (0..TURN).map_while(move |_| self.read(flags));
        let mut out: Vec<SocketEvent> =
            messages(MsgFlags::MSG_ERRQUEUE).filter_map(|message| self.sent(&message)).collect();
        out.extend(messages(MsgFlags::empty()).filter_map(|message| self.received(&message)));
        out
    }

    /// What a message of the error queue says.
    fn sent(&self, message: &Message) -> Option<SocketEvent> {
        let seq = packet::sequence_of_sent(&message.bytes, self.id)?;
        Some(SocketEvent::Sent { seq, at: message.stamp? })
    }

    /// What a packet says.
    fn received(&self, message: &Message) -> Option<SocketEvent> {
        let (said, ttl) = match self.address {
            IpAddr::V4(_) => packet::read_v4(&message.bytes, self.id).map(|(said, ttl)| (said, Some(ttl)))?,
            IpAddr::V6(_) => (packet::read_v6(&message.bytes, self.id)?, message.hops),
        };
        let at = message.stamp.unwrap_or_else(clock::now);
        let expected = message.from.is_none_or(|from| from == self.address) || self.many();
        Some(match (said, message.from) {
            (Received::Reply(seq), Some(from)) if !expected => {
                SocketEvent::Error { seq, why: format!("answered by {from}") }
            }
            (Received::Reply(seq), _) => SocketEvent::Reply { seq, at, ttl, kernel: message.stamp.is_some() },
            (Received::Error(seq, why), _) => SocketEvent::Error { seq, why },
        })
    }

    /// An address that others may answer for.
    fn many(&self) -> bool {
        match self.address {
            IpAddr::V4(v4) => v4.is_broadcast() || v4.is_multicast(),
            IpAddr::V6(v6) => v6.is_multicast(),
        }
    }

    fn read(&self, flags: MsgFlags) -> Option<Message> {
        let mut bytes = vec![0u8; 512];
        let mut space = cmsg_space!(Timestamps, libc::sock_extended_err, libc::sockaddr_in6, libc::c_int);
        let (length, stamp, hops, from) = {
            let mut parts = [IoSliceMut::new(&mut bytes)];
            let got = recvmsg::<SockaddrStorage>(
                self.fd.as_raw_fd(),
                &mut parts,
                Some(&mut space),
                flags | MsgFlags::MSG_DONTWAIT,
            )
            .ok()?;
            let (mut stamp, mut hops) = (None, None);
            for message in got.cmsgs().ok().into_iter().flatten() {
                match message {
                    ControlMessageOwned::ScmTimestampsns(stamps) => {
                        stamp = Some(Nanos::from_parts(stamps.system.tv_sec(), stamps.system.tv_nsec()));
                    }
                    ControlMessageOwned::Ipv6HopLimit(limit) => hops = u8::try_from(limit).ok(),
                    _ => {}
                }
            }
            (got.bytes, stamp, hops, got.address.as_ref().and_then(ip_of))
        };
        bytes.truncate(length);
        Some(Message { bytes, stamp, hops, from })
    }
}

struct Message {
    bytes: Vec<u8>,
    stamp: Option<Nanos>,
    hops: Option<u8>,
    from: Option<IpAddr>,
}

fn ip_of(address: &SockaddrStorage) -> Option<IpAddr> {
    let v4 = || address.as_sockaddr_in().map(|a| IpAddr::V4(a.ip()));
    let v6 = || address.as_sockaddr_in6().map(|a| IpAddr::V6(a.ip()));
    v4().or_else(v6)
}

/// An identifier that no other ping of this program has, and others hardly: process number and a count.
fn identifier() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let mixed = std::process::id().wrapping_mul(31).wrapping_add(NEXT.fetch_add(1, Relaxed));
    u16::try_from(mixed & 0xffff).unwrap_or(1)
}
