//! The control socket of a run: whoever asks believes only root, so root has to bind it.

use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};

/// How the names of control sockets begin; the run's follows.
pub(crate) const CONTROL_NAME: &str = "netcap/";
/// Names tried when somebody holds that of the run.
const NAMES_MAX: u32 = 8;

/// Anybody may take a name; then another one is found in `/proc/net/unix` all the same.
pub(super) fn bind(run: &str) -> io::Result<UnixListener> {
    let mut last = io::Error::from(io::ErrorKind::AddrInUse);
    for n in 1..=NAMES_MAX {
        let name = if n == 1 { format!("{CONTROL_NAME}{run}") } else { format!("{CONTROL_NAME}{run}/{n}") };
        match UnixListener::bind_addr(&SocketAddr::from_abstract_name(name)?) {
            Err(e) if e.kind() == io::ErrorKind::AddrInUse => last = e,
            done => return done,
        }
    }
    Err(last)
}
