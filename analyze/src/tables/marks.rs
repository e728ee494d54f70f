//! When packets left and reached a host: the fold whose tables of two hosts are joined.
//!
//! A packet is itself by its addresses, its identification and the first bytes of its transport layer and payload, all of
//! which stay the same between two hosts (a translated address or a rewritten payload makes it another one, and then it
//! is not matched). Both hosts keep the same packets when they have to choose.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use netcap_bundle::Nanos;
use netcap_bundle::packets::Direction;
use netcap_words::wire::{TAG_BYTES, ether_type, is_tag};

use super::hops::Stop;
use crate::engine::points::FoldContext;
use crate::engine::{Fold, L4, Net, PacketView};

/// Packets kept of one host; 32 MiB.
const MARKS_MAX: usize = 262_144;
/// Bytes of the transport layer that make a packet itself: TCP's header without options and the beginning of its data,
/// or a ping's numbers and stamp.
const LAYER_BYTES: usize = 40;
/// Behind three tags; more of them occur in attacks only.
const TAGS_END: usize = 12 + 3 * TAG_BYTES;
/// A stamp of one packet at one point and another this much later are two packets.
const COPY_NS_MAX: i64 = 50_000_000;

/// One packet at one host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    /// When it was last seen on its way out.
    pub left: Option<Nanos>,
    /// When it was first seen on its way in.
    pub came: Option<Nanos>,
    /// When it was seen where the capture does not say which way; the other host may tell.
    pub seen: Option<Nanos>,
    /// Seen again too late to be the same packet, or at a point where it was before: one that looks the same.
    pub again: bool,
    /// Where it was seen, a bit each: what passes a point twice in one direction is two packets. Of more than 64 points
    /// two may share a bit, and then nothing is said of packets that pass both.
    places: u128,
}

/// The fold; when it is full, it keeps the packets whose hash ends in one more zero.
#[derive(Debug)]
pub(crate) struct MarksFold {
    context: Arc<FoldContext>,
    marks: HashMap<u64, Mark>,
    zeros: u32,
}

impl Fold for MarksFold {
    fn start(context: &Arc<FoldContext>) -> Self {
        Self { context: Arc::clone(context), marks: HashMap::new(), zeros: 0 }
    }

    fn packet(&mut self, packet: &PacketView<'_>) {
        let stop = Stop { point: packet.point, direction: packet.direction };
        let Some(key) = identity(packet).filter(|_| packet.copy.is_none()) else { return };
        let at = Some(packet.at);
        let out = u32::from(packet.direction == Direction::Out);
        let places = 1u128 << ((packet.point.0 % 64) << 1 | out);
        let (left, came, seen) = match stop.is_outward(&self.context) {
            Some(true) => (at, None, None),
            Some(false) => (None, at, None),
            None => (None, None, at),
        };
        let mark = Mark { left, came, seen, again: false, places };
        self.add(key, mark);
    }

    fn merge(&mut self, later: Self) {
        self.narrow(later.zeros);
        let later: BTreeMap<u64, Mark> = later.marks.into_iter().collect();
        for (key, mark) in later {
            self.add(key, mark);
        }
    }
}

impl MarksFold {
    fn add(&mut self, key: u64, mark: Mark) {
        if key.trailing_zeros() < self.zeros {
            return;
        }
        if let Some(had) = self.marks.get_mut(&key) {
            *had = joined(*had, mark);
            return;
        }
        self.marks.insert(key, mark);
        if self.marks.len() > MARKS_MAX / self.context.hosts().max(2) {
            self.narrow(self.zeros + 1);
        }
    }

    fn narrow(&mut self, zeros: u32) {
        if zeros > self.zeros {
            self.zeros = zeros;
            self.marks.retain(|key, _| key.trailing_zeros() >= zeros);
        }
    }

    /// One packet in so many was kept.
    pub(crate) fn one_in(&self) -> u64 {
        1u64.checked_shl(self.zeros).unwrap_or(u64::MAX)
    }

    /// Packets by identity; those seen twice, or both leaving and arriving (a reflection, a host that routes), are left
    /// out.
    pub(crate) fn finish(self) -> BTreeMap<u64, Mark> {
        let times = |mark: &Mark| [mark.left, mark.came, mark.seen].into_iter().flatten().count();
        let clear = |mark: &Mark| !mark.again && times(mark) == 1;
        self.marks.into_iter().filter(|(_, mark)| clear(mark)).collect()
    }
}

/// One packet at several points of a host: it left when it was last seen going, and came when it was first seen coming.
fn joined(had: Mark, mark: Mark) -> Mark {
    let far = |x: Option<Nanos>, y: Option<Nanos>| {
        x.zip(y).is_some_and(|(x, y)| x.since(y).saturating_abs() > COPY_NS_MAX)
    };
    Mark {
        left: had.left.max(mark.left),
        came: match (had.came, mark.came) {
            (Some(x), Some(y)) => Some(x.min(y)),
            (x, y) => x.or(y),
        },
        seen: had.seen.or(mark.seen),
        places: had.places | mark.places,
        again: had.again
            || mark.again
            // At the second point it came or went: nobody knows which stamp is the nearer one.
            || (had.seen.is_some() && mark.seen.is_some())
            || had.places & mark.places != 0
            || far(had.left, mark.left)
            || far(had.came, mark.came),
    }
}

