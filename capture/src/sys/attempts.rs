//! What a recorder that was taken over might do with a socket it was given, for tests of the sandbox: calls that std and
//! nix have not, or only where nothing but root may try them.
#![allow(unsafe_code)]

use std::ffi::{c_int, c_long};
use std::io::{self, IoSlice, Seek, Write};
use std::mem::{size_of, zeroed};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::ptr;

use netcap_filters::Instruction;
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};

use super::socket::{attach_filter, bind_to, promiscuous, ring_request, set_option};
use super::{check, duplicate_from, receive_with_fd};

/// Something to try with a socket.
pub type Attempt = (&'static str, fn(BorrowedFd<'_>) -> io::Result<()>);

/// Ways to send a frame.
pub const SENDING: [Attempt; 9] = [
    ("send", send),
    ("sendto", sendto),
    ("sendmsg", |fd| message(fd, false)),
    ("sendmmsg", |fd| message(fd, true)),
    ("write", write),
    ("writev", |fd| vectors(fd, false)),
    ("pwritev2", |fd| vectors(fd, true)),
    ("splice", splice),
    ("sendfile", sendfile),
];
/// Ways to make another socket of it.
pub const CHANGING: [Attempt; 6] = [
    ("another filter", |fd| attach_filter(fd, &[Instruction { code: 6, jt: 0, jf: 0, k: u32::MAX }])),
    ("no filter", |fd| set_option(fd, libc::SOL_SOCKET, libc::SO_DETACH_FILTER, &0)),
    ("a ring for sending", |fd| {
        let version: c_int = 2; // TPACKET_V3
        set_option(fd, libc::SOL_PACKET, libc::PACKET_VERSION, &version)?;
        set_option(fd, libc::SOL_PACKET, libc::PACKET_TX_RING, &ring_request(4096, 1, 2048, 0))
    }),
    ("all that passes lo", |fd| {
        set_option(fd, libc::SOL_PACKET, libc::PACKET_ADD_MEMBERSHIP, &promiscuous(1))
    }),
    ("another interface", |fd| bind_to(fd, 1, libc::ETH_P_ALL)),
    ("a buffer", |fd| set_option(fd, libc::SOL_SOCKET, libc::SO_SNDBUF, &(1 << 20))),
];
/// Ways to get at it by another number.
pub const RENUMBERING: [Attempt; 6] = [
    // SAFETY: no memory is passed.
    ("dup", |fd| owned(unsafe { libc::dup(fd.as_raw_fd()) })),
    ("dup2", |fd| onto(fd, false)),
    ("dup3", |fd| onto(fd, true)),
    // SAFETY: no memory is passed.
    ("F_DUPFD", |fd| owned(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_DUPFD, 0) })),
    ("F_DUPFD_CLOEXEC", |fd| duplicate_from(fd, 0).map(drop)),
    ("passing it on", pass_on),
];
/// The same where not every kernel has what it takes.
pub const RENUMBERING_PERHAPS: [Attempt; 4] = [
    ("opening it", |fd| {
        std::fs::File::options().write(true).open(format!("/proc/self/fd/{}", fd.as_raw_fd())).map(drop)
    }),
    ("pidfd_getfd", get),
    ("io_uring", |_| io_uring()),
    ("io_setup", |_| io_setup()),
];

/// A frame of an experimental ethertype (IEEE 802).
const FRAME: [u8; 60] = {
    let mut frame = [0xff; 60];
    (frame[6], frame[12], frame[13]) = (0x02, 0x88, 0xb6);
    frame
};

fn check_long(result: c_long) -> io::Result<c_long> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// All of it was sent.
fn sent(bytes: isize) -> io::Result<()> {
    let bytes = usize::try_from(bytes).map_err(|_| io::Error::last_os_error())?;
    if bytes == FRAME.len() { Ok(()) } else { Err(io::Error::other(format!("{bytes} bytes"))) }
}

/// The new descriptor is closed again.
fn owned(fd: c_int) -> io::Result<()> {
    owned_long(c_long::from(fd))
}

fn owned_long(fd: c_long) -> io::Result<()> {
    let fd = c_int::try_from(check_long(fd)?).map_err(io::Error::other)?;
    // SAFETY: the kernel has just made it for us, and nobody else knows it.
    drop(unsafe { OwnedFd::from_raw_fd(fd) });
    Ok(())
}

fn send(fd: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: the frame is live for the call, and its length is given.
    sent(unsafe { libc::send(fd.as_raw_fd(), FRAME.as_ptr().cast(), FRAME.len(), 0) })
}

fn sendto(fd: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: all zeros are an address; address and length are live for the calls, and the length is its size.
    unsafe {
        let mut to: libc::sockaddr_ll = zeroed();
        let all = libc::socklen_t::try_from(size_of::<libc::sockaddr_ll>()).map_err(io::Error::other)?;
        let mut length = all;
        let place = (&raw mut to).cast::<libc::sockaddr>();
        check(libc::getsockname(fd.as_raw_fd(), place, &raw mut length))?;
        sent(libc::sendto(fd.as_raw_fd(), FRAME.as_ptr().cast(), FRAME.len(), 0, place, all))
    }
}

