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
const NOTHING: [Instruction; 1] = [Instruction { code: RETURN, jt: 0, jf: 0, k: 0 }];

/// Attaches a classic BPF program to a socket (`SO_ATTACH_FILTER`); an earlier one is replaced at once.
pub(crate) fn attach_filter(fd: BorrowedFd<'_>, program: &[Instruction]) -> io::Result<()> {
    let mut code: Vec<libc::sock_filter> =
        program.iter().map(|i| libc::sock_filter { code: i.code, jt: i.jt, jf: i.jf, k: i.k }).collect();
    let len = u16::try_from(code.len()).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))?;
    let head = libc::sock_fprog { len, filter: code.as_mut_ptr() };
    set_option(fd, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &head)
}

/// From now on a socket receives nothing.
pub(super) fn receive_nothing(fd: BorrowedFd<'_>) -> io::Result<()> {
    attach_filter(fd, &NOTHING)
}

/// Nobody attaches or detaches a filter any more, not even its owner (since Linux 3.9).
pub(crate) fn lock_filter(fd: BorrowedFd<'_>) -> io::Result<()> {
    let on: c_int = 1;
    set_option(fd, libc::SOL_SOCKET, libc::SO_LOCK_FILTER, &on)
}

/// Takes the memory of a ring that nobody maps any more, and makes its socket idle: it leaves the interface with this index.
/// False while it is mapped: then nothing is changed (`EBUSY`, `packet_set_ring` in net/packet/af_packet.c).
pub(crate) fn free_unmapped_ring(fd: BorrowedFd<'_>, ifindex: u32) -> io::Result<bool> {
    match set_option(fd, libc::SOL_PACKET, libc::PACKET_RX_RING, &ring_request(0, 0, 0, 0)) {
        Err(e) if e.raw_os_error() == Some(libc::EBUSY) => return Ok(false),
        done => done?,
    }
    receive_nothing(fd)?;
    let index = c_int::try_from(ifindex).unwrap_or(0);
    // An interface that is gone took its memberships with it.
    let _ = set_option(fd, libc::SOL_PACKET, libc::PACKET_DROP_MEMBERSHIP, &promiscuous(index));
    // Protocol 0 leaves things as they are on many kernels; this one costs the host nothing.
    bind_to(fd, 0, ETH_P_LOCAL_EXPERIMENT)?;
    Ok(true)
}

/// An ethertype that nobody sends (IEEE 802).
const ETH_P_LOCAL_EXPERIMENT: c_int = 0x88b5;

/// What makes an interface promiscuous for as long as the socket is there.
pub(super) fn promiscuous(ifindex: c_int) -> libc::packet_mreq {
    libc::packet_mreq {
        mr_ifindex: ifindex,
        mr_type: u16::try_from(libc::PACKET_MR_PROMISC).unwrap_or(1),
        mr_alen: 0,
        mr_address: [0; 8],
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

/// Binds a packet socket to a protocol of one interface, of all for 0.
pub(super) fn bind_to(fd: BorrowedFd<'_>, ifindex: c_int, protocol: c_int) -> io::Result<()> {
    let protocol = u16::try_from(protocol).map_err(io::Error::other)?;
    let address = libc::sockaddr_ll {
        sll_family: u16::try_from(libc::AF_PACKET).unwrap_or(17),
        sll_protocol: protocol.to_be(),
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
