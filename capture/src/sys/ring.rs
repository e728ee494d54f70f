//! A packet ring shared with the kernel.
//!
//! The ring is `TPACKET_V3` (Documentation/networking/packet_mmap.rst): the kernel writes whole blocks of frames into
//! memory both sides see, so recording costs no system call and no copy for each frame. What is inside a block is read
//! by safe code ([`crate::ring::frames`]); here a block only changes hands.
//!
//! The socket is put into promiscuous mode through `PACKET_ADD_MEMBERSHIP`, which belongs to the socket: the kernel
//! takes it back when the socket closes, also after SIGKILL, so the host is never left changed.
#![allow(unsafe_code)]

use std::ffi::{c_int, c_void};
use std::io;
use std::mem::{offset_of, size_of};
use std::ops::RangeInclusive;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use libc::{TP_STATUS_KERNEL, TP_STATUS_LOSING, TP_STATUS_USER};
use netcap_filters::Instruction;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, getsockopt, socket, sockopt};

use super::check;
use super::socket::{attach_filter, bind_to, promiscuous, receive_nothing, ring_request, set_option};

/// Milliseconds after which the kernel hands over a block that is not full: the delay before a frame is seen.
pub(crate) const RETIRE_MS: u32 = 100;

/// Place of the status word in a block.
const STATUS_AT: usize =
    offset_of!(libc::tpacket_block_desc, hdr) + offset_of!(libc::tpacket_hdr_v1, block_status);

/// How much memory a ring takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RingSize {
    /// Bytes of a block: a multiple of the page size; a frame larger than a block is cut.
    pub block_bytes: u32,
    /// Their number.
    pub blocks: u32,
}

impl RingSize {
    /// Size of a block: a frame is never larger than that with any offload but BIG TCP.
    pub(crate) const BLOCK_BYTES: u32 = 256 * 1024;
    /// Blocks of a ring: less cannot take turns, more than this is no use to anyone.
    pub(crate) const BLOCKS: RangeInclusive<u32> = 4..=4096;

    /// All of it in bytes.
    pub fn bytes(self) -> usize {
        self.block_bytes as usize * self.blocks as usize
    }
}

/// What the kernel counted for a socket since it was last asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counted {
    /// Frames past the filter, dropped ones included.
    pub received: u64,
    /// Frames dropped because the ring was full.
    pub dropped: u64,
}

/// A packet socket with its receive ring, bound to one interface.
#[derive(Debug)]
pub struct Ring {
    /// Declared before the socket: unmapped first, then closed.
    map: Map,
    /// Shared with whoever has a use for the socket afterwards.
    fd: Arc<OwnedFd>,
    size: RingSize,
    next: u32,
}

impl Ring {
    /// Opens a ring on an interface.
    pub fn open(ifindex: u32, program: &[Instruction], size: RingSize) -> io::Result<Self> {
        Self::map(Self::socket(ifindex, program, size)?, size)
    }

    /// The half of [`Ring::open`] that needs `CAP_NET_RAW`: the socket with its ring, which already receives.
    pub fn socket(ifindex: u32, program: &[Instruction], size: RingSize) -> io::Result<OwnedFd> {
        let fd = Self::idle()?;
        Self::listen(fd.as_fd(), ifindex, program, size)?;
        Ok(fd)
    }

