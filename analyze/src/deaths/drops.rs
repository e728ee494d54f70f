//! Deaths in whose time something counted drops.

use super::Death;
use crate::host::growth::{Dropper, Growth};

/// A packet is counted that much after it was captured where it entered, at most.
const SLACK_NS: i64 = 100_000_000;
/// A counter counted the deaths of its time when it grew by at least this part of them, in percent: what is dropped as one
/// may have been several packets before.
const COUNTED_PERCENT_MIN: u64 = 50;

/// The deaths in whose time it dropped at least about as many packets, with the growth of each time.
pub(crate) fn counted<'d>(dropper: &'d Dropper, deaths: &[Death]) -> (Vec<Death>, Vec<&'d Growth>) {
    let (mut out, mut growths) = (Vec::new(), Vec::new());
    for growth in &dropper.growths {
        let inside = |death: &&Death| growth.from.plus(-SLACK_NS) < death.at && death.at <= growth.to;
        let mut died: Vec<Death> = deaths.iter().filter(inside).copied().collect();
        died.retain(|death| !out.contains(death));
        let count: u64 = died.iter().map(|death| death.packets).sum();
        if !died.is_empty() && growth.by() * 100 >= count * COUNTED_PERCENT_MIN {
            out.append(&mut died);
            growths.push(growth);
        }
    }
    (out, growths)
}
