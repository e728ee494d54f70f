//! What the recording itself lost, gave up and removed, and when: what a reader must know before trusting silence.
//!
//! Nothing is said of a recording that has it all, and nothing that is a remark of the recorder's own already (layers of
//! its sandbox that the host did not give). Numbers are those of the ledger, which knows every second; bundles
//! that have none tell them by segment.

use std::collections::BTreeMap;

use netcap_bundle::input::{Input, Kind};
use netcap_bundle::ledger::{PointLedger, Sums};
use netcap_bundle::run::{Change, End, HostSpan, PointSpan, Pruned, SegmentInfo, Shed, ShedReason};
use netcap_bundle::{Nanos, Point};

use crate::engine::PointId;

/// Nanoseconds of a millisecond.
const MS: i64 = 1_000_000;

/// What there is to tell of a recording.
#[derive(Debug, Clone, Default)]
pub(crate) struct Recording {
    /// Points that lost, gave up or removed something.
    pub points: Vec<PointLoss>,
    /// What the host lost before any point.
    pub host: Option<HostLoss>,
    /// Who joined, was renamed and left.
    pub changes: Vec<Change>,
    /// Names of the points by id.
    pub names: BTreeMap<String, String>,
}

/// What one point took in and did not record.
#[derive(Debug, Clone)]
pub(crate) struct PointLoss {
    pub id: PointId,
    /// Interface; the id where two points had the same.
    pub name: String,
    /// Received, dropped by the ring, written and shed.
    pub sums: Sums,
    /// Packets that the filter did not want; absent when nobody can tell.
    pub filtered: Option<u64>,
    /// Received and neither written nor known to be lost; only of runs that ended orderly.
    pub unaccounted: u64,
    /// When the ring dropped packets.
    pub dropped: Option<LossPeriod>,
    /// When packets were counted and not recorded.
    pub shed: Option<LossPeriod>,
    /// What was given up.
    pub steps: Option<Steps>,
    /// Segments removed to keep to the disk budget.
    pub pruned: Option<Pruned>,
}

/// A span of time in which something was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LossSpan {
    /// Its start.
    pub from: Nanos,
    /// Its end.
    pub to: Nanos,
    /// How much.
    pub count: u64,
}

/// When something was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LossPeriod {
    /// Start of the first span with a loss.
    pub from: Nanos,
    /// End of the last one.
    pub to: Nanos,
    /// Spans with a loss: seconds, as long as the ledger is not joined.
    pub spans: u64,
    /// The worst span.
    pub worst: LossSpan,
}

/// What a point gave up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Steps {
    /// First and last step.
    pub from: Nanos,
    /// See `from`.
    pub to: Nanos,
    /// The sums.
    pub shed: Shed,
    /// Reasons of steps down.
    pub why: Vec<ShedReason>,
}

/// What the host lost before any point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HostLoss {
    /// Packets dropped because the backlog of a CPU was full.
    pub softnet: u64,
    /// Packets lost because ovs-vswitchd could not be asked.
    pub upcalls: u64,
    /// When.
    pub period: LossPeriod,
}

impl Recording {
    /// Of an input; empty for bare captures and for recordings that have all they were asked for.
    pub(crate) fn of(input: &Input) -> Self {
        if input.kind != Kind::Bundle {
            return Self::default();
        }
        let names = names(input);
        let sources = LossSources::of(input);
        let name = |id: &str| names.get(id).map_or(id, String::as_str).to_owned();
        let points = (0u32..).map(PointId).zip(&input.points);
        let points = points.map(|(id, point)| sources.point(id, point, name(&point.id)));
        Self {
            points: points.filter(PointLoss::is_worth_a_line).collect(),
            host: host(&input.ledger.host),
            changes: input.changes.clone(),
            names,
        }
    }

    /// There is nothing to tell.
    pub(crate) fn is_empty(&self) -> bool {
        self.points.is_empty() && self.host.is_none() && self.changes.is_empty()
    }

    /// What people call the point of that id.
    pub(crate) fn name<'a>(&'a self, id: &'a str) -> &'a str {
        self.names.get(id).map_or(id, String::as_str)
    }
}

/// Interfaces by id; a machine that came back has two points of the same interface, which only their ids tell apart.
fn names(input: &Input) -> BTreeMap<String, String> {
    let mut times: BTreeMap<&str, u32> = BTreeMap::new();
    for point in &input.points {
        *times.entry(&point.iface).or_default() += 1;
    }
    let twice = |iface: &str| times.get(iface).is_some_and(|n| *n > 1);
    let name = |p: &Point| if twice(&p.iface) { p.id.clone() } else { p.iface.clone() };
    input.points.iter().map(|point| (point.id.clone(), name(point))).collect()
}

/// What the input says of its points, by their ids: a hostile one has many of everything.
struct LossSources<'a> {
    ledgers: BTreeMap<&'a str, &'a PointLedger>,
    segments: BTreeMap<&'a str, Vec<&'a SegmentInfo>>,
    pruned: BTreeMap<&'a str, &'a Pruned>,
    /// The run reached its end, so that its sums must agree.
    orderly: bool,
}

impl<'a> LossSources<'a> {
    fn of(input: &'a Input) -> Self {
        let ledgers = input.ledger.points.iter().filter(|ledger| !ledger.spans.is_empty());
        let mut segments: BTreeMap<&str, Vec<&SegmentInfo>> = BTreeMap::new();
        for info in input.segments.iter().filter_map(|segment| segment.info.as_ref()) {
            segments.entry(&info.point).or_default().push(info);
        }
        Self {
            ledgers: ledgers.map(|ledger| (ledger.point.as_str(), ledger)).collect(),
            segments,
            pruned: input.pruned.iter().map(|gone| (gone.point.as_str(), gone)).collect(),
            orderly: matches!(input.end, Some(End::Duration | End::Stopped { .. })),
        }
    }

