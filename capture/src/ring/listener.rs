//! Opening the ring of a point, with privileges or through the helper that has them.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use netcap_filters::Instruction;
use nix::net::if_::if_nametoindex;
use nix::sys::socket::{LinkAddr, SockaddrStorage, getsockname};

use super::memory;
use crate::host::iface::is_ethernet;
use crate::sys::{Ring, RingSize};

/// What a thread needs to listen to an interface.
#[derive(Debug, Clone)]
pub(crate) struct Listener {
    /// Interface name; its index may change when it comes back.
    pub iface: String,
    /// The compiled filter.
    pub program: Vec<Instruction>,
    /// Ring memory that is asked for; the kernel may have less.
    pub ring: RingSize,
    /// An interface that is gone is waited for; else the point is closed.
    pub waits: bool,
}

impl Listener {
    /// Opens the ring; gives it with the interface's index. A confined recording gets the socket from its helper.
    pub(crate) fn open(&self) -> io::Result<(Ring, u32)> {
        let (socket, size, index) = match crate::sandbox::helper() {
            Some(helper) => helper.ring(&self.iface, &self.program, self.ring)?,
            None => self.socket()?,
        };
        Ok((Ring::map(socket, size)?, index))
    }

    /// The part of it that needs privileges: the socket, the size its ring got, the interface's index.
    pub(crate) fn socket(&self) -> io::Result<(OwnedFd, RingSize, u32)> {
        let index = if_nametoindex(self.iface.as_str())?;
        let open = |size| Ok((Ring::socket(index, &self.program, size)?, size));
        let (socket, size) = memory::shrinking(self.ring, open)?;
        check_medium(socket.as_fd())?;
        Ok((socket, size, index))
    }
}

/// Answers for a name that stands for something without Ethernet frames, a tunnel say; an error number, for it comes from
/// the helper too.
const FOREIGN: i32 = libc::EMEDIUMTYPE;

/// The interface is there and carries no Ethernet frames.
pub(crate) fn is_foreign(error: &io::Error) -> bool {
    error.raw_os_error() == Some(FOREIGN)
}

/// Segments and filters are about Ethernet. The socket knows what it was bound to, whatever has the name by now; of an
/// interface that is gone again it says type 0 (`packet_getname`, net/packet/af_packet.c).
fn check_medium(socket: BorrowedFd<'_>) -> io::Result<()> {
    // Of the address it gives as many bytes as the hardware has, so it is not taken for a whole `sockaddr_ll` at once.
    let bound: SockaddrStorage = getsockname(socket.as_raw_fd())?;
    match bound.as_link_addr().map_or(0, LinkAddr::hatype) {
        kind if is_ethernet(kind) => Ok(()),
        0 => Err(io::Error::from_raw_os_error(libc::ENODEV)),
        _ => Err(io::Error::from_raw_os_error(FOREIGN)),
    }
}
