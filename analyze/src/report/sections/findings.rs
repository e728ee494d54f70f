//! The findings, worst and surest first, each with its evidence and remedy.

use anstyle::Style;
use netcap_bundle::Nanos;
use netcap_words::Lang;
use serde_json::{Value, json};

use super::Section;
use crate::analysis::Verdict;
use crate::finding::{Evidence, Exoneration, Finding, utc_text};
use crate::report::page::Page;
use crate::report::words::{color, confidence_key, severity_key};
use crate::text::Text;

/// The registry's line.
pub(super) const SECTION: Section = Section {
    key: "findings",
    json: |verdict| Some(verdict.findings.iter().map(value).collect()),
    text: findings,
};

fn findings(page: &mut Page, verdict: &Verdict) {
    for finding in &verdict.findings {
        write(page, finding);
    }
}

/// A finding as it is compared and written.
pub(in crate::report) fn value(finding: &Finding) -> Value {
    let mut value = json!({
        "detector": finding.detector,
        "severity": finding.severity,
        "confidence": finding.confidence,
        "subject": finding.subject,
        "from": finding.from.map(utc_text),
        "to": finding.to.map(utc_text),
        "claim": finding.claim.english(),
        "evidence": finding.evidence,
        "exonerations": finding.exonerations.iter().map(|e| e.sentence().english()).collect::<Vec<_>>(),
        "remedy": finding.remedy.english(),
    });
    if let Some(map) = value.as_object_mut() {
        if let Some(by) = finding.explained_by {
            map.insert("explained_by".into(), json!(by));
        }
        if !finding.consequences.is_empty() {
            let lines = finding.consequences.iter().map(|text| json!(text.english()));
            map.insert("consequences".into(), lines.collect());
        }
    }
    value
}

/// For people.
pub(in crate::report) fn write(page: &mut Page, finding: &Finding) {
    let severity = page.phrase(severity_key(finding.severity));
    let confidence = page.phrase(confidence_key(finding.confidence));
    let bold = Style::new().bold().fg_color(Some(color(finding.severity).into()));
    let head = page.styled(&severity, bold);
    page.out.push('\n');
    let line = format!("{head} [{}] {confidence}", finding.detector);
    page.styled_line(&line);
    let claim = page.text(&finding.claim);
    page.wrapped("  ", "  ", &claim);
    let subject = page.text(&finding.subject.line());
    page.labelled("report.subject", &subject);
    if let (Some(from), Some(to)) = (finding.from, finding.to) {
        let span = page.span(from, to);
        page.labelled("report.when", &span);
    }
    let label = page.phrase("report.evidence");
    page.line(&format!("  {label}"));
    for evidence in &finding.evidence {
        let text = self::evidence(page, evidence);
        page.wrapped("    - ", "      ", &text);
    }
    if !finding.consequences.is_empty() {
        let label = page.phrase("report.consequences");
        page.line(&format!("  {label}"));
        for text in &finding.consequences {
            let text = page.text(text);
            page.wrapped("    - ", "      ", &text);
        }
    }
    if !page.look.verbose {
        exonerations(page, finding);
    } else if all_exonerations(finding).next().is_some() {
        let label = page.phrase("report.exonerations");
        page.line(&format!("  {label}"));
        for exoneration in all_exonerations(finding) {
            let text = page.text(&exoneration.sentence());
            page.wrapped("    - ", "      ", &text);
        }
    }
    let remedy = page.text(&finding.remedy);
    page.labelled("report.remedy", &remedy);
}

/// The finding's own, and what causes said of a symptom that they do not explain.
fn all_exonerations(finding: &Finding) -> impl Iterator<Item = &Exoneration> {
    finding.exonerations.iter().chain(finding.ruled.iter().map(|ruled| &ruled.what))
}

/// What was ruled out, by name only; what was not, in full.
fn exonerations(page: &mut Page, finding: &Finding) {
    let (mut ruled_out, mut open, mut counted) = (Vec::new(), Vec::new(), Vec::new());
    for exoneration in all_exonerations(finding) {
        match exoneration {
            Exoneration::RuledOut(text) => {
                let text = page.text(text);
                ruled_out.push(text.split([':', '：']).next().unwrap_or(&text).trim().to_owned());
            }
            Exoneration::Open(text) => open.push(page.text(text)),
            Exoneration::Counted(text) => counted.push(page.text(text)),
        }
    }
    let gap = if page.look.lang == Lang::En { "; " } else { "；" };
    let parts = [("report.ruled-out", ruled_out), ("report.open", open), ("report.counted", counted)];
    for (key, list) in parts.into_iter().filter(|(_, list)| !list.is_empty()) {
        page.labelled(key, &list.join(gap));
    }
}

fn evidence(page: &Page, evidence: &Evidence) -> String {
    let what = page.text(evidence.what());
    let clock = |at: &Nanos| at.clock(page.offset);
    match evidence {
        Evidence::Frame { file, number, at, .. } => {
            let frame = Text::new("evidence.in-frame").with("number", number).with("file", file);
            format!("{} {what} ({})", clock(at), page.text(&frame))
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
