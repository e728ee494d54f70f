//! Reports: the same verdict for people and for machines.

pub mod expect;
pub mod hlog;
pub mod json;
pub mod many;
mod page;
mod sections;
pub mod text;
pub mod together;
pub(crate) mod words;
