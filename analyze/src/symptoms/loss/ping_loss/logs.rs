//! Losses in ping logs: netcap's own, and the old script's.

use std::collections::BTreeSet;
use std::net::IpAddr;

use netcap_bundle::Nanos;
use netcap_bundle::input::{Kind, PingLog};
use netcap_bundle::run::{Answer, PingRecord};
use netcap_words::wire::ip_protocol::TCP;

use super::neighbour;
use crate::deaths::Deaths;
use crate::engine::{FrameRef, PacketKind};
use crate::finding::{Confidence, Evidence, Exoneration, Finding, Severity, Subject};
use crate::text::Text;
use crate::view::View;

/// Sequence numbers shown.
const SHOWN: usize = 10;

/// A log and the file it is in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Log<'a> {
    pub log: &'a PingLog,
    file: &'a str,
}

/// All logs of the input.
pub(super) fn all<'a>(view: &'a View<'_>) -> impl Iterator<Item = Log<'a>> {
    let files = view.input.ping_files.iter().map(String::as_str).chain(std::iter::repeat("?"));
    view.input.pings.iter().zip(files).map(|(log, file)| Log { log, file })
}

/// The log of the pings of that pair. A log is of the host's own pings; where the host's addresses are not known, the
/// pair must be the only one with that target.
pub(super) fn of_pair<'a>(view: &'a View<'_>, src: IpAddr, dst: IpAddr) -> Option<Log<'a>> {
    let log = all(view).find(|log| log.log.address == dst.to_string())?;
    let own = view.host.owns_ip(src).unwrap_or_else(|| {
        let journeys = view.tables.journeys.journeys.iter();
        let asking = journeys.filter(|j| j.key.protocol != TCP && j.key.dst == dst).map(|j| j.key.src);
        asking.collect::<BTreeSet<_>>().len() == 1
    });
    own.then_some(log)
}

/// A request without an echo reply. Those open at the end are not lost.
fn is_lost(record: &PingRecord) -> bool {
    matches!(record.answer, Answer::Lost | Answer::Error { .. })
}

/// Stretches of lost requests with consecutive numbers: an answer between two losses parts them.
fn bursts(log: &PingLog) -> usize {
    let lost: BTreeSet<u64> = log.records.iter().filter(|r| is_lost(r)).map(|r| r.seq).collect();
    lost.iter().filter(|seq| seq.checked_sub(1).is_none_or(|before| !lost.contains(&before))).count()
}

/// When a request was sent: as logged, or, between two logged times, in proportion to the numbers.
fn sent(log: &PingLog, seq: u64) -> Option<Nanos> {
    let known = || log.records.iter().filter_map(|r| Some((r.seq, r.sent?)));
    let before = known().filter(|(n, _)| *n <= seq).max_by_key(|(n, _)| *n)?;
    let after = known().filter(|(n, _)| *n >= seq).min_by_key(|(n, _)| *n)?;
    let span = i128::from(after.0.saturating_sub(before.0)).max(1);
    let ns = i128::from(after.1.since(before.1)) * i128::from(seq.saturating_sub(before.0)) / span;
    Some(before.1.plus(i64::try_from(ns).ok()?))
}

