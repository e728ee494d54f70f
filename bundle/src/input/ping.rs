//! Ping logs: netcap's own machine lines, and the log of iputils `ping` that the old script left behind.

use crate::Nanos;
use crate::files::Lines;
use crate::run::{Answer, PingRecord};

/// All pings of one address.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PingLog {
    /// The address as the user gave it.
    pub address: String,
    /// In order of sequence number.
    pub records: Vec<PingRecord>,
    /// Lines that were not understood.
    pub defects: usize,
    /// Records in the log before answered ones were left out to save memory; 0 when all are there.
    pub thinned: usize,
    /// Requests between two answers that are too far apart to count each of them as lost.
    pub skipped: u64,
}

/// Lines read of one log: a month of pings at one a second.
const LINES_MAX: usize = 2_678_400;
/// Records in memory for all logs together: 56 bytes each.
const RECORDS_MAX: usize = 400_000;
/// Records that every log may keep, however many logs there are.
const RECORDS_MIN: usize = 256;
/// Characters kept of a reason.
const WHY_MAX: usize = 120;
/// Requests counted as lost between two answers of the old script's log: the range of an ICMP sequence number.
const GAP_MAX: u64 = 65_536;

impl PingLog {
    /// Reads machine lines.
    pub fn from_lines(address: &str, text: &str) -> Self {
        Self::read_lines(address, 1, text.lines())
    }

    /// Reads machine lines, in the memory that one of that many logs may have.
    pub(crate) fn read_lines(address: &str, logs: usize, mut lines: impl Lines) -> Self {
        let mut log = Self { address: address.to_owned(), ..Self::default() };
        let (mut read, max) = (0, share(logs));
        while let Some(line) = lines.next_line() {
            if line.trim().is_empty() {
                continue;
            }
            match serde_json::from_str(&line) {
                Ok(record) => log.push(record, max),
                Err(_) => log.defects += 1,
            }
            read += 1;
            if read >= LINES_MAX {
                break;
            }
        }
        log
    }

    /// Reads the output of iputils `ping`, with or without `-D` stamps. Missing sequence numbers between two answers
    /// were lost; those after the last answer are not known to have been sent.
    pub fn from_iputils(text: &str) -> Self {
        Self::read_iputils(1, text.lines())
    }

    /// As [`from_iputils`](Self::from_iputils), in the memory that one of that many logs may have.
    pub(crate) fn read_iputils(logs: usize, mut lines: impl Lines) -> Self {
        let mut log = Self::default();
        let mut next: Option<u64> = None;
        let (mut read, max) = (0, share(logs));
        while let Some(line) = lines.next_line() {
            if let Some(rest) = line.strip_prefix("PING ") {
                log.address = address_of_header(rest);
            } else if let Some((seq, record)) = iputils_line(&line) {
                // ping counts from 1 and wraps at 16 bits; an answer may come late or twice.
                let expected = next.unwrap_or(seq);
                let full = unwrap_seq(seq, expected);
                if full >= expected {
                    log.skipped = log.skipped.saturating_add((full - expected).saturating_sub(GAP_MAX));
                    for lost in expected..full.min(expected.saturating_add(GAP_MAX)) {
                        log.push(PingRecord { seq: lost, sent: None, answer: Answer::Lost }, max);
                    }
                    log.push(PingRecord { seq: full, ..record }, max);
                    next = Some(full.saturating_add(1));
                } else if let Some(late) = log.late(full) {
                    late.answer = record.answer;
                }
            }
            read += 1;
            if read >= LINES_MAX {
                break;
            }
        }
        log
    }

    /// The record of that number; they are in order of it.
    fn late(&mut self, seq: u64) -> Option<&mut PingRecord> {
        let at = self.records.partition_point(|r| r.seq < seq);
        self.records.get_mut(at).filter(|r| r.seq == seq)
    }

    /// Adds a record. When there are too many, every other answered one goes, and when that is not enough, every other.
    fn push(&mut self, mut record: PingRecord, max: usize) {
        if let Answer::Error { why } = &mut record.answer
            && why.len() > WHY_MAX
        {
            *why = why.chars().take(WHY_MAX).collect();
        }
        if self.records.len() >= max {
            self.thinned = self.thinned.max(self.records.len());
            let mut odd = false;
            self.records.retain(|r| {
                odd = !odd;
                odd || !matches!(r.answer, Answer::Reply { .. })
            });
            if self.records.len() > max / 4 * 3 {
                self.records.retain(|_| {
                    odd = !odd;
                    odd
                });
            }
        }
        self.thinned += usize::from(self.thinned > 0);
        self.records.push(record);
    }
}

fn share(logs: usize) -> usize {
    (RECORDS_MAX / logs.max(1)).max(RECORDS_MIN)
}

