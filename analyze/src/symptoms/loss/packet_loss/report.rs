//! From losses to finding.

use std::collections::BTreeSet;

use netcap_bundle::Nanos;

use super::judge::{Case, Hop};
use crate::deaths::{Death, Group};
use crate::engine::PointId;
use crate::engine::flow::protocol_name;
use crate::fidelity::Trust;
use crate::finding::{Confidence, Evidence, Exoneration, Finding, Flow, Severity, Subject};
use crate::tables::hops::Side;
use crate::text::Text;
use crate::view::View;

/// Lost packets shown.
const FRAMES_MAX: usize = 3;
/// Lost packets that make an alarm; one may be a race with a table that was just written.
const LOST_MIN: u64 = 2;

/// Sums over the cases of a group.
struct Sums {
    lost: u64,
    passed: u64,
    doubtful: u64,
    translated: u64,
    trust: Trust,
    span: Option<(Nanos, Nanos)>,
}

pub(super) fn finding(view: &View<'_>, hop: &Hop) -> Option<Finding> {
    let worst = hop.cases.first()?;
    let sure = hop.cases.iter().any(|c| !c.sure.is_empty());
    let sums = sums(hop, sure);
    if !sure && sums.lost < LOST_MIN {
        return None;
    }
    let enters = matches!(hop.from.side(&view.context), Side::Enter(_));
    let confidence = match (sure, enters && hop.complete && sums.trust == Trust::Sound) {
        (false, _) => Confidence::CannotTell,
        (true, true) if sums.lost >= LOST_MIN => Confidence::Proven,
        (true, _) => Confidence::Likely,
    };
    let alone = hop.cases.len() == 1;
    let flow = Flow {
        src: worst.src,
        dst: worst.dst,
        protocol: protocol_name(worst.protocol),
        number: worst.protocol,
    };
    Some(Finding {
        from: sums.span.map(|s| s.0),
        to: sums.span.map(|s| s.1),
        claim: claim(view, hop, worst, &sums, sure),
        evidence: evidence(view, hop, worst, &sums, sure),
        exonerations: exonerations(view, hop, &sums, sure),
        remedy: if sure { remedy(view, hop, enters) } else { again(view, hop) },
        deaths: hop.cases.iter().flat_map(|case| losses(case, sure)).map(|death| death.frame).collect(),
        ..Finding::new(
            super::SYMPTOM.unit.id,
            if sure && sums.lost >= LOST_MIN { Severity::Warning } else { Severity::Info },
            confidence,
            Subject::Hop {
                from: view.points.name(hop.from.point).to_owned(),
                to: hop.exits.iter().map(|id| view.points.name(*id).to_owned()).collect(),
                flow: alone.then_some(flow),
            },
        )
    })
}

fn losses(case: &Case, sure: bool) -> &[Death] {
    if sure { &case.sure } else { &case.doubtful }
}

fn packets(lost: &[Death]) -> u64 {
    lost.iter().map(|l| l.packets).fold(0, u64::saturating_add)
}

fn sums(hop: &Hop, sure: bool) -> Sums {
    let mut sums = Sums { lost: 0, passed: 0, doubtful: 0, translated: 0, trust: Trust::Sound, span: None };
    for case in &hop.cases {
        let lost = losses(case, sure);
        sums.lost += packets(lost);
        sums.passed += case.passed;
        sums.translated += case.translated;
        sums.doubtful += case.unjudged + if sure { packets(&case.doubtful) } else { 0 };
        if !lost.is_empty() {
            sums.trust = sums.trust.min(case.trust);
        }
        for at in lost.iter().map(|l| l.at) {
            let (first, last) = sums.span.unwrap_or((at, at));
            sums.span = Some((first.min(at), last.max(at)));
        }
    }
    sums
}

fn exits(view: &View<'_>, hop: &Hop) -> Vec<Text> {
    hop.exits.iter().map(|id| Text::verbatim(view.points.name(*id))).collect()
}

