//! What a netcap bundle is: one directory (or tar) holding packets, host state and pings of one run on one clock.
//!
//! Everything that knows the shape of a bundle lives here, so that the recorder and the explainer agree by
//! construction: [`layout`] spells every path, [`manifest`] says what was recorded and what was lost,
//! [`packets`] writes and reads segments, [`sources`] holds one file per source of host state (its recipe, its typed
//! result, its parser), [`topology`] joins them, [`replay`] follows a packet through them, [`seal`] closes a run, [`input`] opens whatever a user hands in.
//!
//! This crate executes no command, reads no clock and opens no socket.

pub mod changes;
pub mod index;
pub mod input;
pub mod layout;
pub mod ledger;
pub mod mac;
pub mod manifest;
pub mod move_tar;
pub mod packets;
pub mod ping;
pub mod point;
pub mod replay;
pub mod seal;
pub mod source;
pub mod sources;
pub mod state;
pub mod time;
pub mod topology;

mod error;

pub use error::{BundleError, Result};
pub use mac::Mac;
pub use manifest::{Manifest, RunInfo};
pub use point::{Point, Role};
pub use time::Nanos;
