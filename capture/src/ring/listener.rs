//! Opening the ring of a point.

use std::io;
use std::sync::Arc;

use netcap_bundle::run::ShedLevel;
use netcap_filters::Instruction;

use crate::privileged::{Privileged, RingSocket};
use crate::shed::Cut;
use crate::sys::{Ring, RingSize};

/// What a thread needs to listen to an interface.
#[derive(Debug, Clone)]
pub(crate) struct Listener {
    /// Interface name; its index may change when it comes back.
    pub(crate) iface: String,
    /// The compiled filter.
    pub(crate) program: Vec<Instruction>,
    /// Ring memory that is asked for; the kernel may have less.
    pub(crate) size: RingSize,
    /// An interface that is gone is waited for; else the point is closed.
    pub(crate) waits: bool,
    /// Who opens its socket.
    pub(crate) privileged: Arc<dyn Privileged>,
}

/// A ring that is open.
#[derive(Debug)]
pub(crate) struct OpenRing {
    pub(crate) ring: Ring,
    /// The index of its interface, which is what makes it the same one.
    pub(crate) index: u32,
}

impl Listener {
    pub(crate) fn open(&self) -> io::Result<OpenRing> {
        let RingSocket { fd, size, index } = self.privileged.ring(&self.iface, &self.program, self.size)?;
        Ok(OpenRing { ring: Ring::map(fd, size)?, index })
    }

    /// Has the kernel keep of each frame in this ring what a level leaves.
    pub(crate) fn cut(&self, open: &OpenRing, cut: &Cut, level: ShedLevel) -> io::Result<()> {
        self.privileged.cut(&open.ring, open.index, cut, level)
    }
}
