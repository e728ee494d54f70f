//! What takes privileges, as one list: samples of the host's state, sockets, the daemon of Open vSwitch, the analyzer.
//!
//! It is passed in. A recording with all privileges does it itself ([`Direct`]); a confined one asks its helper
//! (`crate::sandbox`), which does it the same way.

use std::fmt::Debug;
use std::io;
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use netcap_bundle::run::{Sandbox, ShedLevel};
use netcap_filters::Instruction;

use crate::host::sample::{Later, Sampler};
use crate::shed::Cut;
use crate::sys::{Ring, RingSize};
pub(crate) use direct::Direct;
pub(crate) use explain::command as analyzer_command;
pub(crate) use ring::{is_foreign, listen};

pub(crate) mod control;
mod direct;
mod explain;
mod ping;
mod ring;

/// Does what takes privileges.
pub(crate) trait Privileged: Sampler + Debug {
    /// A packet socket with its ring on an interface.
    fn ring(&self, iface: &str, program: &[Instruction], size: RingSize) -> io::Result<RingSocket>;

    /// Has the kernel keep of each frame in a ring, that of the interface with this index, what a level leaves.
    /// It does not wait for anything else that is asked.
    fn cut(&self, ring: &Ring, index: u32, cut: &Cut, level: ShedLevel) -> io::Result<()>;

    /// A raw socket for the pings of an address.
    fn ping(&self, address: IpAddr, id: u16) -> io::Result<OwnedFd>;

    /// The control socket of a run; once a run.
    fn control(&self, run: &str) -> io::Result<UnixListener>;

    /// Takes the name of the control socket away: the run is over.
    fn forget_control(&self);

    /// What the datapaths of Open vSwitch have counted so far, as `dpctl/show -s` says it.
    fn datapaths(&self) -> io::Result<String>;

    /// Has the analyzer explain a result; its exit status, `None` when it was killed.
    fn explain<'a>(&'a self, program: &'a Path, result: &'a Path) -> Later<'a, io::Result<Option<i32>>>;

    /// What another process takes of the host to do it.
    fn usage(&self) -> Usage {
        Usage::default()
    }

    /// That process has ended.
    fn is_lost(&self) -> bool {
        false
    }
}

/// What a recording knows of its own process.
#[derive(Debug, Clone)]
pub(crate) struct Process {
    /// Who does what takes privileges.
    pub(crate) privileged: Arc<dyn Privileged>,
    /// How it is confined.
    pub(crate) sandbox: Sandbox,
    /// The user who started it, whoever it is now.
    pub(crate) owner: u32,
    /// When it began.
    pub(crate) began: Instant,
}

/// A packet socket that already receives.
#[derive(Debug)]
pub(crate) struct RingSocket {
    /// The socket, which may outlive its ring.
    pub(crate) fd: Arc<OwnedFd>,
    /// The memory that its ring got; the kernel may have less than was asked for.
    pub(crate) size: RingSize,
    /// The interface's index.
    pub(crate) index: u32,
}

/// What a process takes of the host.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    /// Its processor time since it began.
    pub(crate) times: Times,
    pub(crate) memory: Memory,
}

/// Processor time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Times {
    /// Its own in user mode.
    pub(crate) user: Duration,
    /// Its own in the kernel.
    pub(crate) system: Duration,
    /// That of commands it waited for, both modes.
    pub(crate) commands: Duration,
}

impl Times {
    /// All of it.
    pub(crate) fn sum(self) -> Duration {
        self.user.saturating_add(self.system).saturating_add(self.commands)
    }
}

/// Memory that is a process's own, in bytes: the pages of the program are the recorder's too and counted there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Memory {
    /// At this moment.
    pub(crate) now: u64,
    /// At most so far.
    pub(crate) peak: u64,
}
