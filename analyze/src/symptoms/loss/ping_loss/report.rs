//! From counts to finding.

use std::collections::BTreeSet;

use netcap_bundle::input::Kind;

use super::count::{PingPair, bursts, last_seen};
use super::logs::{self, Log};
use super::neighbour;
use super::refused::Refusal;
use crate::deaths::{self, Got, WAIT_NS};
use crate::fidelity::Trust;
use crate::finding::{Confidence, Evidence, Exoneration, Finding, Severity, Subject};
use crate::tables::journeys::EventKind;
use crate::tables::runs::Sight;
use crate::text::Text;
use crate::view::View;

/// Bursts shown.
const BURSTS_MAX: usize = 5;
/// Lost requests shown.
const FRAMES_MAX: usize = 3;

pub(super) fn of_packets(view: &View<'_>, pair: &PingPair) -> Finding {
    let log = logs::of_pair(view, pair.src, pair.dst);
    let log_agrees = log.is_some_and(|log| log.has_loss());
    // A capture of foreign origin may have one direction only.
    let refusal = Refusal::of(view, pair);
    let one_sided = pair.answered == 0 && !pair.endpoint && !log_agrees && refusal.is_none();
    // At the port of the one who pings every answer has to pass, and without a filter it is recorded.
    let unfiltered =
        || pair.lost.iter().all(|e| view.points.get(e.point).is_some_and(|p| p.filter.is_empty()));
    // Of a file of foreign origin nobody says which filter it was taken with, or that the log is of the same time.
    let complete = || view.input.kind == Kind::Bundle && (log_agrees || pair.endpoint && unfiltered());
    let unrecorded = unrecorded(view, pair).filter(|_| refusal.is_none() && !log_agrees);
    let confidence = match (one_sided, pair.trust) {
        (true, _) => Confidence::CannotTell,
        _ if unrecorded.is_some() => Confidence::CannotTell,
        _ if refusal.is_some() => Confidence::Proven,
        (false, Trust::Sound) if pair.answered > 0 || complete() => Confidence::Proven,
        _ => Confidence::Likely,
    };
    let few = pair.lost.len() < 2;
    let place = last_seen(pair).and_then(|(id, kind, count)| Some((view.points.named(id)?, kind, count)));
    let doubtful = few || one_sided || unrecorded.is_some();
    let severity = if doubtful { Severity::Info } else { Severity::Warning };
    Finding {
        from: pair.lost.first().map(|e| e.at),
        to: pair.lost.last().map(|e| e.at),
        claim: claim(pair, place, refusal.as_ref(), one_sided),
        evidence: evidence(view, pair, log, refusal.as_ref()),
        exonerations: exonerations(view, pair, one_sided, unrecorded.as_deref()),
        remedy: match refusal.as_ref().and_then(|refusal| refusal.remedy(pair)) {
            Some(remedy) => remedy,
            None if unrecorded.is_some() => {
                let text = Text::new("ping-loss.remedy.unrecorded").with("dst", pair.dst);
                text.with("port", unrecorded.unwrap_or_default())
            }
            None => remedy(view, pair, place),
        },
        deaths: pair.lost.iter().map(|event| event.frame).collect(),
        ..Finding::new(
            super::SYMPTOM.unit.id,
            severity,
            confidence,
            Subject::Pair { src: Some(pair.src), dst: pair.dst.to_string() },
        )
    }
}

/// Where the requests went, when nobody recorded that port of this host and nobody is known to answer there.
fn unrecorded(view: &View<'_>, pair: &PingPair) -> Option<String> {
    let mut requests = pair.lost.iter().filter(|event| event.kind == EventKind::Request);
    requests.find_map(|event| deaths::unrecorded_home(view, event)).filter(|_| pair.answered == 0)
}

fn claim(
    pair: &PingPair,
    place: Option<(&str, EventKind, usize)>,
    refusal: Option<&Refusal>,
    one_sided: bool,
) -> Text {
    let one = pair.lost.len() == 1;
    let key = match (one_sided, pair.answered, one) {
        (true, _, true) => "ping-loss.claim.one-sided-one",
        (true, ..) => "ping-loss.claim.one-sided",
        (false, 0, true) => "ping-loss.claim.never-one",
        (false, 0, _) => "ping-loss.claim.never",
        (false, _, true) => "ping-loss.claim.some-one",
        _ => "ping-loss.claim.some",
    };
    let rest = match (refusal, place) {
        (Some(refusal), _) => refusal.words(pair),
        (None, Some((point, kind, count))) => Text::new(seen(pair, kind, count))
            .with("point", point)
            .with("most", count)
            .with("lost", pair.lost.len())
            .with("count", pair.astray),
        (None, None) => Text::verbatim(""),
    };
    Text::new(key)
        .with("lost", pair.lost.len())
        .with("sent", pair.sent)
        .with("src", pair.src)
        .with("dst", pair.dst)
        .with_text("rest", rest)
}

