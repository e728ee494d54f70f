//! Addresses: who has them, and who else claims them.

pub mod ip_conflict;
