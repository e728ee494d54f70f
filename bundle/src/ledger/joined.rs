//! A ledger of any length in bounded memory: when it grows too long, neighbouring lines become one. Sums stay exact; what
//! is given up is when, within a longer span, something happened, and first where nothing happened.

use crate::run::{HostSpan, IfaceCounts, OvsDrops, PointSpan};

/// Lines in memory for all points together. A line takes some 200 bytes.
pub(super) const SPANS_MAX: usize = 200_000;
/// Lines that every point may keep, however many points there are.
const SPANS_MIN: usize = 32;

/// Characters of an interface's name; the kernel allows 15 (IFNAMSIZ, include/uapi/linux/if.h).
const NAME_MAX: usize = 64;

/// A line that can take the one behind it.
pub(super) trait Joins: Sized {
    /// Nothing was lost, and nothing changed, in this span: its exact time tells nothing.
    fn is_calm(&self) -> bool;

    /// Becomes the span of both.
    fn join(&mut self, later: Self);

    /// Cuts what may be of any length.
    fn clip(&mut self) {}
}

/// Lines, at most so many.
#[derive(Debug)]
pub(super) struct Kept<T> {
    pub lines: Vec<T>,
    /// Lines were joined to save memory.
    pub joined: bool,
    max: usize,
}

impl<T: Joins> Kept<T> {
    /// The share of one of that many ledgers.
    pub(super) fn share_of(ledgers: usize) -> Self {
        Self { lines: Vec::new(), joined: false, max: (SPANS_MAX / ledgers.max(1)).max(SPANS_MIN) }
    }

    pub(super) fn push(&mut self, mut line: T) {
        line.clip();
        if self.lines.len() >= self.max {
            self.joined = true;
            self.shrink(T::is_calm);
            if self.lines.len() > self.max / 4 * 3 {
                self.shrink(|_| true);
            }
        }
        self.lines.push(line);
    }

    /// Joins pairs of neighbours that both may be joined.
    fn shrink(&mut self, may: impl Fn(&T) -> bool) {
        let mut out: Vec<T> = Vec::with_capacity(self.max);
        let mut open = false;
        for line in std::mem::take(&mut self.lines) {
            match out.last_mut() {
                Some(last) if open && may(last) && may(&line) => {
                    last.join(line);
                    open = false;
                }
                _ => {
                    out.push(line);
                    open = true;
                }
            }
        }
        self.lines = out;
    }
}

impl Joins for PointSpan {
    fn is_calm(&self) -> bool {
        let iface = self.iface.unwrap_or_default();
        let ovs = self.ovs.unwrap_or_default();
        let lost = [
            self.dropped,
            iface.rx_dropped,
            iface.tx_dropped,
            iface.rx_errors,
            iface.tx_errors,
            ovs.rx_dropped,
            ovs.tx_dropped,
        ];
        !self.away && self.name.is_none() && lost.iter().all(|count| *count == 0)
    }

    fn join(&mut self, later: Self) {
        self.at = self.at.max(later.at);
        self.ms = self.ms.saturating_add(later.ms);
        self.received = self.received.saturating_add(later.received);
        self.dropped = self.dropped.saturating_add(later.dropped);
        self.written = self.written.saturating_add(later.written);
        self.wire_bytes = self.wire_bytes.saturating_add(later.wire_bytes);
        self.shed = self.shed.saturating_add(later.shed);
        self.filtered = both(self.filtered, later.filtered, u64::saturating_add);
        self.iface = both(self.iface, later.iface, IfaceCounts::plus);
        self.ovs = both(self.ovs, later.ovs, |a, b| OvsDrops {
            rx_dropped: a.rx_dropped.saturating_add(b.rx_dropped),
            tx_dropped: a.tx_dropped.saturating_add(b.tx_dropped),
        });
        self.name = later.name.or(self.name.take());
        self.away |= later.away;
    }

    fn clip(&mut self) {
        self.name = self.name.take().map(|name| name.chars().take(NAME_MAX).collect());
    }
}

impl Joins for HostSpan {
    fn is_calm(&self) -> bool {
        self.dropped == 0 && self.squeezed == 0 && self.upcalls_lost == 0
    }

    fn join(&mut self, later: Self) {
        self.at = self.at.max(later.at);
        self.ms = self.ms.saturating_add(later.ms);
        self.processed = self.processed.saturating_add(later.processed);
        self.dropped = self.dropped.saturating_add(later.dropped);
        self.squeezed = self.squeezed.saturating_add(later.squeezed);
        self.upcalls = both(self.upcalls, later.upcalls, u64::saturating_add);
        self.upcalls_lost = self.upcalls_lost.saturating_add(later.upcalls_lost);
    }
}

/// The sum, or the one that is there.
fn both<T>(a: Option<T>, b: Option<T>, add: impl FnOnce(T, T) -> T) -> Option<T> {
    match (a, b) {
        (Some(a), Some(b)) => Some(add(a, b)),
        (a, b) => a.or(b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Nanos;
    use crate::ledger::PointLedger;

    #[test]
    fn sums_and_the_times_of_losses_survive() {
        let mut kept = Kept::share_of(SPANS_MAX / 64);
        for n in 0..10_000u64 {
            let dropped = u64::from(n == 7_000);
            let at = Nanos(i64::try_from(n).unwrap());
            kept.push(PointSpan {
                at,
                ms: 1,
                received: 2 + dropped,
                dropped,
                written: 2,
                ..PointSpan::default()
            });
        }
        assert!(kept.lines.len() <= 64 && kept.joined);
        let lossy: Vec<_> = kept.lines.iter().filter(|s| s.dropped > 0).collect();
        assert_eq!(lossy.len(), 1);
        assert_eq!((lossy[0].at, lossy[0].ms), (Nanos(7_000), 1), "its time is as exact as it was");
        let ledger = PointLedger { spans: kept.lines, ..PointLedger::default() };
        assert_eq!((ledger.sums().received, ledger.sums().dropped), (20_001, 1));
        assert!(ledger.spans.is_sorted_by_key(|s| s.at));
    }

    #[test]
    fn a_ledger_of_nothing_but_losses_is_bounded_too() {
        let mut kept = Kept::share_of(SPANS_MAX / 64);
        for n in 0..10_000 {
            kept.push(PointSpan { at: Nanos(n), dropped: 1, ..PointSpan::default() });
        }
        assert!(kept.lines.len() <= 64);
        assert_eq!(kept.lines.iter().map(|s| s.dropped).sum::<u64>(), 10_000);
    }
}
