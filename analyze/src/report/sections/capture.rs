//! What each capture point recorded.

use netcap_words::columns::{left, right};
use serde_json::{Value, json};

use super::Section;
use crate::analysis::Verdict;
use crate::finding::utc_text;
use crate::report::page::Page;
use crate::text::Text;

/// The registry's line.
pub(super) const SECTION: Section =
    Section { key: "stats", json: |verdict| Some(value(verdict)), text: capture };

fn value(verdict: &Verdict) -> Value {
    let stats = &verdict.stats;
    let files: Vec<Value> = stats
        .files
        .iter()
        .map(|f| json!({ "name": f.name, "packets": f.packets, "wire_bytes": f.wire_bytes }))
        .collect();
    let points: Vec<Value> = stats
        .points
        .iter()
        .map(|p| {
            json!({
                "name": p.name, "kind": p.role, "vswitch": p.vswitch, "filter": p.filter, "snaplen": p.snaplen,
                "packets": p.packets, "wire_bytes": p.wire_bytes, "cut": p.cut, "dropped": p.dropped,
                "first": p.first.map(utc_text), "last": p.last.map(utc_text),
            })
        })
        .collect();
    json!({ "packets": stats.packets, "files": files, "points": points })
}

fn capture(page: &mut Page, verdict: &Verdict) {
    page.heading("report.capture");
    let titles = ["report.point", "report.kind", "report.packets", "report.dropped", "report.span"]
        .map(|k| page.phrase(k));
    let [point, kind, packets, dropped, span] = titles;
    let head = [left(&point, 15), left(&kind, 6), right(&packets, 10), right(&dropped, 9)].join(" ");
    page.line(&format!("  {head}  {span}"));
    for stats in &verdict.stats.points {
        let dropped = stats.dropped.map_or_else(|| "?".to_owned(), |d| d.to_string());
        let span = match (stats.first, stats.last) {
            (Some(first), Some(last)) => page.short_span(first, last),
            _ => "-".to_owned(),
        };
        let row = [
            left(&stats.name, 15),
            left(stats.role, 6),
            right(&stats.packets.to_string(), 10),
            right(&dropped, 9),
        ];
        page.line(&format!("  {}  {span}", row.join(" ")));
        if page.look.verbose && !stats.filter.is_empty() {
            let text = page.text(&Text::new("report.filter").with("filter", &stats.filter));
            page.wrapped("    ", "      ", &text);
        }
    }
}
