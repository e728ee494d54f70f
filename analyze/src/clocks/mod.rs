//! How far the clocks of two hosts are apart, from packets seen at both.
//!
//! A packet arrives after it left, so each one from A to B bounds the offset from above and each one from B to A from
//! below. All straight lines (offset and drift) that keep every one-way delay positive form a convex polygon: the linear
//! program of Moon, Skelly and Towsley, "Estimation and removal of clock skew from network delay measurements" (IEEE
//! INFOCOM 1999), whose constraints are the two convex hulls of Zhang, Liu and Xia, "Clock synchronization algorithms for
//! network measurements" (IEEE INFOCOM 2002). What is stated is that polygon: the offset lies within a bound, which is
//! half of the sum of the least one-way delays when the drift is known. How the two delays share that sum cannot be
//! known from the packets, so no one-way verdict is finer than the bound.
//!
//! When no line fits any more, a clock was stepped or slewed: the time before and after are estimated apart.

pub(crate) mod floods;
mod polygon;
pub(crate) mod timeline;

use netcap_bundle::Nanos;
use polygon::Polygon;

/// Pieces with a rate of their own; with more, the clocks do not keep a rate and nothing is said.
const STRETCHES_MAX: usize = 8;
/// Packets each way that a stretch needs.
const POINTS_MIN: usize = 3;
/// Only the tightest packet of each direction counts in a stretch of this length.
const BUCKET_NS: i64 = 50_000_000;

/// Which way a packet went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Way {
    /// From A to B.
    AtoB,
    /// From B to A.
    BtoA,
}

/// One packet seen at both hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Crossing {
    /// A's stamp: of leaving when it went to B, of arriving else.
    pub a: Nanos,
    /// B's stamp.
    pub b: Nanos,
    /// Which way it went.
    pub way: Way,
}

impl Crossing {
    /// B's stamp less A's: the offset plus the delay to B, or less the delay from B.
    fn difference(&self) -> i64 {
        self.b.0.saturating_sub(self.a.0)
    }
}

/// A stretch in which both clocks kept their rates.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Stretch {
    /// First and last packet, by A's clock.
    pub from: Nanos,
    /// See `from`.
    pub to: Nanos,
    /// Packets from A to B and from B to A.
    pub packets: (usize, usize),
    /// Nanoseconds that are taken off every difference before it is computed with.
    base: i64,
    polygon: Polygon,
}

/// What can be said of two clocks.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ClockRelation {
    /// Stretches in order of time; more than one when a clock was set in between.
    Known(Vec<Stretch>),
    /// All packets went one way: B is at most (A to B) or at least (B to A) this much ahead of A, in nanoseconds.
    OneSided {
        way: Way,
        /// The bound.
        ahead_ns: i64,
        packets: usize,
    },
    /// No packet was seen at both, or too few.
    TooFew,
    /// The clocks do not keep a rate.
    Unsteady,
}

impl Stretch {
    /// Middle of the stretch.
    pub(crate) fn middle(&self) -> Nanos {
        Nanos(self.from.0 + (self.to.0 - self.from.0) / 2)
    }

    /// How far B is ahead of A at a time of A's clock: least and most, in nanoseconds.
    pub(crate) fn ahead_ns(&self, at: Nanos) -> (i64, i64) {
        let (low, high) = self.polygon.range(at.since(self.middle()) as f64);
        // Outwards, so that rounding never makes the statement finer than it is.
        (self.base.saturating_add(rounded(low.floor())), self.base.saturating_add(rounded(high.ceil())))
    }

    /// Offset and bound in the middle, in nanoseconds.
    pub(crate) fn offset_ns(&self) -> (i64, i64) {
        let (low, high) = self.ahead_ns(self.middle());
        (low + (high - low) / 2, (high - low + 1) / 2)
    }

    /// How much faster B's clock runs, least and most, in parts per million.
    pub(crate) fn drift_ppm(&self) -> (f64, f64) {
        let (low, high) = self.polygon.slopes();
        (low * 1e6, high * 1e6)
    }

    /// The one-way delay of a packet, least and most, in nanoseconds.
    pub(crate) fn delay_ns(&self, crossing: &Crossing) -> (i64, i64) {
        let (low, high) = self.ahead_ns(crossing.a);
        let difference = crossing.difference();
        match crossing.way {
            Way::AtoB => (difference.saturating_sub(high), difference.saturating_sub(low)),
            Way::BtoA => (low.saturating_sub(difference), high.saturating_sub(difference)),
        }
    }
}

