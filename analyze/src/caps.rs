//! What was given up to keep to the memory and the time there is: one remark for each cap that was reached.
//!
//! A cap that only shortens what is printed says so where it is printed; those here may change what a reader concludes.

use crate::detectors;
use crate::finding::Finding;
use crate::text::Text;
use crate::view::View;

/// Remarks on every cap that was reached; `unmeasured` pairs have no histogram.
pub(crate) fn remarks(view: &View<'_>, findings: &[Finding], unmeasured: usize) -> Vec<Text> {
    let mut out = Vec::new();
    if view.input.files.is_exhausted() {
        out.push(Text::new("remark.exhausted"));
    }
    let partial = view.input.state.partial();
    if !partial.is_empty() {
        let sources = partial.into_iter().map(Text::verbatim).collect();
        out.push(Text::new("remark.partial-state").with_list("sources", sources));
    }
    let of_tables = view.tables.given_up().into_iter().map(|(table, count)| (key(table), count));
    let others = [
        ("given-up.crowd", view.points.crowd),
        ("given-up.filters", view.fidelity.unfiltered),
        ("given-up.bond-states", view.bonds.overflow),
        ("given-up.times", unmeasured as u64),
    ];
    for (key, count) in of_tables.chain(others).filter(|(_, count)| *count > 0) {
        out.push(Text::new("remark.given-up").with_text("what", Text::new(key).with("count", count)));
    }
    out.extend(stopped(findings));
    out
}

/// Detectors that made as many findings as they may.
fn stopped(findings: &[Finding]) -> impl Iterator<Item = Text> {
    detectors::ALL.iter().filter_map(|detector| {
        let most = detector.most?;
        let made = findings.iter().filter(|finding| finding.detector == detector.id).count();
        (made >= most).then(|| Text::new("remark.findings").with("detector", detector.id).with("count", most))
    })
}

fn key(table: &str) -> &'static str {
    match table {
        "addresses" => "given-up.addresses",
        "claims" => "given-up.claims",
        "coarse-claims" | "coarse-macs" => "given-up.coarse",
        "bond-macs" => "given-up.bond-macs",
        "questions" => "given-up.questions",
        "hops" => "given-up.hops",
        "thinned" => "given-up.thinned",
        "translations" => "given-up.translations",
        "losses" => "given-up.losses",
        "points" => "given-up.points",
        "lldp" => "given-up.lldp",
        _ => "given-up.journeys",
    }
}
