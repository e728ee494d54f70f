//! From point to point: how long it took, and what overtook.

use netcap_words::columns::{left, right};
use serde_json::{Map, Value, json};
use unicode_width::UnicodeWidthStr;

use super::Section;
use super::times::write_into;
use crate::analysis::Verdict;
use crate::measure::hops::{HopTimes, Hops};
use crate::measure::{Measure, PERCENTILES};
use crate::report::page::{Page, milliseconds};

/// The registry's line.
pub(super) const SECTION: Section = Section {
    key: Hops::MEASUREMENT.key,
    json: |verdict| Some(verdict.measured.hops.0.iter().map(hop).collect()),
    text: hops,
};

/// Pairs shown; the rest is in the JSON and in the histogram log.
const ROWS_MAX: usize = 20;
/// Columns of the two points of a hop.
const HOP_COLUMNS: usize = 26;

fn hop(hop: &HopTimes) -> Value {
    let mut map = Map::new();
    for (name, (point, direction)) in [("from", &hop.from), ("to", &hop.to)] {
        map.insert(name.into(), json!({ "point": point, "direction": direction }));
    }
    map.insert("reordered".into(), json!(hop.reordered));
    write_into(&mut map, &hop.histogram);
    Value::Object(map)
}

fn hops(page: &mut Page, verdict: &Verdict) {
    if verdict.measured.hops.0.is_empty() {
        return;
    }
    page.heading("report.hops");
    let (hop, moved) = (page.phrase("report.hop"), page.phrase("report.moved"));
    let mut head = format!("  {}", left(&hop, HOP_COLUMNS));
    head.push_str(&right("n", 8));
    for name in ["p50", "p90", "p99", "p99.9", "max"] {
        head.push_str(&right(name, 9));
    }
    head.push_str(&right(&moved, 10));
    page.line(&head);
    for times in verdict.measured.hops.0.iter().take(ROWS_MAX) {
        let mut name = format!("{} → {}", times.from.0, times.to.0);
        if name.width() > HOP_COLUMNS {
            page.line(&format!("  {name}"));
            name.clear();
        }
        let mut row = format!("  {}", left(&name, HOP_COLUMNS));
        row.push_str(&right(&times.histogram.len().to_string(), 8));
        let values = PERCENTILES.iter().map(|(_, p)| times.histogram.value_at_percentile(*p));
        for value in values.chain([times.histogram.max()]) {
            row.push_str(&right(&milliseconds(value), 9));
        }
        row.push_str(&right(&times.reordered.to_string(), 10));
        page.line(&row);
    }
    page.more(verdict.measured.hops.0.len(), ROWS_MAX);
}
