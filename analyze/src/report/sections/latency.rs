//! Round-trip times of pings.

use netcap_words::columns::{left, right};
use serde_json::{Map, Value, json};
use unicode_width::UnicodeWidthStr;

use super::Section;
use super::times::write_into;
use crate::analysis::Verdict;
use crate::measure::latency::{Latencies, Latency};
use crate::measure::{Measure, PERCENTILES};
use crate::report::page::{Page, milliseconds};

/// The registry's line.
pub(super) const SECTION: Section = Section {
    key: Latencies::MEASUREMENT.key,
    json: |verdict| Some(verdict.measured.latency.pairs.iter().map(histogram).collect()),
    text: latency,
};

/// Pairs shown; the rest is in the JSON and in the histogram log.
const ROWS_MAX: usize = 20;
/// Columns of a pair of addresses in the table of round-trip times.
const PAIR_COLUMNS: usize = 33;

fn histogram(latency: &Latency) -> Value {
    let mut map = Map::new();
    map.insert("src".into(), json!(latency.src));
    map.insert("dst".into(), json!(latency.dst));
    map.insert("point".into(), json!(latency.point));
    write_into(&mut map, &latency.histogram);
    Value::Object(map)
}

fn latency(page: &mut Page, verdict: &Verdict) {
    if verdict.measured.latency.pairs.is_empty() {
        return;
    }
    page.heading("report.latency");
    let pair = page.phrase("report.pair");
    let point = page.phrase("report.point");
    let mut head = format!("  {} {}", left(&pair, PAIR_COLUMNS), left(&point, 10));
    head.push_str(&right("n", 8));
    for name in ["p50", "p90", "p99", "p99.9", "max"] {
        head.push_str(&right(name, 9));
    }
    page.line(&head);
    let mut rows: Vec<_> = verdict.measured.latency.pairs.iter().collect();
    rows.sort_by_key(|l| std::cmp::Reverse(l.histogram.len()));
    let shown = rows.get(..ROWS_MAX.min(rows.len())).unwrap_or_default();
    let mut shown = shown.to_vec();
    shown.sort_by(|a, b| (a.src, &a.dst, &a.point).cmp(&(b.src, &b.dst, &b.point)));
    for latency in shown {
        let src = latency.src.map_or_else(|| page.phrase("subject.this-host"), |src| src.to_string());
        let mut pair = format!("{src} → {}", latency.dst);
        if pair.width() > PAIR_COLUMNS {
            // Two IPv6 addresses need a line of their own.
            page.line(&format!("  {pair}"));
            pair.clear();
        }
        let mut row = format!("  {} {}", left(&pair, PAIR_COLUMNS), left(&latency.point, 10));
        row.push_str(&right(&latency.histogram.len().to_string(), 8));
        let values = PERCENTILES.iter().map(|(_, p)| latency.percentile(*p));
        for value in values.chain([latency.histogram.max()]) {
            row.push_str(&right(&milliseconds(value), 9));
        }
        page.line(&row);
    }
    page.more(rows.len(), ROWS_MAX);
}