    /// A packet socket that hears nothing (protocol 0) and has no ring.
    pub(crate) fn idle() -> io::Result<OwnedFd> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        Ok(socket(AddressFamily::Packet, SockType::Raw, flags, None)?)
    }

    /// Gives an idle socket a ring and lets it receive, also one that was used before. No frame that the program does not
    /// match is ever in the ring, and none of another interface: the program comes last, and before it nothing matches.
    pub(crate) fn listen(
        fd: BorrowedFd<'_>,
        ifindex: u32,
        program: &[Instruction],
        size: RingSize,
    ) -> io::Result<()> {
        let index = c_int::try_from(ifindex).map_err(|_| io::Error::from_raw_os_error(libc::ENODEV))?;
        receive_nothing(fd)?;
        let version = c_int::try_from(libc::tpacket_versions::TPACKET_V3 as u32).unwrap_or(2);
        set_option(fd, libc::SOL_PACKET, libc::PACKET_VERSION, &version)?;
        // With variable frames their size only has to divide the block.
        let request = ring_request(size.block_bytes, size.blocks, 2048, RETIRE_MS);
        set_option(fd, libc::SOL_PACKET, libc::PACKET_RX_RING, &request)?;
        set_option(fd, libc::SOL_PACKET, libc::PACKET_ADD_MEMBERSHIP, &promiscuous(index))?;
        bind_to(fd, index, libc::ETH_P_ALL)?;
        // Binding to an interface that is down leaves an error behind; it is heard as soon as it comes up.
        let _ = getsockopt(&fd, sockopt::SocketError);
        // What was counted for an earlier ring of this socket.
        counted(fd)?;
        attach_filter(fd, program)
    }

    /// The other half, which needs nothing: the ring of such a socket in our memory.
    pub fn map(fd: impl Into<Arc<OwnedFd>>, size: RingSize) -> io::Result<Self> {
        let fd = fd.into();
        let map = Map::new(fd.as_fd(), size.bytes())?;
        Ok(Self { map, fd, size, next: 0 })
    }

    /// Its memory in bytes.
    pub fn bytes(&self) -> usize {
        self.size.bytes()
    }

    /// Waits until there may be a block, at most `timeout`. True when the kernel says there is one; an error
    /// (`ENETDOWN`) when the interface went down or away.
    pub fn wait(&self, timeout: Duration) -> io::Result<bool> {
        let mut fds = [PollFd::new(self.fd.as_fd(), PollFlags::POLLIN)];
        let timeout = PollTimeout::try_from(timeout).unwrap_or(PollTimeout::MAX);
        match poll(&mut fds, timeout) {
            Err(nix::errno::Errno::EINTR) | Ok(0) => return Ok(false),
            Err(e) => return Err(e.into()),
            Ok(_) => {}
        }
        let events = fds.first().and_then(PollFd::revents).unwrap_or(PollFlags::empty());
        if events.intersects(PollFlags::POLLERR | PollFlags::POLLNVAL) {
            let code = getsockopt(&self.fd, sockopt::SocketError)?;
            if code != 0 {
                return Err(io::Error::from_raw_os_error(code));
            }
        }
        Ok(events.contains(PollFlags::POLLIN))
    }

    /// Whether the next block is ready, and if so, whether frames were dropped before it was closed and nobody has asked
    /// for the count since.
    pub(crate) fn peek_losing(&self) -> Option<bool> {
        let word = self.map.status(self.place())?.load(Ordering::Acquire);
        (word & TP_STATUS_USER != 0).then_some(word & TP_STATUS_LOSING != 0)
    }

    /// How many blocks are ready before the first that is marked for drops: what is counted now was dropped after these.
    pub(crate) fn sound_ahead(&self) -> u32 {
        let sound = |ahead: &u32| {
            let place = ((self.next + ahead) % self.size.blocks) as usize * self.size.block_bytes as usize;
            let word = self.map.status(place).map_or(TP_STATUS_KERNEL, |word| word.load(Ordering::Acquire));
            word & TP_STATUS_USER != 0 && word & TP_STATUS_LOSING == 0
        };
        (0..self.size.blocks).take_while(sound).count().try_into().unwrap_or(u32::MAX)
    }

    fn place(&self) -> usize {
        self.next as usize * self.size.block_bytes as usize
    }

    /// The next block if the kernel has handed it over.
    pub fn take(&mut self) -> Option<Block<'_>> {
        let at = self.place();
        let status = self.map.status(at)?;
        let word = status.load(Ordering::Acquire);
        if word & TP_STATUS_USER == 0 {
            return None;
        }
        self.next = (self.next + 1) % self.size.blocks;
        // SAFETY: `status` lies inside the map, so `at` does too.
        let base = unsafe { self.map.base.add(at) };
        let bytes = self.size.block_bytes as usize;
        Some(Block { base, bytes, status })
    }

    /// What was counted since the last call; the kernel starts again from zero.
    pub fn counted(&self) -> io::Result<Counted> {
        counted(self.fd.as_fd())
    }

    /// How many eighths of the blocks wait to be taken, looked at from the far end.
    pub fn filled(&self) -> u32 {
        let waits = |eighths: &u32| {
            let ahead = (self.size.blocks * eighths / 8).max(1);
            let place = ((self.next + ahead) % self.size.blocks) as usize * self.size.block_bytes as usize;
            self.map.status(place).is_some_and(|word| word.load(Ordering::Relaxed) & TP_STATUS_USER != 0)
        };
        (1..8).take_while(waits).count().try_into().unwrap_or(0)
    }

    /// Another filter from now on; what is in the ring stays.
    pub(crate) fn refilter(&self, program: &[Instruction]) -> io::Result<()> {
        attach_filter(self.fd.as_fd(), program)
    }
}

