//! From lost upcalls to finding.

use netcap_bundle::Nanos;
use netcap_bundle::sources::ovs::datapath::OvsDatapath;

use super::CAUSE;
use crate::deaths::upcalls::Lossy;
use crate::deaths::{Case, Death, shown};
use crate::finding::{Confidence, Evidence, Exoneration, Finding};
use crate::host::{file_of, said_at};
use crate::text::Text;

/// `all` is every stretch of the recording in which upcalls were lost: the fault is one, whoever suffers from it.
pub(super) fn finding(
    case: &Case<'_, '_>,
    all: &[Lossy],
    deaths: &[Death],
    confidence: Confidence,
) -> Finding {
    let sum = |of: fn(&Lossy) -> u64| all.iter().map(of).fold(0, u64::saturating_add);
    let (lost, asked) = (sum(|lossy| lossy.lost), sum(|lossy| lossy.asked));
    let from = all.iter().map(|lossy| lossy.from).min().unwrap_or_default();
    let to = all.iter().map(|lossy| lossy.to).max().unwrap_or_default();
    let offset = case.view.input.info.as_ref().map_or(0, |info| info.utc_offset_s);
    let switch = case.info().and_then(|info| info.vswitch.as_deref()).unwrap_or("?");
    let what = Text::new("upcall-loss.evidence.ledger");
    let mut evidence =
        vec![Evidence::Counter { name: "lost".to_owned(), before: 0, after: lost, from, to, what }];
    evidence.extend(shown_by_daemon(case, to));
    evidence.extend(case.packets());
    let mut exonerations = Vec::new();
    let passed = case.group.beside.same.count + case.group.beside.others.count;
    if passed > 0 {
        exonerations.push(Exoneration::Counted(Text::new("upcall-loss.not.passed").with("count", passed)));
    }
    exonerations.extend(case.recorded());
    let span = (deaths.first().map_or(from, |death| death.at), deaths.last().map_or(to, |death| death.at));
    Finding {
        from: Some(span.0),
        to: Some(span.1),
        claim: Text::new("upcall-loss.claim")
            .with("switch", switch)
            .with("lost", lost)
            .with("asked", asked)
            .with("from", from.clock(offset))
            .with("to", to.clock(offset))
            .with_text("what", shown::what(case.group))
            .with_text("who", case.who()),
        evidence,
        exonerations,
        remedy: Text::new("upcall-loss.remedy"),
        ..case.finding(CAUSE.unit.id, confidence)
    }
}

/// What `dpctl/show` said last.
fn shown_by_daemon(case: &Case<'_, '_>, at: Nanos) -> Option<Evidence> {
    let round = said_at::<OvsDatapath>(case.view.input, at)?;
    let datapath = round.parsed.value.datapaths.iter().max_by_key(|datapath| datapath.lost)?;
    let (missed, lost) = (datapath.missed?, datapath.lost.filter(|lost| *lost > 0)?);
    Some(Evidence::Snapshot {
        file: file_of(&round, "dpctl-show")?,
        at: Some(round.at),
        line: format!("{}: missed:{missed} lost:{lost}", datapath.name),
        what: Text::new("upcall-loss.evidence.shown"),
    })
}
