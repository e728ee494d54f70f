//! The recorder: what is here ([`host`]), what is recorded ([`plan`]), how ([`session`]), and what is left ([`finish`]).
//!
//! It never writes to Open vSwitch, libvirt or the firewall: commands are read-only recipes of the bundle crate, sockets
//! are packet sockets, and promiscuous mode ends with them.

rust_i18n::i18n!("locales", fallback = "en");

pub mod cli;
pub mod control;
pub mod disk;
pub mod error;
pub mod finish;
pub mod host;
pub mod ledger;
pub mod ping;
pub mod plan;
pub mod point;
pub mod ring;
pub mod sandbox;
pub mod session;
pub mod shed;
pub mod sys;
pub mod ui;

pub use error::{Error, Result};

#[cfg(test)]
mod tests;
