//! How far the capture can be trusted, per point and time: an absence is evidence only where nothing was lost.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use netcap_bundle::Nanos;
use netcap_bundle::input::{Input, Kind};
use netcap_bundle::packets::Tail;
use netcap_filters::{Filter, Options, VlanMode, VlanTag};
use netcap_words::wire::TPIDS_KERNEL;

use crate::engine::{FileStats, PointId, Points};
use crate::tables::PointTraffic;

/// A gap between two segments shorter than this is bookkeeping: the socket and its ring live on between them.
const GAP_NS_MAX: i64 = 200_000_000;

/// A packet counted as shed in a second may have waited in the ring for so long; and so much too early a drop may be
/// reported under steady overload, for it is counted while the ring still holds what came before it.
const RING_NS: i64 = 1_000_000_000;

/// How often the recorder flushes.
const FLUSH_NS: i64 = 1_000_000_000;

/// What an absence at a point is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Trust {
    /// Not captured then, or the filter would not have shown it.
    Blind,
    /// Packets were lost then.
    Lossy,
    /// Nothing says that packets were lost, and nothing says that none were.
    Unknown,
    /// Captured, and nothing was lost.
    Sound,
}

/// Packets lost in a span of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LossSpan {
    /// Its start.
    pub from: Nanos,
    /// Its end.
    pub to: Nanos,
    /// How many.
    pub count: u64,
}

/// When one point recorded, and when it lost packets.
#[derive(Debug, Default)]
pub(crate) struct PointFidelity {
    /// When it was captured, joined over segments.
    pub covered: Vec<(Nanos, Nanos)>,
    /// When packets were lost, and how many.
    pub losses: Vec<LossSpan>,
    /// Packets lost in all; `None` when nothing says.
    pub dropped: Option<u64>,
    /// Gaps between segments.
    pub gaps: Vec<(Nanos, Nanos)>,
    filter: Option<Arc<Filter>>,
    filter_unreadable: bool,
}

/// The fidelity of all points.
#[derive(Debug, Default)]
pub(crate) struct Fidelity {
    points: BTreeMap<PointId, PointFidelity>,
    /// Points whose filter was not compiled, because all together would take too long.
    pub unfiltered: u64,
    /// Points that packets may pass in the network card, where no capture sees them.
    bypassed: BTreeSet<PointId>,
}

/// What a filter is compiled from.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct FilterKey {
    text: String,
    literal: bool,
    inner: bool,
}

/// Filters of an input, each compiled once: points mostly share theirs.
struct Filters {
    /// By text and manner; `None` for one that does not compile.
    known: BTreeMap<FilterKey, Option<Arc<Filter>>>,
    /// What compiling may still cost: the time of one grows with the square of its length.
    left: u64,
}

/// Squares of bytes: besides the first, whatever its length, ten filters of five kilobytes or 256 of one.
const FILTERS_COST_MAX: u64 = 1 << 28;

impl Filters {
    /// The filter of a point, and whether it was not even tried.
    fn compile(&mut self, text: &str, manner: Options) -> (Option<Arc<Filter>>, bool) {
        let literal = manner.vlan == VlanMode::Literal;
        let key = FilterKey { text: text.to_owned(), literal, inner: manner.inner };
        if let Some(known) = self.known.get(&key) {
            return (known.clone(), false);
        }
        let cost = (text.len() as u64).saturating_pow(2);
        if cost > self.left && !self.known.is_empty() {
            return (None, true);
        }
        self.left = self.left.saturating_sub(cost);
        let filter = Filter::compile(text, manner).ok().map(Arc::new);
        self.known.insert(key, filter.clone());
        (filter, false)
    }
}

impl Fidelity {
    /// From what the input says about its segments, and what the packets said about losses.
    pub(crate) fn new(
        input: &Input,
        points: &Points,
        files: &[FileStats],
        seen: &BTreeMap<PointId, PointTraffic>,
    ) -> Self {
        let mut fidelity = Self::default();
        let mut filters = Filters { known: BTreeMap::new(), left: FILTERS_COST_MAX };
        for (id, info) in points.iter() {
            // A sealed run says it per segment; the statistics inside the files are the same numbers again.
            let sealed = input.segments.iter().any(|s| s.info.is_some());
            let dropped = info.dropped.filter(|_| !sealed);
            let mut point = PointFidelity { dropped, ..PointFidelity::default() };
            if !info.filter.trim().is_empty() {
                let (filter, untried) = filters.compile(&info.filter, info.manner);
                fidelity.unfiltered += u64::from(untried);
                point.filter_unreadable = filter.is_none();
                point.filter = filter;
            }
            let seen = seen.get(&id);
            if info.described {
                point.segments(input, files, id, seen);
                point.shed(input, id);
            } else if let Some(span) = seen.and_then(|s| s.span) {
                point.covered.push(span);
            }
            point.stamped(seen);
            point.settle();
            fidelity.points.insert(id, point);
        }
        fidelity
    }

