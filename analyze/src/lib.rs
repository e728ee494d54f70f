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

/// The catalogue's files, so that a test can hold the languages together.
#[cfg(test)]
pub(crate) const CATALOGUE: &[&str] = &[
    include_str!("../locales/acl-drop.yml"),
    include_str!("../locales/clocks.yml"),
    include_str!("../locales/common.yml"),
    include_str!("../locales/help.yml"),
    include_str!("../locales/ip-conflict.yml"),
    include_str!("../locales/lldp-mac-flap.yml"),
    include_str!("../locales/packet-loss.yml"),
    include_str!("../locales/ping-loss.yml"),
    include_str!("../locales/recording.yml"),
];
