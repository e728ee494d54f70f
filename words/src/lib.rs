//! What all programs of netcap speak alike.
//!
//! [`lang`] chooses the language, [`foreign`] makes text of strangers harmless, [`columns`] breaks it into lines that
//! fit, [`quote`] makes commands that can be pasted into a shell, [`help`] puts a command line into the user's language,
//! and [`wire`] has the numbers of protocols. It knows no bundle, no filter and no host, so every room may use it.

pub mod columns;
pub mod foreign;
pub mod help;
pub mod lang;
pub mod quote;
pub mod wire;

pub use lang::Lang;
