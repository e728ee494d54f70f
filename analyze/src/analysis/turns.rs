//! Which units are wanted, and which could look.

use crate::unit::{NotEvaluated, Unit};

/// Which units looked and which could not.
pub(super) struct Turns<'a> {
    only: Option<&'a [String]>,
    /// Units that looked for faults.
    pub(super) looked: Vec<&'static str>,
    /// Units that could not look.
    pub(super) not_evaluated: Vec<NotEvaluated>,
}

impl<'a> Turns<'a> {
    /// Before the first turn; `only` these units are wanted (`None`: all).
    pub(super) fn new(only: Option<&'a [String]>) -> Self {
        Self { only, looked: Vec::new(), not_evaluated: Vec::new() }
    }

    pub(super) fn wanted(&self, unit: &Unit) -> bool {
        self.only.is_none_or(|ids| ids.iter().any(|id| id == unit.id))
    }

    /// Remembers whether a unit could look.
    pub(super) fn note(&mut self, unit: &Unit, missing: Vec<&'static str>) -> bool {
        let could = missing.is_empty();
        if !could {
            self.not_evaluated.push(NotEvaluated { detector: unit.id, missing });
        } else if unit.severity.is_some() {
            self.looked.push(unit.id);
        }
        could
    }
}
