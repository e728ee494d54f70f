//! Frames that were not understood, by point and reason: nobody looked at what is in them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::TableFold;
use crate::engine::points::FoldContext;
use crate::engine::{Fold, Opaque, PacketView, PointId};
use crate::tables::cap::Cap;

/// Reasons kept, over all points: a capture of real machines has few.
const KEYS_MAX: usize = 16_384;

/// Where, and why.
type Key = (PointId, Opaque);

#[derive(Debug)]
pub(crate) struct OpaqueFold {
    frames: BTreeMap<Key, u64>,
    most: usize,
    overflow: u64,
}

/// The finished table.
#[derive(Debug, Default)]
pub(crate) struct OpaqueTable {
    /// Frames by point and reason.
    pub frames: BTreeMap<Key, u64>,
    /// Frames not kept.
    pub overflow: u64,
}

impl OpaqueTable {
    /// Frames of a point that were not understood.
    pub(crate) fn at(&self, point: PointId) -> u64 {
        let mine = self.frames.iter().filter(|((at, _), _)| *at == point);
        mine.map(|(_, count)| *count).fold(0, u64::saturating_add)
    }
}

impl Fold for OpaqueFold {
    fn start(context: &Arc<FoldContext>) -> Self {
        Self { frames: BTreeMap::new(), most: KEYS_MAX / context.sharers(), overflow: 0 }
    }

    fn packet(&mut self, packet: &PacketView<'_>) {
        if Opaque::may_be(&packet.net)
            && let Some(why) = Opaque::of(packet.link, packet.bytes, packet.wire_len, &packet.net)
        {
            self.add((packet.point, why), 1);
        }
    }

    fn merge(&mut self, later: Self) {
        self.most = KEYS_MAX;
        self.overflow = self.overflow.saturating_add(later.overflow);
        for (key, count) in later.frames {
            self.add(key, count);
        }
    }
}

impl TableFold for OpaqueFold {
    type Table = OpaqueTable;

    fn finish(self) -> OpaqueTable {
        OpaqueTable { frames: self.frames, overflow: self.overflow }
    }

    fn given_up(table: &OpaqueTable) -> Vec<(Cap, u64)> {
        vec![(Cap::Opaque, table.overflow)]
    }
}

impl OpaqueFold {
    fn add(&mut self, key: Key, count: u64) {
        if let Some(mine) = self.frames.get_mut(&key) {
            *mine = mine.saturating_add(count);
        } else if self.frames.len() < self.most {
            self.frames.insert(key, count);
        } else {
            self.overflow = self.overflow.saturating_add(count);
        }
    }
}
