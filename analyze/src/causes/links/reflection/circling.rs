//! Frames that circulate: a loop in the network, or through this host.

use crate::causes::Claim;
use crate::deaths::Deaths;
use crate::engine::flow::protocol_name;
use crate::finding::{Confidence, Evidence, Finding, Severity, Subject};
use crate::tables::hops::Circling;
use crate::tables::runs::Sight;
use crate::text::Text;
use crate::view::View;

/// Frames shown.
const FRAMES_MAX: usize = 4;

/// One finding for each set of uplinks at which frames come back.
pub(super) fn harms(view: &View<'_>, _deaths: &Deaths<'_>) -> Vec<Claim> {
    let all = &view.tables.hops.circling;
    let Some(first) = all.first() else { return Vec::new() };
    let mut points: Vec<_> = all.iter().flat_map(|circling| &circling.at).map(|stop| stop.point).collect();
    points.sort_unstable();
    points.dedup();
    let ports: Vec<String> = points.iter().map(|point| view.points.name(*point).to_owned()).collect();
    let names = ports.iter().map(Text::verbatim).collect();
    let switch = view.points.get(first.first.0.point).and_then(|info| info.vswitch.clone());
    let key =
        if view.tables.hops.one_in > 1 { "reflection.loop.claim-some" } else { "reflection.loop.claim" };
    let finding = Finding {
        from: all.iter().map(|circling| circling.span.0).min(),
        to: all.iter().map(|circling| circling.span.1).max(),
        claim: Text::new(key)
            .with_list("ports", names)
            .with("frames", all.len())
            .with("rounds", first.rounds),
        evidence: all.iter().take(FRAMES_MAX).map(|circling| frame(view, circling)).collect(),
        remedy: Text::new("reflection.loop.remedy")
            .with_list("ports", ports.iter().map(Text::verbatim).collect()),
        ..Finding::new(
            super::CAUSE.unit.id,
            Severity::Error,
            Confidence::Proven,
            Subject::Ports { switch, ports: ports.clone() },
        )
    };
    vec![Claim::of_harm("loop".to_owned(), finding)]
}

fn frame(view: &View<'_>, circling: &Circling) -> Evidence {
    let (stop, frame) = circling.first;
    let sample = view.tables.hops.samples.get(&(circling.flow, stop));
    let tuple = sample.map(|sample| &sample.tuple);
    let protocol = tuple.map_or_else(|| "?".to_owned(), |tuple| protocol_name(tuple.protocol));
    let ends = tuple.map_or_else(String::new, |tuple| format!("{} → {}", tuple.src, tuple.dst));
    let (from, to) = circling.span;
    let mut points: Vec<_> = circling.at.iter().map(|stop| stop.point).collect();
    points.dedup();
    let what = Text::new("reflection.loop.evidence")
        .with("protocol", protocol)
        .with("ends", ends)
        .with("rounds", circling.rounds)
        .with("seconds", (to.since(from) / 1_000_000_000).max(1))
        .with_list("ports", points.iter().map(|point| Text::verbatim(view.points.name(*point))).collect());
    view.frame(Sight { at: from, frame }, stop.point, what)
}
