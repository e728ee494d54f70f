//! `latency`: how long pings take, per pair of addresses and capture point.
//!
//! It measures and judges nothing: round-trip times of echo requests and their replies, in HDR histograms of nanoseconds
//! with three significant digits, shown as percentiles and written with `--hlog` as an HdrHistogram interval log (V2,
//! deflate), which the usual tools plot. The same pair at two points tells where the time goes: what the point nearer to
//! the one who pings sees more is spent between the two points.
//!
//! Exonerated: unanswered pings (see `ping-loss`), replies whose request was not recorded, copies of a request, times across
//! a moment at which the clock was set.
//!
//! Remedy: none, these are numbers; compare the points, and compare with a time when all was well.
//!
//! Sources: RFC 792; RFC 4443 section 4; HdrHistogram log format 1.3.
//!
//! 中文：按地址对与抓包点统计 ping 往返时延（百分位数）；只度量，不下结论。用 `--hlog` 导出 HdrHistogram 日志。

use std::collections::BTreeMap;
use std::net::IpAddr;

use hdrhistogram::Histogram;
use netcap_bundle::Nanos;
use netcap_bundle::run::Answer;
use netcap_words::wire::ip_protocol::TCP;

use super::{Measure, Measurement};
use crate::engine::PointId;
use crate::tables::journeys::{Event, Journey};
use crate::unit::{Need, Unit};
use crate::view::View;

/// Stands for the capture point of what a ping log measured.
pub(crate) const LOG_POINT: &str = "ping log";
/// Histograms kept: each takes up to 300 KiB.
const HISTOGRAMS_MAX: usize = 256;
/// Significant decimal digits.
const DIGITS: u8 = 3;
/// Longest round trip that is one, an hour: beyond it the number was used again.
const RTT_NS_MAX: u64 = 3_600_000_000_000;

/// Round-trip times.
#[derive(Debug, Default)]
pub(crate) struct Latencies {
    /// By pair of addresses and point.
    pub pairs: Vec<Latency>,
    /// Pairs without a histogram, because there are enough.
    pub unmeasured: usize,
}

impl Measure for Latencies {
    const MEASUREMENT: Measurement = Measurement {
        unit: Unit {
            id: "latency",
            severity: None,
            most: None,
            needs: &[Need { key: "need.echo", met: |view| Some(view.has_echo()) }],
            source: include_str!("latency.rs"),
        },
        key: "histograms",
        always: false,
    };

    fn of(view: &View<'_>) -> Self {
        measure(view)
    }
}

/// Round-trip times of one pair at one point.
#[derive(Debug, Clone)]
pub(crate) struct Latency {
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
    pub(crate) fn percentile(&self, percent: f64) -> u64 {
        self.histogram.value_at_percentile(percent)
    }
}

/// Who pings whom, at a point that saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct PairAtPoint {
    src: IpAddr,
    dst: IpAddr,
    point: PointId,
}

impl PairAtPoint {
    fn of(journey: &Journey, point: PointId) -> Self {
        Self { src: journey.key.src, dst: journey.key.dst, point }
    }
}

/// Every answered ping at every point that saw request and reply. Pairs with the most pings are kept first.
fn measure(view: &View<'_>) -> Latencies {
    let mut counts: BTreeMap<PairAtPoint, u64> = BTreeMap::new();
    let timed = view.files.iter().all(|file| file.timeless == 0);
    each(view, |journey, point, _| {
        *counts.entry(PairAtPoint::of(journey, point)).or_default() += 1;
    });
    let mut order: Vec<_> = counts.into_iter().collect();
    order.sort_by_key(|(key, count)| (std::cmp::Reverse(*count), *key));
    let without = if timed { order.len().saturating_sub(HISTOGRAMS_MAX) } else { 0 };
    // Without stamps there are no times between them.
    order.truncate(if timed { HISTOGRAMS_MAX } else { 0 });
    let mut out: BTreeMap<_, Latency> = BTreeMap::new();
    for (pair, _) in order {
        let name = view.points.name(pair.point).to_owned();
        if let Some(empty) = Latency::empty(Some(pair.src), pair.dst.to_string(), name) {
            out.insert(pair, empty);
        }
    }
    each(view, |journey, point, rtt_ns| {
        if let Some(latency) = out.get_mut(&PairAtPoint::of(journey, point)) {
            latency.record(Some(journey.at), rtt_ns);
        }
    });
    Latencies { pairs: out.into_values().chain(of_logs(view)).collect(), unmeasured: without }
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
            let set = |r: &&Event| view.tables.steps.is_between(r.frame.file, request.at, r.at);
            let reply = reply.filter(|reply| !set(reply));
            if let Some(rtt) = reply.and_then(|r| u64::try_from(r.at.since(request.at)).ok()) {
                done = Some(request.point);
                visit(journey, request.point, rtt);
            }
        }
    }
}
