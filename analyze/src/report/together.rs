//! Several hosts together: their clocks, how long packets took between them, and what was lost there.

use serde_json::{Value, json};
use unicode_width::UnicodeWidthStr;

use super::json::{SCHEMA, among};
use super::page::{Look, Page, milliseconds};
use super::sections::findings;
use crate::analysis::Verdict;
use crate::text::Text;
use crate::together::{HostHop, HostPair, HostPoint, Together};
use netcap_words::columns::{left, right};
use netcap_words::foreign;

/// Hops shown; the rest is in the JSON.
const HOPS_SHOWN: usize = 40;
/// Columns of the two ends of a hop.
const ENDS_COLUMNS: usize = 37;
/// Columns of the table that hold times.
const TIMES: [(&str, f64); 3] = [("p50", 50.0), ("p99", 99.0), ("max", 100.0)];

/// For people.
pub(crate) fn render(together: &Together, look: Look) -> String {
    let mut page = Page { out: String::new(), look, offset: together.utc_offset_s };
    page.heading("together.clocks");
    for line in together.pairs.iter().flat_map(HostPair::lines) {
        let line = page.text(&line);
        page.wrapped("  ", "    ", &line);
    }
    for finding in &together.findings {
        findings::write(&mut page, finding);
    }
    if together.findings.is_empty() && together.joined > 1 {
        page.heading("together.verdict");
        let clean = page.phrase("together.clean");
        page.wrapped("  ", "  ", &clean);
    }
    page.between(together);
    page.given_up(together);
    page.out
}

impl Page {
    fn between(&mut self, together: &Together) {
        if together.hops.is_empty() {
            return;
        }
        self.heading("together.hops");
        let (hop, bound, moved) =
            (self.phrase("report.hop"), self.phrase("together.bound"), self.phrase("report.moved"));
        let mut head = format!("  {}{}", left(&hop, ENDS_COLUMNS), right("n", 8));
        for (name, _) in TIMES {
            head.push_str(&right(name, 10));
        }
        head.push_str(&right(&bound, 9));
        head.push_str(&right(&moved, 11));
        self.line(&head);
        for hop in together.hops.iter().take(HOPS_SHOWN) {
            self.hop_between(hop);
        }
        self.more(together.hops.len(), HOPS_SHOWN);
        let text = Text::new("together.followed")
            .with("followed", together.followed)
            .with("retransmissions", together.retransmissions);
        let text = self.text(&text);
        self.wrapped("  ", "    ", &text);
    }

    fn given_up(&mut self, together: &Together) {
        self.remarks(&together.remarks);
    }

    pub(super) fn remarks(&mut self, remarks: &[Text]) {
        if remarks.is_empty() {
            return;
        }
        self.heading("report.remarks");
        for remark in remarks {
            let text = self.text(remark);
            self.wrapped("  - ", "    ", &text);
        }
    }

    fn hop_between(&mut self, hop: &HostHop) {
        let mut name = format!("{} → {}", hop.from, hop.to);
        if name.width() > ENDS_COLUMNS {
            self.line(&format!("  {name}"));
            name.clear();
        }
        let bound = u64::try_from(hop.bound_ns).unwrap_or(u64::MAX);
        let mut row =
            format!("  {}{}", left(&name, ENDS_COLUMNS), right(&hop.histogram.len().to_string(), 8));
        for (_, percent) in TIMES {
            let value = hop.histogram.value_at_percentile(percent);
            // Finer than the clocks allow nothing is said.
            let shown = if value > bound { milliseconds(value) } else { format!("<{}", upwards(bound)) };
            row.push_str(&right(&shown, 10));
        }
        row.push_str(&right(&format!("±{}", upwards(bound)), 9));
        row.push_str(&right(&hop.reordered.to_string(), 11));
        self.line(&row);
    }
}

/// Milliseconds, rounded up to the next microsecond: a bound never looks better than it is.
fn upwards(ns: u64) -> String {
    milliseconds(ns.saturating_add(999) / 1_000 * 1_000)
}

/// For machines.
pub(crate) fn render_json(together: &Together, verdicts: &[Verdict]) -> String {
    let value = json!({
        "schema": SCHEMA,
        "clocks": together.pairs.iter().map(HostPair::json).collect::<Vec<_>>(),
        "findings": together.findings.iter().map(findings::value).collect::<Vec<_>>(),
        "hops": together.hops.iter().map(hop).collect::<Vec<_>>(),
        "inputs": verdicts.iter().map(among).collect::<Vec<_>>(),
        "journeys": {
            "followed": together.followed,
            "one_in": together.one_in,
            "retransmissions": together.retransmissions,
        },
        "remarks": together.remarks.iter().map(Text::english).collect::<Vec<_>>(),
    });
    foreign::json(&serde_json::to_string_pretty(&value).unwrap_or_default()) + "\n"
}

fn hop(hop: &HostHop) -> Value {
    let end = |end: &HostPoint| json!({ "host": end.host, "point": end.point });
    let mut value = json!({
        "from": end(&hop.from),
        "to": end(&hop.to),
        "n": hop.histogram.len(),
        "bound_ns": hop.bound_ns,
        "reordered": hop.reordered,
        "unit": "ns",
    });
    if let Some(map) = value.as_object_mut() {
        for (name, percent) in TIMES {
            let shown = Some(hop.histogram.value_at_percentile(percent));
            let shown = shown.filter(|ns| i64::try_from(*ns).is_ok_and(|ns| ns > hop.bound_ns));
            map.insert(name.into(), json!(shown));
        }
    }
    value
}
