//! One interface that is recorded: the thread from its ring to its segments, its numbers, and what it reports.

use std::fmt;

use netcap_bundle::Point;

pub(crate) mod counters;
mod cutting;
pub(crate) mod event;
pub(crate) mod recorder;
pub(crate) mod segments;
pub(crate) mod watchdog;

/// The name of a point in the bundle. The interface's own name may change, and another one may get it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PointId(String);

impl From<&Point> for PointId {
    fn from(point: &Point) -> Self {
        Self(point.id.clone())
    }
}

impl fmt::Display for PointId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
