//! The contract of a source of host state: a recipe that only the recorder executes, and a parser beside it.
//!
//! Recorded raw, parsed later: the bytes, time and exit status go into the bundle as they came, failures too, so a
//! parser mended tomorrow improves yesterday's bundle.

mod def;
mod elements;
mod name;
mod outcome;
pub(crate) mod sample;

pub use def::{Cadence, How, Recipe, SourceDef};
pub use elements::{Each, Elements};
pub(crate) use name::is_file_name;
pub use name::is_interface;
pub use outcome::{Outcome, Reason};
pub use sample::{Defect, Parsed, RawItem};

/// A typed state of the host, made from the items of one source taken at one time.
pub trait Snapshot: Sized + Default {
    /// What is recorded for it.
    const DEF: SourceDef;

    /// The same, where it stays.
    const DEF_REF: &'static SourceDef = &Self::DEF;

    /// Makes the typed state. Items of other sources must not be passed; unknown item names are ignored.
    fn parse(items: &[RawItem<'_>]) -> Parsed<Self>;
}
