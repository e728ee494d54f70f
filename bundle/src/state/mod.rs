//! Samples of host state in a bundle: raw bytes in files, one index line each.

mod line;
mod reader;
mod unread;
mod writer;

pub use line::IndexLine;
pub use reader::{Round, SampleFile, StateReader};
pub use unread::{Fault, Unread};
pub use writer::{StateWriter, Taken, Written};

#[cfg(test)]
mod tests;
