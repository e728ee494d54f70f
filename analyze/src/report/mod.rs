//! Reports: the same verdict for people and for machines.

pub mod expect;
pub mod hlog;
pub mod json;
pub mod many;
mod numbers;
mod recording;
pub mod text;
pub mod together;
pub(crate) mod words;
