//! The report for people: the verdict first, then why, then what could not be said, then the numbers.

use anstyle::Style;

use super::many::Total;
pub(crate) use super::page::Look;
use super::page::Page;
use super::sections;
use super::words::count_key;
use crate::analysis::Verdict;
use crate::text::Text;

/// Writes the report of one input.
pub(crate) fn render(verdict: &Verdict, look: Look) -> String {
    let mut page = Page { out: String::new(), look, offset: verdict.utc_offset_s };
    for section in sections::ALL {
        (section.text)(&mut page, verdict);
    }
    page.out
}

/// The end of the reports of many inputs.
pub(crate) fn summary(total: &Total, look: Look) -> String {
    let mut page = Page { out: String::new(), look, offset: 0 };
    let title = page.phrase("report.summary");
    let title = page.styled(&title, Style::new().bold());
    page.styled_line(&title);
    let counts = Text::new("report.summary-inputs")
        .with("read", total.read)
        .with("unreadable", total.unreadable)
        .with("found", total.found)
        .with("opaque", total.not_understood)
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
