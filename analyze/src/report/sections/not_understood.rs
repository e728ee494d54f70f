//! What nobody looked at, before what was found: silence about it is no evidence.

use anstyle::{AnsiColor, Style};
use netcap_words::columns::wrap;
use serde_json::{Value, json};

use super::Section;
use crate::analysis::Verdict;
use crate::measure::opaque::NotUnderstood;
use crate::report::page::Page;
use crate::text::Text;

/// The registry's line.
pub(super) const SECTION: Section = Section { key: "not_understood", json: value, text: not_understood };

fn value(verdict: &Verdict) -> Option<Value> {
    let all = &verdict.not_understood;
    let one = |not: &NotUnderstood| json!({ "frames": not.frames, "of": not.of, "points": not.points, "why": not.why.text().english() });
    (!all.is_empty()).then(|| all.iter().map(one).collect())
}

fn not_understood(page: &mut Page, verdict: &Verdict) {
    let mut leading = verdict.not_understood.iter().filter(|not| not.leads()).peekable();
    if leading.peek().is_none() {
        return;
    }
    let said = leading.map(NotUnderstood::text).collect();
    let text = page.text(&Text::new("opaque.first").with_clauses("list", said));
    let style = Style::new().fg_color(Some(AnsiColor::Yellow.into()));
    for line in wrap(page.look.columns, "", "  ", &text) {
        let line = page.styled(&line, style);
        page.styled_line(&line);
    }
}