/// What makes a packet itself; nothing for what many may share: no IP, multicast, fragments behind the first.
fn identity(packet: &PacketView<'_>) -> Option<u64> {
    let Net::Ip(ip) = packet.net else { return None };
    if ip.dst.is_multicast() || packet.eth.is_none_or(|eth| eth.dst.is_multicast()) {
        return None;
    }
    let (checksum, least) = match ip.l4 {
        L4::Tcp { .. } => (16, 20),
        L4::Udp { .. } => (6, 16),
        L4::Echo(_) => (2, 8),
        _ => return None,
    };
    let network = network(packet.bytes)?;
    let (layer, ident) = match network.first()? >> 4 {
        4 => (network.get(usize::from(network.first()? & 0xf) * 4..)?, network.get(4..6)?),
        _ => (network.get(40..)?, network.get(..0)?),
    };
    let layer = layer.get(..layer.len().min(LAYER_BYTES)).filter(|layer| layer.len() >= least)?;
    let mut hasher = DefaultHasher::new();
    (ip.src, ip.dst, ip.protocol, ident).hash(&mut hasher);
    for (at, byte) in layer.iter().enumerate() {
        // Not the checksum, which a card completes, and not TCP's flags, of which a cut super-segment loses PSH.
        let skip = (checksum..checksum + 2).contains(&at) || (least == 20 && at == 13);
        if !skip {
            byte.hash(&mut hasher);
        }
    }
    Some(hasher.finish())
}

/// What is behind the Ethernet header and its tags.
fn network(frame: &[u8]) -> Option<&[u8]> {
    let mut at = 12;
    loop {
        match frame.get(at..)?.first_chunk::<2>().map(|bytes| u16::from_be_bytes(*bytes))? {
            tag if is_tag(tag) && at < TAGS_END => at += TAG_BYTES,
            ether_type::IPV4 | ether_type::IPV6 => return frame.get(at + 2..),
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::net::Ipv4Addr;

    use netcap_bundle::Role;
    use netcap_bundle::input::Input;
    use netcap_tests::bundle::BundleBuilder;
    use netcap_tests::packets::{datagram, mac};

    use super::*;
    use crate::engine::{self, Progress};

    const A: Ipv4Addr = Ipv4Addr::new(172, 16, 51, 20);
    const B: Ipv4Addr = Ipv4Addr::new(172, 16, 51, 21);

    fn frame(number: u8) -> Vec<u8> {
        datagram((mac("0c:da:41:1d:56:a7"), mac("a0:36:9f:97:76:b8")), (A, B), &[number; 20], 0)
    }

    fn marks(recording: BundleBuilder) -> Vec<Mark> {
        let sealed = recording.seal();
        let input = Input::open(&sealed.path).unwrap();
        let context = Arc::new(FoldContext::new(&input.points, &BTreeSet::new()));
        let outcome = engine::run::<MarksFold>(&input, &context, &Progress::default());
        outcome.fold.finish().into_values().collect()
    }

    #[test]
    fn of_too_many_packets_one_in_so_many_is_kept_and_that_is_said() {
        let at = Some(Nanos(0));
        let mark = Mark { left: at, came: None, seen: None, again: false, places: 1 };
        let mut fold = MarksFold::start(&Arc::new(FoldContext::new(&[], &BTreeSet::new())));
        let room = (MARKS_MAX / 2) as u64;
        (1..=room).for_each(|key| fold.add(key, mark));
        assert_eq!((fold.one_in(), fold.marks.len() as u64), (1, room));
        fold.add(room + 1, mark);
        assert_eq!((fold.one_in(), fold.marks.len() as u64), (2, room / 2));
    }

    /// The first of two that look the same may be matched with the second one at the other host, and then a delay would be
    /// negative, and the bound of the clocks false.
    #[test]
    fn of_two_packets_that_look_the_same_nothing_is_said() {
        let mut recording = BundleBuilder::new(10_000);
        let vm = Role::Vnet { vm: None, guest_mac: None };
        recording.point("vnet0", vm, "").point("eth3", Role::Uplink { bond: None }, "");
        for (number, at) in [(1, 100), (2, 200), (2, 210), (3, 300)] {
            recording.frame("vnet0", at, Direction::In, &frame(number));
            recording.frame("eth3", at + 1, Direction::Out, &frame(number));
        }
        let marks = marks(recording);
        assert_eq!(marks.len(), 2, "{marks:?}");
        assert!(marks.iter().all(|mark| mark.left.is_some() && !mark.again));
    }
}
