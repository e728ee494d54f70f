//! One packet at one stop, in 56 octets.

use bitflags::bitflags;
use netcap_bundle::Nanos;
use netcap_bundle::packets::Direction;

use super::blocks::block_hash;
use super::stop::Stop;
use crate::engine::hash::mix;
use crate::engine::{Facts, FrameRef, PointId};

bitflags! {
    /// What a sighting is besides its numbers.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
    pub(super) struct Flags: u8 {
        /// The frame goes to a group: it leaves a switch at many ports or at none, rightly.
        const GROUP = 1;
        /// First octet of a connection.
        const OPENS = 1 << 1;
        /// The second part of a packet that reaches over the end of a block.
        const REST = 1 << 2;
        /// Fragments follow: further points may see other fragments.
        const FRAGMENT = 1 << 3;
        /// A copy of the packet before.
        const COPY = 1 << 4;
        /// Came back from the network behind an uplink.
        const REFLECTED = 1 << 5;
        /// It left by the interface.
        const OUT = 1 << 6;
        /// Comes later than others of one stamp.
        const LATE = 1 << 7;
    }
}

impl Flags {
    /// The flag when it applies.
    pub(super) fn when(self, applies: bool) -> Self {
        if applies { self } else { Self::empty() }
    }
}

/// Content of a range that may be a keep-alive; that of others is 0.
pub(super) const PROBE: u64 = 1;

/// One packet at one stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sighting {
    /// Hash of its flow, before translation.
    pub(super) flow: u64,
    /// Hash of its content; 0 or [`PROBE`] for a range of TCP.
    pub(super) content: u64,
    /// First sequence number of a range.
    pub(super) seq: u32,
    /// Length of a range, 0 for all else.
    pub(super) len: u32,
    pub(super) at: Nanos,
    pub(super) file: u32,
    pub(super) number: u32,
    pub(super) point: u32,
    pub(super) ident: u16,
    /// Time to live: the same packet has less of it behind a router.
    pub(super) ttl: u8,
    pub(super) flags: Flags,
    pub(super) facts: Facts,
}

impl Sighting {
    pub(super) fn stop(&self) -> Stop {
        let direction = if self.flags.contains(Flags::OUT) { Direction::Out } else { Direction::In };
        Stop { point: PointId(self.point), direction }
    }

    pub(super) fn frame(&self) -> FrameRef {
        FrameRef { file: self.file, number: u64::from(self.number) }
    }

    pub(super) fn is_range(&self) -> bool {
        self.len > 0
    }

    /// What tells a packet whatever its addresses are: its content, or the first of its sequence numbers, which a
    /// super-segment and the first segment made of it share.
    pub(super) fn mark(&self) -> u64 {
        if self.is_range() { mix(u64::from(self.seq), 11) } else { self.content }
    }

    /// A copy or a reflection is no sighting of its own.
    pub(super) fn is_repeat(&self) -> bool {
        self.flags.intersects(Flags::COPY | Flags::REFLECTED)
    }

    /// In order of time; of one stamp in the order of the way.
    pub(super) fn order(&self) -> impl Ord + use<> {
        (self.at, self.flags & Flags::LATE, self.file, self.number, self.flags & Flags::REST)
    }

    /// By which it is chosen.
    pub(super) fn choice(&self) -> u64 {
        if self.is_range() { block_hash(self.seq) } else { self.content }
    }
}
