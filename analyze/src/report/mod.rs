//! Reports: the same verdict for people and for machines.

pub(crate) mod across;
pub(crate) mod expect;
pub(crate) mod hlog;
pub(crate) mod json;
pub(crate) mod many;
mod page;
mod sections;
pub(crate) mod text;
pub(crate) mod together;
pub(crate) mod words;
