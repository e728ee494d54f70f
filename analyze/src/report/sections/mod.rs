//! The registry of sections: the parts of the report, one file each, with what machines and people get beside each other.

mod capture;
pub(super) mod findings;
mod headline;
mod hops;
mod journeys;
mod latency;
pub(super) mod not_evaluated;
mod not_understood;
mod recording;
mod remarks;
mod rulings;
mod times;

use serde_json::Value;

use super::page::Page;
use crate::analysis::Verdict;

#[derive(Debug, Clone, Copy)]
pub(super) struct Section {
    /// Its key in the JSON.
    pub key: &'static str,
    /// For machines; `None` when there is nothing to say, and no key then.
    pub json: fn(&Verdict) -> Option<Value>,
    /// For people.
    pub text: fn(&mut Page, &Verdict),
}

/// All sections, in the order in which people read them.
pub(super) const ALL: &[Section] = &[
    headline::SECTION,
    not_understood::SECTION,
    findings::SECTION,
    not_evaluated::SECTION,
    rulings::SECTION,
    latency::SECTION,
    hops::SECTION,
    journeys::SECTION,
    capture::SECTION,
    recording::SECTION,
    remarks::SECTION,
];

#[cfg(test)]
mod tests;
