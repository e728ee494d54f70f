//! What a netcap bundle is: one directory (or tar) holding packets, host state and pings of one run on one clock.
//!
//! Everything that knows the shape of a bundle lives here, so that the recorder and the explainer agree by
//! construction. [`run`] is what a run says of itself: every path ([`layout`]), what was recorded and what was lost.
//! [`held`] holds a directory open and lets nothing below it lead elsewhere, [`files`] finds a run's files, [`packets`]
//! writes and reads segments, [`ledger`] reads what was lost when, [`sources`] holds one file per source of host state (its
//! recipe, its typed result, its parser), [`state`] their samples, [`topology`] joins them, [`replay`] follows a packet
//! through them, [`input`] opens whatever a user hands in, [`seal`] closes a run.
//!
//! This crate executes no command, reads no clock and opens no socket.

pub mod files;
pub mod held;
pub mod input;
pub mod ledger;
pub mod packets;
pub mod replay;
pub mod run;
pub mod seal;
pub mod source;
pub mod sources;
pub mod state;
pub mod topology;

mod error;

pub use error::{BundleError, Damage, Op, Result};
pub use run::{Mac, Manifest, Nanos, Point, Role, RunInfo, layout};
