//! Which sightings are copies: what a switch gives to somebody besides whom the packet is for is neither an arrival nor a
//! departure of it.

use std::collections::{BTreeMap, BTreeSet};

use netcap_bundle::packets::Direction;
use netcap_bundle::{Mac, Nanos};

use super::ids::PointId;
use super::view::{CopyOf, Eth, Tags};

/// From when to when something holds; `None`: from the beginning, or to the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct During {
    /// From then on.
    pub from: Option<Nanos>,
    /// Until then.
    pub to: Option<Nanos>,
}

impl During {
    fn covers(self, at: Nanos) -> bool {
        self.from.is_none_or(|from| from <= at) && self.to.is_none_or(|to| at <= to)
    }
}

/// What of a point's packets are copies.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct PointCopies {
    /// The interface.
    pub iface: String,
    /// When it is the output of a mirror.
    pub mirror: Vec<During>,
    /// VLANs of its switch that are the output of a mirror, and when.
    pub vlans: Vec<(u16, During)>,
    /// What goes out there towards somebody who is not the only one behind the switch.
    pub towards: Option<Towards>,
}

/// Who is behind a point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Towards {
    /// The machine with that address.
    Machine(Mac),
    /// The host, by a port of Open vSwitch, which gets of others what is flooded.
    Host,
    /// The host, by the own port of a kernel bridge, which gets all when it is promiscuous.
    HostOfBridge,
}

/// What of all points' packets are copies.
#[derive(Debug, Clone, Default)]
pub(crate) struct Copies {
    /// By number of the point.
    pub points: Vec<PointCopies>,
    /// At which interfaces an address was found by configuration or learned.
    pub homes: BTreeMap<Mac, BTreeSet<String>>,
    /// Addresses of the host's own interfaces.
    pub own: BTreeSet<Mac>,
}

impl Copies {
    /// Whether a frame at a point is a copy.
    pub(crate) fn of(
        &self,
        point: PointId,
        direction: Direction,
        at: Nanos,
        eth: Option<Eth>,
        tags: Tags,
    ) -> Option<CopyOf> {
        let known = self.points.get(point.0 as usize)?;
        if known.mirror.iter().any(|during| during.covers(at)) {
            return Some(CopyOf::MirrorPort);
        }
        if known.vlans.iter().any(|(vlan, during)| *vlan == tags.outer && during.covers(at)) {
            return Some(CopyOf::MirrorVlan);
        }
        let dst = eth.map(|eth| eth.dst).filter(|dst| !dst.is_multicast())?;
        match (known.towards.as_ref()?, direction) {
            (Towards::Machine(mac), Direction::Out) if *mac != dst && self.is_elsewhere(dst, known) => {
                Some(CopyOf::Flood)
            }
            (Towards::Host, Direction::In) if !self.own.contains(&dst) && self.is_elsewhere(dst, known) => {
                Some(CopyOf::Flood)
            }
            (Towards::HostOfBridge, Direction::In) if !self.own.contains(&dst) => Some(CopyOf::OwnPort),
            _ => None,
        }
    }

    /// Addresses that were heard to speak from machines' ports are at home there, too, when their home was taken to be
    /// elsewhere. Tells whether there was one.
    pub(crate) fn take_homes<'a>(&mut self, spoken: impl Iterator<Item = (Mac, &'a str)>) -> bool {
        let mut more = false;
        for (mac, iface) in spoken {
            if let Some(homes) = self.homes.get_mut(&mac) {
                more |= homes.insert(iface.to_owned());
            }
        }
        more
    }

    /// The address has a home, and not there.
    fn is_elsewhere(&self, mac: Mac, point: &PointCopies) -> bool {
        self.homes.get(&mac).is_some_and(|homes| !homes.contains(&point.iface))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VM: Mac = Mac([0x0c, 0xda, 0x41, 0x1d, 0x56, 0xa7]);
    const OTHER: Mac = Mac([0x0c, 0xda, 0x41, 0x1d, 0x56, 0xa8]);
    const HOST: Mac = Mac([0xfc, 0x15, 0xb4, 0x1c, 0xad, 0x79]);
    const NOBODY: Mac = Mac([0x02, 0, 0, 0, 0, 9]);
    const ALL: Mac = Mac([0xff; 6]);

    fn copies(point: PointCopies) -> Copies {
        let home = |iface: &str| BTreeSet::from([iface.to_owned()]);
        let homes = BTreeMap::from([(VM, home("vnet0")), (OTHER, home("vnet1"))]);
        Copies { points: vec![point], homes, own: BTreeSet::from([HOST]) }
    }

    fn of(copies: &Copies, direction: Direction, at: i64, dst: Mac, vlan: u16) -> Option<CopyOf> {
        let eth = Some(Eth { dst, src: HOST });
        copies.of(PointId(0), direction, Nanos(at), eth, Tags { outer: vlan, inner: 0 })
    }

    #[test]
    fn a_mirrors_port_gives_copies_while_the_mirror_is_there() {
        let during = During { from: Some(Nanos(10)), to: Some(Nanos(20)) };
        let copies = copies(PointCopies { mirror: vec![during], ..PointCopies::default() });
        for (at, want) in
            [(9, None), (10, Some(CopyOf::MirrorPort)), (20, Some(CopyOf::MirrorPort)), (21, None)]
        {
            assert_eq!(of(&copies, Direction::Out, at, VM, 0), want, "at {at}");
        }
    }

    #[test]
    fn a_mirrors_vlan_holds_nothing_but_copies() {
        let copies = copies(PointCopies { vlans: vec![(999, During::default())], ..PointCopies::default() });
        assert_eq!(of(&copies, Direction::Out, 1, VM, 999), Some(CopyOf::MirrorVlan));
        assert_eq!(of(&copies, Direction::In, 1, ALL, 999), Some(CopyOf::MirrorVlan));
        assert_eq!(of(&copies, Direction::Out, 1, VM, 998), None);
    }

    #[test]
    fn what_is_flooded_to_a_machine_is_a_copy_only_if_its_owner_is_known_elsewhere() {
        let towards = Some(Towards::Machine(OTHER));
        let copies = copies(PointCopies { iface: "vnet1".into(), towards, ..PointCopies::default() });
        assert_eq!(of(&copies, Direction::Out, 1, VM, 0), Some(CopyOf::Flood));
        assert_eq!(of(&copies, Direction::In, 1, VM, 0), None, "what the machine sends is its own");
        for dst in [OTHER, NOBODY, ALL] {
            assert_eq!(of(&copies, Direction::Out, 1, dst, 0), None, "{dst}");
        }
    }

    #[test]
    fn a_promiscuous_bridge_receives_copies_of_all_that_is_not_the_hosts() {
        let towards = Some(Towards::HostOfBridge);
        let copies = copies(PointCopies { iface: "br0".into(), towards, ..PointCopies::default() });
        assert_eq!(of(&copies, Direction::In, 1, NOBODY, 0), Some(CopyOf::OwnPort));
        for (direction, dst) in [(Direction::In, HOST), (Direction::In, ALL), (Direction::Out, VM)] {
            assert_eq!(of(&copies, direction, 1, dst, 0), None, "{dst}");
        }
    }
}
