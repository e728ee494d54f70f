//! Opening the ring of a point, with privileges or through the helper that has them.

use std::io;
use std::os::fd::OwnedFd;

use netcap_filters::Instruction;
use nix::net::if_::if_nametoindex;

use crate::memory;
use crate::sys::{Ring, RingSize};

/// What a thread needs to listen to an interface.
#[derive(Debug, Clone)]
pub struct Listener {
    /// Interface name; its index may change when it comes back.
    pub iface: String,
    /// The compiled filter.
    pub program: Vec<Instruction>,
    /// Ring memory that is asked for; the kernel may have less.
    pub ring: RingSize,
    /// An interface that is gone is waited for; else the point is closed.
    pub waits: bool,
}

impl Listener {
    /// Opens the ring; gives it with the interface's index. A confined recording gets the socket from its helper.
    pub fn open(&self) -> io::Result<(Ring, u32)> {
        let (socket, size, index) = match crate::sandbox::helper() {
            Some(helper) => helper.ring(&self.iface, &self.program, self.ring)?,
            None => self.socket()?,
        };
        Ok((Ring::map(socket, size)?, index))
    }

    /// The part of it that needs privileges: the socket, the size its ring got, the interface's index.
    pub fn socket(&self) -> io::Result<(OwnedFd, RingSize, u32)> {
        let index = if_nametoindex(self.iface.as_str())?;
        let open = |size| Ok((Ring::socket(index, &self.program, size)?, size));
        let (socket, size) = memory::shrinking(self.ring, open)?;
        Ok((socket, size, index))
    }
}