    /// What is known of one point.
    pub(crate) fn point(&self, id: PointId) -> Option<&PointFidelity> {
        self.points.get(&id)
    }

    /// Packets may pass these points in the network card: what is missing there says nothing.
    pub(crate) fn bypass(&mut self, points: impl Iterator<Item = PointId>) {
        self.bypassed.extend(points);
    }

    /// What an absence at that point between two times is worth.
    pub(crate) fn trust(&self, id: PointId, from: Nanos, to: Nanos) -> Trust {
        let Some(point) = self.points.get(&id).filter(|_| !self.bypassed.contains(&id)) else {
            return Trust::Blind;
        };
        if !point.covered.iter().any(|(a, b)| *a <= from && to <= *b) {
            return Trust::Blind;
        }
        if point.losses.iter().any(|lost| lost.from <= to && from <= lost.to) {
            return Trust::Lossy;
        }
        if point.dropped.is_none() { Trust::Unknown } else { Trust::Sound }
    }

    /// Whether the point's filter would have shown that frame.
    pub(crate) fn shows(&self, id: PointId, frame: &[u8], wire_len: u32) -> bool {
        self.points.get(&id).is_some_and(|p| {
            !p.filter_unreadable && p.filter.as_ref().is_none_or(|f| shows(f, frame, wire_len as usize))
        })
    }

    /// The end of the capture over all points.
    pub(crate) fn end(&self) -> Option<Nanos> {
        self.points.values().flat_map(|p| p.covered.iter().map(|c| c.1)).max()
    }

    /// The start of the capture over all points.
    pub(crate) fn start(&self) -> Option<Nanos> {
        self.points.values().flat_map(|p| p.covered.iter().map(|c| c.0)).min()
    }
}

/// Whether the filter would have shown the frame live. A literal filter saw it without its outer tag wherever the kernel
/// had taken that off, and nobody wrote down where: what is not certain is not shown.
fn shows(filter: &Filter, frame: &[u8], wire_len: usize) -> bool {
    let as_it_lies = filter.matches(frame, wire_len);
    let (VlanMode::Literal, Some((bare, tag))) = (filter.options().vlan, untagged(frame)) else {
        return as_it_lies;
    };
    as_it_lies && filter.matches_with_tag(&bare, wire_len.saturating_sub(4), tag)
}

/// The frame without its outer tag, and the tag; `None` when it has none.
fn untagged(frame: &[u8]) -> Option<(Vec<u8>, VlanTag)> {
    let [_, _, _, _, _, _, _, _, _, _, _, _, t0, t1, c0, c1, rest @ ..] = frame else { return None };
    let (tpid, tci) = (u16::from_be_bytes([*t0, *t1]), u16::from_be_bytes([*c0, *c1]));
    let bare = || [frame.get(..12).unwrap_or_default(), rest].concat();
    // Of other tags the kernel takes none off.
    TPIDS_KERNEL.contains(&tpid).then(|| (bare(), VlanTag { tpid, tci }))
}

/// Until when every point of a run that crashed was recorded: the last packet of any point shows that the run lived,
/// and what is older than a flush is on the disk.
fn alive_until(files: &[FileStats]) -> Option<Nanos> {
    files.iter().filter_map(|f| f.span).map(|s| s.1).max().map(|last| last.plus(-FLUSH_NS))
}

