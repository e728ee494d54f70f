//! The headline: which input, what is missing of it, and the verdict in one line.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use netcap_words::columns::wrap;
use serde_json::json;

use super::Section;
use crate::analysis::Verdict;
use crate::finding::Severity;
use crate::measure::opaque::NotUnderstood;
use crate::report::page::Page;
use crate::report::words::{color, count_key};
use crate::text::Text;

/// The registry's line.
pub(super) const SECTION: Section =
    Section { key: "input", json: |verdict| Some(json!(verdict.name)), text: headline };

fn headline(page: &mut Page, verdict: &Verdict) {
    let name = Text::new("report.input").with("name", &verdict.name);
    let mut first = page.text(&name);
    if let Some(run) = &verdict.run {
        let _ = write!(first, "  {run}");
    }
    page.wrapped("", "  ", &first);
    if let Some(text) = &verdict.incomplete {
        let text = page.text(text);
        let style = Style::new().bold().fg_color(Some(AnsiColor::Yellow.into()));
        for line in wrap(page.look.columns, "", "  ", &text) {
            let line = page.styled(&line, style);
            page.styled_line(&line);
        }
    }
    let count = |severity| verdict.findings.iter().filter(|f| f.severity == severity).count();
    let parts: Vec<Text> = [Severity::Critical, Severity::Error, Severity::Warning, Severity::Info]
        .into_iter()
        .filter(|s| count(*s) > 0)
        .map(|s| Text::new(count_key(s, count(s))).with("count", count(s)))
        .collect();
    let (text, style) = match verdict.findings.first() {
        None => {
            let silent = verdict.stats.packets == 0 && verdict.measured.latency.pairs.is_empty();
            let doubtful = verdict.not_understood.iter().any(NotUnderstood::leads);
            let text = match silent {
                true => nothing(verdict),
                false if verdict.understood_nothing() => Text::new("report.not-understood"),
                false => healthy(verdict, doubtful),
            };
            (text, if silent || doubtful { AnsiColor::Yellow } else { AnsiColor::Green })
        }
        Some(worst) => (Text::new("report.verdict").with_list("counts", parts), color(worst.severity)),
    };
    let text = page.text(&text);
    // The style goes around whole lines, so that wrapping never counts it.
    for line in wrap(page.look.columns, "", "  ", &text) {
        let line = page.styled(&line, Style::new().bold().fg_color(Some(style.into())));
        page.styled_line(&line);
    }
}

/// What a verdict without findings stands on: who looked.
fn healthy(verdict: &Verdict, doubtful: bool) -> Text {
    let looked: Vec<Text> = verdict.looked.iter().map(Text::verbatim).collect();
    let key = match (looked.is_empty(), verdict.not_evaluated.len()) {
        (true, _) => "report.clean-blind",
        _ if doubtful => "report.clean-understood",
        (false, 0) => "report.clean",
        (false, 1) => "report.clean-partly-one",
        (false, _) => "report.clean-partly",
    };
    Text::new(key).with_list("looked", looked).with("count", verdict.not_evaluated.len())
}

/// An empty recording is no healthy one.
fn nothing(verdict: &Verdict) -> Text {
    let points: Vec<Text> = verdict.stats.points.iter().map(|p| Text::verbatim(&p.name)).collect();
    let key = if points.is_empty() { "report.nothing" } else { "report.nothing-at" };
    Text::new(key).with_list("points", points)
}
