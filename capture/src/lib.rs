//! The recorder: what is here ([`inventory`]), what is recorded ([`plan`]), how ([`session`]), and what is left ([`finish`]).
//!
//! It never writes to Open vSwitch, libvirt or the firewall: commands are read-only recipes of the bundle crate, sockets
//! are packet sockets, and promiscuous mode ends with them.

rust_i18n::i18n!("locales", fallback = "en");

pub mod budget;
pub mod cli;
pub mod clock;
pub mod commands;
pub mod control;
pub mod cost;
pub mod counters;
pub mod detach;
pub mod disk;
pub mod error;
pub mod event;
pub mod exec;
pub mod finish;
pub mod follow;
pub mod frames;
pub mod help;
pub mod iface;
pub mod inventory;
pub mod journal;
pub mod ledger;
pub mod linkwatch;
pub mod listener;
pub mod live;
pub mod memory;
pub mod netdev;
pub mod ping;
pub mod plan;
pub mod recorder;
pub mod rundir;
pub mod sample;
pub mod sandbox;
pub mod segments;
pub mod session;
pub mod shed;
pub mod signals;
pub mod state;
pub mod syncer;
pub mod sys;
pub mod ui;
pub mod units;
pub mod unixctl;
pub mod watchdog;
pub mod wording;

pub use error::{Error, Result};

#[cfg(test)]
mod words;
