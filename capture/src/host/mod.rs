//! What is on this host, and how it is asked: recipes carried out, interfaces, counters, clocks. Nothing is changed.

pub mod clock;
pub mod exec;
pub mod here;
pub mod iface;
pub mod inventory;
pub mod linkwatch;
pub mod netdev;
pub mod sample;
pub mod unixctl;
