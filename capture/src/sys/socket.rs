//! Options of packet sockets that nix does not have.
#![allow(unsafe_code)]

use std::ffi::{c_int, c_void};
use std::io;
use std::mem::size_of;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;

use netcap_filters::Instruction;
use nix::sys::utsname::uname;
use nix::unistd::{SysconfVar, sysconf};

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

/// Bytes of the smallest frame of a ring: head and address of `TPACKET_V3`, aligned. 32 of them may be a frame's own.
const LEAST_FRAME: u32 = 80;
/// The first version whose `TPACKET_V3` has rings for sending; earlier ones report a fault of their own when asked.
const SENDING_RINGS: (u32, u32) = (4, 11);

/// Bytes of a page.
pub(super) fn page_bytes() -> usize {
    let bytes = sysconf(SysconfVar::PAGE_SIZE).ok().flatten().and_then(|bytes| usize::try_from(bytes).ok());
    bytes.unwrap_or(4096)
}

/// Gives a packet socket a ring for sending, of the smallest frames there are: all that is sent through the socket comes out
/// of it from now on (`packet_sendmsg`, net/packet/af_packet.c), and no ARP, IP or LACP fits. `shutdown` does not exist for
/// packet sockets. Kernels without such rings leave it as it is.
pub(super) fn send_nothing(fd: BorrowedFd<'_>) -> io::Result<()> {
    if kernel().is_none_or(|version| version < SENDING_RINGS) {
        return Ok(());
    }
    let page = u32::try_from(page_bytes()).map_err(io::Error::other)?;
    set_option(fd, libc::SOL_PACKET, libc::PACKET_TX_RING, &ring_request(page, 1, LEAST_FRAME, 0))
}

/// The kernel's version: `4.18.0-553.el8` is 4 and 18.
fn kernel() -> Option<(u32, u32)> {
    let name = uname().ok()?;
    let mut numbers = name.release().to_str()?.split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::{Ring, RingSize};
    use std::os::fd::AsFd;

    const SIZE: RingSize = RingSize { block_bytes: 4096, blocks: 4 };
    /// Place of the length and the status in the head of a frame (`tpacket3_hdr`, include/uapi/linux/if_packet.h).
    const LENGTH_AT: usize = 16;
    const STATUS_AT: usize = 20;

    fn sent(result: isize) -> Result<isize, i32> {
        if result < 0 { Err(io::Error::last_os_error().raw_os_error().unwrap_or(0)) } else { Ok(result) }
    }

    /// Tries everything that sends; what came of it.
    fn tries(fd: BorrowedFd<'_>) -> Vec<Result<isize, i32>> {
        let frame = [0x02_u8; 60];
        let (raw, bytes, all) = (fd.as_raw_fd(), frame.as_ptr().cast::<c_void>(), frame.len());
        let mut part = libc::iovec { iov_base: bytes.cast_mut(), iov_len: all };
        // SAFETY: all zeros are a message without parts.
        let mut message: libc::mmsghdr = unsafe { std::mem::zeroed() };
        message.msg_hdr.msg_iov = &raw mut part;
        message.msg_hdr.msg_iovlen = 1;
        // SAFETY: the frame, its part and the message are live for the calls, with their own lengths.
        unsafe {
            vec![
                sent(libc::send(raw, bytes, all, libc::MSG_DONTWAIT)),
                sent(libc::write(raw, bytes, all)),
                sent(libc::sendmsg(raw, &raw const message.msg_hdr, libc::MSG_DONTWAIT)),
                // One message, of so many bytes.
                sent(libc::sendmmsg(raw, &raw mut message, 1, libc::MSG_DONTWAIT) as isize)
                    .map(|_| isize::try_from(message.msg_len).unwrap_or(-1)),
            ]
        }
    }

    #[test]
    fn no_frame_leaves_the_socket_of_a_ring() {
        if !nix::unistd::geteuid().is_root() || kernel().is_none_or(|version| version < SENDING_RINGS) {
            return;
        }
        let lo = nix::net::if_::if_nametoindex("lo").unwrap();
        let all = [Instruction { code: RETURN, jt: 0, jf: 0, k: 100 }];
        let plain = nix::sys::socket::socket(
            nix::sys::socket::AddressFamily::Packet,
            nix::sys::socket::SockType::Raw,
            nix::sys::socket::SockFlag::SOCK_CLOEXEC,
            None,
        )
        .unwrap();
        bind_all(plain.as_fd(), i32::try_from(lo).unwrap()).unwrap();
        assert_eq!(tries(plain.as_fd()), [Ok(60); 4], "the test can fail");
        let fd = Ring::socket(lo, &all, SIZE).unwrap();
        assert!(
            tries(fd.as_fd()).iter().all(|sent| matches!(sent, Ok(0) | Err(_))),
            "{:?}",
            tries(fd.as_fd())
        );
        // SAFETY: the call takes no memory but its two numbers, which it gives back.
        let shut = unsafe { libc::shutdown(fd.as_raw_fd(), libc::SHUT_WR) };
        let why = io::Error::last_os_error().raw_os_error();
        assert_eq!((shut, why), (-1, Some(libc::EOPNOTSUPP)), "why there is such a ring");
        // A frame of its own ring, as large as an ARP request.
        let bytes = SIZE.bytes() + page_bytes();
        // SAFETY: a new mapping at an address the kernel chooses.
        let map = unsafe {
            let both = libc::PROT_READ | libc::PROT_WRITE;
            libc::mmap(ptr::null_mut(), bytes, both, libc::MAP_SHARED, fd.as_raw_fd(), 0)
        };
        assert_ne!(map, libc::MAP_FAILED);
        // SAFETY: the first frame for sending begins behind the ring, inside the map, and is aligned.
        unsafe {
            let head = map.byte_add(SIZE.bytes());
            head.byte_add(LENGTH_AT).cast::<u32>().write_volatile(60);
            head.byte_add(STATUS_AT).cast::<u32>().write_volatile(libc::TP_STATUS_SEND_REQUEST);
            assert_eq!(sent(libc::send(fd.as_raw_fd(), ptr::null(), 0, 0)), Err(libc::EMSGSIZE));
            libc::munmap(map, bytes);
        }
    }
}
