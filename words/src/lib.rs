//! What all programs of netcap speak alike.
//!
//! [`lang`] chooses the language and puts a command line into it, `text` is what stands between a sentence and a
//! terminal or a shell, and [`wire`] has the numbers of protocols. It knows no bundle, no filter and no host, so every
//! room may use it.

pub mod lang;
mod text;
pub mod wire;

pub use lang::{Lang, help};
pub use text::{columns, foreign, quote};
