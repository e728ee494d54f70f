//! What every entry of a registry has, whatever it does: an id, what it cannot do without, and a manual page.

use netcap_words::Lang;

use crate::finding::Severity;
use crate::view::View;

/// Something a unit cannot do without.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Need {
    /// Key of its phrase in the catalogue (`need.…`).
    pub key: &'static str,
    /// Whether it is there; `None` when that cannot be judged because an earlier need of the list is missing.
    pub met: fn(&View<'_>) -> Option<bool>,
}

/// One entry of a registry: a detector, a symptom, a cause or a measurement.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Unit {
    /// Stable id.
    pub id: &'static str,
    /// Least and worst severity of its findings; `None` when it only measures.
    pub severity: Option<(Severity, Severity)>,
    /// Findings it makes of one input at most; `None` when its tables bound them.
    pub most: Option<usize>,
    /// What it needs; the runner checks it, so that no unit branches on missing input.
    pub needs: &'static [Need],
    /// Source of its file, whose doc comment is the manual page.
    pub(crate) source: &'static str,
}

/// A unit that could not look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NotEvaluated {
    /// Its id.
    pub detector: &'static str,
    /// Keys of what is missing.
    pub missing: Vec<&'static str>,
}

impl Unit {
    /// The manual page: the doc comment of its file.
    pub(crate) fn page(&self) -> String {
        let lines = self.source.lines().take_while(|l| l.starts_with("//!"));
        let mut page = String::new();
        for line in lines {
            let text = line.strip_prefix("//!").unwrap_or_default();
            page.push_str(text.strip_prefix(' ').unwrap_or(text));
            page.push('\n');
        }
        page
    }

    /// One sentence on what it finds: the first line of its page, or the first sentence of its Chinese part.
    pub(crate) fn summary(&self, lang: Lang) -> String {
        let page = self.page();
        let english =
            || page.lines().next().and_then(|line| line.split_once(": ")).map(|(_, s)| s.to_owned());
        let chinese = || {
            let text: String = page.split_once("中文：")?.1.lines().collect();
            Some(format!("{}。", text.split_once(['。', '；']).map_or(text.as_str(), |(s, _)| s)))
        };
        let summary = match lang {
            Lang::En => english(),
            Lang::Zh => chinese(),
        };
        summary.unwrap_or_default()
    }

    /// Keys of the needs that are missing, and only of those: what cannot be judged yet is not asked for.
    pub(crate) fn missing(&self, view: &View<'_>) -> Vec<&'static str> {
        self.needs.iter().filter(|need| (need.met)(view) == Some(false)).map(|need| need.key).collect()
    }
}
