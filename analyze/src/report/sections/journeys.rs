//! How the followed packets fared, below their times.

use serde_json::{Value, json};

use super::Section;
use crate::analysis::Verdict;
use crate::measure::Measure;
use crate::measure::journeys::{JourneyCounts, Resent};
use crate::report::page::Page;
use crate::text::Text;

/// The registry's line.
pub(super) const SECTION: Section = Section {
    key: JourneyCounts::MEASUREMENT.key,
    json: |verdict| Some(value(&verdict.measured.journeys)),
    text: journeys,
};

/// Pairs of addresses with segments sent again, written.
const RESENT_MAX: usize = 1_000;
/// Places named beside a count.
const PLACES_MAX: usize = 4;

fn value(counts: &JourneyCounts) -> Value {
    let named = |list: &[(String, u64)]| {
        list.iter().map(|(point, count)| json!({ "point": point, "count": count })).collect::<Value>()
    };
    let mut value = json!({
        "followed": counts.followed,
        "one_in": counts.one_in,
        "retransmissions": counts.retransmissions,
        "copies": named(&counts.copies),
        "reflections": named(&counts.reflections),
    });
    if !counts.resent.is_empty() {
        let pair = |of: &Resent| json!({ "src": of.src, "dst": of.dst, "count": of.segments });
        let pairs = counts.resent.iter().take(RESENT_MAX).map(pair);
        value["resent"] = pairs.collect();
    }
    value
}

fn journeys(page: &mut Page, verdict: &Verdict) {
    if verdict.measured.hops.0.is_empty() {
        return;
    }
    let text = page.text(&fared(&verdict.measured.journeys));
    page.wrapped("  ", "    ", &text);
}

/// How the followed packets fared, and where.
fn fared(counts: &JourneyCounts) -> Text {
    let resent: Vec<_> =
        counts.resent.iter().map(|of| (format!("{} → {}", of.src, of.dst), of.segments)).collect();
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
            resent: vec![Resent { src: [10, 0, 0, 1].into(), dst: [10, 0, 0, 2].into(), segments: 5 }],
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
