//! The report for people: the verdict first, then why, then what could not be said, then the numbers.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use netcap_bundle::Nanos;
use netcap_bundle::time::human_ns;
use unicode_width::UnicodeWidthStr;

use super::words::{color, confidence_key, count_key, need, severity_key};
use super::wrap::{left, right, wrap};
use crate::analysis::Verdict;
use crate::finding::{Evidence, Finding, Severity};
use crate::latency::PERCENTILES;
use crate::text::{Lang, Text, phrase};

/// Pairs shown; the rest is in the JSON and in the histogram log.
const LATENCY_ROWS_MAX: usize = 20;
/// Columns of a pair of addresses in the table of round-trip times.
const PAIR_COLUMNS: usize = 33;
/// Remarks shown.
const REMARKS_MAX: usize = 20;

/// How the report is written.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    /// Language.
    pub lang: Lang,
    /// With ANSI colours.
    pub color: bool,
    /// Exonerations, filters and every remark too.
    pub verbose: bool,
}

/// Writes the report of one input.
pub fn render(verdict: &Verdict, look: Look) -> String {
    let mut page = Page { out: String::new(), look, offset: verdict.utc_offset_s };
    page.headline(verdict);
    for finding in &verdict.findings {
        page.finding(finding);
    }
    page.not_evaluated(verdict);
    page.latency(verdict);
    page.capture(verdict);
    page.remarks(verdict);
    page.out
}

/// One unit for the whole table, so that numbers can be compared by eye.
fn milliseconds(ns: u64) -> String {
    let (whole, part) = (ns / 1_000_000, ns / 1_000 % 1_000);
    if whole < 10_000 { format!("{whole}.{part:03}") } else { whole.to_string() }
}

struct Page {
    out: String,
    look: Look,
    offset: i32,
}

impl Page {
    fn line(&mut self, text: &str) {
        self.out.push_str(text.trim_end());
        self.out.push('\n');
    }

    fn wrapped(&mut self, head: &str, tail: &str, text: &str) {
        for line in wrap(head, tail, text) {
            self.line(&line);
        }
    }

    fn text(&self, text: &Text) -> String {
        text.render(self.look.lang)
    }

    fn phrase(&self, key: &str) -> String {
        phrase(key, self.look.lang)
    }

