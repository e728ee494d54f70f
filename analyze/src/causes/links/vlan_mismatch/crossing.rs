//! The VLAN of a packet from one bridge to another, across the patch ports between them.

use std::collections::BTreeMap;

use netcap_bundle::Role;
use netcap_bundle::topology::{Port, Switch, Topology};

/// How a packet of a VLAN comes to a bridge.
#[derive(Debug, Clone, Copy)]
pub(super) enum Crossing<'t> {
    /// In that VLAN.
    In(u16),
    /// Not at all: this patch port does not carry it, in that VLAN.
    Refused(&'t Port, u16),
}

/// A patch port and its other end.
type Patch<'t> = (&'t Port, &'t Port);

impl<'t> Crossing<'t> {
    /// `None` when no way is known, or more than one: the bridges would have to say which they use.
    pub(super) fn of(topology: &'t Topology, from: &'t Switch, to: &'t Switch, vlan: u16) -> Option<Self> {
        let mut vlan = vlan;
        for (near, far) in way(topology, from, to)? {
            if [near, far].iter().any(|port| port.vlan_mode.as_deref() == Some("dot1q-tunnel")) {
                return None;
            }
            if !near.carries(vlan) {
                return Some(Self::Refused(near, vlan));
            }
            if is_untagged(near, vlan) {
                vlan = far.vlan.unwrap_or(0);
            } else if far.is_access() {
                return Some(Self::Refused(far, vlan));
            }
            if !far.carries(vlan) {
                return Some(Self::Refused(far, vlan));
            }
        }
        Some(Self::In(vlan))
    }
}

/// A frame of that VLAN leaves there without a tag.
fn is_untagged(port: &Port, vlan: u16) -> bool {
    vlan == 0
        || port.is_access()
        || (port.vlan_mode.as_deref() == Some("native-untagged") && port.vlan == Some(vlan))
}

/// The patch ports from one bridge to another, in order.
fn way<'t>(topology: &'t Topology, from: &'t Switch, to: &'t Switch) -> Option<Vec<Patch<'t>>> {
    let mut came: BTreeMap<&str, (&'t Switch, Patch<'t>)> = BTreeMap::new();
    let mut next = vec![from];
    while let Some(switch) = next.pop() {
        let back = came.get(switch.name.as_str()).map(|(_, (_, far))| far.iface.as_str());
        for near in switch.ports.iter().filter(|port| Some(port.iface.as_str()) != back) {
            let Role::Patch { peer: Some(peer) } = &near.role else { continue };
            let Some((Some(there), far)) = topology.by_iface(peer) else { continue };
            if there.name == from.name || came.insert(&there.name, (switch, (near, far))).is_some() {
                return None;
            }
            next.push(there);
        }
    }
    let (mut at, mut way) = (to, Vec::new());
    while at.name != from.name {
        let (before, patch) = *came.get(at.name.as_str())?;
        way.push(patch);
        at = before;
    }
    way.reverse();
    Some(way)
}
