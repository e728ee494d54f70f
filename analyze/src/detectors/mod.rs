//! The registry: one line per detector, alphabetical. Command line, help and tests derive from it.

pub mod addresses;
pub mod latency;
pub mod links;
pub mod loss;
pub mod switch;

use crate::finding::{Finding, Severity};
use crate::view::View;
use netcap_words::Lang;

/// Something a detector cannot do without.
#[derive(Debug, Clone, Copy)]
pub struct Need {
    /// Key of its phrase in the catalogue (`need.…`).
    pub key: &'static str,
    /// Whether it is there; `None` when that cannot be judged because an earlier need of the list is missing.
    pub met: fn(&View<'_>) -> Option<bool>,
}

/// One detector.
#[derive(Debug, Clone, Copy)]
pub struct Detector {
    /// Stable id.
    pub id: &'static str,
    /// Least and worst severity of its findings; `None` when it only measures.
    pub severity: Option<(Severity, Severity)>,
    /// Findings it makes of one input at most; `None` when its tables bound them.
    pub most: Option<usize>,
    /// What it needs; the runner checks it, so that no detector branches on missing input.
    pub needs: &'static [Need],
    /// Finds.
    pub run: fn(&View<'_>, &mut Vec<Finding>),
    /// Source of its file, whose doc comment is the manual page.
    source: &'static str,
}

/// All detectors.
pub const ALL: &[Detector] = &[
    switch::acl_drop::DETECTOR,
    addresses::ip_conflict::DETECTOR,
    latency::DETECTOR,
    links::lldp_mac_flap::DETECTOR,
    loss::packet_loss::DETECTOR,
    loss::ping_loss::DETECTOR,
];

/// A detector that could not look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotEvaluated {
    /// Its id.
    pub detector: &'static str,
    /// Keys of what is missing.
    pub missing: Vec<&'static str>,
}

impl Detector {
    /// The manual page: the doc comment of its file.
    pub fn page(&self) -> String {
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
    pub fn summary(&self, lang: Lang) -> String {
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
}

/// The detector of that id.
pub fn by_id(id: &str) -> Option<&'static Detector> {
    ALL.iter().find(|d| d.id == id)
}

/// Runs the detectors that are wanted (`None`: all) and says which could not look.
pub fn run(view: &View<'_>, only: Option<&[String]>) -> (Vec<Finding>, Vec<NotEvaluated>) {
    let (mut findings, mut not) = (Vec::new(), Vec::new());
    for detector in ALL.iter().filter(|d| only.is_none_or(|ids| ids.iter().any(|id| id == d.id))) {
        let missing = missing(detector, view);
        if missing.is_empty() {
            (detector.run)(view, &mut findings);
        } else {
            not.push(NotEvaluated { detector: detector.id, missing });
        }
    }
    Finding::relate(&mut findings);
    Finding::sort_evidence(&mut findings);
    Finding::sort(&mut findings);
    (findings, not)
}

/// Keys of the needs that are missing, and only of those: what cannot be judged yet is not asked for.
fn missing(detector: &Detector, view: &View<'_>) -> Vec<&'static str> {
    detector.needs.iter().filter(|need| (need.met)(view) == Some(false)).map(|need| need.key).collect()
}

#[cfg(test)]
mod tests;
