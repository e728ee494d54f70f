//! The privileges of this process.

use std::io;
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use netcap_bundle::run::ShedLevel;
use netcap_bundle::source::Recipe;
use netcap_bundle::state::Taken;
use netcap_filters::Instruction;

use super::{Privileged, RingSocket, analyzer_command, control, ping, ring};
use crate::host::sample::{Later, Sampler};
use crate::host::services::Host;
use crate::host::unixctl::Link;
use crate::shed::Cut;
use crate::sys::{Ring, RingSize};

/// Does it in this process.
#[derive(Debug)]
pub(crate) struct Direct {
    host: Host,
    /// To the daemon of Open vSwitch. It stays here: over it one may also ask for changes.
    link: Mutex<Link>,
    /// Directory of control sockets.
    sockets: PathBuf,
    /// The file of our control socket.
    socket: Mutex<Option<PathBuf>>,
}

impl Direct {
    /// On this host.
    pub(crate) fn new(host: Host) -> Self {
        Self::with_sockets(host, control::DIR.into())
    }

    /// On this host, with control sockets in a directory of its own.
    pub(crate) fn with_sockets(host: Host, sockets: PathBuf) -> Self {
        let link = Mutex::new(Link::new(&host.ovs_rundir));
        Self { host, link, sockets, socket: Mutex::default() }
    }
}

impl Sampler for Direct {
    fn take<'a>(&'a self, source: &'static str, recipe: &'static Recipe, arg: &'a str) -> Later<'a, Taken> {
        self.host.take(source, recipe, arg)
    }
}

impl Privileged for Direct {
    fn ring(&self, iface: &str, program: &[Instruction], size: RingSize) -> io::Result<RingSocket> {
        ring::open(iface, program, size)
    }

    fn cut(&self, ring: &Ring, _: u32, cut: &Cut, level: ShedLevel) -> io::Result<()> {
        ring.refilter(&cut.program(level))
    }

    fn ping(&self, address: IpAddr, id: u16) -> io::Result<OwnedFd> {
        ping::open(address, id)
    }

    fn control(&self, run: &str) -> io::Result<UnixListener> {
        let mut socket = self.socket.lock().unwrap_or_else(PoisonError::into_inner);
        if socket.is_some() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let (listener, path) = control::bind(&self.sockets, run)?;
        *socket = Some(path);
        Ok(listener)
    }

    fn forget_control(&self) {
        let path = self.socket.lock().unwrap_or_else(PoisonError::into_inner).take();
        // Whoever asks next takes a name away that stayed.
        let _ = path.map(std::fs::remove_file);
    }

    fn datapaths(&self) -> io::Result<String> {
        self.link.lock().unwrap_or_else(PoisonError::into_inner).ask()
    }

    fn explain<'a>(&'a self, program: &'a Path, result: &'a Path) -> Later<'a, io::Result<Option<i32>>> {
        Box::pin(async move { Ok(analyzer_command(program, result, &rust_i18n::locale()).status()?.code()) })
    }
}
