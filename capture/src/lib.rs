//! The recorder: what is here (`host`), what is recorded (`plan`), how (`session`), and what is left (`finish`).
//!
//! It never writes to Open vSwitch, libvirt or the firewall: commands are read-only recipes of the bundle crate, sockets
//! are packet sockets, and promiscuous mode ends with them.

rust_i18n::i18n!("locales", fallback = "en");

mod cli;
mod control;
mod disk;
mod error;
mod finish;
mod host;
mod ledger;
mod ping;
mod plan;
mod point;
mod privileged;
mod ring;
mod sandbox;
mod session;
mod shed;
mod sys;
mod ui;

pub use cli::main;
pub use error::{Error, Result};

/// What tests outside this crate look at.
pub mod testing {
    pub use crate::disk::budget::directory_bytes;
    pub use crate::disk::free::disk_left;
    pub use crate::host::clock::{now, utc_offset_s};
    pub use crate::host::exec::{Executed, run};
    pub use crate::host::services::Host;
    pub use crate::ring::frames::Frames;
    pub use crate::sandbox::{FileLayer, HELPER, User, confine};
    pub use crate::session::cost::resident;
    pub use crate::sys::{Block, Counted, Ring, RingSize, attempts, duplicate_from, receive_with_fd};

    /// What fuzz targets feed.
    #[cfg(fuzzing)]
    pub mod fuzzed {
        pub use crate::control::protocol::read_any as control;
        pub use crate::ping::read_any as ping;
        pub use crate::sandbox::read_all as sandbox;
    }
}

#[cfg(test)]
mod tests;
