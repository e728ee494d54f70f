//! Which way a frame went, where its file does not say: by whose MAC sent it.

use std::collections::BTreeSet;

use netcap_bundle::Mac;
use netcap_bundle::packets::Direction;

use super::PointId;
use super::view::Eth;

/// Frames to these end at the next bridge (IEEE 802.1Q table 8-1): none of them comes back from a network.
const NEXT_BRIDGE: [u8; 5] = [0x01, 0x80, 0xc2, 0x00, 0x00];

/// What senders tell of the way of a frame.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sides {
    /// MACs of the host and its machines.
    pub inside: BTreeSet<Mac>,
    /// Of each point, in order.
    pub points: Vec<Option<Side>>,
}

/// Who is on this side of a point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Side {
    /// A machine with that MAC: what it sends comes into its port.
    Machine(Mac),
    /// The host with that MAC: what it sends goes out of its port.
    Host(Mac),
    /// All that is inside: what it sends goes out, and everything else comes in.
    Uplink {
        /// A member that is not in use: what it hears of floods of the inside came back.
        backup: bool,
    },
}

impl Sides {
    /// What the file says, else what the sender tells, else nothing.
    pub(crate) fn direction(&self, point: PointId, said: Direction, eth: Option<Eth>) -> Direction {
        if said != Direction::Unknown {
            return said;
        }
        let side = self.points.get(point.0 as usize).and_then(Option::as_ref);
        let (Some(side), Some(eth)) = (side, eth) else { return said };
        let either = |yes: bool, then: Direction, other: Direction| if yes { then } else { other };
        match side {
            Side::Machine(mac) => either(*mac == eth.src, Direction::In, Direction::Out),
            Side::Host(mac) => either(*mac == eth.src, Direction::Out, Direction::In),
            Side::Uplink { backup } => {
                let flood = eth.dst.is_multicast() && !eth.dst.0.starts_with(&NEXT_BRIDGE);
                match self.inside.contains(&eth.src) {
                    true if *backup && flood => Direction::Unknown,
                    own => either(own, Direction::Out, Direction::In),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use Direction::{In, Out, Unknown};

    use super::*;

    fn mac(last: u8) -> Mac {
        Mac([0x0c, 0xda, 0x41, 0, 0, last])
    }

    #[test]
    fn who_sent_it_tells_which_way_it_went() {
        let (host, guest, far) = (mac(1), mac(2), mac(3));
        let uplink = |backup| Some(Side::Uplink { backup });
        let points =
            vec![Some(Side::Machine(guest)), Some(Side::Host(host)), uplink(false), uplink(true), None];
        let sides = Sides { inside: [host, guest].into(), points };
        let way = |point, said, src, dst| sides.direction(PointId(point), said, Some(Eth { dst, src }));
        let lldp = Mac([0x01, 0x80, 0xc2, 0, 0, 0x0e]);
        for (point, src, dst, want) in [
            (0, guest, far, In),
            (0, far, guest, Out),
            (1, host, far, Out),
            (1, far, host, In),
            (2, guest, far, Out),
            (2, guest, Mac::BROADCAST, Out),
            (2, far, guest, In),
            (3, host, lldp, Out),
            (3, far, Mac::BROADCAST, In),
            // A flood that came back, or that left: nobody knows.
            (3, guest, Mac::BROADCAST, Unknown),
            (4, guest, far, Unknown),
            (9, guest, far, Unknown),
        ] {
            assert_eq!(way(point, Unknown, src, dst), want, "{point} {src} {dst}");
            assert_eq!(way(point, In, src, dst), In, "what the file says holds");
        }
        assert_eq!(sides.direction(PointId(0), Unknown, None), Unknown);
    }
}
