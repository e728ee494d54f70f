//! Packets that are one everywhere: matched one by one.

use super::hop::{CROSSING_NS, Crossing, Hop, Passage};
use super::sighting::Sighting;
use super::table::{LostPacket, Passed};

/// Matches the packets of a flow over one hop; `singles` is sorted by content and time.
pub(super) fn cross(singles: &[Sighting], hop: &Hop, crossing: &mut Crossing) {
    for group in singles.chunk_by(|a, b| a.content == b.content) {
        // The last one sent is the one that is seen: what was sent before it and not seen by then is lost.
        let mut open: Vec<&Sighting> = Vec::new();
        for sighting in group.iter().filter(|s| !s.is_repeat()) {
            let stop = sighting.stop();
            if stop == hop.from {
                open.push(sighting);
            } else if hop.to.contains(&stop)
                && let Some(sent) = open.pop_if(|sent| sighting.at.since(sent.at) <= CROSSING_NS)
            {
                let sent = Passed { at: sent.at, facts: sent.facts };
                crossing.passed.push(Passage { to: stop, seen: sighting.at, sent });
            }
        }
        crossing.lost.extend(open.into_iter().map(|s| LostPacket {
            at: s.at,
            frame: s.frame(),
            packets: 1,
            bytes: 0,
            flow: s.flow,
            content: s.content,
            facts: s.facts,
        }));
    }
}
