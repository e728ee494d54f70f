//! What a reader must know before trusting silence.

use serde_json::{Value, json};

use super::Section;
use crate::analysis::Verdict;
use crate::report::page::Page;

/// The registry's line.
pub(super) const SECTION: Section = Section { key: "remarks", json: value, text: remarks };

/// Remarks shown.
const REMARKS_MAX: usize = 20;

#[allow(clippy::unnecessary_wraps)] // the registry's signature
fn value(verdict: &Verdict) -> Option<Value> {
    Some(verdict.remarks.iter().map(|text| json!(text.english())).collect())
}

fn remarks(page: &mut Page, verdict: &Verdict) {
    if verdict.remarks.is_empty() {
        return;
    }
    page.heading("report.remarks");
    let shown = if page.look.verbose { usize::MAX } else { REMARKS_MAX };
    // What the headline said already is not said twice.
    let rest = || verdict.remarks.iter().skip(usize::from(verdict.incomplete.is_some()));
    for remark in rest().take(shown) {
        let text = page.text(remark);
        page.wrapped("  - ", "    ", &text);
    }
    page.more(rest().count(), shown);
}
