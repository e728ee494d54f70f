//! The numbers below the findings: round-trip times and what each capture point recorded.

use netcap_bundle::Nanos;
use netcap_bundle::run::human_ns;
use unicode_width::UnicodeWidthStr;

use super::text::Page;
use crate::analysis::Verdict;
use crate::measure::PERCENTILES;
use crate::measure::journeys::JourneyCounts;
use crate::text::Text;
use netcap_words::columns::{left, right};

/// Pairs shown; the rest is in the JSON and in the histogram log.
const LATENCY_ROWS_MAX: usize = 20;
/// Places named beside a count.
const PLACES_MAX: usize = 4;
/// Columns of a pair of addresses in the table of round-trip times.
const PAIR_COLUMNS: usize = 33;
/// Columns of the two points of a hop.
const HOP_COLUMNS: usize = 26;
/// Columns of `2026-11-21`, of `2026-11-21 08:15:04` and of `2026-11-21 08:15:04.123`.
const DATE_COLUMNS: usize = 10;
const SECONDS_COLUMNS: usize = 19;
const MILLIS_COLUMNS: usize = 23;

/// One unit for the whole table, so that numbers can be compared by eye.
pub(super) fn milliseconds(ns: u64) -> String {
    let (whole, part) = (ns / 1_000_000, ns / 1_000 % 1_000);
    if whole < 10_000 { format!("{whole}.{part:03}") } else { whole.to_string() }
}

/// How the followed packets fared, and where.
fn fared(counts: &JourneyCounts) -> Text {
    let resent: Vec<_> = counts.resent.iter().map(|(src, dst, n)| (format!("{src} → {dst}"), *n)).collect();
    let copies = counts.copies.iter().map(|(_, n)| n).sum();
    let reflections = counts.reflections.iter().map(|(_, n)| n).sum();
    Text::new("report.journeys")
        .with("followed", counts.followed)
        .with("retransmissions", placed(counts.retransmissions, &resent))
        .with("copies", placed(copies, &counts.copies))
        .with("reflections", placed(reflections, &counts.reflections))
}

/// A count with its places.
fn placed(sum: u64, list: &[(String, u64)]) -> String {
    let mut places: Vec<String> =
        list.iter().take(PLACES_MAX).map(|(place, n)| format!("{place}: {n}")).collect();
    if list.len() > PLACES_MAX {
        places.push("…".to_owned());
    }
    if places.is_empty() { sum.to_string() } else { format!("{sum} ({})", places.join(", ")) }
}

impl Page {
    pub(super) fn latency(&mut self, verdict: &Verdict) {
        if verdict.measured.latency.pairs.is_empty() {
            return;
        }
        self.heading("report.latency");
        let pair = self.phrase("report.pair");
        let point = self.phrase("report.point");
        let mut head = format!("  {} {}", left(&pair, PAIR_COLUMNS), left(&point, 10));
        head.push_str(&right("n", 8));
        for name in ["p50", "p90", "p99", "p99.9", "max"] {
            head.push_str(&right(name, 9));
        }
        self.line(&head);
        let mut rows: Vec<_> = verdict.measured.latency.pairs.iter().collect();
        rows.sort_by_key(|l| std::cmp::Reverse(l.histogram.len()));
        let shown = rows.get(..LATENCY_ROWS_MAX.min(rows.len())).unwrap_or_default();
        let mut shown = shown.to_vec();
        shown.sort_by(|a, b| (a.src, &a.dst, &a.point).cmp(&(b.src, &b.dst, &b.point)));
        for latency in shown {
            let src = latency.src.map_or_else(|| self.phrase("subject.this-host"), |src| src.to_string());
            let mut pair = format!("{src} → {}", latency.dst);
            if pair.width() > PAIR_COLUMNS {
                // Two IPv6 addresses need a line of their own.
                self.line(&format!("  {pair}"));
                pair.clear();
            }
            let mut row = format!("  {} {}", left(&pair, PAIR_COLUMNS), left(&latency.point, 10));
            row.push_str(&right(&latency.histogram.len().to_string(), 8));
            let values = PERCENTILES.iter().map(|(_, p)| latency.percentile(*p));
            for value in values.chain([latency.histogram.max()]) {
                row.push_str(&right(&milliseconds(value), 9));
            }
            self.line(&row);
        }
        if let Some(more) = rows.len().checked_sub(LATENCY_ROWS_MAX).filter(|n| *n > 0) {
            let text = self.text(&Text::new("report.more").with("count", more));
            self.line(&format!("  {text}"));
        }
    }

