//! Translated addresses: what connection tracking tells of flows that leave with other addresses than they came with.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use netcap_bundle::input::Input;
use netcap_bundle::sources::ovs::conntrack::{CtEntry, CtTuple, OvsConntrack};
use netcap_words::wire::ip_protocol_number;

use super::flow::FiveTuple;

/// Translations kept.
const ENTRIES_MAX: usize = 65_536;

/// From the translated direction of a flow to the one it had before.
#[derive(Debug, Default)]
pub(crate) struct Nat {
    before: HashMap<FiveTuple, FiveTuple>,
    pairs: BTreeSet<(IpAddr, IpAddr)>,
    /// Translations beyond the table's size.
    pub overflow: u64,
}

impl Nat {
    /// Every translation that some dump of the recordings shows.
    pub(crate) fn read(inputs: &[&Input]) -> Self {
        let mut found: BTreeMap<FiveTuple, Option<FiveTuple>> = BTreeMap::new();
        let mut overflow = 0;
        for input in inputs {
            input.state.visit::<OvsConntrack>(&input.files, |round| {
                for entry in &round.parsed.value.entries {
                    for (after, before) in translations(entry).into_iter().flatten() {
                        if found.len() >= ENTRIES_MAX && !found.contains_key(&after) {
                            overflow += 1;
                            continue;
                        }
                        // Used for two flows in turn (or in two zones): it tells nothing of a packet.
                        found
                            .entry(after)
                            .and_modify(|known| *known = known.filter(|k| *k == before))
                            .or_insert(Some(before));
                    }
                }
                true
            });
        }
        let before: Vec<_> = found.into_iter().filter_map(|(after, before)| Some((after, before?))).collect();
        let pairs = before.iter().map(|(_, before)| (before.src, before.dst)).collect();
        Self { before: before.into_iter().collect(), pairs, overflow }
    }

    /// Some flow from the first to the second is translated, and may be captured with other addresses further on.
    pub(crate) fn touches(&self, src: IpAddr, dst: IpAddr) -> bool {
        self.pairs.contains(&(src, dst))
    }

    /// The flow as it was before it was translated; itself when nothing says that it was.
    pub(crate) fn origin(&self, tuple: FiveTuple) -> FiveTuple {
        if self.before.is_empty() { tuple } else { self.before.get(&tuple).copied().unwrap_or(tuple) }
    }
}

/// Both directions of an entry, each from what is seen behind the translation to what is seen before it.
fn translations(entry: &CtEntry) -> [Option<(FiveTuple, FiveTuple)>; 2] {
    let Some(protocol) = ip_protocol_number(&entry.proto) else { return [None, None] };
    let (Some(orig), Some(reply)) = (tuple(&entry.orig, protocol), tuple(&entry.reply, protocol)) else {
        return [None, None];
    };
    // Not translated: the answer is the question turned round.
    if reply == orig.reversed() {
        return [None, None];
    }
    [Some((reply.reversed(), orig)), Some((reply, orig.reversed()))]
}

fn tuple(of: &CtTuple, protocol: u8) -> Option<FiveTuple> {
    let sport = of.sport.or(of.icmp_id).unwrap_or(0);
    Some(FiveTuple { src: of.src?, dst: of.dst?, protocol, sport, dport: of.dport.unwrap_or(0) })
}
