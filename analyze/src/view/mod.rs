//! What a detector may look at.

mod read;

use netcap_bundle::input::Input;
use netcap_bundle::packets::Direction;
use netcap_bundle::topology::{SwitchKind, Topology};
use netcap_bundle::{Mac, Nanos};
use netcap_words::wire::ip_protocol::TCP;

use crate::engine::points::FoldContext;
use crate::engine::{FileStats, FrameRef, PointId, Points};
use crate::fidelity::Fidelity;
use crate::finding::Evidence;
use crate::host::bonds::Bonds;
use crate::host::exits::SwitchPoints;
use crate::host::{self, Host};
use crate::tables::Tables;
use crate::tables::runs::Sight;
use crate::text::Text;

pub(crate) use read::read;

/// One input after the pass: tables, points, how far they can be trusted, and the recorded host.
#[derive(Debug)]
pub(crate) struct View<'a> {
    /// The input: state and pings.
    pub input: &'a Input,
    /// Tables of the pass.
    pub tables: &'a Tables,
    /// Capture points.
    pub points: &'a Points,
    /// Packet files.
    pub files: &'a [FileStats],
    /// Trust.
    pub fidelity: Fidelity,
    pub host: Host,
    /// Bonds over time.
    pub bonds: Bonds,
    /// Access VLANs and domains as the folds saw them.
    pub context: std::sync::Arc<FoldContext>,
}

impl View<'_> {
    /// The access VLAN of a point, 0 when it has none.
    pub(crate) fn access_vlan(&self, point: PointId) -> u16 {
        self.context.access_vlan(point)
    }

    /// Pings are in the packets or in a log.
    pub(crate) fn has_echo(&self) -> bool {
        self.tables.journeys.journeys.iter().any(|j| j.key.protocol != TCP)
            || self.input.pings.iter().any(|log| !log.records.is_empty())
    }

    /// The switches with the points that are recorded at them.
    pub(crate) fn switch_points(&self) -> SwitchPoints<'_> {
        self.switch_points_of(self.host.topology(), None)
    }

    /// The same as they were at that time.
    pub(crate) fn switch_points_at(&self, at: Nanos) -> SwitchPoints<'_> {
        self.switch_points_of(self.host.topology_at(at), Some(at))
    }

    fn switch_points_of<'a>(&'a self, topology: &'a Topology, at: Option<Nanos>) -> SwitchPoints<'a> {
        SwitchPoints { points: self.points, topology, presence: &self.host.presence, at }
    }

    /// The switch is the kernel's bridge, not Open vSwitch.
    pub(crate) fn is_kernel_bridge(&self, switch: &str) -> bool {
        let known = self.host.topology().switch(switch);
        known.is_some_and(|switch| switch.kind == SwitchKind::LinuxBridge)
    }

    /// Where a MAC sits that was seen at these points.
    pub(crate) fn place(&self, mac: Mac, seen: &[(PointId, Direction)]) -> Text {
        host::place(&self.host, &self.bonds, self.points, mac, seen)
    }

    /// The name of a frame's file.
    pub(crate) fn file(&self, frame: FrameRef) -> &str {
        self.files.get(frame.file as usize).map_or("?", |f| f.name.as_str())
    }

    /// A frame as evidence.
    pub(crate) fn frame(&self, sight: Sight, point: PointId, what: Text) -> Evidence {
        Evidence::Frame {
            file: self.file(sight.frame).to_owned(),
            number: sight.frame.number,
            at: sight.at,
            point: self.points.name(point).to_owned(),
            what,
        }
    }

    /// An absence as evidence.
    pub(crate) fn absence(&self, point: PointId, from: Nanos, to: Nanos, what: Text) -> Evidence {
        Evidence::Absence { point: self.points.name(point).to_owned(), from, to, what }
    }
}