    /// From point to point: how long it took, and what overtook.
    pub(super) fn hops(&mut self, verdict: &Verdict) {
        if verdict.measured.hops.0.is_empty() {
            return;
        }
        self.heading("report.hops");
        let (hop, moved) = (self.phrase("report.hop"), self.phrase("report.moved"));
        let mut head = format!("  {}", left(&hop, HOP_COLUMNS));
        head.push_str(&right("n", 8));
        for name in ["p50", "p90", "p99", "p99.9", "max"] {
            head.push_str(&right(name, 9));
        }
        head.push_str(&right(&moved, 10));
        self.line(&head);
        for times in verdict.measured.hops.0.iter().take(LATENCY_ROWS_MAX) {
            let mut name = format!("{} → {}", times.from.0, times.to.0);
            if name.width() > HOP_COLUMNS {
                self.line(&format!("  {name}"));
                name.clear();
            }
            let mut row = format!("  {}", left(&name, HOP_COLUMNS));
            row.push_str(&right(&times.histogram.len().to_string(), 8));
            let values = PERCENTILES.iter().map(|(_, p)| times.histogram.value_at_percentile(*p));
            for value in values.chain([times.histogram.max()]) {
                row.push_str(&right(&milliseconds(value), 9));
            }
            row.push_str(&right(&times.reordered.to_string(), 10));
            self.line(&row);
        }
        if let Some(more) = verdict.measured.hops.0.len().checked_sub(LATENCY_ROWS_MAX).filter(|n| *n > 0) {
            let text = self.text(&Text::new("report.more").with("count", more));
            self.line(&format!("  {text}"));
        }
        let text = self.text(&fared(&verdict.measured.journeys));
        self.wrapped("  ", "    ", &text);
    }

    pub(super) fn capture(&mut self, verdict: &Verdict) {
        self.heading("report.capture");
        let titles = ["report.point", "report.kind", "report.packets", "report.dropped", "report.span"]
            .map(|k| self.phrase(k));
        let [point, kind, packets, dropped, span] = titles;
        let head = [left(&point, 15), left(&kind, 6), right(&packets, 10), right(&dropped, 9)].join(" ");
        self.line(&format!("  {head}  {span}"));
        for stats in &verdict.stats.points {
            let dropped = stats.dropped.map_or_else(|| "?".to_owned(), |d| d.to_string());
            let span = match (stats.first, stats.last) {
                (Some(first), Some(last)) => self.short_span(first, last),
                _ => "-".to_owned(),
            };
            let row = [
                left(&stats.name, 15),
                left(stats.role, 6),
                right(&stats.packets.to_string(), 10),
                right(&dropped, 9),
            ];
            self.line(&format!("  {}  {span}", row.join(" ")));
            if self.look.verbose && !stats.filter.is_empty() {
                let text = self.text(&Text::new("report.filter").with("filter", &stats.filter));
                self.wrapped("    ", "      ", &text);
            }
        }
    }

    /// A span in half a line: milliseconds on one day, seconds over several.
    pub(super) fn short_span(&self, from: Nanos, to: Nanos) -> String {
        let (begin, end) = (from.display(self.offset), to.display(self.offset));
        let cut = |text: &str, columns: usize| text.chars().take(columns).collect::<String>();
        let took = human_ns(to.since(from));
        if cut(&begin, DATE_COLUMNS) == cut(&end, DATE_COLUMNS) {
            return format!("{} – {} ({took})", cut(&begin, MILLIS_COLUMNS), to.clock(self.offset));
        }
        format!("{} – {} ({took})", cut(&begin, SECONDS_COLUMNS), cut(&end, SECONDS_COLUMNS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_again_copied_and_reflected_is_named_with_its_places() {
        let named = |list: &[(&str, u64)]| list.iter().map(|(name, n)| ((*name).to_owned(), *n)).collect();
        let counts = JourneyCounts {
            followed: 60,
            one_in: 1,
            retransmissions: 5,
            resent: vec![([10, 0, 0, 1].into(), [10, 0, 0, 2].into(), 5)],
            copies: named(&[("eth2", 2), ("eth3", 1)]),
            reflections: named(&[("a", 1), ("b", 1), ("c", 1), ("d", 1), ("e", 1)]),
        };
        let english = fared(&counts).english();
        for words in [
            "sent again: 5 (10.0.0.1 → 10.0.0.2: 5);",
            "copies: 3 (eth2: 2, eth3: 1)",
            "reflections: 5 (a: 1, b: 1, c: 1, d: 1, …)",
        ] {
            assert!(english.contains(words), "{english}");
        }
        assert!(fared(&JourneyCounts::default()).english().ends_with("copies: 0; reflections: 0"));
    }
}
