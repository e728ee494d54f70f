//! The explainer: what a user hands in → one parallel pass → tables → detectors → findings → report.
//!
//! The way is never backwards: `engine` decodes each packet once and feeds `tables`; `detectors` look at a
//! `view::View` of the tables, of how far the capture can be trusted (`fidelity`), and of the recorded host, and
//! make `finding::Finding`s; `report` writes them for people and for machines. Nothing here reads a clock, and a
//! report is the same for any number of threads.

mod analysis;
mod causes;
mod cli;
mod clocks;
mod deaths;
mod detectors;
mod engine;
mod fidelity;
mod finding;
mod host;
mod measure;
mod report;
mod symptoms;
mod tables;
pub mod testing;
mod text;
mod together;
mod unit;
mod view;

pub use cli::main;

rust_i18n::i18n!("locales", fallback = "en");
