//! What a ping leaves behind: lines in the manner of ping(8) for people, and machine lines beside them.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use netcap_bundle::held::Dir;
use netcap_bundle::run::{Answer, PingRecord};
use netcap_bundle::{Nanos, layout};

use super::{TIMEOUT_NS, Tally, packet};
use crate::disk::budget::{Budget, Metered};
use crate::host::clock;

/// Round trips so far, in nanoseconds.
#[derive(Debug, Clone, Copy)]
struct RoundTrips {
    least: i64,
    sum: i128,
    greatest: i64,
}

impl RoundTrips {
    /// Those before and another one.
    fn with(before: Option<Self>, ns: i64) -> Self {
        let before = before.unwrap_or(Self { least: ns, sum: 0, greatest: ns });
        Self {
            least: before.least.min(ns),
            sum: before.sum + i128::from(ns),
            greatest: before.greatest.max(ns),
        }
    }
}

/// The two files of one address.
pub(super) struct Log {
    people: Metered,
    machines: Metered,
    address: IpAddr,
    utc_offset_s: i32,
    round_trips: Option<RoundTrips>,
}

impl Log {
    pub(super) fn create(
        dir: &Dir,
        address: IpAddr,
        utc_offset_s: i32,
        budget: &Arc<Budget>,
    ) -> io::Result<Self> {
        let text = address.to_string();
        dir.make_dir(layout::PING)?;
        let open = |path: String| -> io::Result<Metered> { Ok(Metered::lines(dir.append(&path)?, budget)) };
        let mut log = Self {
            people: open(layout::ping_log(&text))?,
            machines: open(layout::ping_lines(&text))?,
            address,
            utc_offset_s,
            round_trips: None,
        };
        let header = format!(
            "PING {address} ({address}) {}({}) bytes of data.",
            packet::LENGTH - 8,
            packet::LENGTH + 20
        );
        writeln!(log.people, "{header}")?;
        Ok(log)
    }

    /// What became of a request. One write for each line, so that nothing is lost when we are killed.
    pub(super) fn answer(&mut self, seq: u64, sent: Nanos, answer: &Answer) -> io::Result<()> {
        let what = match answer {
            Answer::Reply { rtt_ns, ttl, .. } => {
                self.round_trips = Some(RoundTrips::with(self.round_trips, *rtt_ns));
                let ttl = ttl.map_or_else(String::new, |ttl| format!(" ttl={ttl}"));
                let size = packet::LENGTH;
                format!("{size} bytes from {}: icmp_seq={seq}{ttl} time={:.3} ms", self.address, ms(*rtt_ns))
            }
            Answer::Lost => {
                format!("no answer yet for icmp_seq={seq} (lost after {} s)", TIMEOUT_NS / 1_000_000_000)
            }
            Answer::Error { why } => format!("icmp_seq={seq} {why}"),
            Answer::Open => format!("icmp_seq={seq} still open when the recording ended"),
        };
        self.say(sent, &what)?;
        let mut line = serde_json::to_vec(&PingRecord { seq, sent: Some(sent), answer: answer.clone() })?;
        line.push(b'\n');
        self.machines.write_all(&line)
    }

    /// An answer that came when its request had been given up, or a second one.
    pub(super) fn late(&mut self, seq: u16, at: Nanos) -> io::Result<()> {
        self.say(at, &format!("late or duplicate answer (16-bit number {seq})"))
    }

    pub(super) fn summary(&mut self, tally: &Tally) -> io::Result<()> {
        let (sent, answered, lost) =
            (tally.sent.load(Relaxed), tally.answered.load(Relaxed), tally.lost.load(Relaxed));
        let loss = if sent == 0 { 0.0 } else { lost as f64 * 100.0 / sent as f64 };
        let mut text = format!(
            "\n--- {} ping statistics ---\n{sent} packets transmitted, {answered} received, {lost} lost, {loss:.1}% packet loss\n",
            self.address
        );
        if let Some(trips) = self.round_trips.filter(|_| answered > 0) {
            let mean = trips.sum as f64 / answered as f64 / 1e6;
            let _ = writeln!(
                text,
                "rtt min/avg/max = {:.3}/{mean:.3}/{:.3} ms",
                ms(trips.least),
                ms(trips.greatest)
            );
        }
        self.people.write_all(text.as_bytes())
    }

    fn say(&mut self, at: Nanos, what: &str) -> io::Result<()> {
        let at = if at == Nanos::default() { clock::now() } else { at };
        writeln!(self.people, "{} {what}", at.display(self.utc_offset_s))
    }
}

fn ms(ns: i64) -> f64 {
    ns as f64 / 1e6
}
