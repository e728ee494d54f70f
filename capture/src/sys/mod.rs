//! Calls to the system that std and nix do not have: the ring shared with the kernel, and some around processes. The only
//! unsafe code of the recorder.

use std::ffi::c_int;
use std::io;

pub(crate) use process::{
    detach_capabilities_from_user, die_with_parent, io_goes_last, landlock_abi, nice_this_thread,
};
pub use process::{duplicate_from, receive_with_fd};
pub(crate) use ring::RETIRE_MS;
pub use ring::{Block, Counted, Ring, RingSize};
pub(crate) use socket::{attach_filter, free_unmapped_ring, lock_filter};

pub mod attempts;
mod process;
mod ring;
mod socket;

fn check(result: c_int) -> io::Result<()> {
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