/// The frame as a part of a message.
fn part() -> libc::iovec {
    libc::iovec { iov_base: FRAME.as_ptr().cast_mut().cast(), iov_len: FRAME.len() }
}

fn message(fd: BorrowedFd<'_>, many: bool) -> io::Result<()> {
    let mut part = part();
    // SAFETY: all zeros are a message without parts; the frame, which is only read, and its part outlive the calls.
    unsafe {
        let mut message: libc::mmsghdr = zeroed();
        (message.msg_hdr.msg_iov, message.msg_hdr.msg_iovlen) = (&raw mut part, 1);
        if !many {
            return sent(libc::sendmsg(fd.as_raw_fd(), &raw const message.msg_hdr, 0));
        }
        check_long(libc::sendmmsg(fd.as_raw_fd(), &raw mut message, 1, 0).into())?;
        sent(isize::try_from(message.msg_len).map_err(io::Error::other)?)
    }
}

fn write(fd: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: the frame is live for the call, and its length is given.
    sent(unsafe { libc::write(fd.as_raw_fd(), FRAME.as_ptr().cast(), FRAME.len()) })
}

fn vectors(fd: BorrowedFd<'_>, positioned: bool) -> io::Result<()> {
    let part = part();
    // SAFETY: the part and the frame, which is only read, are live for the calls. Position -1 is none.
    sent(unsafe {
        if positioned {
            libc::pwritev2(fd.as_raw_fd(), &raw const part, 1, -1, 0)
        } else {
            libc::writev(fd.as_raw_fd(), &raw const part, 1)
        }
    })
}

fn splice(fd: BorrowedFd<'_>) -> io::Result<()> {
    let (from, mut to) = io::pipe()?;
    to.write_all(&FRAME)?;
    let none = ptr::null_mut();
    // SAFETY: no memory is passed.
    sent(unsafe { libc::splice(from.as_raw_fd(), none, fd.as_raw_fd(), none, FRAME.len(), 0) })
}

fn sendfile(fd: BorrowedFd<'_>) -> io::Result<()> {
    let mut file = std::fs::File::from(memfd_create("frame", MFdFlags::MFD_CLOEXEC)?);
    file.write_all(&FRAME)?;
    file.rewind()?;
    // SAFETY: no memory is passed.
    sent(unsafe { libc::sendfile(fd.as_raw_fd(), file.as_raw_fd(), ptr::null_mut(), FRAME.len()) })
}

/// In the place of something else.
fn onto(fd: BorrowedFd<'_>, third: bool) -> io::Result<()> {
    let place: OwnedFd = std::fs::File::open("/dev/null")?.into();
    // SAFETY: no memory is passed, and the descriptor that is replaced is ours.
    let done = unsafe {
        if third {
            libc::dup3(fd.as_raw_fd(), place.as_raw_fd(), 0)
        } else {
            libc::dup2(fd.as_raw_fd(), place.as_raw_fd())
        }
    };
    check_long(done.into()).map(drop)
}

fn pass_on(fd: BorrowedFd<'_>) -> io::Result<()> {
    let (from, to) = UnixStream::pair()?;
    let fds = [fd.as_raw_fd()];
    let rights = [ControlMessage::ScmRights(&fds)];
    sendmsg::<()>(from.as_raw_fd(), &[IoSlice::new(b"x")], &rights, MsgFlags::empty(), None)?;
    receive_with_fd(&to, &mut [0])?.1.map(drop).ok_or_else(|| io::Error::other("it did not come"))
}

fn get(fd: BorrowedFd<'_>) -> io::Result<()> {
    let (me, none) = (c_long::from(std::process::id()), c_long::from(0));
    // SAFETY: no memory is passed; what comes is ours.
    unsafe {
        let process = check_long(libc::syscall(libc::SYS_pidfd_open, me, none))?;
        let process = OwnedFd::from_raw_fd(c_int::try_from(process).map_err(io::Error::other)?);
        let (process, fd) = (c_long::from(process.as_raw_fd()), c_long::from(fd.as_raw_fd()));
        owned_long(libc::syscall(libc::SYS_pidfd_getfd, process, fd, none))
    }
}

fn io_uring() -> io::Result<()> {
    // As long as `io_uring_params` (include/uapi/linux/io_uring.h).
    let mut parameters = [0_u64; 15];
    // SAFETY: the parameters are live for the call.
    owned_long(unsafe { libc::syscall(libc::SYS_io_uring_setup, c_long::from(1), parameters.as_mut_ptr()) })
}

fn io_setup() -> io::Result<()> {
    let mut context: c_long = 0;
    // SAFETY: the context is live for the calls.
    unsafe {
        check_long(libc::syscall(libc::SYS_io_setup, c_long::from(1), &raw mut context))?;
        check_long(libc::syscall(libc::SYS_io_destroy, context)).map(drop)
    }
}
