//! What a point did over many spans.

use crate::run::PointSpan;

/// Sums over spans.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sums {
    /// See [`PointSpan::received`].
    pub received: u64,
    /// See [`PointSpan::dropped`].
    pub dropped: u64,
    /// See [`PointSpan::written`].
    pub written: u64,
    /// See [`PointSpan::wire_bytes`].
    pub wire_bytes: u64,
    /// See [`PointSpan::shed`].
    pub shed: u64,
}

impl Sums {
    /// With one more line.
    pub(super) fn add(&mut self, span: &PointSpan) {
        self.received = self.received.saturating_add(span.received);
        self.dropped = self.dropped.saturating_add(span.dropped);
        self.written = self.written.saturating_add(span.written);
        self.wire_bytes = self.wire_bytes.saturating_add(span.wire_bytes);
        self.shed = self.shed.saturating_add(span.shed);
    }
}
