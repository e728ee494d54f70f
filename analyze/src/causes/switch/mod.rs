//! The switch: what its rules do to packets.

pub mod acl_drop;
