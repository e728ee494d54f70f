//! What each point saw and what the capture lost there: the ground every absence stands on.

use std::collections::BTreeMap;
use std::sync::Arc;

use netcap_bundle::Nanos;

use super::TableFold;
use crate::engine::CopyOf;
use crate::engine::points::FoldContext;
use crate::engine::{Fold, PacketView, PointId};
use crate::tables::cap::Cap;

/// Losses remembered per point; beyond it the last one grows.
const LOSSES_MAX: usize = 4_096;
/// Losses remembered of all points together.
const LOSSES_ALL_MAX: usize = 131_072;
/// Points counted: a host has hundreds, a file of very many interfaces is made up.
const POINTS_MAX: usize = 16_384;

/// A loss inside a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Loss {
    /// Last packet before it.
    pub from: Nanos,
    /// First packet after it.
    pub to: Nanos,
    /// Packets lost.
    pub count: u64,
    /// Number of the file in the input.
    pub file: u32,
}

/// What one point saw.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct PointTraffic {
    pub packets: u64,
    /// Their bytes on the wire.
    pub wire_bytes: u64,
    /// Earliest and latest stamp.
    pub span: Option<(Nanos, Nanos)>,
    /// Losses that the packets themselves state.
    pub losses: Vec<Loss>,
    /// Packets cut by the snapshot length.
    pub cut: u64,
    /// Copies among the packets, by whose they are.
    pub copies: BTreeMap<CopyOf, u64>,
    /// Losses that had to be joined to the one before them: between the two nothing is trusted.
    pub joined: u64,
    last: Nanos,
}

/// The finished table.
#[derive(Debug, Default)]
pub(crate) struct LossesTable {
    pub points: BTreeMap<PointId, PointTraffic>,
    /// Packets at further points.
    pub unseen: u64,
}

#[derive(Debug, Default)]
pub(crate) struct LossesFold {
    points: BTreeMap<PointId, PointTraffic>,
    /// The point of the packet before: most segments have one point.
    current: Option<(PointId, PointTraffic)>,
    /// Losses that may still be remembered.
    room: usize,
    sharers: usize,
    /// Packets at points beyond the table's size.
    unseen: u64,
}

impl Fold for LossesFold {
    fn start(context: &Arc<FoldContext>) -> Self {
        let sharers = context.sharers();
        Self { room: LOSSES_ALL_MAX / sharers, sharers, ..Self::default() }
    }

    fn packet(&mut self, packet: &PacketView<'_>) {
        if self.current.as_ref().is_none_or(|(point, _)| *point != packet.point) {
            self.park();
            let seen = self.points.remove(&packet.point).unwrap_or_default();
            self.current = Some((packet.point, seen));
        }
        if let Some((_, seen)) = &mut self.current {
            seen.take(packet, &mut self.room);
        }
    }

    fn merge(&mut self, mut later: Self) {
        later.park();
        self.park();
        self.room += LOSSES_ALL_MAX - LOSSES_ALL_MAX / self.sharers;
        self.sharers = 1;
        self.unseen += later.unseen;
        for (point, seen) in later.points {
            if self.points.len() < POINTS_MAX || self.points.contains_key(&point) {
                self.points.entry(point).or_default().join(seen, &mut self.room);
            } else {
                self.unseen += seen.packets;
            }
        }
    }
}

impl TableFold for LossesFold {
    type Table = LossesTable;

    fn finish(mut self) -> LossesTable {
        self.park();
        LossesTable { points: self.points, unseen: self.unseen }
    }

    fn given_up(table: &LossesTable) -> Vec<(Cap, u64)> {
        let joined = table.points.values().map(|seen| seen.joined).sum();
        vec![(Cap::Losses, joined), (Cap::Points, table.unseen)]
    }
}

impl LossesFold {
    fn park(&mut self) {
        let Some((point, seen)) = self.current.take() else { return };
        if self.points.len() < POINTS_MAX || self.points.contains_key(&point) {
            self.points.insert(point, seen);
        } else {
            self.unseen += seen.packets;
        }
    }
}

impl PointTraffic {
    fn take(&mut self, packet: &PacketView<'_>, room: &mut usize) {
        if packet.lost_before > 0 {
            let from = if self.packets == 0 { packet.at } else { self.last };
            self.lose(Loss { from, to: packet.at, count: packet.lost_before, file: packet.frame.file }, room);
        }
        self.packets += 1;
        self.wire_bytes += u64::from(packet.wire_len);
        self.cut += u64::from(packet.bytes.len() < packet.wire_len as usize);
        if let Some(of) = packet.copy {
            *self.copies.entry(of).or_default() += 1;
        }
        self.last = packet.at;
        let (first, last) = self.span.unwrap_or((packet.at, packet.at));
        self.span = Some((first.min(packet.at), last.max(packet.at)));
    }

    /// The first loss of a point is always remembered.
    fn lose(&mut self, loss: Loss, room: &mut usize) {
        if self.losses.is_empty() || (self.losses.len() < LOSSES_MAX && *room > 0) {
            *room = room.saturating_sub(1);
            self.losses.push(loss);
        } else if let Some(last) = self.losses.last_mut() {
            self.joined += 1;
            last.to = last.to.max(loss.to);
            last.count = last.count.saturating_add(loss.count);
        }
    }

    fn join(&mut self, later: Self, room: &mut usize) {
        self.packets += later.packets;
        self.wire_bytes += later.wire_bytes;
        self.cut += later.cut;
        self.joined += later.joined;
        for (of, count) in later.copies {
            *self.copies.entry(of).or_default() += count;
        }
        self.span = match (self.span, later.span) {
            (Some((a, b)), Some((c, d))) => Some((a.min(c), b.max(d))),
            (mine, other) => mine.or(other),
        };
        for loss in later.losses {
            self.lose(loss, room);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lossy(losses: u64, room: &mut usize) -> PointTraffic {
        let mut seen = PointTraffic::default();
        for n in 0..losses {
            let at = Nanos(i64::try_from(n).unwrap());
            seen.lose(Loss { from: at, to: at, count: 1, file: 0 }, room);
        }
        seen
    }

    #[test]
    fn losses_that_are_joined_are_counted() {
        let mut room = LOSSES_ALL_MAX;
        let mut seen = lossy(LOSSES_MAX as u64 + 3, &mut room);
        assert_eq!((seen.losses.len(), seen.joined), (LOSSES_MAX, 3));
        seen.join(lossy(2, &mut room), &mut room);
        assert_eq!(seen.joined, 5);
        assert_eq!(seen.losses.iter().map(|loss| loss.count).sum::<u64>(), LOSSES_MAX as u64 + 5);
        assert_eq!(lossy(3, &mut 0).joined, 2, "without room only the first is remembered");
    }

    #[test]
    fn points_beyond_the_table_are_counted() {
        let fold = |first: u32, count: u32| {
            let points = (first..first + count)
                .map(|n| (PointId(n), PointTraffic { packets: 2, ..PointTraffic::default() }));
            LossesFold { points: points.collect(), sharers: 1, room: 0, ..LossesFold::default() }
        };
        let most = u32::try_from(POINTS_MAX).unwrap();
        let mut all = fold(0, most - 1);
        all.merge(fold(most, 4));
        assert_eq!(all.finish().unseen, 6);
    }
}
