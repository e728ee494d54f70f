//! All lines (offset, slope) that satisfy the constraints so far: a convex polygon, cut by one half-plane after another.

/// How fast a clock may run against another: the kernel lets `adjtimex` change the tick by a tenth (kernel/time/ntp.c).
const SLOPE_MAX: f64 = 0.1;

/// A convex polygon of lines; offsets in nanoseconds, slopes without unit.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Polygon {
    corners: Vec<(f64, f64)>,
}

impl Polygon {
    /// Every line a clock may follow whose constraints lie between `low` and `high` over a time of `span` around zero.
    pub(super) fn new(low: f64, high: f64, span: f64) -> Self {
        let margin = SLOPE_MAX * span + 1e9;
        let (low, high) = (low - margin, high + margin);
        Self { corners: vec![(low, -SLOPE_MAX), (high, -SLOPE_MAX), (high, SLOPE_MAX), (low, SLOPE_MAX)] }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.corners.is_empty()
    }

    /// Keeps the lines that at the time `at` are at most (or at least) `value`.
    pub(super) fn cut(&mut self, at: f64, value: f64, at_most: bool) {
        let inside = |(offset, slope): (f64, f64)| {
            let room = value - (offset + slope * at);
            if at_most { room } else { -room }
        };
        let mut kept = Vec::with_capacity(self.corners.len() + 1);
        for (index, corner) in self.corners.iter().enumerate() {
            let next = self.corners.get(index + 1).or(self.corners.first()).unwrap_or(corner);
            let (here, there) = (inside(*corner), inside(*next));
            if here >= 0.0 {
                kept.push(*corner);
            }
            if (here > 0.0 && there < 0.0) || (here < 0.0 && there > 0.0) {
                let share = here / (here - there);
                kept.push((corner.0 + (next.0 - corner.0) * share, corner.1 + (next.1 - corner.1) * share));
            }
        }
        self.corners = kept;
    }

    /// Least and most value of the lines at a time.
    pub(super) fn range(&self, at: f64) -> (f64, f64) {
        bounds(self.corners.iter().map(|(offset, slope)| offset + slope * at))
    }

    /// Least and most slope.
    pub(super) fn slopes(&self) -> (f64, f64) {
        bounds(self.corners.iter().map(|(_, slope)| *slope))
    }
}

fn bounds(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)))
}
