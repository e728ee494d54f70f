//! `journeys`: how the packets fared that were followed from capture point to capture point.
//!
//! It measures and judges nothing: how many sightings were followed, how many TCP segments were sent again and between whom,
//! which packets came twice in one direction at a point (copies), and which the network returned (reflections). When there
//! are more packets than fit, one in so many is followed, chosen by what does not change on the way, so that it is the same
//! one at every point.
//!
//! Exonerated: one packet seen at several points is neither a copy nor sent again; keep-alives carry nothing new.
//!
//! Remedy: none, these are numbers; segments sent again show who suffers, copies and reflections where frames are doubled or
//! come back.
//!
//! Sources: RFC 9293 section 3.8.1 (retransmission); RFC 4737 and RFC 5560 (reordering, duplicates).
//!
//! 中文：统计所跟踪报文的重传、重复与反射；只度量，不下结论。

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::{Measure, Measurement};
use crate::tables::hops::Stop;
use crate::unit::Unit;
use crate::view::View;

/// TCP segments of one pair of addresses that were sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Resent {
    /// Who sent them.
    pub src: IpAddr,
    /// To whom.
    pub dst: IpAddr,
    /// How many.
    pub segments: u64,
}

/// How the packets fared that were followed from point to point.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct JourneyCounts {
    /// Sightings of followed packets, at all points.
    pub followed: u64,
    /// One packet in so many was followed.
    pub one_in: u64,
    /// TCP segments sent again, counted where they were first seen.
    pub retransmissions: u64,
    /// The same by source and destination, the most first.
    pub resent: Vec<Resent>,
    /// The same packet twice at a point in one direction: point and count.
    pub copies: Vec<(String, u64)>,
    /// Packets that the network returned: the point they came back at, and count.
    pub reflections: Vec<(String, u64)>,
}

impl Measure for JourneyCounts {
    const MEASUREMENT: Measurement = Measurement {
        unit: Unit {
            id: "journeys",
            severity: None,
            most: None,
            needs: &[],
            source: include_str!("journeys.rs"),
        },
        key: "journeys",
        always: true,
    };

    fn of(view: &View<'_>) -> Self {
        let table = &view.tables.hops;
        let by_point = |counts: &BTreeMap<Stop, u64>| {
            let mut out: BTreeMap<String, u64> = BTreeMap::new();
            for (stop, count) in counts {
                *out.entry(view.points.name(stop.point).to_owned()).or_default() += count;
            }
            out.into_iter().collect()
        };
        let pairs = table.counts.resent.iter();
        let mut resent: Vec<Resent> = pairs
            .map(|((src, dst), segments)| Resent { src: *src, dst: *dst, segments: *segments })
            .collect();
        resent.sort_by_key(|pair| (std::cmp::Reverse(pair.segments), pair.src, pair.dst));
        Self {
            followed: table.followed,
            one_in: table.one_in,
            retransmissions: table.counts.retransmissions,
            resent,
            copies: by_point(&table.counts.copies),
            reflections: by_point(&table.counts.reflections),
        }
    }
}
