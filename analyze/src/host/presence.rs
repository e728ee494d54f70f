//! When each point was there, as the recorder noticed it: machines come and go, and their ports with them.

use std::collections::BTreeMap;

use netcap_bundle::Nanos;
use netcap_bundle::input::Input;
use netcap_bundle::run::ChangeKind;

use crate::engine::PointId;

/// When a point came and went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Stay {
    /// It joined then; `None`: it was there from the start.
    pub joined: Option<Nanos>,
    /// Its interface was gone then; `None`: it was there to the end.
    pub left: Option<Nanos>,
}

impl Stay {
    /// It was there at that time.
    pub(crate) fn covers(self, at: Nanos) -> bool {
        self.joined.is_none_or(|joined| joined <= at) && self.left.is_none_or(|left| at < left)
    }
}

/// The stay of every point that was not there all the time.
#[derive(Debug, Clone, Default)]
pub(crate) struct Presence(BTreeMap<PointId, Stay>);

impl Presence {
    /// Reads what the recorder noticed.
    pub(crate) fn read(input: &Input) -> Self {
        let ids: BTreeMap<&str, u32> =
            input.points.iter().zip(0u32..).map(|(point, index)| (point.id.as_str(), index)).collect();
        let mut stays: BTreeMap<PointId, Stay> = BTreeMap::new();
        for change in &input.changes {
            let (id, joined) = match &change.what {
                ChangeKind::Joined { point } => (point.id.as_str(), true),
                ChangeKind::Left { id } => (id.as_str(), false),
                ChangeKind::Renamed { .. } => continue,
            };
            let Some(index) = ids.get(id) else { continue };
            let stay = stays.entry(PointId(*index)).or_default();
            if joined {
                stay.joined = Some(change.at);
            } else {
                stay.left = Some(change.at);
            }
        }
        Self(stays)
    }

    /// When some point came or went.
    pub(crate) fn changes(&self) -> impl Iterator<Item = Nanos> {
        self.0.values().flat_map(|stay| [stay.joined, stay.left]).flatten()
    }

    /// When the point was there.
    pub(crate) fn of(&self, point: PointId) -> Stay {
        self.0.get(&point).copied().unwrap_or_default()
    }

    /// The point was there at that time.
    pub(crate) fn is_there(&self, point: PointId, at: Nanos) -> bool {
        self.of(point).covers(at)
    }
}