/// Phrase for where the lost ones, or their answers, were last seen.
fn seen(pair: &PingPair, kind: EventKind, count: usize) -> &'static str {
    let answer = kind == EventKind::Reply;
    match (pair.answered, pair.lost.len()) {
        (_, all) if count < all && pair.astray == 0 && answer => "ping-loss.where.answer-most",
        (_, all) if count < all && pair.astray == 0 => "ping-loss.where.most",
        (_, 1) if answer && pair.astray == 1 => "ping-loss.where.astray-one",
        _ if answer && pair.astray > 0 => "ping-loss.where.astray",
        (_, 1) if answer => "ping-loss.where.answer-one",
        (0, _) if answer => "ping-loss.where.answer-all",
        _ if answer => "ping-loss.where.answer-some",
        (_, 1) => "ping-loss.where.one",
        (0, _) => "ping-loss.where.all",
        _ => "ping-loss.where.some",
    }
}

fn remedy(view: &View<'_>, pair: &PingPair, place: Option<(&str, EventKind, usize)>) -> Text {
    if pair.answered == 0 && pair.got.is_none() && neighbour::silent(view, pair.dst).is_some() {
        return neighbour::remedy(pair.dst);
    }
    let text = |key| Text::new(key).with("dst", pair.dst).with("src", pair.src);
    if let Some((mac, wrong)) = pair.misaddressed {
        return text("ping-loss.remedy.misaddressed").with("mac", mac).with("wrong", wrong);
    }
    match place {
        Some((point, EventKind::Request, _)) if pair.fragments => {
            text("ping-loss.remedy.fragments").with("point", point)
        }
        Some((point, ..)) if pair.got == Some(Got::Machine) => {
            text("ping-loss.remedy.machine").with("point", point)
        }
        Some((point, ..)) if pair.got == Some(Got::Host) => {
            text("ping-loss.remedy.host").with("point", point)
        }
        Some((point, EventKind::Reply, _)) => text("ping-loss.remedy.answer").with("point", point),
        Some((point, ..)) => text("ping-loss.remedy").with("point", point),
        None => text("ping-loss.remedy.nowhere"),
    }
}

fn evidence(
    view: &View<'_>,
    pair: &PingPair,
    log: Option<Log<'_>>,
    refusal: Option<&Refusal>,
) -> Vec<Evidence> {
    let mut out = Vec::new();
    for event in pair.lost.iter().take(FRAMES_MAX) {
        let what = match view.points.named(event.point) {
            Some(name) if event.kind == EventKind::Reply => {
                Text::new("ping-loss.evidence.answer").with("point", name)
            }
            Some(name) => Text::new("ping-loss.evidence.request").with("point", name),
            None => Text::new("ping-loss.evidence.request-nowhere"),
        };
        let what = what.with("seq", event.key.seq);
        out.push(view.frame(Sight { at: event.at, frame: event.frame }, event.point, what));
    }
    out.extend(refusal.map(|refusal| refusal.evidence(view)));
    // What was said of every one of them is better than silence.
    if let Some((point, ..)) = last_seen(pair).filter(|_| pair.refused.len() < pair.lost.len()) {
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

fn exonerations(
    view: &View<'_>,
    pair: &PingPair,
    one_sided: bool,
    unrecorded: Option<&str>,
) -> Vec<Exoneration> {
    let mut out = vec![Exoneration::RuledOut(Text::new("ping-loss.not.end"))];
    if pair.refused.len() < pair.lost.len() {
        out.push(match pair.trust {
            Trust::Sound => Exoneration::RuledOut(Text::new("ping-loss.not.capture-sound")),
            _ => Exoneration::Open(Text::new("ping-loss.not.capture-unknown")),
        });
    }
    if pair.uncertain > 0 {
        out.push(Exoneration::Counted(Text::new("ping-loss.not.uncertain").with("count", pair.uncertain)));
    }
    if let Some(port) = unrecorded {
        out.push(Exoneration::Open(Text::new("ping-loss.not.unrecorded").with("port", port)));
    }
    let opaque = pair.lost.iter().map(|event| event.point).collect::<BTreeSet<_>>();
    let opaque: u64 =
        opaque.into_iter().map(|point| view.tables.opaque.at(point)).fold(0, u64::saturating_add);
    if opaque > 0 {
        out.push(Exoneration::Open(Text::new("ping-loss.not.opaque").with("count", opaque)));
    }
    if one_sided {
        out.push(Exoneration::Open(Text::new("ping-loss.not.one-sided")));
    } else if view.input.kind == Kind::Bundle {
        out.push(Exoneration::RuledOut(Text::new("ping-loss.not.copies")));
    }
    out
}
