//! What will be recorded: the points, the filters, how long and how much. Nothing here runs.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use netcap_bundle::{Nanos, Point};
use netcap_filters::Filter;

use crate::ui::units::Floor;
pub(crate) use select::{Selection, follow, fresh_id, select};

mod select;

/// Everything a run needs to know.
pub(crate) struct Plan {
    /// What is recorded.
    pub points: Vec<Point>,
    /// Addresses to ping.
    pub pings: Vec<IpAddr>,
    /// The compiled filter.
    pub filter: Filter,
    /// Filters of single interfaces, which replace the common one there.
    pub own: BTreeMap<String, Filter>,
    /// Bytes kept of each frame.
    pub snaplen: u32,
    /// Ring memory of all points.
    pub buffer: u64,
    /// Percent of one core it may take.
    pub cpu_limit: Option<u64>,
    /// Bytes of memory it may take.
    pub max_memory: Option<u64>,
    /// What the user named, when points may join.
    pub follow: Option<Selection>,
    /// When segments end.
    pub rotation: Rotation,
    /// How long.
    pub duration: Option<Duration>,
    /// At what time of the wall clock it ends.
    pub until: Option<Nanos>,
    /// After how many packets at all points together.
    pub max_packets: Option<u64>,
    /// Time between two rounds of host state.
    pub state_interval: Duration,
    /// How much of the disk may be used.
    pub space: Space,
    /// Directory for runs and bundles.
    pub out: PathBuf,
    /// Say nothing.
    pub quiet: bool,
    /// A tar is made in the end.
    pub bundle: bool,
    /// Names of the runs that are there already.
    pub taken: Vec<String>,
}

/// How much of the disk may be used, as the user said it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Space {
    /// Bytes of the run.
    pub max: u64,
    /// Bytes of everything in the output directory.
    pub total: Option<u64>,
    /// What stays free on the disk.
    pub floor: Floor,
}

/// When a segment ends and how it is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rotation {
    /// Compressed bytes after which the next segment begins.
    pub bytes: u64,
    /// Nanoseconds after which the next segment begins, also without packets.
    pub ns: i64,
    /// zstd level.
    pub level: i32,
}

impl Plan {
    /// Gives a point what the user wants of it: filter and length.
    pub(crate) fn apply_to(&self, point: &mut Point) {
        let filter = self.own.get(&point.iface).unwrap_or(&self.filter);
        filter.expression().trim().clone_into(&mut point.filter);
        let options = filter.options();
        point.no_vlan = options.vlan == netcap_filters::VlanMode::Literal;
        point.inner = options.inner;
        point.snaplen = self.snaplen;
    }
}

#[cfg(test)]
mod tests;
