//! Whether the interfaces of this host have changed: the kernel reports it, so nobody has to look each second.
//!
//! A netlink socket in the group of links (rtnetlink(7)): an interface that comes, goes, is renamed, goes up or down or
//! gets another master makes a message. What it says is not read, only that there is one; who wants to know more looks.

use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, socket,
};

/// `RTMGRP_LINK` (linux/rtnetlink.h).
const LINKS: u32 = 1;
/// Messages read at once: there may be any number, and more come while they are read.
const READ_MAX: usize = 10_000;

/// Listens to the kernel.
#[derive(Debug)]
pub(crate) struct LinkWatch {
    socket: Option<OwnedFd>,
}

impl LinkWatch {
    /// Begins to listen. Where that is not possible, every question is answered with yes.
    pub(crate) fn open() -> Self {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let opened = socket(AddressFamily::Netlink, SockType::Raw, flags, SockProtocol::NetlinkRoute)
            .and_then(|fd| {
                bind(fd.as_raw_fd(), &NetlinkAddr::new(0, LINKS))?;
                Ok(fd)
            });
        Self { socket: opened.ok() }
    }

    /// Whether anything has changed since the last call.
    pub(crate) fn changed(&mut self) -> bool {
        let Some(socket) = &self.socket else { return true };
        // A message longer than this is cut, which does not matter here.
        let mut buffer = [0; 64];
        let mut any = false;
        for _ in 0..READ_MAX {
            match recv(socket.as_raw_fd(), &mut buffer, MsgFlags::MSG_DONTWAIT) {
                Ok(0) | Err(Errno::EAGAIN) => break,
                // ENOBUFS: there were more than the kernel could keep.
                Ok(_) | Err(Errno::ENOBUFS | Errno::EINTR) => any = true,
                Err(_) => {
                    self.socket = None;
                    return true;
                }
            }
        }
        any
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_no_change_and_no_socket_is_one() {
        let mut watch = LinkWatch::open();
        assert!(watch.socket.is_some(), "no privilege is needed");
        let _ = watch.changed();
        let mut deaf = LinkWatch { socket: None };
        assert!(deaf.changed());
    }
}
