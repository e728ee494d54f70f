//! From a silence to its finding.

use netcap_bundle::{Nanos, layout};

use super::{ASKED_MIN, CAUSE};
use crate::finding::{Confidence, Evidence, Exoneration, Finding, Severity, Subject};
use crate::host::silence::{Daemon, Hung};
use crate::text::Text;
use crate::view::View;

/// Questions shown.
const SHOWN_MAX: usize = 4;
/// Nothing that is asked may take so long.
const LONG_NS: i64 = 5_000_000_000;

pub(super) fn fault(daemon: &Daemon, hung: &Hung) -> String {
    format!("{} {}", daemon.name, hung.from.0)
}

pub(super) fn finding(view: &View<'_>, daemon: &Daemon, hung: &Hung) -> Finding {
    Finding {
        from: Some(hung.from),
        to: Some(hung.until.unwrap_or(hung.last)),
        claim: claim(view, daemon, hung),
        evidence: upcalls_lost(view, hung).into_iter().chain(questions(hung)).collect(),
        exonerations: vec![Exoneration::RuledOut(Text::new("daemon-silent.not.large"))],
        remedy: Text::new(match daemon.name {
            "ovs-vswitchd" => "daemon-silent.remedy.vswitchd",
            "ovsdb-server" => "daemon-silent.remedy.ovsdb",
            _ => "daemon-silent.remedy.libvirtd",
        }),
        ..Finding::new(
            CAUSE.unit.id,
            if daemon.forwards { Severity::Error } else { Severity::Warning },
            confidence(hung),
            Subject::Daemon { daemon: daemon.name.to_owned() },
        )
    }
}

/// That it was silent is one thing, and that packets died of it another: nobody saw what the switch did with them.
pub(super) fn with_deaths(mut finding: Finding) -> Finding {
    finding.confidence = finding.confidence.min(Confidence::Likely);
    finding.exonerations.push(Exoneration::Open(Text::new("daemon-silent.open.another")));
    finding
}

/// Of questions that were all answered alike the bundle's index keeps the first and the last.
fn confidence(hung: &Hung) -> Confidence {
    let long = hung.last.since(hung.from) >= LONG_NS;
    if hung.asked.len() > ASKED_MIN || long { Confidence::Proven } else { Confidence::Likely }
}

fn claim(view: &View<'_>, daemon: &Daemon, hung: &Hung) -> Text {
    let offset = view.input.info.as_ref().map_or(0, |info| info.utc_offset_s);
    let key = match (daemon.forwards, hung.until) {
        (true, Some(_)) => "daemon-silent.claim.forwards",
        (true, None) => "daemon-silent.claim.forwards-end",
        (false, Some(_)) => "daemon-silent.claim",
        (false, None) => "daemon-silent.claim.end",
    };
    Text::new(key)
        .with("daemon", daemon.name)
        .with("from", hung.from.clock(offset))
        .with("until", hung.until.unwrap_or(hung.last).clock(offset))
}

fn questions(hung: &Hung) -> impl Iterator<Item = Evidence> {
    hung.asked.iter().take(SHOWN_MAX).map(|question| Evidence::Snapshot {
        file: layout::STATE_INDEX.to_owned(),
        at: Some(question.at),
        line: format!("{} {}: timed_out", question.source, question.item),
        what: Text::new("daemon-silent.evidence.question"),
    })
}

/// What the ledger counted of packets that waited for the daemon in vain.
fn upcalls_lost(view: &View<'_>, hung: &Hung) -> Option<Evidence> {
    let until = hung.until.unwrap_or(Nanos(i64::MAX));
    let spans = view.input.ledger.host.iter();
    let mut spans = spans.filter(|span| hung.from <= span.at && span.at <= until && span.upcalls_lost > 0);
    let first = spans.next()?;
    let (mut count, mut last) = (first.upcalls_lost, first.at);
    for span in spans {
        (count, last) = (count.saturating_add(span.upcalls_lost), span.at);
    }
    Some(Evidence::Counter {
        name: "lost".to_owned(),
        before: 0,
        after: count,
        from: hung.from,
        to: last,
        what: Text::new("daemon-silent.evidence.upcalls"),
    })
}
