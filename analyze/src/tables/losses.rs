//! What each point saw and what the capture lost there: the ground every absence stands on.

use std::collections::BTreeMap;
use std::sync::Arc;

use netcap_bundle::Nanos;

use crate::engine::points::Scene;
use crate::engine::{Fold, PacketView, PointId};

/// Losses remembered per point; beyond it the last one grows.
const LOSSES_MAX: usize = 4_096;
/// Losses remembered of all points together.
const LOSSES_ALL_MAX: usize = 131_072;
/// Points counted: a host has hundreds, a file of very many interfaces is made up.
const POINTS_MAX: usize = 16_384;

/// A loss inside a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loss {
    /// Last packet before it.
    pub from: Nanos,
    /// First packet after it.
    pub to: Nanos,
    /// Packets lost.
    pub count: u64,
    /// File it is in.
    pub file: u32,
}

/// What one point saw.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// Packets.
    pub packets: u64,
    /// Their bytes on the wire.
    pub wire_bytes: u64,
    /// Earliest and latest stamp.
    pub span: Option<(Nanos, Nanos)>,
    /// Losses told by the packets themselves.
    pub losses: Vec<Loss>,
    /// Packets cut by the snapshot length.
    pub cut: u64,
    last: Nanos,
}

/// The fold.
#[derive(Debug, Default)]
pub struct LossesFold {
    points: BTreeMap<PointId, Seen>,
    /// The point of the packet before: most segments have one point.
    current: Option<(PointId, Seen)>,
    /// Losses that may still be remembered.
    room: usize,
    sharers: usize,
}

impl Fold for LossesFold {
    fn start(scene: &Arc<Scene>) -> Self {
        let sharers = scene.sharers();
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
        for (point, seen) in later.points {
            if self.points.len() < POINTS_MAX || self.points.contains_key(&point) {
                self.points.entry(point).or_default().join(seen, &mut self.room);
            }
        }
    }
}

impl LossesFold {
    /// The finished table.
    pub fn finish(mut self) -> BTreeMap<PointId, Seen> {
        self.park();
        self.points
    }

    fn park(&mut self) {
        if let Some((point, seen)) = self.current.take()
            && (self.points.len() < POINTS_MAX || self.points.contains_key(&point))
        {
            self.points.insert(point, seen);
        }
    }
}

impl Seen {
    fn take(&mut self, packet: &PacketView<'_>, room: &mut usize) {
        if packet.lost_before > 0 {
            let from = if self.packets == 0 { packet.at } else { self.last };
            self.lose(Loss { from, to: packet.at, count: packet.lost_before, file: packet.frame.file }, room);
        }
        self.packets += 1;
        self.wire_bytes += u64::from(packet.wire_len);
        self.cut += u64::from(packet.bytes.len() < packet.wire_len as usize);
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
            last.to = last.to.max(loss.to);
            last.count = last.count.saturating_add(loss.count);
        }
    }

    fn join(&mut self, later: Self, room: &mut usize) {
        self.packets += later.packets;
        self.wire_bytes += later.wire_bytes;
        self.cut += later.cut;
        self.span = match (self.span, later.span) {
            (Some((a, b)), Some((c, d))) => Some((a.min(c), b.max(d))),
            (mine, other) => mine.or(other),
        };
        for loss in later.losses {
            self.lose(loss, room);
        }
    }
}
