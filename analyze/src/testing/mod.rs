//! What tests look at: everything but [`main`](crate::main) that is public.

pub mod fuzzed;
#[cfg(test)]
mod inside;
#[cfg(test)]
pub(crate) mod scenes;

#[cfg(test)]
pub(crate) use inside::{catalogue, explain_path, found, only, ruled, with_view};

use crate::analysis::registry;
use crate::measure;

/// The ids of all causes, detectors, measurements and symptoms.
pub fn ids() -> Vec<&'static str> {
    registry::units().into_iter().map(|unit| unit.id).collect()
}

/// The ids of all causes.
pub fn causes() -> Vec<&'static str> {
    crate::causes::ALL.iter().map(|cause| cause.unit.id).collect()
}

/// The key in the JSON of the measurement of that id.
pub fn key_of_measurement(id: &str) -> Option<&'static str> {
    measure::ALL.iter().find(|measurement| measurement.unit.id == id).map(|measurement| measurement.key)
}
