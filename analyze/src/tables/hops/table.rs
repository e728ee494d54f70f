//! What is known of hops when all packets were followed.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use hdrhistogram::Histogram;
use netcap_bundle::Nanos;

use super::ExampleFrame;
use super::returned::{Circling, Returned};
use super::stop::Stop;
use crate::engine::{Facts, FrameRef};

/// A packet that was seen before a hop and not behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LostPacket {
    /// When it was last seen.
    pub at: Nanos,
    pub frame: FrameRef,
    /// Packets lost of it: more than one of a super-segment, none of the second part of one that is counted.
    pub packets: u64,
    /// Octets of TCP lost.
    pub bytes: u64,
    pub flow: u64,
    /// What it carried, whatever its addresses are.
    pub content: u64,
    /// What kind of packet it was where it was last seen.
    pub facts: Facts,
}

/// A packet that was seen behind a hop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Passed {
    /// When it was seen before it.
    pub at: Nanos,
    /// What kind of packet it was there.
    pub facts: Facts,
}

/// Who to whom, from which stop on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PairKey {
    /// Where they were seen.
    pub from: Stop,
    /// Source.
    pub src: IpAddr,
    /// Destination.
    pub dst: IpAddr,
    /// IP protocol.
    pub protocol: u8,
}

/// What a hop did to the packets of a pair of addresses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct PairHop {
    /// Where they were seen next; empty when nowhere.
    pub to: BTreeSet<Stop>,
    /// Packets seen further on.
    pub passed: u64,
    /// The same one by one, in order of time, at stops where packets of some pair were lost: what passed tells what died.
    pub through: Vec<Passed>,
    /// Packets that were not, in order of time.
    pub lost: Vec<LostPacket>,
    /// Packets seen further on with other addresses: translated, by what is not known.
    pub translated: u64,
    /// A flow with losses, or any: its example is at `from`.
    pub flow: u64,
}

/// The times of one hop.
#[derive(Debug, Clone)]
pub(crate) struct HopStats {
    pub from: Stop,
    /// The next one at which they were seen.
    pub to: Stop,
    /// Packets seen at `to` after one that followed them at `from` (RFC 4737, 3.3).
    pub reordered: u64,
    /// When the first and the last of them were at `from`.
    pub span: (Nanos, Nanos),
    /// Nanoseconds.
    pub histogram: Histogram<u64>,
}

/// Sums.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// TCP segments sent again, where their flow was first seen.
    pub retransmissions: u64,
    /// The same by source and destination.
    pub resent: BTreeMap<(IpAddr, IpAddr), u64>,
    /// The same packet twice at one stop, by stop.
    pub copies: BTreeMap<Stop, u64>,
    /// Packets that the network returned, by stop.
    pub reflections: BTreeMap<Stop, u64>,
}

/// The finished table.
#[derive(Debug, Default)]
pub(crate) struct HopsTable {
    /// In order of stops.
    pub hops: Vec<HopStats>,
    pub pairs: BTreeMap<PairKey, PairHop>,
    /// Examples, by hash of the flow before translation and by where they were seen.
    pub samples: BTreeMap<(u64, Stop), ExampleFrame>,
    /// Sums.
    pub counts: Counts,
    /// Packets that the network returned, in order of time.
    pub returned: Vec<Returned>,
    /// Frames that it returned again and again, the most often first.
    pub circling: Vec<Circling>,
    /// Sightings that were followed.
    pub followed: u64,
    /// One packet in so many was followed.
    pub one_in: u64,
    /// Packets without a direction, which cannot be followed.
    pub undirected: u64,
    /// Packets of pairs and hops beyond the table's size.
    pub overflow: u64,
    /// Translated flows beyond the table's size.
    pub translations: u64,
    /// Frames of further flows that were not kept as examples.
    pub unsampled: u64,
}

impl HopsTable {
    /// Packets that were not seen further on and of which nobody can say whether a filter hides them: no example of
    /// their flow is kept.
    pub(crate) fn unnamed(&self) -> u64 {
        if self.unsampled == 0 {
            return 0;
        }
        let is_known = |flow: u64, key: &PairKey| self.samples.contains_key(&(flow, key.from));
        let unnamed = self.pairs.iter().filter(|(key, pair)| {
            !is_known(pair.flow, key) && !pair.lost.first().is_some_and(|lost| is_known(lost.flow, key))
        });
        unnamed.map(|(_, pair)| pair.lost.len() as u64).sum()
    }
}