/// A float of at most some 10^15 as nanoseconds.
#[allow(clippy::cast_possible_truncation)] // saturates, and the polygon is bounded far below
fn rounded(value: f64) -> i64 {
    value as i64
}

/// Compares two clocks. The packets may be in any order.
pub(crate) fn compare(crossings: &[Crossing]) -> ClockRelation {
    let mut points = tightest(crossings);
    points.sort_by_key(|point| (point.a, point.way, point.b));
    let count = |way: Way| points.iter().filter(|point| point.way == way).count();
    match (count(Way::AtoB), count(Way::BtoA)) {
        (0, 0) => return ClockRelation::TooFew,
        (packets, 0) => return one_sided(&points, Way::AtoB, packets),
        (0, packets) => return one_sided(&points, Way::BtoA, packets),
        _ => {}
    }
    let mut stretches = Vec::new();
    let mut rest = points.as_slice();
    while !rest.is_empty() {
        let (length, stretch) = longest(rest);
        stretches.extend(stretch);
        if stretches.len() > STRETCHES_MAX {
            return ClockRelation::Unsteady;
        }
        rest = rest.get(length..).unwrap_or_default();
    }
    if stretches.is_empty() { ClockRelation::TooFew } else { ClockRelation::Known(stretches) }
}

/// In each short stretch the packets of least delay, one each way: only they bound anything.
fn tightest(crossings: &[Crossing]) -> Vec<Crossing> {
    let mut sorted: Vec<Crossing> = crossings.to_vec();
    sorted.sort_by_key(|c| (c.a.0.div_euclid(BUCKET_NS), c.way, c.difference(), c.a));
    let mut out: Vec<Crossing> = Vec::new();
    for group in
        sorted.chunk_by(|x, y| x.a.0.div_euclid(BUCKET_NS) == y.a.0.div_euclid(BUCKET_NS) && x.way == y.way)
    {
        let best = match group.first().map(|c| c.way) {
            Some(Way::AtoB) => group.first(),
            _ => group.last(),
        };
        out.extend(best);
    }
    out
}

fn one_sided(points: &[Crossing], way: Way, packets: usize) -> ClockRelation {
    let differences = points.iter().map(Crossing::difference);
    let bound = match way {
        Way::AtoB => differences.min(),
        Way::BtoA => differences.max(),
    };
    bound.map_or(ClockRelation::TooFew, |ahead_ns| ClockRelation::OneSided { way, ahead_ns, packets })
}

/// As many packets from the first on as one line fits, and their stretch when they bound it on both sides.
fn longest(points: &[Crossing]) -> (usize, Option<Stretch>) {
    let fits = |length: usize| points.get(..length).and_then(fit);
    // Fitting is monotonous: what fits many fits few.
    let (mut good, mut bad) = (1, points.len() + 1);
    while bad - good > 1 {
        let middle = good + (bad - good) / 2;
        if fits(middle).is_some() { good = middle } else { bad = middle }
    }
    let stretch =
        fits(good).filter(|stretch| stretch.packets.0 >= POINTS_MIN && stretch.packets.1 >= POINTS_MIN);
    (good, stretch)
}

/// The lines that fit all of these.
fn fit(points: &[Crossing]) -> Option<Stretch> {
    let (from, to) = (points.first()?.a, points.last()?.a);
    let middle = Nanos(from.0 + (to.0 - from.0) / 2);
    let base = points.first()?.difference();
    let relative =
        |point: &Crossing| (point.a.since(middle) as f64, point.difference().saturating_sub(base) as f64);
    let (mut low, mut high) = (0.0_f64, 0.0_f64);
    for (_, difference) in points.iter().map(relative) {
        (low, high) = (low.min(difference), high.max(difference));
    }
    let mut polygon = Polygon::new(low, high, to.since(from) as f64);
    for point in points {
        let (at, difference) = relative(point);
        polygon.cut(at, difference, point.way == Way::AtoB);
        if polygon.is_empty() {
            return None;
        }
    }
    let count = |way: Way| points.iter().filter(|point| point.way == way).count();
    Some(Stretch { from, to, packets: (count(Way::AtoB), count(Way::BtoA)), base, polygon })
}

#[cfg(test)]
mod tests;
