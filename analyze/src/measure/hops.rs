//! `hops`: how long packets take from one capture point to the next, and how many overtake others.
//!
//! It measures and judges nothing: a packet that is followed from point to point is timed on every hop, in HDR histograms of
//! nanoseconds with three significant digits. It may lose or gain VLAN tags, be routed, translated, cut into segments or
//! joined on the way. On a busy host one packet in so many is followed, the same at every point (see `journeys`).
//!
//! Exonerated: packets that were lost on a hop (see `packet-loss`), which have no time there; copies, reflections and
//! segments sent again, which are kept apart and counted in `journeys`.
//!
//! Remedy: none, these are numbers; the hop with the longest times is where to look when something is slow.
//!
//! Sources: RFC 7679 (one-way delay), RFC 4737 section 3.3 (reordering).
//!
//! 中文：统计报文从一个抓包点到下一个抓包点的时延（百分位数）与乱序个数；只度量，不下结论。

use hdrhistogram::Histogram;
use netcap_bundle::packets::Direction;

use super::{Measure, Measurement};
use crate::tables::hops::Stop;
use crate::unit::Unit;
use crate::view::View;

/// The times of every hop, in order of points.
#[derive(Debug, Default)]
pub(crate) struct Hops(pub Vec<HopTimes>);

impl Measure for Hops {
    const MEASUREMENT: Measurement = Measurement {
        unit: Unit { id: "hops", severity: None, most: None, needs: &[], source: include_str!("hops.rs") },
        key: "hops",
        always: true,
    };

    fn of(view: &View<'_>) -> Self {
        let stop = |stop: Stop| (view.points.name(stop.point).to_owned(), stop.direction);
        let all = view.tables.hops.hops.iter().map(|hop| HopTimes {
            from: stop(hop.from),
            to: stop(hop.to),
            reordered: hop.reordered,
            histogram: hop.histogram.clone(),
        });
        Self(all.collect())
    }
}

/// The times of one hop: from a capture point to the next one.
#[derive(Debug, Clone)]
pub(crate) struct HopTimes {
    /// The point before it, and which way packets crossed it.
    pub from: (String, Direction),
    /// The point behind it.
    pub to: (String, Direction),
    /// Packets that overtook others on it.
    pub reordered: u64,
    /// Nanoseconds.
    pub histogram: Histogram<u64>,
}