impl PointFidelity {
    fn segments(&mut self, input: &Input, files: &[FileStats], id: PointId, seen: Option<&PointTraffic>) {
        let mine: Vec<_> = (0u32..)
            .zip(&input.segments)
            .zip(files)
            .filter(|((_, s), _)| s.point.is_some_and(|p| p == id.0 as usize))
            .collect();
        let (started, alive) = (input.info.as_ref().map(|i| i.started.realtime), alive_until(files));
        for (at, ((number, segment), file)) in mine.iter().enumerate() {
            let packets = file.span;
            let Some(info) = &segment.info else {
                // Not in a manifest: only the packets state losses.
                let first = packets.map(|p| p.0).or(started).filter(|_| at > 0).or(started);
                let last = packets.map(|p| p.1).max(alive.filter(|_| at + 1 == mine.len()));
                if input.kind == Kind::Bundle {
                    self.dropped = Some(self.dropped.unwrap_or(0));
                    self.covered.extend(first.zip(last).filter(|(a, b)| a <= b));
                } else {
                    self.covered.extend(packets);
                }
                continue;
            };
            let opened = packets.map_or(info.opened, |p| p.0.min(info.opened));
            let whole = file.tail == Some(Tail::Complete) && file.error.is_none() && !info.repaired;
            let closed = if whole {
                packets.map_or(info.closed, |p| p.1.max(info.closed))
            } else {
                // Cut by a crash, which took the last second of every point; or damaged, and nothing follows.
                let crash = alive.filter(|_| at + 1 == mine.len() && info.repaired);
                packets.map(|p| p.1).max(crash).map_or(opened, |t| t.max(opened))
            };
            self.covered.push((opened, closed));
            self.dropped = Some(self.dropped.unwrap_or(0).saturating_add(info.dropped));
            let stamped: u64 =
                seen.map_or(0, |s| s.losses.iter().filter(|l| l.file == *number).map(|l| l.count).sum());
            // Losses after the last packet are in nothing but the segment's count.
            if info.dropped > stamped {
                let from = if stamped == 0 { opened } else { packets.map_or(opened, |p| p.1) };
                self.losses.push(LossSpan { from, to: closed, count: info.dropped - stamped });
            }
        }
    }

    /// Packets that were counted and not recorded, to spare the host: while that lasted an absence proves nothing. The
    /// ledger knows the second; without one it may have been at any time of a segment.
    fn shed(&mut self, input: &Input, id: PointId) {
        let Some(point) = input.points.get(id.0 as usize) else { return };
        let spans = input.ledger.point(&point.id).map(|l| l.spans.as_slice()).unwrap_or_default();
        let mut shed = spans.iter().filter(|span| span.shed > 0).peekable();
        if shed.peek().is_some() {
            self.losses.extend(shed.map(|span| LossSpan {
                from: span.begin().plus(-RING_NS),
                to: span.at,
                count: span.shed,
            }));
            return;
        }
        let mine = input.segments.iter().filter(|s| s.point == Some(id.0 as usize));
        let infos = mine.filter_map(|s| s.info.as_ref()).filter(|info| info.shed > 0);
        self.losses.extend(infos.map(|info| LossSpan {
            from: info.opened,
            to: info.closed,
            count: info.shed,
        }));
    }

    /// What the packets themselves say of losses before them.
    fn stamped(&mut self, seen: Option<&PointTraffic>) {
        let Some(seen) = seen else { return };
        let losses =
            seen.losses.iter().map(|l| LossSpan { from: l.from, to: l.to.plus(RING_NS), count: l.count });
        self.losses.extend(losses);
        let stamped: u64 = seen.losses.iter().map(|l| l.count).fold(0, u64::saturating_add);
        if stamped > self.dropped.unwrap_or(0) {
            self.dropped = Some(stamped);
        }
        // A bare file whose statistics name losses that no packet names: they may be anywhere.
        if let (Some(dropped), Some(span)) = (self.dropped, seen.span)
            && dropped > 0
            && self.losses.is_empty()
        {
            self.losses.push(LossSpan { from: span.0, to: span.1, count: dropped });
        }
    }

    fn settle(&mut self) {
        self.covered.sort_unstable();
        self.losses.sort_unstable();
        let mut joined: Vec<(Nanos, Nanos)> = Vec::new();
        for (from, to) in std::mem::take(&mut self.covered) {
            match joined.last_mut() {
                Some(last) if from.since(last.1) <= GAP_NS_MAX => last.1 = last.1.max(to),
                Some(last) => {
                    self.gaps.push((last.1, from));
                    joined.push((from, to));
                }
                None => joined.push((from, to)),
            }
        }
        self.covered = joined;
    }
}

#[cfg(test)]
mod tests;
