//! Links: cables, bonds and what neighbours say on them.

pub mod lldp_mac_flap;
