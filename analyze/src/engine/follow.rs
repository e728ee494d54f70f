//! Which packets are followed from point to point, decided before the first one is read.

use std::sync::Arc;

use netcap_bundle::input::Input;

use super::ALIVE_MAX;
use super::hash::mix;
use super::nat::Nat;

/// Sightings kept of a whole input, 56 octets each.
pub(crate) const SIGHTINGS_MAX: usize = 1 << 18;
/// Sightings kept of one segment, at least.
const SEGMENT_MIN: usize = 1 << 13;
/// Octets on the disk of a packet of ordinary traffic, for files that do not say how many they hold. A guess costs time or
/// precision, never truth: what does not fit is thinned out later.
const OCTETS_A_PACKET: u64 = 100;
/// Octets before the network layer: addresses, ethertype, two tags.
const LINK_BYTES: u32 = 14 + 8;

/// Whether packets are followed, which ones, and how many of them are kept.
#[derive(Debug, Clone, Default)]
pub(crate) struct Follow {
    /// There are two points at least.
    pub on: bool,
    /// One packet in two to the power of this is followed, chosen by what it carries: the same ones at every point.
    pub shift: u32,
    /// Sightings kept of one segment.
    pub segment_max: usize,
    /// Octets of the network layer that every point captured at least.
    pub reach: usize,
    /// Translated addresses.
    pub nat: Arc<Nat>,
}

impl Follow {
    /// For one input, or for those of several hosts that are looked at together: all follow the same packets.
    pub(crate) fn read(inputs: &[&Input]) -> Self {
        let points = || inputs.iter().flat_map(|input| &input.points);
        let segments = || inputs.iter().flat_map(|input| &input.segments);
        let mut follow = Self { on: points().nth(1).is_some(), ..Self::default() };
        if !follow.on {
            return follow;
        }
        let packets = segments().map(|segment| match &segment.info {
            Some(info) => info.packets,
            None => segment.file_bytes() / OCTETS_A_PACKET,
        });
        let packets = packets.fold(0, u64::saturating_add);
        while packets >> follow.shift > SIGHTINGS_MAX as u64 {
            follow.shift += 1;
        }
        follow.segment_max = (SIGHTINGS_MAX / segments().count().clamp(1, ALIVE_MAX)).max(SEGMENT_MIN);
        let shortest = points().map(|p| p.snaplen).filter(|n| *n > 0).min();
        follow.reach = shortest.map_or(usize::MAX, |n| n.saturating_sub(LINK_BYTES) as usize);
        follow.nat = Arc::new(Nat::read(inputs));
        follow
    }
}

/// Whether what hashes to this is followed when one in two to the power of `shift` is.
pub(crate) fn is_chosen(hash: u64, shift: u32) -> bool {
    shift == 0 || mix(hash, 5).leading_zeros() >= shift
}
