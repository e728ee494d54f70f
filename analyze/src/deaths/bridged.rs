//! VLANs of the ports of the kernel's bridges: where a frame ends that a bridge which filters VLANs does not let through.

use std::collections::BTreeSet;

use netcap_bundle::Nanos;
use netcap_bundle::sources::network::links::Links;
use netcap_bundle::sources::network::linux_bridge::LinuxBridge;
use netcap_bundle::state::Round;

/// Where a frame ends for its VLAN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum VlanEnd {
    /// The port takes no untagged frames.
    Untagged,
    /// The port by which it came is no member of its VLAN.
    Entry(u16),
    /// None of the ports where it had to leave is a member of its VLAN.
    Exit(u16),
}

/// What was read of them.
#[derive(Debug, Default)]
pub(crate) struct BridgeVlans {
    /// In order of time.
    pub rounds: Vec<Round<LinuxBridge>>,
    /// Bridges that filter VLANs, each time the interfaces were listed.
    filtering: Vec<(Nanos, BTreeSet<String>)>,
}

impl BridgeVlans {
    pub(super) fn read(rounds: Vec<Round<LinuxBridge>>, links: &[Round<Links>]) -> Self {
        let filtering = links.iter().map(|round| {
            let bridges = round.parsed.value.links.iter().filter(|link| link.filters_vlans == Some(true));
            (round.at, bridges.map(|link| link.name.clone()).collect())
        });
        Self { rounds, filtering: filtering.collect() }
    }

    /// The bridge filters VLANs, as the interfaces were listed before that time and after it.
    pub(crate) fn filters(&self, bridge: &str, at: Nanos) -> bool {
        let mut around = around(&self.filtering, at, |(when, _)| *when).peekable();
        around.peek().is_some() && around.all(|(_, bridges)| bridges.contains(bridge))
    }

    /// The readings before that time and after it.
    pub(crate) fn around(&self, at: Nanos) -> impl Iterator<Item = &Round<LinuxBridge>> {
        around(&self.rounds, at, |round| round.at)
    }
}

impl VlanEnd {
    /// By one reading; `vlan` is the frame's own, 0 without a tag.
    pub(crate) fn of(read: &LinuxBridge, entry: &str, vlan: u16, exits: &[&str]) -> Option<Self> {
        // A bridge of which no VLAN is known was not read.
        if read.vlans.is_empty() {
            return None;
        }
        let vlan = match (vlan, read.pvid(entry)) {
            (0, None) => return Some(Self::Untagged),
            (0, Some(pvid)) => pvid,
            (tag, _) => tag,
        };
        if !read.carries(entry, vlan) {
            return Some(Self::Entry(vlan));
        }
        let kept = !exits.is_empty() && exits.iter().all(|exit| !read.carries(exit, vlan));
        kept.then_some(Self::Exit(vlan))
    }
}

/// The last one at or before a time and the next one; at the edges the only one there is.
fn around<T>(all: &[T], at: Nanos, when: impl Fn(&T) -> Nanos) -> impl Iterator<Item = &T> {
    let next = all.partition_point(|one| when(one) <= at);
    let before = next.checked_sub(1).and_then(|place| all.get(place));
    before.into_iter().chain(all.get(next))
}

#[cfg(test)]
mod tests {
    use netcap_bundle::sources::network::linux_bridge::PortVlan;

    use super::*;

    fn vlan(iface: &str, first: u16, last: u16, pvid: bool) -> PortVlan {
        PortVlan { iface: iface.to_owned(), first, last, pvid, untagged: pvid }
    }

    #[test]
    fn a_frame_ends_at_the_port_that_is_no_member() {
        let vlans = vec![
            vlan("vnet0", 188, 188, true),
            vlan("vnet1", 10, 20, false),
            vlan("eth2", 1, 1, true),
            vlan("eth3", 100, 200, false),
        ];
        let read = LinuxBridge { vlans, ..LinuxBridge::default() };
        assert_eq!(VlanEnd::of(&read, "vnet0", 0, &["eth2"]), Some(VlanEnd::Exit(188)));
        assert_eq!(VlanEnd::of(&read, "vnet0", 0, &["eth2", "eth3"]), None);
        assert_eq!(VlanEnd::of(&read, "vnet0", 7, &["eth2"]), Some(VlanEnd::Entry(7)));
        assert_eq!(VlanEnd::of(&read, "vnet1", 0, &["eth2"]), Some(VlanEnd::Untagged));
        assert_eq!(VlanEnd::of(&LinuxBridge::default(), "vnet0", 0, &["eth2"]), None);
    }
}
