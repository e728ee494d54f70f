//! A shaper whose counters were not recorded, and packets that stood in its queue while others were lost.

use netcap_bundle::sources::network::queues::Qdisc;

use super::CAUSE;
use crate::causes::{Claim, Ruling};
use crate::deaths::{CROSSING_NS, Case, Death, shown};
use crate::engine::PointId;
use crate::finding::{Confidence, Evidence, Exoneration, Finding};
use crate::tables::hops::HopStats;
use crate::text::Text;

/// Crossing a switch takes far less, also where it runs in user space on a busy host.
const WAIT_NS: u64 = 10_000_000;
/// So many times the way back, on which nothing is shaped.
const TIMES_MIN: u64 = 10;
/// Packets of each direction whose median is worth something.
const PASSED_MIN: u64 = 10;

/// What passed it.
struct Waited<'c> {
    port: &'c str,
    kind: &'c str,
    there: &'c HopStats,
    /// Medians, in nanoseconds.
    wait: u64,
    back: u64,
}

/// Those that died while packets stood in the queue of a shaper on their way.
pub(super) fn claim(case: &Case<'_, '_>) -> Option<Ruling> {
    let mut exits = case.group.exits().iter();
    let waited = exits.find_map(|point| waited(case, *point))?;
    let (from, to) = waited.there.span;
    let died: Vec<Death> =
        case.sure().filter(|d| from <= d.at && d.at <= to.plus(CROSSING_NS)).copied().collect();
    (!died.is_empty()).then(|| {
        let fault = format!("{} {}", waited.port, waited.kind);
        Claim::of(fault, &died, finding(case, &waited))
    })
}

fn waited<'c>(case: &Case<'c, '_>, point: PointId) -> Option<Waited<'c>> {
    let (view, from) = (case.view, case.group.place.from);
    let port = view.points.name(point);
    let kind =
        case.deaths.growths(view).kind_at(port, case.span().0).filter(|kind| Qdisc::is_shaper(kind))?;
    let mut hops = view.tables.hops.hops.iter().filter(|hop| hop.histogram.len() >= PASSED_MIN);
    let there = hops.clone().find(|hop| hop.from == from && hop.to.point == point)?;
    let back = hops.find(|hop| hop.from.point == point && hop.to.point == from.point)?;
    let median = |hop: &HopStats| hop.histogram.value_at_quantile(0.5);
    let (wait, back) = (median(there), median(back));
    let stood = wait >= WAIT_NS && wait / TIMES_MIN >= back;
    stood.then_some(Waited { port, kind, there, wait, back })
}

fn finding(case: &Case<'_, '_>, waited: &Waited<'_>) -> Finding {
    let Waited { port, kind, there, wait, back } = waited;
    let millis = |ns: u64| format!("{:.3}", ns as f64 / 1e6);
    let claim = Text::new("qdisc.claim.waited")
        .with("port", port)
        .with("kind", kind)
        .with("wait", millis(*wait))
        .with("back", millis(*back))
        .with_text("who", case.who())
        .with_text("what", shown::what(case.group));
    let listed = case.deaths.growths(case.view).kinds_at(case.span().0).map(|kinds| Evidence::Snapshot {
        file: kinds.file.clone(),
        at: Some(kinds.at),
        line: format!("{port}: qdisc {kind}"),
        what: Text::new("qdisc.evidence.queue").with("port", port),
    });
    let mut evidence: Vec<Evidence> = listed.into_iter().collect();
    evidence.extend(case.packets());
    let mut exonerations = vec![
        Exoneration::Open(Text::new("qdisc.open.unread").with("port", port).with("kind", kind)),
        Exoneration::Counted(
            Text::new("qdisc.not.passed").with("count", there.histogram.len()).with("port", port),
        ),
    ];
    exonerations.extend(case.recorded());
    Finding {
        claim,
        evidence,
        exonerations,
        remedy: Text::new("qdisc.remedy.shaper").with("port", port).with("kind", kind),
        ..case.finding(CAUSE.unit.id, Confidence::Likely)
    }
}
