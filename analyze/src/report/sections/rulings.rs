//! What causes said of symptoms that they do not explain: for people it stands with the symptom. It is not within the
//! findings for machines, so that a new cause changes no other's samples.

use serde_json::{Value, json};

use super::Section;
use crate::analysis::Verdict;

/// The registry's line.
pub(super) const SECTION: Section =
    Section { key: "rulings", json: |verdict| Some(value(verdict)), text: |_, _| {} };

fn value(verdict: &Verdict) -> Value {
    let findings = verdict.findings.iter().enumerate();
    let all = findings.flat_map(|(number, finding)| finding.ruled.iter().map(move |ruled| (number, ruled)));
    all.flat_map(|(number, ruled)| {
        let said = ruled.what.sentence().english();
        ruled.causes.iter().map(move |cause| json!({ "finding": number, "cause": cause, "said": said }))
    })
    .collect()
}
