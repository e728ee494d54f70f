//! The raw socket of a ping, and the filter that keeps everything else away from it.

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, OwnedFd};

use netcap_filters::Instruction;
use nix::sys::socket::{
    AddressFamily, SockFlag, SockProtocol, SockType, TimestampingFlag, setsockopt, socket, sockopt,
};

use crate::sys;

/// A socket that hears only what concerns the pings of this identifier.
pub(super) fn open(address: IpAddr, id: u16) -> io::Result<OwnedFd> {
    let (family, protocol) = match address {
        IpAddr::V4(_) => (AddressFamily::Inet, SockProtocol::Icmp),
        IpAddr::V6(_) => (AddressFamily::Inet6, SockProtocol::IcmpV6),
    };
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let fd = socket(family, SockType::Raw, flags, protocol)?;
    sys::attach_filter(fd.as_fd(), &filter(address, id))?;
    // Best effort: a recording that was taken over is kept from it by seccomp too.
    let _ = sys::lock_filter(fd.as_fd());
    if address.is_ipv6() {
        setsockopt(&fd, sockopt::Ipv6RecvHopLimit, &true)?;
    }
    let stamps = TimestampingFlag::SOF_TIMESTAMPING_SOFTWARE | TimestampingFlag::SOF_TIMESTAMPING_RX_SOFTWARE;
    let sending = TimestampingFlag::SOF_TIMESTAMPING_TX_SOFTWARE
        | TimestampingFlag::from_bits_retain(libc::SOF_TIMESTAMPING_TX_SCHED);
    // Without the stamps of sending (before Linux 4.0) those of arrival still help.
    if setsockopt(&fd, sockopt::Timestamping, &(stamps | sending)).is_err() {
        setsockopt(&fd, sockopt::Timestamping, &stamps)?;
    }
    Ok(fd)
}

/// Keeps everything away but answers to `id` and errors that quote an ICMP packet, so that a busy host does not wake us.
/// On IPv4 the program sees the IP header, on IPv6 it does not.
fn filter(address: IpAddr, id: u16) -> Vec<Instruction> {
    let id = u32::from(id);
    let i = |code, jt, jf, k| Instruction { code, jt, jf, k };
    if address.is_ipv4() {
        vec![
            i(LDX_MSH, 0, 0, 0),               // X = length of the IP header
            i(LDB_IND, 0, 0, 0),               // type
            i(JEQ, 5, 0, 0),                   // 2: echo reply → 8
            i(JEQ, 2, 0, 3),                   // 3: unreachable → 6
            i(JEQ, 1, 0, 11),                  // 4: time exceeded → 6
            i(JEQ, 0, 5, 12),                  // 5: parameter problem → 6, else → 11
            i(LDB_IND, 0, 0, 8 + 9),           // 6: protocol of the quoted packet
            i(JEQ, 2, 3, 1),                   // 7: ICMP → 10
            i(LDH_IND, 0, 0, 4),               // 8: identifier
            i(JEQ, 0, 1, id),                  // 9: ours → 10, else → 11
            i(RET, 0, 0, u32::from(u16::MAX)), // 10
            i(RET, 0, 0, 0),                   // 11
        ]
    } else {
        vec![
            i(LDB_ABS, 0, 0, 0),               // type
            i(JEQ, 3, 0, 129),                 // 1: echo reply → 5
            i(JGT, 5, 0, 4),                   // 2: no error → 8
            i(LDB_ABS, 0, 0, 8 + 6),           // 3: next header of the quoted packet
            i(JEQ, 2, 3, 58),                  // 4: ICMPv6 → 7, else → 8
            i(LDH_ABS, 0, 0, 4),               // 5: identifier
            i(JEQ, 0, 1, id),                  // 6: ours → 7, else → 8
            i(RET, 0, 0, u32::from(u16::MAX)), // 7
            i(RET, 0, 0, 0),                   // 8
        ]
    }
}

// Opcodes of classic BPF (include/uapi/linux/bpf_common.h).
const LDX_MSH: u16 = 0xb1;
const LDB_ABS: u16 = 0x30;
const LDH_ABS: u16 = 0x28;
const LDB_IND: u16 = 0x50;
const LDH_IND: u16 = 0x48;
const JEQ: u16 = 0x15;
const JGT: u16 = 0x25;
const RET: u16 = 0x06;