    fn point(&self, id: PointId, point: &Point, name: String) -> PointLoss {
        let of = point.id.as_str();
        let pruned = self.pruned.get(of).copied();
        let segments = || self.segments.get(of).map(Vec::as_slice).unwrap_or_default();
        let lost = match self.ledgers.get(of) {
            Some(ledger) => Lost::of_ledger(ledger),
            None => Lost::of_segments(segments(), pruned),
        };
        let sums = lost.sums;
        let known = sums.written.saturating_add(sums.dropped).saturating_add(sums.shed);
        PointLoss {
            id,
            name,
            sums,
            filtered: lost.filtered,
            unaccounted: if self.orderly { sums.received.saturating_sub(known) } else { 0 },
            dropped: lost.dropped,
            shed: lost.shed,
            steps: lost.steps,
            pruned: pruned.cloned(),
        }
    }
}

/// What the ledger of a point says, or its segments where there is no ledger.
#[derive(Default)]
struct Lost {
    sums: Sums,
    filtered: Option<u64>,
    dropped: Option<LossPeriod>,
    shed: Option<LossPeriod>,
    steps: Option<Steps>,
}

impl Lost {
    fn of_ledger(ledger: &PointLedger) -> Self {
        let span = |of: fn(&PointSpan) -> u64| {
            LossPeriod::of(ledger.spans.iter().map(move |span| LossSpan {
                from: begin(span.at, span.ms),
                to: span.at,
                count: of(span),
            }))
        };
        Self {
            sums: ledger.sums(),
            filtered: ledger.filtered(),
            dropped: span(|s| s.dropped),
            shed: span(|s| s.shed),
            steps: Steps::of(ledger),
        }
    }

    fn of_segments(infos: &[&SegmentInfo], pruned: Option<&Pruned>) -> Self {
        let mut sums = pruned.map_or_else(Sums::default, |gone| Sums {
            received: gone.received,
            dropped: gone.dropped,
            written: gone.packets,
            wire_bytes: gone.wire_bytes,
            shed: gone.shed,
        });
        let add = |sum: &mut u64, more: u64| *sum = sum.saturating_add(more);
        for info in infos {
            add(&mut sums.received, info.received);
            add(&mut sums.dropped, info.dropped);
            add(&mut sums.written, info.packets);
            add(&mut sums.wire_bytes, info.wire_bytes);
            add(&mut sums.shed, info.shed);
        }
        let dropped = LossPeriod::of(infos.iter().map(|info| LossSpan {
            from: info.opened,
            to: info.closed,
            count: info.dropped,
        }));
        let shed = LossPeriod::of(infos.iter().map(|info| LossSpan {
            from: info.opened,
            to: info.closed,
            count: info.shed,
        }));
        Self { sums, dropped, shed, ..Self::default() }
    }
}

impl PointLoss {
    /// What the filter did not want is no loss, so it alone is no reason for a line.
    fn is_worth_a_line(&self) -> bool {
        self.sums.dropped > 0
            || self.sums.shed > 0
            || self.unaccounted > 0
            || self.steps.is_some()
            || self.pruned.is_some()
    }
}

impl LossPeriod {
    /// Of spans with what was lost in each; `None` when none lost anything.
    fn of(spans: impl Iterator<Item = LossSpan>) -> Option<Self> {
        spans.filter(|span| span.count > 0).fold(None, |period: Option<Self>, span| {
            let LossSpan { from, to, count } = span;
            let Some(period) = period else { return Some(Self { from, to, spans: 1, worst: span }) };
            // Of equals the first: the order of lines is that of time.
            let worst = if count > period.worst.count { span } else { period.worst };
            let (from, to) = (period.from.min(from), period.to.max(to));
            Some(Self { from, to, spans: period.spans.saturating_add(1), worst })
        })
    }
}

impl Steps {
    fn of(ledger: &PointLedger) -> Option<Self> {
        let (first, last) = (ledger.steps.first()?, ledger.steps.last()?);
        let down =
            |why: &ShedReason| ledger.steps.iter().any(|line| line.why == *why && line.step > line.was);
        let why = [ShedReason::Ring, ShedReason::Loss, ShedReason::Cpu, ShedReason::Memory, ShedReason::Calm]
            .into_iter()
            .filter(down)
            .collect();
        Some(Self { from: first.at, to: last.at, shed: ledger.shed()?, why })
    }
}

fn host(spans: &[HostSpan]) -> Option<HostLoss> {
    let lost = |span: &HostSpan| span.dropped.saturating_add(span.upcalls_lost);
    let period = LossPeriod::of(spans.iter().map(|span| LossSpan {
        from: begin(span.at, span.ms),
        to: span.at,
        count: lost(span),
    }))?;
    let sum = |of: fn(&HostSpan) -> u64| spans.iter().map(of).fold(0, u64::saturating_add);
    Some(HostLoss { softnet: sum(|s| s.dropped), upcalls: sum(|s| s.upcalls_lost), period })
}

/// The start of a span.
fn begin(at: Nanos, ms: u64) -> Nanos {
    at.plus(i64::try_from(ms).unwrap_or(i64::MAX).saturating_mul(-MS))
}
