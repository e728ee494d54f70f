//! From counts to finding.

use netcap_bundle::input::Kind;

use super::count::{Pair, WAIT_NS, bursts, last_seen};
use super::logs::{self, Log};
use super::neighbour;
use crate::fidelity::Trust;
use crate::finding::{Confidence, Evidence, Finding, Severity, Subject};
use crate::tables::runs::Sight;
use crate::text::Text;
use crate::view::View;

/// Bursts shown.
const BURSTS_MAX: usize = 5;
/// Lost requests shown.
const FRAMES_MAX: usize = 3;

pub(super) fn of_packets(view: &View<'_>, pair: &Pair) -> Finding {
    let log = logs::of_pair(view, pair.src, pair.dst);
    let log_agrees = log.is_some_and(|log| log.has_loss());
    // A capture of foreign origin may have one direction only.
    let one_sided = pair.answered == 0 && !pair.endpoint && !log_agrees;
    // At the port of the one who pings every answer has to pass, and without a filter it is recorded.
    let unfiltered =
        || pair.lost.iter().all(|e| view.points.get(e.point).is_some_and(|p| p.filter.is_empty()));
    // Of a file of foreign origin nobody says which filter it was taken with, or that the log is of the same time.
    let complete = || view.input.kind == Kind::Bundle && (log_agrees || pair.endpoint && unfiltered());
    let confidence = match (one_sided, pair.trust) {
        (true, _) => Confidence::CannotTell,
        (false, Trust::Sound) if pair.answered > 0 || complete() => Confidence::Proven,
        _ => Confidence::Likely,
    };
    let few = pair.lost.len() < 2;
    let key = match (one_sided, pair.answered) {
        (true, _) => "ping-loss.claim.one-sided",
        (false, 0) => "ping-loss.claim.never",
        _ => "ping-loss.claim.some",
    };
    let seen_at = last_seen(pair).map_or("?", |(point, _)| view.points.name(point));
    Finding {
        detector: super::DETECTOR.id,
        severity: if few || one_sided { Severity::Info } else { Severity::Warning },
        confidence,
        subject: Subject::Pair { src: Some(pair.src), dst: pair.dst.to_string() },
        from: pair.lost.first().map(|e| e.at),
        to: pair.lost.last().map(|e| e.at),
        claim: Text::new(key)
            .with("lost", pair.lost.len())
            .with("sent", pair.sent)
            .with("src", pair.src)
            .with("dst", pair.dst)
            .with("point", seen_at),
        evidence: evidence(view, pair, log),
        exonerations: exonerations(view, pair, one_sided),
        remedy: match neighbour::silent(view, pair.dst).filter(|_| pair.answered == 0) {
            Some(_) => neighbour::remedy(pair.dst),
            None => Text::new("ping-loss.remedy").with("point", seen_at).with("dst", pair.dst),
        },
        victims: Vec::new(),
        explained_by: None,
    }
}

fn evidence(view: &View<'_>, pair: &Pair, log: Option<Log<'_>>) -> Vec<Evidence> {
    let mut out = Vec::new();
    for event in pair.lost.iter().take(FRAMES_MAX) {
        let what = Text::new("ping-loss.evidence.request")
            .with("seq", event.key.seq)
            .with("point", view.points.name(event.point));
        out.push(view.frame(Sight { at: event.at, frame: event.frame }, event.point, what));
    }
    if let Some((point, _)) = last_seen(pair) {
        for burst in bursts(pair.lost.iter().map(|e| e.at)).into_iter().take(BURSTS_MAX) {
            let one = burst.count == 1;
            let key = if one { "ping-loss.evidence.absence-one" } else { "ping-loss.evidence.absence" };
            let what = Text::new(key).with("count", burst.count);
            out.push(view.absence(point, burst.from, burst.to.plus(WAIT_NS), what));
        }
    }
    out.extend(neighbour::silent(view, pair.dst).filter(|_| pair.answered == 0));
    out.extend(log.and_then(|log| log.evidence()));
    out
}

fn exonerations(view: &View<'_>, pair: &Pair, one_sided: bool) -> Vec<Text> {
    let mut out = vec![Text::new("ping-loss.not.end")];
    out.push(match pair.trust {
        Trust::Sound => Text::new("ping-loss.not.capture-sound"),
        _ => Text::new("ping-loss.not.capture-unknown"),
    });
    if pair.uncertain > 0 {
        out.push(Text::new("ping-loss.not.uncertain").with("count", pair.uncertain));
    }
    if one_sided {
        out.push(Text::new("ping-loss.not.one-sided"));
    } else if view.input.kind == Kind::Bundle {
        out.push(Text::new("ping-loss.not.copies"));
    }
    out
}
