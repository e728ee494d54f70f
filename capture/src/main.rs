//! `netcap`: see `netcap --help`.

use std::process::ExitCode;

use nix::sys::stat::{Mode, umask};

fn main() -> ExitCode {
    // Captured traffic is nobody else's business: all files 0600, all directories 0700.
    umask(Mode::from_bits_truncate(0o077));
    ExitCode::from(netcap::main())
}
