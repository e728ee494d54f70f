//! What several inputs say only beside each other.

use serde_json::{Value, json};

use super::page::{Look, Page};
use super::sections::findings;
use crate::detectors::addresses::ip_conflict::{self, Books};
use crate::finding::Finding;
use crate::tables::cap::Cap;
use crate::text::Text;

/// Findings that no input shows alone.
#[derive(Debug, Default)]
pub(crate) struct Across {
    /// Worst and surest first.
    pub findings: Vec<Finding>,
    /// What was not looked at.
    pub remarks: Vec<Text>,
    utc_offset_s: i32,
}

impl Across {
    /// Compares what the inputs said, unless only other detectors are wanted.
    pub(crate) fn of(books: &Books, only: &[String]) -> Self {
        let id = ip_conflict::DETECTOR.unit.id;
        if !only.is_empty() && !only.iter().any(|wanted| wanted == id) {
            return Self::default();
        }
        let lost = (books.given_up() > 0).then(|| {
            let what = Text::new(Cap::Books.phrase()).with("count", books.given_up());
            Text::new("remark.given-up").with_text("what", what)
        });
        Self {
            findings: books.findings(),
            remarks: lost.into_iter().collect(),
            utc_offset_s: books.utc_offset_s(),
        }
    }

    /// For machines.
    pub(crate) fn json(&self) -> Value {
        json!({
            "findings": self.findings.iter().map(findings::value).collect::<Vec<_>>(),
            "remarks": self.remarks.iter().map(Text::english).collect::<Vec<_>>(),
        })
    }

    /// For people; nothing where there is nothing to say.
    pub(crate) fn render(&self, look: Look) -> String {
        let mut page = Page { out: String::new(), look, offset: self.utc_offset_s };
        if self.findings.is_empty() && self.remarks.is_empty() {
            return page.out;
        }
        page.heading("report.across");
        for finding in &self.findings {
            findings::write(&mut page, finding);
        }
        page.remarks(&self.remarks);
        page.out
    }
}
