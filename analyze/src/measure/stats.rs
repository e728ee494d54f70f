//! Counts of an input and of its capture points.

use netcap_bundle::Nanos;

use crate::engine::FileStats;
use crate::view::View;

/// Counts of one input.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stats {
    /// Packets in all files.
    pub packets: u64,
    /// Capture points.
    pub points: Vec<PointStats>,
    /// Packet files.
    pub files: Vec<FileStats>,
}

impl Stats {
    /// Of what was read.
    pub(crate) fn of(view: &View<'_>) -> Self {
        let (points, files) = (view.points, view.files);
        let points = points
            .iter()
            .map(|(id, info)| {
                let seen = view.tables.losses.points.get(&id);
                let fidelity = view.fidelity.point(id);
                PointStats {
                    name: info.name.clone(),
                    role: info.role.word(),
                    vswitch: info.vswitch.clone(),
                    filter: info.filter.clone(),
                    snaplen: info.snaplen,
                    packets: seen.map_or(0, |s| s.packets),
                    wire_bytes: seen.map_or(0, |s| s.wire_bytes),
                    cut: seen.map_or(0, |s| s.cut),
                    dropped: fidelity.and_then(|f| f.dropped),
                    first: seen.and_then(|s| s.span).map(|s| s.0),
                    last: seen.and_then(|s| s.span).map(|s| s.1),
                }
            })
            .collect();
        Self { packets: files.iter().map(|f| f.packets).sum(), points, files: files.to_vec() }
    }
}

/// Counts of one capture point.
#[derive(Debug, Clone)]
pub(crate) struct PointStats {
    /// Interface.
    pub name: String,
    /// What it is to the host.
    pub role: &'static str,
    /// Its switch.
    pub vswitch: Option<String>,
    pub filter: String,
    /// Bytes kept of each frame, 0 when not said.
    pub snaplen: u32,
    /// Packets read.
    pub packets: u64,
    /// Their bytes on the wire.
    pub wire_bytes: u64,
    /// Packets cut by the snapshot length.
    pub cut: u64,
    /// Packets lost; `None` when nothing says.
    pub dropped: Option<u64>,
    /// Earliest stamp.
    pub first: Option<Nanos>,
    /// Latest stamp.
    pub last: Option<Nanos>,
}
