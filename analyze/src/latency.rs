//! Round-trip times of pings, per pair and capture point, in HDR histograms.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::IpAddr;
use std::time::{Duration, UNIX_EPOCH};

use hdrhistogram::Histogram;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};
use netcap_bundle::Nanos;

use crate::engine::PointId;
use crate::tables::journeys::{Journey, TCP};
use crate::view::View;

/// Id in the registry.
pub const ID: &str = "latency";
/// Histograms kept: each takes up to 300 KiB.
const HISTOGRAMS_MAX: usize = 256;
/// Significant decimal digits.
const DIGITS: u8 = 3;
/// Longest round trip that is one, an hour: beyond it the number was used again.
const RTT_NS_MAX: u64 = 3_600_000_000_000;

/// Round-trip times of one pair at one point.
#[derive(Debug, Clone)]
pub struct Latency {
    /// Who pings.
    pub src: IpAddr,
    /// Who answers.
    pub dst: IpAddr,
    /// Where it was measured.
    pub point: String,
    /// First and last request.
    pub from: Nanos,
    /// See `from`.
    pub to: Nanos,
    /// Nanoseconds.
    pub histogram: Histogram<u64>,
}

/// The percentiles that are shown, with their names.
pub const PERCENTILES: [(&str, f64); 4] = [("p50", 50.0), ("p90", 90.0), ("p99", 99.0), ("p99_9", 99.9)];

impl Latency {
    /// Nanoseconds at a percentile.
    pub fn percentile(&self, percent: f64) -> u64 {
        self.histogram.value_at_percentile(percent)
    }
}

/// Pings are in the packets or in a log.
pub fn has_echo(view: &View<'_>) -> bool {
    view.tables.journeys.journeys.iter().any(|j| j.key.protocol != TCP)
        || view.input.pings.iter().any(|log| !log.records.is_empty())
}

/// Measures every answered ping at every point that saw request and reply. Pairs with the most pings first kept.
pub fn measure(view: &View<'_>) -> Vec<Latency> {
    let mut counts: BTreeMap<(IpAddr, IpAddr, PointId), u64> = BTreeMap::new();
    each(view, |journey, point, _| {
        *counts.entry((journey.key.src, journey.key.dst, point)).or_default() += 1;
    });
    let mut order: Vec<_> = counts.into_iter().collect();
    order.sort_by_key(|(key, count)| (std::cmp::Reverse(*count), *key));
    order.truncate(HISTOGRAMS_MAX);
    let mut out: BTreeMap<_, Latency> = BTreeMap::new();
    for ((src, dst, point), _) in order {
        let Ok(histogram) = Histogram::new_with_bounds(1, RTT_NS_MAX, DIGITS) else { continue };
        let name = view.points.name(point).to_owned();
        let empty = Latency { src, dst, point: name, from: Nanos(i64::MAX), to: Nanos(i64::MIN), histogram };
        out.insert((src, dst, point), empty);
    }
    each(view, |journey, point, rtt_ns| {
        if let Some(latency) = out.get_mut(&(journey.key.src, journey.key.dst, point)) {
            latency.histogram.saturating_record(rtt_ns);
            latency.from = latency.from.min(journey.at);
            latency.to = latency.to.max(journey.at);
        }
    });
    out.into_values().collect()
}

/// Calls for each answered ping and point with the round-trip time there.
fn each(view: &View<'_>, mut visit: impl FnMut(&Journey, PointId, u64)) {
    let table = &view.tables.journeys;
    for journey in table.journeys.iter().filter(|j| j.key.protocol != TCP) {
        let mut done: Option<PointId> = None;
        for request in table.requests(journey) {
            if done == Some(request.point) {
                continue;
            }
            let reply =
                table.replies(journey).iter().find(|r| r.point == request.point && r.at >= request.at);
            if let Some(rtt) = reply.and_then(|r| u64::try_from(r.at.since(request.at)).ok()) {
                done = Some(request.point);
                visit(journey, request.point, rtt.max(1));
            }
        }
    }
}

/// Writes histograms as an HdrHistogram interval log (V2, deflate, base64), times in seconds, values in nanoseconds.
pub fn write_log<W: Write>(out: &mut W, latencies: &[Latency]) -> io::Result<()> {
    let start = latencies.iter().map(|l| l.from).min().unwrap_or_default();
    let since = |at: Nanos| Duration::from_nanos(u64::try_from(at.since(start)).unwrap_or(0));
    let mut serializer = V2DeflateSerializer::new();
    let start_ns = u64::try_from(start.0).unwrap_or(0);
    let mut writer = IntervalLogWriterBuilder::new()
        .add_comment("[netcap round-trip times of pings, nanoseconds]")
        .with_start_time(UNIX_EPOCH + Duration::from_nanos(start_ns))
        .with_max_value_divisor(1.0)
        .begin_log_with(out, &mut serializer)?;
    for latency in latencies {
        let label = format!("{}>{}@{}", latency.src, latency.dst, latency.point);
        let label: String =
            label.chars().map(|c| if c == ',' || c.is_whitespace() { '_' } else { c }).collect();
        let tag = Tag::new(&label);
        let from = since(latency.from);
        let length = since(latency.to).saturating_sub(from);
        writer
            .write_histogram(&latency.histogram, from, length, tag)
            .map_err(|err| io::Error::other(format!("{err:?}")))?;
    }
    Ok(())
}
