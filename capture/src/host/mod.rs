//! What is on this host, and how it is asked: recipes carried out, interfaces, counters, clocks. Nothing is changed.

pub(crate) mod available;
pub(crate) mod clock;
pub(crate) mod exec;
pub(crate) mod iface;
pub(crate) mod inventory;
pub(crate) mod linkwatch;
pub(crate) mod netdev;
pub(crate) mod programs;
pub(crate) mod sample;
pub(crate) mod services;
pub(crate) mod unixctl;
