//! Options of packet sockets that nix does not have.
#![allow(unsafe_code)]

use std::ffi::{c_int, c_void};
use std::io;
use std::mem::size_of;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;

use netcap_filters::Instruction;

use super::check;

/// `BPF_RET | BPF_K`: the number is how many bytes of a frame are kept.
const RETURN: u16 = 0x06;
/// A program that keeps nothing.
pub(super) const NOTHING: [Instruction; 1] = [Instruction { code: RETURN, jt: 0, jf: 0, k: 0 }];

/// Attaches a classic BPF program to a socket (`SO_ATTACH_FILTER`); an earlier one is replaced at once.
pub(crate) fn attach_filter(fd: BorrowedFd<'_>, program: &[Instruction]) -> io::Result<()> {
    let mut code: Vec<libc::sock_filter> =
        program.iter().map(|i| libc::sock_filter { code: i.code, jt: i.jt, jf: i.jf, k: i.k }).collect();
    let len = u16::try_from(code.len()).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))?;
    let head = libc::sock_fprog { len, filter: code.as_mut_ptr() };
    set_option(fd, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &head)
}

/// Takes the memory of a ring that nobody maps any more, and lets its socket hear nothing from now on. False while it is
/// mapped: then nothing is changed (`EBUSY`, `packet_set_ring` in net/packet/af_packet.c).
pub(crate) fn free_unmapped_ring(fd: BorrowedFd<'_>) -> io::Result<bool> {
    let none = ring_request(0, 0, 0, 0);
    match set_option(fd, libc::SOL_PACKET, libc::PACKET_RX_RING, &none) {
        Err(e) if e.raw_os_error() == Some(libc::EBUSY) => Ok(false),
        Err(e) => Err(e),
        Ok(()) => attach_filter(fd, &NOTHING).map(|()| true),
    }
}

/// What `PACKET_RX_RING` and `PACKET_TX_RING` take.
pub(super) fn ring_request(
    block_bytes: u32,
    blocks: u32,
    frame_bytes: u32,
    retire_ms: u32,
) -> libc::tpacket_req3 {
    libc::tpacket_req3 {
        tp_block_size: block_bytes,
        tp_block_nr: blocks,
        tp_frame_size: frame_bytes,
        tp_frame_nr: block_bytes.checked_div(frame_bytes).unwrap_or(0) * blocks,
        tp_retire_blk_tov: retire_ms,
        tp_sizeof_priv: 0,
        tp_feature_req_word: 0,
    }
}

/// Binds a packet socket to all protocols of one interface.
pub(super) fn bind_all(fd: BorrowedFd<'_>, ifindex: c_int) -> io::Result<()> {
    let all = u16::try_from(libc::ETH_P_ALL).unwrap_or(3);
    let address = libc::sockaddr_ll {
        sll_family: u16::try_from(libc::AF_PACKET).unwrap_or(17),
        sll_protocol: all.to_be(),
        sll_ifindex: ifindex,
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 0,
        sll_addr: [0; 8],
    };
    let length = libc::socklen_t::try_from(size_of::<libc::sockaddr_ll>()).unwrap_or(0);
    // SAFETY: `address` is live for the call and `length` is its size.
    check(unsafe { libc::bind(fd.as_raw_fd(), (&raw const address).cast::<libc::sockaddr>(), length) })
}

pub(super) fn set_option<T>(fd: BorrowedFd<'_>, level: c_int, name: c_int, value: &T) -> io::Result<()> {
    let length = libc::socklen_t::try_from(size_of::<T>()).map_err(io::Error::other)?;
    // SAFETY: `value` is live for the call and `length` is its size; the kernel copies from it. The one value with a
    // pointer inside (`sock_fprog`) is built in `attach_filter`, whose program outlives the call.
    let result = unsafe {
        libc::setsockopt(fd.as_raw_fd(), level, name, ptr::from_ref(value).cast::<c_void>(), length)
    };
    check(result)
}
