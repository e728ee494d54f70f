//! What a run says of itself, as it lies in a bundle: where everything is, what was recorded, what was lost.
//!
//! Data only: rooms above read and write it.

pub mod changes;
pub mod drops;
pub mod index;
pub mod layout;
pub mod line;
pub mod mac;
pub mod manifest;
pub mod ping;
pub mod point;
pub mod span;
pub mod step;
pub mod time;

mod zero;
