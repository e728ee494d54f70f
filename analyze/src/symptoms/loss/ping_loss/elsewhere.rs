//! Pings that are answered, but not by the address that was asked: replies with the numbers of the request come from
//! another address, or the request itself comes back with its own sender as its destination.

use std::net::IpAddr;

use super::count::PingPair;
use super::strangers::Elsewhere;
use crate::finding::{Confidence, Evidence, Exoneration, Finding, Severity, Subject};
use crate::tables::journeys::{Event, EventKind};
use crate::tables::runs::Sight;
use crate::text::Text;
use crate::view::View;

/// Pings shown with what came back.
const SHOWN_MAX: usize = 2;
/// Pings that make a case: one pair of numbers may be a coincidence.
const PINGS_MIN: usize = 2;

const NS_PER_MS: f64 = 1e6;

/// When all that seem lost came back in one way.
pub(super) fn finding(view: &View<'_>, pair: &PingPair) -> Option<Finding> {
    let first = pair.elsewhere.first()?;
    let (who, hairpin) = (first.back.key.dst, first.back.kind == EventKind::Request);
    let alike = |e: &Elsewhere| (e.back.key.dst, e.back.kind) == (who, first.back.kind);
    if pair.elsewhere.len() != pair.lost.len()
        || pair.lost.len() < PINGS_MIN
        || !pair.elsewhere.iter().all(alike)
    {
        return None;
    }
    let text = |key| {
        let took = pair.elsewhere.iter().map(|e| e.back.at.since(e.request.at)).min().unwrap_or(0);
        #[allow(clippy::cast_precision_loss)] // shown with few digits
        let took = format!("{:.2}", took as f64 / NS_PER_MS);
        let text = Text::new(key).with("src", pair.src).with("dst", pair.dst).with("who", who);
        text.with("count", pair.lost.len()).with("ms", took)
    };
    let [claim, evidence, remedy] = if hairpin {
        ["ping-loss.elsewhere.hairpin", "ping-loss.evidence.hairpin", "ping-loss.remedy.hairpin"]
    } else {
        ["ping-loss.elsewhere.other", "ping-loss.evidence.other", "ping-loss.remedy.other"]
    };
    let shown = pair.elsewhere.iter().take(SHOWN_MAX).flat_map(|e| {
        let asked = Text::new("ping-loss.evidence.request-nowhere").with("seq", e.request.key.seq);
        let back = Text::new(evidence).with("seq", e.request.key.seq).with("who", who);
        [frame(view, &e.request, asked), frame(view, &e.back, back)]
    });
    Some(Finding {
        from: pair.lost.first().map(|e| e.at),
        to: pair.lost.last().map(|e| e.at),
        claim: text(claim),
        evidence: shown.collect(),
        exonerations: vec![Exoneration::RuledOut(Text::new("ping-loss.not.end"))],
        remedy: text(remedy),
        deaths: pair.lost.iter().map(|event| event.frame).collect(),
        ..Finding::new(
            super::SYMPTOM.unit.id,
            Severity::Warning,
            Confidence::Proven,
            Subject::Pair { src: Some(pair.src), dst: pair.dst.to_string() },
        )
    })
}

/// Who pinged, when all that seem lost came back as they were sent.
pub(super) fn hairpin(pair: &PingPair) -> Option<IpAddr> {
    let all = pair.elsewhere.len() == pair.lost.len() && pair.lost.len() >= PINGS_MIN;
    let back = pair.elsewhere.iter().all(|e| e.back.kind == EventKind::Request);
    (all && back).then_some(pair.src)
}

fn frame(view: &View<'_>, event: &Event, what: Text) -> Evidence {
    view.frame(Sight { at: event.at, frame: event.frame }, event.point, what)
}