impl Log<'_> {
    fn lost(&self) -> impl DoubleEndedIterator<Item = &PingRecord> {
        self.log.records.iter().filter(|r| is_lost(r))
    }

    /// It misses at least one answer.
    pub(super) fn has_loss(&self) -> bool {
        self.lost().next().is_some()
    }

    /// What the log alone says.
    pub(super) fn finding(&self, view: &View<'_>, deaths: &Deaths<'_>) -> Option<Finding> {
        let (log, count) = (self.log, self.lost().count());
        let (first, last) = (self.lost().next()?, self.lost().next_back()?);
        let asked = log.records.iter().filter(|r| r.answer != Answer::Open).count();
        let bursts = bursts(log);
        let never = count == asked;
        let silent = log.address.parse().ok().filter(|_| never).and_then(|ip| neighbour::silent(view, ip));
        let key = match bursts {
            _ if never => "ping-loss.claim.log-never",
            1 => "ping-loss.claim.log-burst",
            _ => "ping-loss.claim.log",
        };
        Some(Finding {
            from: sent(log, first.seq),
            to: sent(log, last.seq),
            claim: Text::new(key)
                .with("lost", count)
                .with("sent", asked)
                .with("dst", &log.address)
                .with("bursts", bursts),
            evidence: self.evidence().into_iter().chain(silent.clone()).collect(),
            exonerations: vec![Exoneration::RuledOut(Text::new("ping-loss.not.log-end"))],
            remedy: match &silent {
                Some(_) => neighbour::remedy(&log.address),
                None => Text::new(self.remedy(view)).with("dst", &log.address),
            },
            deaths: silent.map(|_| self.questions(view, deaths)).unwrap_or_default(),
            ..Finding::new(
                super::SYMPTOM.unit.id,
                if count >= 2 { Severity::Warning } else { Severity::Info },
                // The log is the pinging program's own word; where the request went, no packet tells.
                if view.input.kind == Kind::Bundle { Confidence::Proven } else { Confidence::Likely },
                Subject::Pair { src: None, dst: log.address.clone() },
            )
        })
    }

    /// What was sent instead of the pings: the host's requests for the MAC of the address, which nobody answered.
    fn questions(&self, view: &View<'_>, deaths: &Deaths<'_>) -> Vec<FrameRef> {
        let mine = deaths.groups.iter().filter(|group| {
            group.kind == PacketKind::ArpRequest
                && group.dst.to_string() == self.log.address
                && view.host.owns_ip(group.src) == Some(true)
        });
        let mut frames: Vec<FrameRef> =
            mine.flat_map(|group| &group.deaths).map(|death| death.frame).collect();
        frames.sort_unstable();
        frames
    }

    /// What was just recorded is not asked for again.
    fn remedy(&self, view: &View<'_>) -> &'static str {
        let unreachable = |r: &PingRecord| matches!(&r.answer, Answer::Error { why } if why.contains("etwork is unreachable"));
        if self.lost().any(unreachable) {
            "ping-loss.remedy.no-route"
        } else if view.input.segments.is_empty() {
            "ping-loss.remedy.log"
        } else {
            "ping-loss.remedy.log-elsewhere"
        }
    }

    /// The log's lost numbers.
    pub(super) fn evidence(&self) -> Option<Evidence> {
        let first = self.lost().next()?;
        let numbers: Vec<String> = self.lost().take(SHOWN).map(|r| r.seq.to_string()).collect();
        let more = self.lost().count().saturating_sub(SHOWN);
        let more = if more > 0 { format!(" … (+{more})") } else { String::new() };
        let why = match &first.answer {
            Answer::Error { why } => format!(" ({why})"),
            _ => String::new(),
        };
        Some(Evidence::Snapshot {
            file: self.file.to_owned(),
            at: sent(self.log, first.seq),
            line: format!("icmp_seq {}{more}{why}", numbers.join(" ")),
            what: Text::new("ping-loss.evidence.log"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "PING 10.0.0.1 (10.0.0.1) 56(84) bytes of data.\n\
        [1700000002.000000] 64 bytes from 10.0.0.1: icmp_seq=2 ttl=64 time=0 ms\n\
        [1700000004.000000] 64 bytes from 10.0.0.1: icmp_seq=4 ttl=64 time=0 ms\n\
        [1700000007.000000] 64 bytes from 10.0.0.1: icmp_seq=7 ttl=64 time=0 ms\n";

    #[test]
    fn numbers_make_bursts_and_neighbours_give_times() {
        let log = PingLog::from_iputils(LOG);
        assert_eq!(bursts(&log), 2);
        assert_eq!(sent(&log, 3), Some(Nanos::from_parts(1_700_000_003, 0)));
        assert_eq!(sent(&log, 6), Some(Nanos::from_parts(1_700_000_006, 0)));
        assert_eq!(sent(&log, 8), None, "nothing says when it was sent");
        let silent = PingLog::from_iputils(&LOG.replace("[17000000", "").replace(".000000]", ""));
        assert_eq!((bursts(&silent), sent(&silent, 3)), (2, None));
    }
}
