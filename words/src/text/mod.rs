//! What becomes of a text on its way to a terminal or a shell.
//!
//! [`foreign`] makes text of strangers harmless, [`columns`] breaks it into lines that fit, and [`quote`] makes commands
//! that can be pasted.

pub mod columns;
pub mod foreign;
pub mod quote;
