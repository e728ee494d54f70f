//! Whether the sums of a run agree.

use super::{Ledger, Sums};
use crate::run::Manifest;

impl Ledger {
    /// Where the sums of a run do not agree, one sentence for each place: received = written + dropped + shed, and the ledger
    /// says the same as the segments, those included that were removed to keep to the disk budget.
    pub(crate) fn imbalances(&self, manifest: &Manifest) -> Vec<String> {
        let mut out = Vec::new();
        for count in &manifest.counts {
            let point = &count.point;
            let gone = manifest.pruned.iter().find(|gone| gone.point == *point);
            let with = |kept: u64, gone: Option<u64>| kept.saturating_add(gone.unwrap_or(0));
            let segments = Sums {
                received: with(count.received, gone.map(|g| g.received)),
                dropped: with(count.dropped, gone.map(|g| g.dropped)),
                written: with(count.written, gone.map(|g| g.packets)),
                wire_bytes: with(count.wire_bytes, gone.map(|g| g.wire_bytes)),
                shed: with(count.shed, gone.map(|g| g.shed)),
            };
            let sum = segments.written.saturating_add(segments.dropped).saturating_add(segments.shed);
            if segments.received != sum {
                out.push(format!(
                    "{point}: the kernel counted {} packets, but {} were written, {} dropped and {} shed: {} are unaccounted for",
                    segments.received,
                    segments.written,
                    segments.dropped,
                    segments.shed,
                    segments.received.abs_diff(sum)
                ));
            }
            let Some(ledger) = self.point(point) else { continue };
            let sums = ledger.sums();
            if sums != segments {
                out.push(format!(
                    "{point}: ledger and segments disagree: received {} / {}, dropped {} / {}, written {} / {}, \
                     bytes {} / {}",
                    sums.received,
                    segments.received,
                    sums.dropped,
                    segments.dropped,
                    sums.written,
                    segments.written,
                    sums.wire_bytes,
                    segments.wire_bytes
                ));
            }
        }
        out
    }
}
