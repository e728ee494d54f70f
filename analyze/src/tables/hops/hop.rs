//! A hop and what it did to the packets of a flow, and how long a packet may take.

use netcap_bundle::Nanos;

use super::stop::Stop;
use super::table::{LostPacket, Passed};

/// A packet crosses one host in far less; what is seen later is another packet, and what is not seen by then is lost.
pub(crate) const CROSSING_NS: i64 = 2_000_000_000;
/// The same packet, with the same IP identification, twice at one stop within this is a copy.
const COPY_NS: i64 = 50_000_000;
/// Without an IP identification only this tells a copy from a retransmission: no sender is that fast (the least
/// retransmission time of Linux is 200 ms, of its tail loss probe 2 ms, net/ipv4/tcp_output.c).
const COPY_BLIND_NS: i64 = 1_000_000;
/// How close a second sighting at a stop is a copy.
pub(super) fn copy_ns(ident: u16) -> i64 {
    if ident == 0 { COPY_BLIND_NS } else { COPY_NS }
}

/// From one stop to those that follow it.
#[derive(Debug)]
pub(super) struct Hop {
    pub(super) from: Stop,
    /// Empty: packets were seen to enter a switch here, and nowhere else.
    pub(super) to: Vec<Stop>,
}

/// A packet that crossed a hop.
#[derive(Debug, Clone, Copy)]
pub(super) struct Passage {
    /// Where it was seen next.
    pub(super) to: Stop,
    /// When.
    pub(super) seen: Nanos,
    /// What it was before, and when it was seen there.
    pub(super) sent: Passed,
}

/// What a hop did to the packets of a flow.
#[derive(Debug, Default)]
pub(super) struct Crossing {
    /// One each packet.
    pub(super) passed: Vec<Passage>,
    pub(super) lost: Vec<LostPacket>,
}
