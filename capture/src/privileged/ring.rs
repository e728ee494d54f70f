//! The socket of a ring: opened with `CAP_NET_RAW`, used without.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use netcap_filters::Instruction;
use nix::net::if_::if_nametoindex;
use nix::sys::socket::{LinkAddr, SockaddrStorage, getsockname};

use super::RingSocket;
use crate::host::iface::is_ethernet;
use crate::sys::{Ring, RingSize};

/// Opens it with as much memory as the kernel has, at most that of `wanted`.
pub(super) fn open(iface: &str, program: &[Instruction], wanted: RingSize) -> io::Result<RingSocket> {
    let index = if_nametoindex(iface)?;
    let fd = Ring::idle()?;
    let size = listen(fd.as_fd(), index, program, wanted)?;
    Ok(RingSocket { fd: fd.into(), size, index })
}

/// Gives an idle socket its ring; tells how much memory the kernel had.
pub(crate) fn listen(
    fd: BorrowedFd<'_>,
    index: u32,
    program: &[Instruction],
    wanted: RingSize,
) -> io::Result<RingSize> {
    let size = shrinking(wanted, |size| Ring::listen(fd, index, program, size).map(|()| size))?;
    check_medium(fd)?;
    Ok(size)
}

/// Tries with less and less while the kernel is out of memory, down to the smallest ring there is.
fn shrinking<T>(wanted: RingSize, open: impl Fn(RingSize) -> io::Result<T>) -> io::Result<T> {
    let least = *RingSize::BLOCKS.start();
    let mut size = wanted;
    loop {
        match open(size) {
            Err(e) if e.raw_os_error() == Some(libc::ENOMEM) && size.blocks > least => {
                size.blocks = (size.blocks / 2).max(least);
            }
            done => return done,
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn less_is_tried_only_when_memory_is_short() {
        let wanted = RingSize { block_bytes: 4096, blocks: 100 };
        let has = |most: u32, code: i32| {
            shrinking(wanted, move |size| {
                if size.blocks <= most { Ok(size.blocks) } else { Err(io::Error::from_raw_os_error(code)) }
            })
        };
        assert_eq!(has(100, libc::ENOMEM).unwrap(), 100);
        assert_eq!(has(30, libc::ENOMEM).unwrap(), 25);
        assert_eq!(has(4, libc::ENOMEM).unwrap(), 4);
        assert_eq!(has(3, libc::ENOMEM).unwrap_err().raw_os_error(), Some(libc::ENOMEM));
        assert_eq!(has(30, libc::EPERM).unwrap_err().raw_os_error(), Some(libc::EPERM));
    }
}