fn address_of_header(rest: &str) -> String {
    let inside = rest.split_once('(').and_then(|(_, r)| r.split_once(')')).map(|(a, _)| a);
    inside.or_else(|| rest.split_whitespace().next()).unwrap_or_default().chars().take(64).collect()
}

/// `64 bytes from A: icmp_seq=1 ttl=64 time=0.345 ms`, `From A icmp_seq=2 Destination Host Unreachable`,
/// `no answer yet for icmp_seq=3`; `icmp_req=` in old versions; `[1700000000.123456] ` before it with `-D`.
fn iputils_line(line: &str) -> Option<(u64, PingRecord)> {
    let field = |name: &str| {
        line.split_once(name)
            .map(|(_, r)| r.split(|c: char| !(c.is_ascii_digit() || c == '.')).next().unwrap_or(""))
    };
    let seq: u64 = field("icmp_seq=").or_else(|| field("icmp_req="))?.parse().ok()?;
    let answer =
        if let Some(ms) = field("time=").and_then(|v| v.parse::<f64>().ok()).filter(|v| v.is_finite()) {
            // Float to integer casts saturate; a hostile 1e300 ms becomes i64::MAX.
            #[allow(clippy::cast_possible_truncation)]
            let rtt_ns = (ms * 1e6).round() as i64;
            Answer::Reply { rtt_ns, ttl: field("ttl=").and_then(|v| v.parse().ok()), kernel: false }
        } else if line.contains("no answer yet") {
            Answer::Lost
        } else if line.contains("From ") {
            let why = line.split_once("icmp_seq=").map_or(line, |(_, r)| r);
            Answer::Error { why: why.trim_start_matches(|c: char| c.is_ascii_digit()).trim().to_owned() }
        } else {
            return None;
        };
    let stamp = line.strip_prefix('[').and_then(|r| r.split_once(']')).and_then(|(s, _)| seconds(s));
    let rtt = if let Answer::Reply { rtt_ns, .. } = answer { rtt_ns } else { 0 };
    let sent = stamp.map(|at: Nanos| at.plus(-rtt));
    Some((seq, PingRecord { seq, sent, answer }))
}

/// `1700000000.123456` without a detour over floating point.
fn seconds(text: &str) -> Option<Nanos> {
    let (secs, part) = text.split_once('.').unwrap_or((text, "0"));
    let part: String = part.chars().chain("000000000".chars()).take(9).collect();
    Some(Nanos::from_parts(secs.parse().ok()?, part.parse().ok()?))
}

/// The full number whose low 16 bits are `seq`, nearest to `expected`.
fn unwrap_seq(seq: u64, expected: u64) -> u64 {
    if seq > 0xffff {
        return seq;
    }
    let base = expected & !0xffff;
    [base.checked_sub(0x1_0000), Some(base), base.checked_add(0x1_0000)]
        .into_iter()
        .flatten()
        .map(|b| b | seq)
        .min_by_key(|full| full.abs_diff(expected))
        .unwrap_or(seq)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_old_scripts_log() {
        let text = "PING 172.23.51.112 (172.23.51.112) 56(84) bytes of data.\n\
            64 bytes from 172.23.51.112: icmp_seq=1 ttl=64 time=0.345 ms\n\
            64 bytes from 172.23.51.112: icmp_seq=4 ttl=64 time=12 ms\n\
            From 172.23.51.114 icmp_seq=5 Destination Host Unreachable\n\n\
            --- 172.23.51.112 ping statistics ---\n5 packets transmitted, 2 received\n";
        let log = PingLog::from_iputils(text);
        assert_eq!(log.address, "172.23.51.112");
        let kinds: Vec<_> = log.records.iter().map(|r| (r.seq, r.answer == Answer::Lost)).collect();
        assert_eq!(kinds, [(1, false), (2, true), (3, true), (4, false), (5, false)]);
        assert_eq!(log.records[0].answer, Answer::Reply { rtt_ns: 345_000, ttl: Some(64), kernel: false });
        assert_eq!(log.records[4].answer, Answer::Error { why: "Destination Host Unreachable".into() });
    }

    #[test]
    fn machine_lines_round_trip() {
        let record = PingRecord {
            seq: 70_000,
            sent: Some(Nanos(5)),
            answer: Answer::Reply { rtt_ns: 9, ttl: None, kernel: true },
        };
        let line = serde_json::to_string(&record).unwrap();
        let log = PingLog::from_lines("10.0.0.1", &format!("{line}\n{{broken\n"));
        assert_eq!((log.records, log.defects), (vec![record], 1));
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text in "(\\[?[0-9.]{0,25}\\]? ?(64 bytes from|From|no answer yet) ?a: icmp_seq=[0-9]{0,22} ttl=[0-9]{0,4} time=[0-9.e]{0,9} ms\n){0,6}") {
            let log = PingLog::from_iputils(&text);
            prop_assert!(log.records.len() <= 70_000 * 6);
            let _ = PingLog::from_lines("x", &text);
        }
    }
}
