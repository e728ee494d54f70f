//! The filter language: its words, what they mean, and what is wrong with those that mean nothing.

pub(crate) mod combine;
pub(crate) mod diagnosis;
pub(crate) mod lexer;
pub(crate) mod locate;
pub(crate) mod names;
mod nearest;
pub(crate) mod presets;
mod questions;
mod suggest;
mod tables;
