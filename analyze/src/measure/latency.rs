//! Round-trip times of pings, per pair and capture point, and the times of hops from point to point, in HDR histograms.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::IpAddr;
use std::time::{Duration, UNIX_EPOCH};

use hdrhistogram::Histogram;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};
use netcap_bundle::Nanos;
use netcap_bundle::packets::Direction;
use netcap_bundle::run::Answer;
use netcap_words::foreign::is_steering;
use netcap_words::wire::ip_protocol::TCP;

use crate::engine::PointId;
use crate::tables::hops::Stop;
use crate::tables::journeys::Journey;
use crate::view::View;

/// Id in the registry.
pub const ID: &str = "latency";
/// Stands for the capture point of what a ping log measured.
pub const LOG_POINT: &str = "ping log";
/// Histograms kept: each takes up to 300 KiB.
const HISTOGRAMS_MAX: usize = 256;
/// Significant decimal digits.
const DIGITS: u8 = 3;
/// Longest round trip that is one, an hour: beyond it the number was used again.
const RTT_NS_MAX: u64 = 3_600_000_000_000;

/// Round-trip times of one pair at one point.
#[derive(Debug, Clone)]
pub struct Latency {
    /// Who pings; `None` for a log: the host that wrote it.
    pub src: Option<IpAddr>,
    /// Who answers: an address, or what the log calls it.
    pub dst: String,
    /// Where it was measured: a capture point, or [`LOG_POINT`].
    pub point: String,
    /// First and last request; `i64::MAX` and `i64::MIN` when no request has a time.
    pub from: Nanos,
    /// See `from`.
    pub to: Nanos,
    /// Nanoseconds.
    pub histogram: Histogram<u64>,
}

/// The percentiles that are shown, with their names.
pub const PERCENTILES: [(&str, f64); 4] = [("p50", 50.0), ("p90", 90.0), ("p99", 99.0), ("p99_9", 99.9)];

impl Latency {
    fn empty(src: Option<IpAddr>, dst: String, point: String) -> Option<Self> {
        let histogram = Histogram::new_with_bounds(1, RTT_NS_MAX, DIGITS).ok()?;
        Some(Self { src, dst, point, from: Nanos(i64::MAX), to: Nanos(i64::MIN), histogram })
    }

    fn record(&mut self, at: Option<Nanos>, rtt_ns: u64) {
        self.histogram.saturating_record(rtt_ns.max(1));
        if let Some(at) = at {
            self.from = self.from.min(at);
            self.to = self.to.max(at);
        }
    }

    /// Nanoseconds at a percentile.
    pub fn percentile(&self, percent: f64) -> u64 {
        self.histogram.value_at_percentile(percent)
    }
}

/// Measures every answered ping at every point that saw request and reply. Pairs with the most pings first kept; how many
/// were not is told beside them.
pub fn measure(view: &View<'_>) -> (Vec<Latency>, usize) {
    let mut counts: BTreeMap<(IpAddr, IpAddr, PointId), u64> = BTreeMap::new();
    each(view, |journey, point, _| {
        *counts.entry((journey.key.src, journey.key.dst, point)).or_default() += 1;
    });
    let mut order: Vec<_> = counts.into_iter().collect();
    order.sort_by_key(|(key, count)| (std::cmp::Reverse(*count), *key));
    let without = order.len().saturating_sub(HISTOGRAMS_MAX);
    order.truncate(HISTOGRAMS_MAX);
    let mut out: BTreeMap<_, Latency> = BTreeMap::new();
    for ((src, dst, point), _) in order {
        let name = view.points.name(point).to_owned();
        if let Some(empty) = Latency::empty(Some(src), dst.to_string(), name) {
            out.insert((src, dst, point), empty);
        }
    }
    each(view, |journey, point, rtt_ns| {
        if let Some(latency) = out.get_mut(&(journey.key.src, journey.key.dst, point)) {
            latency.record(Some(journey.at), rtt_ns);
        }
    });
    (out.into_values().chain(of_logs(view)).collect(), without)
}

/// What the ping logs measured themselves, one histogram for each log with an answer.
fn of_logs(view: &View<'_>) -> impl Iterator<Item = Latency> {
    view.input.pings.iter().take(HISTOGRAMS_MAX).filter_map(|log| {
        let mut latency = Latency::empty(None, log.address.clone(), LOG_POINT.to_owned())?;
        for record in &log.records {
            if let Answer::Reply { rtt_ns, .. } = record.answer {
                latency.record(record.sent, u64::try_from(rtt_ns).unwrap_or(0));
            }
        }
        (!latency.histogram.is_empty()).then_some(latency)
    })
}