/// Asks the kernel for the counts of a socket, which start again from zero.
fn counted(fd: BorrowedFd<'_>) -> io::Result<Counted> {
    let mut stats = libc::tpacket_stats_v3 { tp_packets: 0, tp_drops: 0, tp_freeze_q_cnt: 0 };
    let mut length = libc::socklen_t::try_from(size_of::<libc::tpacket_stats_v3>()).unwrap_or(0);
    // SAFETY: `stats` and `length` are live for the call, and `length` is the size of `stats`.
    let result = unsafe {
        libc::getsockopt(
            fd.as_raw_fd(),
            libc::SOL_PACKET,
            libc::PACKET_STATISTICS,
            (&raw mut stats).cast::<c_void>(),
            &raw mut length,
        )
    };
    check(result)?;
    Ok(Counted { received: u64::from(stats.tp_packets), dropped: u64::from(stats.tp_drops) })
}

/// A block in our hands; the kernel gets it back when this is dropped.
#[derive(Debug)]
pub struct Block<'a> {
    base: NonNull<u8>,
    bytes: usize,
    status: &'a AtomicU32,
}

impl Block<'_> {
    /// All of it, descriptor included.
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: a whole block of `bytes` starts at `base`, for blocks tile the map, which the block borrows. The kernel
        // does not write to a block in user hands, and it stays so until `drop`, which needs this borrow to be over.
        unsafe { std::slice::from_raw_parts(self.base.as_ptr(), self.bytes) }
    }
}

impl Drop for Block<'_> {
    fn drop(&mut self) {
        self.status.store(TP_STATUS_KERNEL, Ordering::Release);
    }
}

/// Memory shared with the kernel.
#[derive(Debug)]
struct Map {
    base: NonNull<u8>,
    bytes: usize,
}

// SAFETY: the map is plain memory that belongs to this value alone; no thread-local state hangs on it.
unsafe impl Send for Map {}

impl Map {
    fn new(fd: BorrowedFd<'_>, bytes: usize) -> io::Result<Self> {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new mapping at an address the kernel chooses; no existing memory is touched.
        let base =
            unsafe { libc::mmap(ptr::null_mut(), bytes, protection, libc::MAP_SHARED, fd.as_raw_fd(), 0) };
        if base == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let base = NonNull::new(base.cast::<u8>()).ok_or_else(|| io::Error::other("mmap gave no address"))?;
        Ok(Self { base, bytes })
    }

    /// The status word of the block at `at`, if a block can start there.
    fn status(&self, at: usize) -> Option<&AtomicU32> {
        let place = at.checked_add(STATUS_AT)?;
        if place.checked_add(size_of::<u32>())? > self.bytes {
            return None;
        }
        // SAFETY: the word is inside the map (checked above) and aligned: blocks are page-aligned and `STATUS_AT` is a
        // multiple of four. Both sides access it atomically while ownership is in question.
        #[allow(clippy::cast_ptr_alignment)]
        Some(unsafe { AtomicU32::from_ptr(self.base.as_ptr().add(place).cast::<u32>()) })
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        // SAFETY: `base` and `bytes` are those of the mapping made in `new`, and no block borrows it any more.
        unsafe { libc::munmap(self.base.as_ptr().cast::<c_void>(), self.bytes) };
    }
}
