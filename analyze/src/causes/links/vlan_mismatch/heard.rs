//! Where a VLAN is heard, which is not that of the packets that die.

use crate::engine::PointId;
use crate::tables::runs::Sight;

/// A point where the destination, or the same traffic before, is heard in another VLAN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Heard {
    pub vlan: u16,
    pub point: PointId,
    /// In which frame.
    pub sight: Sight,
}