fn claim(view: &View<'_>, hop: &Hop, worst: &Case, sums: &Sums, sure: bool) -> Text {
    let key = match (sure, hop.cases.len()) {
        (true, 1) if sums.lost == 1 => "packet-loss.claim.one",
        (true, 1) => "packet-loss.claim",
        (true, _) => "packet-loss.claim.many",
        (false, 1) => "packet-loss.claim.doubtful",
        (false, _) => "packet-loss.claim.doubtful-many",
    };
    Text::new(key)
        .with("lost", sums.lost)
        .with("all", sums.lost + sums.passed)
        .with("pairs", hop.cases.len())
        .with("protocol", protocol_name(worst.protocol))
        .with("src", worst.src)
        .with("dst", worst.dst)
        .with("from", view.points.name(hop.from.point))
        .with_list("to", exits(view, hop))
}

fn evidence(view: &View<'_>, hop: &Hop, worst: &Case, sums: &Sums, sure: bool) -> Vec<Evidence> {
    let mut out = Vec::new();
    for lost in losses(worst, sure).iter().take(FRAMES_MAX) {
        let key = if sure { "packet-loss.evidence.frame" } else { "packet-loss.evidence.frame-doubtful" };
        let what = Text::new(key).with("point", view.points.name(hop.from.point));
        out.push(view.frame(Group::sight(lost), hop.from.point, what));
    }
    if let (true, Some((from, to))) = (sure, sums.span) {
        for id in &hop.exits {
            let what = Text::new(if sums.lost == 1 {
                "packet-loss.evidence.absence-one"
            } else {
                "packet-loss.evidence.absence"
            })
            .with("point", view.points.name(*id))
            .with("count", sums.lost);
            out.push(view.absence(*id, from, to, what));
        }
    }
    out
}

/// Where the capture lost packets while these should have been seen.
fn lossy(view: &View<'_>, hop: &Hop) -> Vec<Text> {
    let points: BTreeSet<PointId> = hop.cases.iter().flat_map(|case| case.lossy.iter().copied()).collect();
    points.into_iter().map(|id| Text::verbatim(view.points.name(id))).collect()
}

fn exonerations(view: &View<'_>, hop: &Hop, sums: &Sums, sure: bool) -> Vec<Exoneration> {
    let mut out = Vec::new();
    out.push(match (sure, sums.trust) {
        (false, _) => {
            Exoneration::Open(Text::new("packet-loss.not.capture-lossy").with_list("at", lossy(view, hop)))
        }
        (true, Trust::Sound) => Exoneration::RuledOut(Text::new("packet-loss.not.capture")),
        (true, _) => Exoneration::Open(Text::new("packet-loss.not.capture-unknown")),
    });
    if sure {
        out.push(Exoneration::RuledOut(Text::new("packet-loss.not.filter")));
        out.push(Exoneration::RuledOut(Text::new("packet-loss.not.again")));
    }
    if !hop.complete {
        out.push(Exoneration::Open(Text::new("packet-loss.not.other-way")));
    }
    let counted = [
        ("packet-loss.not.doubtful", sums.doubtful),
        ("packet-loss.not.translated", sums.translated),
        ("packet-loss.not.thinned", view.tables.hops.one_in),
    ];
    for (key, count) in counted.into_iter().filter(|(key, n)| *n > u64::from(key.ends_with("thinned"))) {
        out.push(Exoneration::Counted(Text::new(key).with("count", count)));
    }
    out
}

fn again(view: &View<'_>, hop: &Hop) -> Text {
    Text::new("packet-loss.remedy.again").with_list("at", lossy(view, hop))
}

fn remedy(view: &View<'_>, hop: &Hop, enters: bool) -> Text {
    let from = view.points.name(hop.from.point);
    let switch = view.points.get(hop.from.point).and_then(|p| p.vswitch.as_deref());
    match switch.filter(|_| enters) {
        Some(switch) => Text::new(if view.is_kernel_bridge(switch) {
            "packet-loss.remedy.bridge"
        } else {
            "packet-loss.remedy.switch"
        })
        .with("switch", switch)
        .with("from", from)
        .with_list("to", exits(view, hop)),
        None => Text::new("packet-loss.remedy").with("from", from).with_list("to", exits(view, hop)),
    }
}
