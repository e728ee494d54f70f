//! Units that could not look, each with what it needs.

use serde_json::{Value, json};

use super::Section;
use crate::analysis::Verdict;
use crate::report::page::Page;
use crate::text::Text;

/// The registry's line.
pub(super) const SECTION: Section =
    Section { key: "not_evaluated", json: |verdict| Some(value(verdict)), text: not_evaluated };

/// Detectors that could not look.
pub(in crate::report) fn value(verdict: &Verdict) -> Value {
    verdict
        .not_evaluated
        .iter()
        .map(|n| {
            let missing: Vec<String> = n.missing.iter().map(|key| Text::new(key).english()).collect();
            json!({ "detector": n.detector, "missing": missing })
        })
        .collect()
}

fn not_evaluated(page: &mut Page, verdict: &Verdict) {
    if verdict.not_evaluated.is_empty() {
        return;
    }
    page.heading("report.not-evaluated");
    for not in &verdict.not_evaluated {
        let missing = not.missing.iter().map(|key| Text::new(key)).collect();
        let needs = page.text(&Text::new("report.needs").with_clauses("list", missing));
        page.wrapped("  ", "    ", &format!("{}: {needs}", not.detector));
    }
}
