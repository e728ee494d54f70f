//! The registry of detectors: faults that are found whether or not somebody suffers from them. One line each,
//! alphabetical.

/// Addresses: who has them, and who else claims them.
pub(crate) mod addresses {
    pub(crate) mod ip_conflict;
}

use crate::finding::Finding;
use crate::unit::Unit;
use crate::view::View;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Detector {
    /// Id, needs and manual page.
    pub unit: Unit,
    pub run: fn(&View<'_>, &mut Vec<Finding>),
}

pub(crate) const ALL: &[Detector] = &[addresses::ip_conflict::DETECTOR];
