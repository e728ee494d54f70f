//! Every unit in its turn: what somebody suffers, what explains it, other faults, and the numbers.

use crate::deaths::Deaths;
use crate::finding::Finding;
use crate::measure::Measured;
use crate::unit::NotEvaluated;
use crate::view::View;
use crate::{detectors, symptoms};

use super::ladder::Ladder;
use super::relate::relate;
use super::turns::Turns;

/// What the units say.
#[derive(Debug)]
pub(super) struct Diagnosis {
    /// Worst and surest first.
    pub findings: Vec<Finding>,
    /// Units that looked for faults, alphabetical.
    pub looked: Vec<&'static str>,
    /// Units that could not look, alphabetical.
    pub not_evaluated: Vec<NotEvaluated>,
    /// Numbers.
    pub measured: Measured,
    /// Deaths for which no cause was asked.
    pub unasked: u64,
}

/// Lets all units look that are wanted (`None`: all).
pub(super) fn look(view: &View<'_>, only: Option<&[String]>) -> Diagnosis {
    let mut turns = Turns::new(only);
    let deaths = Deaths::read(view);
    let mut findings = Vec::new();
    for symptom in symptoms::ALL {
        if turns.wanted(&symptom.unit) && turns.note(&symptom.unit, symptom.unit.missing(view)) {
            (symptom.run)(view, &deaths, &mut findings);
        }
    }
    let mut ladder = Ladder::climb(view, &deaths, &mut turns);
    for detector in detectors::ALL {
        if turns.wanted(&detector.unit) && turns.note(&detector.unit, detector.unit.missing(view)) {
            let mut found = Vec::new();
            (detector.run)(view, &mut found);
            for finding in found {
                ladder.add(finding, &deaths);
            }
        }
    }
    ladder.tell_consequences(&deaths);
    relate(&mut findings, &ladder);
    findings.append(&mut ladder.findings);
    let measured = Measured::of(view, |measurement| {
        let unit = &measurement.unit;
        (measurement.always || turns.wanted(unit)) && turns.note(unit, unit.missing(view))
    });
    Finding::sort_evidence(&mut findings);
    Finding::sort(&mut findings);
    turns.looked.sort_unstable();
    turns.not_evaluated.sort_unstable_by_key(|not| not.detector);
    Diagnosis {
        findings,
        looked: turns.looked,
        not_evaluated: turns.not_evaluated,
        measured,
        unasked: deaths.unasked(),
    }
}