    fn styled(&self, text: &str, style: Style) -> String {
        if self.look.color { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }

    fn heading(&mut self, key: &str) {
        let text = self.phrase(key);
        let text = self.styled(&text, Style::new().bold());
        self.out.push('\n');
        self.line(&text);
    }

    fn headline(&mut self, verdict: &Verdict) {
        let name = Text::new("report.input").with("name", &verdict.name);
        let mut first = self.text(&name);
        if let Some(run) = &verdict.run {
            let _ = write!(first, "  {run}");
        }
        self.wrapped("", "  ", &first);
        if let Some(text) = &verdict.incomplete {
            let text = self.text(text);
            let style = Style::new().bold().fg_color(Some(AnsiColor::Yellow.into()));
            for line in wrap("", "  ", &text) {
                let line = self.styled(&line, style);
                self.line(&line);
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
                let key =
                    if verdict.not_evaluated.is_empty() { "report.clean" } else { "report.clean-partly" };
                let count = verdict.not_evaluated.len();
                (Text::new(key).with("count", count), AnsiColor::Green)
            }
            Some(worst) => (Text::new("report.verdict").with_list("counts", parts), color(worst.severity)),
        };
        let text = self.text(&text);
        // The style goes around whole lines, so that wrapping never counts it.
        for line in wrap("", "  ", &text) {
            let line = self.styled(&line, Style::new().bold().fg_color(Some(style.into())));
            self.line(&line);
        }
    }

    fn finding(&mut self, finding: &Finding) {
        let severity = self.phrase(severity_key(finding.severity));
        let confidence = self.phrase(confidence_key(finding.confidence));
        let bold = Style::new().bold().fg_color(Some(color(finding.severity).into()));
        let head = self.styled(&severity, bold);
        self.out.push('\n');
        let line = format!("{head} [{}] {confidence}", finding.detector);
        self.line(&line);
        let claim = self.text(&finding.claim);
        self.wrapped("  ", "  ", &claim);
        let subject = self.text(&finding.subject.line());
        self.labelled("report.subject", &subject);
        if let (Some(from), Some(to)) = (finding.from, finding.to) {
            let span = self.span(from, to);
            self.labelled("report.when", &span);
        }
        let label = self.phrase("report.evidence");
        self.line(&format!("  {label}"));
        for evidence in &finding.evidence {
            let text = self.evidence(evidence);
            self.wrapped("    - ", "      ", &text);
        }
        if self.look.verbose && !finding.exonerations.is_empty() {
            let label = self.phrase("report.exonerations");
            self.line(&format!("  {label}"));
            for text in &finding.exonerations {
                let text = self.text(text);
                self.wrapped("    - ", "      ", &text);
            }
        }
        let remedy = self.text(&finding.remedy);
        self.labelled("report.remedy", &remedy);
    }

    fn labelled(&mut self, key: &str, text: &str) {
        let label = self.phrase(key);
        self.wrapped("  ", "    ", &format!("{label} {text}"));
    }

    fn span(&self, from: Nanos, to: Nanos) -> String {
        if from == to {
            return from.display(self.offset);
        }
        format!("{} – {} ({})", from.display(self.offset), to.clock(self.offset), human_ns(to.since(from)))
    }

    fn evidence(&self, evidence: &Evidence) -> String {
        let what = self.text(evidence.what());
        let clock = |at: &Nanos| at.clock(self.offset);
        match evidence {
            Evidence::Frame { file, number, at, .. } => {
                let frame = Text::new("evidence.in-frame").with("number", number).with("file", file);
                format!("{} {what} ({})", clock(at), self.text(&frame))
            }
            Evidence::Snapshot { file, at, line, .. } => {
                let at = at.as_ref().map(|at| format!("{} ", clock(at))).unwrap_or_default();
                format!("{at}{what}: {line} ({file})")
            }
            Evidence::Counter { name, before, after, from, to, .. } => {
                format!("{}–{} {what}: {name} {before} → {after}", clock(from), clock(to))
            }
            Evidence::Absence { from, to, .. } => format!("{}–{} {what}", clock(from), clock(to)),
        }
    }

    fn not_evaluated(&mut self, verdict: &Verdict) {
        if verdict.not_evaluated.is_empty() {
            return;
        }
        self.heading("report.not-evaluated");
        for not in &verdict.not_evaluated {
            let missing = not.missing.iter().map(|key| need(key)).collect();
            let needs = self.text(&Text::new("report.needs").with_clauses("list", missing));
            self.wrapped("  ", "    ", &format!("{}: {needs}", not.detector));
        }
    }

    fn latency(&mut self, verdict: &Verdict) {
        if verdict.latency.is_empty() {
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
        let mut rows: Vec<_> = verdict.latency.iter().collect();
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

    fn capture(&mut self, verdict: &Verdict) {
        self.heading("report.capture");
        let titles = ["report.point", "report.kind", "report.packets", "report.dropped", "report.span"]
            .map(|k| self.phrase(k));
        let [point, kind, packets, dropped, span] = titles;
        let head = [left(&point, 16), left(&kind, 8), right(&packets, 12), right(&dropped, 12)].join(" ");
        self.line(&format!("  {head}  {span}"));
        for stats in &verdict.stats.points {
            let dropped = stats.dropped.map_or_else(|| "?".to_owned(), |d| d.to_string());
            let span = match (stats.first, stats.last) {
                (Some(first), Some(last)) => self.span(first, last),
                _ => "-".to_owned(),
            };
            let row = [
                left(&stats.name, 16),
                left(stats.role, 8),
                right(&stats.packets.to_string(), 12),
                right(&dropped, 12),
            ];
            self.line(&format!("  {}  {span}", row.join(" ")));
            if self.look.verbose && !stats.filter.is_empty() {
                let text = self.text(&Text::new("report.filter").with("filter", &stats.filter));
                self.wrapped("    ", "      ", &text);
            }
        }
    }

    fn remarks(&mut self, verdict: &Verdict) {
        if verdict.remarks.is_empty() {
            return;
        }
        self.heading("report.remarks");
        let shown = if self.look.verbose { usize::MAX } else { REMARKS_MAX };
        // What the headline said already is not said twice.
        let rest = || verdict.remarks.iter().skip(usize::from(verdict.incomplete.is_some()));
        for remark in rest().take(shown) {
            let text = self.text(remark);
            self.wrapped("  - ", "    ", &text);
        }
        if let Some(more) = rest().count().checked_sub(shown).filter(|n| *n > 0) {
            let text = self.text(&Text::new("report.more").with("count", more));
            self.line(&format!("  {text}"));
        }
    }
}
