//! Deaths in whose time something counted drops.

use super::Death;
use crate::finding::Evidence;
use crate::host::growth::{Dropper, Growth};
use crate::text::Text;

/// A packet is counted that much after it was captured where it entered, at most.
const SLACK_NS: i64 = 100_000_000;
/// A counter counted the deaths of its time when it grew by at least this part of them, in percent: what is dropped as one
/// may have been several packets before.
const COUNTED_PERCENT_MIN: u64 = 50;

/// The deaths in whose time it dropped at least about as many packets, with the growth of each time. They are given, and
/// come back, in order of time.
pub(crate) fn counted<'d>(dropper: &'d Dropper, deaths: &[Death]) -> (Vec<Death>, Vec<&'d Growth>) {
    let (mut out, mut growths) = (Vec::new(), Vec::new());
    // A death belongs to the first growth that covers it: the slack makes times overlap.
    let mut taken = 0;
    for growth in &dropper.growths {
        let from = deaths.partition_point(|death| death.at <= growth.from.plus(-SLACK_NS)).max(taken);
        let to = deaths.partition_point(|death| death.at <= growth.to);
        let died = deaths.get(from..to).unwrap_or_default();
        let count: u64 = died.iter().map(|death| death.packets).sum();
        if !died.is_empty() && growth.by() * 100 >= count * COUNTED_PERCENT_MIN {
            out.extend_from_slice(died);
            growths.push(growth);
            taken = to;
        }
    }
    (out, growths)
}

/// It counted all of them.
pub(crate) fn all_counted(died: &[Death], growths: &[&Growth]) -> bool {
    let grew: u64 = growths.iter().map(|growth| growth.by()).sum();
    grew >= died.iter().map(|death| death.packets).sum()
}

/// How the counter grew at first, what it is of, and how it grew then.
pub(crate) fn drop_evidence(
    dropper: &Dropper,
    growths: &[&Growth],
    grew: &Text,
    what: Text,
) -> Vec<Evidence> {
    let counter = |growth: &&Growth| Evidence::Counter {
        name: "dropped".to_owned(),
        before: growth.before,
        after: growth.after,
        from: growth.from,
        to: growth.to,
        what: grew.clone(),
    };
    let line = Evidence::Snapshot {
        file: dropper.file.clone(),
        at: Some(dropper.at),
        line: dropper.line.clone(),
        what,
    };
    let mut out: Vec<Evidence> = growths.iter().map(counter).collect();
    out.insert(out.len().min(1), line);
    out
}
