//! The explainer: what a user hands in → one parallel pass → tables → detectors → findings → report.
//!
//! The way is never backwards: [`engine`] decodes each packet once and feeds [`tables`]; [`detectors`] look at a
//! [`view::View`] of the tables, of how far the capture can be trusted ([`fidelity`]), and of the recorded host, and
//! make [`finding::Finding`]s; [`report`] writes them for people and for machines. Nothing here reads a clock, and a
//! report is the same for any number of threads.

pub mod analysis;
pub mod causes;
pub mod cli;
pub mod clocks;
pub mod detectors;
pub mod engine;
pub mod fidelity;
pub mod finding;
pub mod host;
pub mod measure;
pub mod registry;
pub mod report;
pub mod symptoms;
pub mod tables;
pub mod text;
pub mod together;
pub mod unit;
pub mod view;

#[cfg(test)]
mod testing;

rust_i18n::i18n!("locales", fallback = "en");
