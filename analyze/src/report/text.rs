//! The report for people: the verdict first, then why, then what could not be said, then the numbers.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use netcap_bundle::Nanos;
use netcap_bundle::run::human_ns;
use netcap_words::Lang;
use netcap_words::columns::wrap;
use netcap_words::foreign::clean;

use super::many::Total;
use super::words::{color, confidence_key, count_key, severity_key};
use crate::analysis::Verdict;
use crate::finding::{Evidence, Exoneration, Finding, Severity};
use crate::text::{Text, phrase};

/// Remarks shown.
const REMARKS_MAX: usize = 20;

/// How the report is written.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    /// Language.
    pub lang: Lang,
    /// With ANSI colours.
    pub color: bool,
    /// Columns of a line.
    pub columns: usize,
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
    page.hops(verdict);
    page.capture(verdict);
    page.recording(&verdict.recording);
    page.remarks(verdict);
    page.out
}

/// The end of the reports of many inputs.
pub fn summary(total: &Total, look: Look) -> String {
    let mut page = Page { out: String::new(), look, offset: 0 };
    let title = page.phrase("report.summary");
    let title = page.styled(&title, Style::new().bold());
    page.styled_line(&title);
    let counts = Text::new("report.summary-inputs")
        .with("read", total.read)
        .with("unreadable", total.unreadable)
        .with("found", total.found)
        .with("incomplete", total.incomplete);
    let counts = page.text(&counts);
    page.wrapped("  ", "  ", &counts);
    for (severity, count) in total.findings.iter().rev() {
        let word = page.text(&Text::new(count_key(*severity, 2)).with("count", count));
        page.line(&format!("  {word}"));
    }
    for (detector, count) in &total.detectors {
        page.line(&format!("  {detector:<24} {count:>8}"));
    }
    page.out
}

/// What a verdict without findings stands on: who looked.
fn healthy(verdict: &Verdict) -> Text {
    let looked: Vec<Text> = verdict.looked.iter().map(Text::verbatim).collect();
    let key = match (looked.is_empty(), verdict.not_evaluated.len()) {
        (true, _) => "report.clean-blind",
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

pub(super) struct Page {
    pub(super) out: String,
    pub(super) look: Look,
    pub(super) offset: i32,
}

impl Page {
    /// A line; what is foreign in it cannot steer a terminal.
    pub(super) fn line(&mut self, text: &str) {
        let text = clean(text);
        self.styled_line(&text);
    }

    /// A line that may have styles, and is clean otherwise.
    fn styled_line(&mut self, text: &str) {
        self.out.push_str(text.trim_end());
        self.out.push('\n');
    }

    pub(super) fn wrapped(&mut self, head: &str, tail: &str, text: &str) {
        for line in wrap(self.look.columns, head, tail, &clean(text)) {
            self.line(&line);
        }
    }

    pub(super) fn text(&self, text: &Text) -> String {
        text.render(self.look.lang)
    }

    pub(super) fn phrase(&self, key: &str) -> String {
        phrase(key, self.look.lang)
    }

    fn styled(&self, text: &str, style: Style) -> String {
        if self.look.color { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }

    pub(super) fn heading(&mut self, key: &str) {
        let text = self.phrase(key);
        let text = self.styled(&text, Style::new().bold());
        self.out.push('\n');
        self.styled_line(&text);
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
            for line in wrap(self.look.columns, "", "  ", &text) {
                let line = self.styled(&line, style);
                self.styled_line(&line);
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
                let text = if silent { nothing(verdict) } else { healthy(verdict) };
                (text, if silent { AnsiColor::Yellow } else { AnsiColor::Green })
            }
            Some(worst) => (Text::new("report.verdict").with_list("counts", parts), color(worst.severity)),
        };
        let text = self.text(&text);
        // The style goes around whole lines, so that wrapping never counts it.
        for line in wrap(self.look.columns, "", "  ", &text) {
            let line = self.styled(&line, Style::new().bold().fg_color(Some(style.into())));
            self.styled_line(&line);
        }
    }

    pub(super) fn finding(&mut self, finding: &Finding) {
        let severity = self.phrase(severity_key(finding.severity));
        let confidence = self.phrase(confidence_key(finding.confidence));
        let bold = Style::new().bold().fg_color(Some(color(finding.severity).into()));
        let head = self.styled(&severity, bold);
        self.out.push('\n');
        let line = format!("{head} [{}] {confidence}", finding.detector);
        self.styled_line(&line);
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
        if !self.look.verbose {
            self.exonerations(finding);
        } else if !finding.exonerations.is_empty() {
            let label = self.phrase("report.exonerations");
            self.line(&format!("  {label}"));
            for exoneration in &finding.exonerations {
                let text = self.text(&exoneration.sentence());
                self.wrapped("    - ", "      ", &text);
            }
        }
        let remedy = self.text(&finding.remedy);
        self.labelled("report.remedy", &remedy);
    }

    /// What was ruled out, by name only; what was not, in full.
    fn exonerations(&mut self, finding: &Finding) {
        let (mut ruled_out, mut open, mut counted) = (Vec::new(), Vec::new(), Vec::new());
        for exoneration in &finding.exonerations {
            match exoneration {
                Exoneration::RuledOut(text) => {
                    let text = self.text(text);
                    ruled_out.push(text.split([':', '：']).next().unwrap_or(&text).trim().to_owned());
                }
                Exoneration::Open(text) => open.push(self.text(text)),
                Exoneration::Counted(text) => counted.push(self.text(text)),
            }
        }
        let gap = if self.look.lang == Lang::En { "; " } else { "；" };
        let parts = [("report.ruled-out", ruled_out), ("report.open", open), ("report.counted", counted)];
        for (key, list) in parts.into_iter().filter(|(_, list)| !list.is_empty()) {
            self.labelled(key, &list.join(gap));
        }
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
            let missing = not.missing.iter().map(|key| Text::new(key)).collect();
            let needs = self.text(&Text::new("report.needs").with_clauses("list", missing));
            self.wrapped("  ", "    ", &format!("{}: {needs}", not.detector));
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
