//! Losses in ping logs: netcap's own, and the old script's.

use netcap_bundle::input::Kind;
use netcap_bundle::layout;
use netcap_bundle::ping::{Answer, PingLog, PingRecord};

use super::count::bursts;
use crate::finding::{Confidence, Evidence, Finding, Severity, Subject};
use crate::text::Text;
use crate::view::View;

/// Sequence numbers shown.
const SHOWN: usize = 10;

/// Requests without an echo reply. Those open at the end are not lost.
pub(super) fn lost(log: &PingLog) -> impl Iterator<Item = &PingRecord> {
    log.records.iter().filter(|r| matches!(r.answer, Answer::Lost | Answer::Error { .. }))
}

pub(super) fn finding(view: &View<'_>, log: &PingLog) -> Option<Finding> {
    let count = lost(log).count();
    if count == 0 {
        return None;
    }
    let sent = log.records.iter().filter(|r| r.answer != Answer::Open).count();
    let times = || lost(log).filter_map(|r| r.sent);
    let key = if count == sent { "ping-loss.claim.log-never" } else { "ping-loss.claim.log" };
    let (from, to) = (times().min(), times().max());
    Some(Finding {
        detector: super::DETECTOR.id,
        severity: if count >= 2 { Severity::Warning } else { Severity::Info },
        // The log is the pinging program's own word; where the request went, no packet tells.
        confidence: if view.input.kind == Kind::Bundle { Confidence::Proven } else { Confidence::Likely },
        subject: Subject::Pair { src: None, dst: log.address.clone() },
        from,
        to,
        claim: Text::new(key)
            .with("lost", count)
            .with("sent", sent)
            .with("dst", &log.address)
            .with("bursts", bursts(times()).len().max(1)),
        evidence: evidence(view, log).into_iter().collect(),
        exonerations: vec![Text::new("ping-loss.not.log-end")],
        remedy: Text::new("ping-loss.remedy.log").with("dst", &log.address),
    })
}

/// The log's lost numbers.
pub(super) fn evidence(view: &View<'_>, log: &PingLog) -> Option<Evidence> {
    let first = lost(log).next()?;
    let numbers: Vec<String> = lost(log).take(SHOWN).map(|r| r.seq.to_string()).collect();
    let more = lost(log).count().saturating_sub(SHOWN);
    let more = if more > 0 { format!(" … (+{more})") } else { String::new() };
    let why = match &first.answer {
        Answer::Error { why } => format!(" ({why})"),
        _ => String::new(),
    };
    let file = match view.input.kind {
        Kind::Bundle => layout::ping_lines(&log.address),
        _ => format!("ping log of {}", log.address),
    };
    Some(Evidence::Snapshot {
        file,
        at: first.sent.unwrap_or_default(),
        line: format!("icmp_seq {}{more}{why}", numbers.join(" ")),
        what: Text::new("ping-loss.evidence.log"),
    })
}
