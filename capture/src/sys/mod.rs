//! Calls to the system that std and nix do not have: the ring shared with the kernel, and some around processes. The only
//! unsafe code of the recorder.

use std::ffi::c_int;
use std::io;

pub(crate) use process::{
    detach_capabilities_from_user, die_with_parent, io_goes_last, nice_this_thread, receive_with_fd,
};
pub use ring::{Block, Counted, Ring, RingSize};
pub(crate) use ring::{RETIRE_MS, attach_filter};

mod process;
mod ring;

fn check(result: c_int) -> io::Result<()> {
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
