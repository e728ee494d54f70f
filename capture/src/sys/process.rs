//! What std and nix lack around processes: a few calls, each wrapped where its rules are kept.
#![allow(unsafe_code)]

use std::io::{self, IoSliceMut};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::cmsg_space;
use nix::errno::Errno;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};

use super::check;

/// Sets the nice value of the calling thread (Linux: nice values belong to threads).
pub(crate) fn nice_this_thread(value: i32) -> io::Result<()> {
    // SAFETY: no memory is passed; 0 means the calling thread.
    check(unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, value) })
}

/// Lets the calling thread's disk accesses wait behind those of others: lowest best-effort priority (ioprio_set(2)). Idle
/// priority would let a busy disk stop them altogether, and what waits for them is packets.
pub(crate) fn io_goes_last() -> io::Result<()> {
    const WHO_PROCESS: libc::c_long = 1; // include/uapi/linux/ioprio.h
    const BEST_EFFORT_LOWEST: libc::c_long = (2 << 13) | 7; // class 2, level 7
    // SAFETY: no memory is passed; 0 means the calling thread.
    let result =
        unsafe { libc::syscall(libc::SYS_ioprio_set, WHO_PROCESS, 0 as libc::c_long, BEST_EFFORT_LOWEST) };
    check(libc::c_int::try_from(result).unwrap_or(-1))
}

/// Another descriptor of the same, the first free one that is not below `least` (`dup` of std takes the first of all).
pub fn duplicate_from(fd: BorrowedFd<'_>, least: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: no memory is passed.
    let new = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_DUPFD_CLOEXEC, least) };
    if new < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made it for us, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(new) })
}

/// Makes the child die when this thread dies, so that nothing is left running after SIGKILL.
pub(crate) fn die_with_parent(command: &mut Command) {
    // SAFETY: between fork and exec only prctl is called, which is async-signal-safe and allocates nothing.
    unsafe {
        command.pre_exec(|| check(libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL, 0, 0, 0)));
    }
}

/// Bits of `PR_SET_SECUREBITS` (include/uapi/linux/securebits.h), each with its lock: uid 0 means nothing any more,
/// a change of user changes no capabilities, none is kept over an exec. The last one exists since Linux 4.3.
const NOROOT: libc::c_ulong = 0b0000_0011;
const NO_SETUID_FIXUP: libc::c_ulong = 0b0000_1100;
const KEEP_CAPS_LOCKED: libc::c_ulong = 0b0010_0000;
const NO_CAP_AMBIENT_RAISE: libc::c_ulong = 0b1100_0000;

/// From now on capabilities of this thread are what they are set to, whatever its user is; for good.
pub(crate) fn detach_capabilities_from_user() -> io::Result<()> {
    let bits = NOROOT | NO_SETUID_FIXUP | KEEP_CAPS_LOCKED;
    // SAFETY: no memory is passed.
    let set = |bits: libc::c_ulong| check(unsafe { libc::prctl(libc::PR_SET_SECUREBITS, bits, 0, 0, 0) });
    set(bits | NO_CAP_AMBIENT_RAISE).or_else(|_| set(bits))
}

/// The version of the kernel's Landlock interface, if it is enabled (landlock_create_ruleset(2)).
pub(crate) fn landlock_abi() -> Option<u32> {
    const VERSION: libc::c_long = 1; // LANDLOCK_CREATE_RULESET_VERSION, include/uapi/linux/landlock.h
    let none: libc::c_long = 0;
    // SAFETY: no memory is passed: with this flag the first two arguments must be zero.
    let abi = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, none, none, VERSION) };
    u32::try_from(abi).ok().filter(|abi| *abi > 0)
}

/// Reads what is there, and takes the descriptor that came with it, if one did.
pub fn receive_with_fd(from: &UnixStream, bytes: &mut [u8]) -> io::Result<(usize, Option<OwnedFd>)> {
    let mut space = cmsg_space!([libc::c_int; 1]);
    let mut parts = [IoSliceMut::new(bytes)];
    // A wait with a time-out is interrupted by every signal that has a handler (signal(7)).
    let got = loop {
        let flags = MsgFlags::MSG_CMSG_CLOEXEC;
        match recvmsg::<()>(from.as_raw_fd(), &mut parts, Some(&mut space), flags) {
            Err(Errno::EINTR) => {}
            got => break got?,
        }
    };
    let mut owned = Vec::new();
    for message in got.cmsgs()? {
        if let ControlMessageOwned::ScmRights(fds) = message {
            // SAFETY: the kernel has just installed these descriptors for us, and nobody else knows them.
            owned.extend(fds.into_iter().map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }));
        }
    }
    Ok((got.bytes, owned.pop()))
}