/// The times of one hop: from a capture point to the next one.
#[derive(Debug, Clone)]
pub struct HopTimes {
    /// The point before it, and which way packets crossed it.
    pub from: (String, Direction),
    /// The point behind it.
    pub to: (String, Direction),
    /// Packets that overtook others on it.
    pub reordered: u64,
    /// Nanoseconds.
    pub histogram: Histogram<u64>,
}

/// How the packets fared that were followed from point to point.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JourneyCounts {
    /// Sightings of followed packets, at all points.
    pub followed: u64,
    /// One packet in so many was followed.
    pub one_in: u64,
    /// TCP segments sent again, counted where they were first seen.
    pub retransmissions: u64,
    /// The same by source and destination, the most first.
    pub resent: Vec<(IpAddr, IpAddr, u64)>,
    /// The same packet twice at a point in one direction: point and count.
    pub copies: Vec<(String, u64)>,
    /// Packets that the network returned: the point they came back at, and count.
    pub reflections: Vec<(String, u64)>,
}

/// The times of every hop, in order of points.
pub fn hops(view: &View<'_>) -> Vec<HopTimes> {
    let stop = |stop: Stop| (view.points.name(stop.point).to_owned(), stop.direction);
    let all = view.tables.hops.hops.iter();
    all.map(|h| HopTimes {
        from: stop(h.from),
        to: stop(h.to),
        reordered: h.reordered,
        histogram: h.histogram.clone(),
    })
    .collect()
}

/// How the followed packets fared.
pub fn journeys(view: &View<'_>) -> JourneyCounts {
    let table = &view.tables.hops;
    let by_point = |counts: &BTreeMap<Stop, u64>| {
        let mut out: BTreeMap<String, u64> = BTreeMap::new();
        for (stop, count) in counts {
            *out.entry(view.points.name(stop.point).to_owned()).or_default() += count;
        }
        out.into_iter().collect()
    };
    let mut resent: Vec<_> = table.counts.resent.iter().map(|((src, dst), n)| (*src, *dst, *n)).collect();
    resent.sort_by_key(|(src, dst, n)| (std::cmp::Reverse(*n), *src, *dst));
    JourneyCounts {
        followed: table.followed,
        one_in: table.one_in,
        retransmissions: table.counts.retransmissions,
        resent,
        copies: by_point(&table.counts.copies),
        reflections: by_point(&table.counts.reflections),
    }
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
                visit(journey, request.point, rtt);
            }
        }
    }
}

/// The line by which HdrHistogram's own tools know the columns.
const LEGEND: &[u8] =
    b"\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"\n";

/// A label as a tag may be: without commas and blanks.
fn tag(label: &str) -> String {
    label.chars().map(|c| if c == ',' || c.is_whitespace() || is_steering(c) { '_' } else { c }).collect()
}

/// Writes histograms as an HdrHistogram interval log (V2, deflate, base64), times in seconds, values in nanoseconds.
pub fn write_log<W: Write>(out: &mut W, latencies: &[Latency], hops: &[HopTimes]) -> io::Result<()> {
    // A log without times starts with the others, or at the epoch.
    let timed = |l: &&Latency| l.from <= l.to;
    let start = latencies.iter().filter(timed).map(|l| l.from).min().unwrap_or_default();
    let since = |at: Nanos| Duration::from_nanos(u64::try_from(at.since(start)).unwrap_or(0));
    let mut serializer = V2DeflateSerializer::new();
    let start_ns = u64::try_from(start.0).unwrap_or(0);
    let mut head = Vec::new();
    IntervalLogWriterBuilder::new()
        .add_comment("[netcap round-trip times of pings, nanoseconds]")
        .add_comment("[Histogram log format version 1.3]")
        .with_start_time(UNIX_EPOCH + Duration::from_nanos(start_ns))
        .begin_log_with(&mut head, &mut serializer)?;
    out.write_all(&head)?;
    out.write_all(LEGEND)?;
    let mut writer =
        IntervalLogWriterBuilder::new().with_max_value_divisor(1.0).begin_log_with(out, &mut serializer)?;
    for latency in latencies {
        let src = latency.src.map_or_else(|| "host".to_owned(), |src| src.to_string());
        let label = tag(&format!("{src}>{}@{}", latency.dst, latency.point));
        let tag = Tag::new(&label);
        let timed = latency.from <= latency.to;
        let from = if timed { since(latency.from) } else { Duration::ZERO };
        let length = if timed { since(latency.to).saturating_sub(from) } else { Duration::ZERO };
        writer
            .write_histogram(&latency.histogram, from, length, tag)
            .map_err(|err| io::Error::other(format!("{err:?}")))?;
    }
    for hop in hops {
        let label = tag(&format!("{}>{}@hop", hop.from.0, hop.to.0));
        writer
            .write_histogram(&hop.histogram, Duration::ZERO, Duration::ZERO, Tag::new(&label))
            .map_err(|err| io::Error::other(format!("{err:?}")))?;
    }
    Ok(())
}
