//! In which VLAN a packet was, which VLANs the ports on its way carried then, and in which its destination is.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use netcap_bundle::packets::Direction;
use netcap_bundle::topology::{Port, Switch, SwitchKind};
use netcap_bundle::{Mac, Role};

use super::changed;
use super::crossing::Crossing;
use super::heard::Heard;
use crate::deaths::{Case, Death, Way};
use crate::engine::{DomainId, PointId, Tags};
use crate::host::timeline::HostState;
use crate::tables::claims::{AddressKey, ClaimKind};
use crate::view::View;

/// A port and what it carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Carrier {
    /// The interface.
    pub name: String,
    /// The port of the database: the bond of a member.
    pub port: String,
    /// Its VLAN, when it carries one.
    pub tag: Option<u16>,
    /// Its VLANs, when it is a trunk of some.
    pub trunks: Vec<u16>,
    dp_port: Option<u32>,
}

/// A packet that cannot get there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mismatch {
    /// Where it came in.
    pub entry: Carrier,
    /// In which VLAN; of `Patch` the one at that port.
    pub vlan: u16,
    pub why: Why,
}

/// Why it cannot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Why {
    /// The port where it came in does not carry its VLAN.
    Entry,
    /// It could leave at these ports only, and they do not carry its VLAN.
    Exit(Vec<Carrier>),
    /// A patch port on its way to these ports does not carry its VLAN.
    Patch(Carrier, Vec<Carrier>),
    /// It left, and its destination is heard in another VLAN only.
    Apart(Heard),
    /// It left, and what was answered left there in another VLAN.
    Changed(Heard),
}

impl Carrier {
    fn of(port: &Port) -> Self {
        let bond = match &port.role {
            Role::Uplink { bond } => bond.clone(),
            _ => None,
        };
        Self {
            name: port.iface.clone(),
            port: bond.unwrap_or_else(|| port.iface.clone()),
            tag: port.vlan.filter(|_| port.is_access()),
            trunks: port.trunks.clone(),
            dp_port: port.dp_port,
        }
    }

    /// The datapath's name for it, or its number.
    pub(super) fn is_called(&self, name: &str) -> bool {
        name == self.name || self.dp_port.is_some_and(|number| number.to_string() == name)
    }
}

impl Mismatch {
    /// What keeps a packet from its destination, if every state agrees that may have held then.
    pub(super) fn of(case: &Case<'_, '_>, death: &Death) -> Option<Self> {
        let mut states = case.view.host.timeline.around(death.at);
        let first = in_state(case, death, states.next()?)?;
        let same = |state| in_state(case, death, state).as_ref() == Some(&first);
        states.all(same).then_some(first)
    }

    /// Where it could leave.
    pub(super) fn exits(&self) -> &[Carrier] {
        if let Why::Exit(exits) | Why::Patch(_, exits) = &self.why { exits } else { &[] }
    }

    /// The patch port that does not carry it.
    pub(super) fn patch(&self) -> Option<&Carrier> {
        if let Why::Patch(patch, _) = &self.why { Some(patch) } else { None }
    }

    /// Where another VLAN is heard.
    pub(super) fn heard(&self) -> Option<&Heard> {
        if let Why::Apart(heard) | Why::Changed(heard) = &self.why { Some(heard) } else { None }
    }

    /// What makes it the same fault: a trunk without that VLAN, or the two VLANs.
    pub(super) fn fault(&self) -> String {
        let trunk = |carrier: &Carrier, vlan: u16| format!("{} without {vlan}", carrier.port);
        let pair = |a: u16, b: u16| format!("{} {}", a.min(b), a.max(b));
        let at = |carrier: &Carrier| match carrier.tag {
            Some(tag) => pair(tag, self.vlan),
            None => trunk(carrier, self.vlan),
        };
        match &self.why {
            Why::Entry => at(&self.entry),
            Why::Patch(patch, _) => at(patch),
            Why::Exit(exits) => exits.first().map(at).unwrap_or_default(),
            Why::Apart(heard) | Why::Changed(heard) => pair(self.vlan, heard.vlan),
        }
    }
}

fn in_state(case: &Case<'_, '_>, death: &Death, state: &HostState) -> Option<Mismatch> {
    let view = case.view;
    let entered = case.entered(death)?;
    let info = view.points.get(entered.point)?;
    let (switch, port) = state.topology.by_iface(&info.name)?;
    switch.filter(|switch| switch.kind == SwitchKind::Ovs)?;
    // What is not tagged is in the VLAN that the port has then.
    let untagged = entered.vlan == view.access_vlan(entered.point);
    let vlan = if untagged { port.vlan.unwrap_or(0) } else { entered.vlan };
    let wanted = case.group.place.way != Way::Beyond || !matches!(info.role, Role::Uplink { .. });
    if !wanted {
        return None;
    }
    let mismatch = |vlan: u16, why: Why| Some(Mismatch { entry: Carrier::of(port), vlan, why });
    if !port.carries(vlan) {
        return mismatch(vlan, Why::Entry);
    }
    let dst = case.group.eth?.dst;
    let exits = view.switch_points_at(death.at).exits(entered.point, info, dst);
    let names = exits.points.iter().map(|point| view.points.name(*point));
    let names = names.chain(exits.unrecorded.iter().map(String::as_str));
    let ports: Option<Vec<(Option<&Switch>, &Port)>> =
        names.map(|name| state.topology.by_iface(name)).collect();
    let ports = ports.filter(|ports| !ports.is_empty())?;
    let ways: Option<Vec<Crossing<'_>>> =
        ports.iter().map(|(there, _)| Crossing::of(&state.topology, switch?, (*there)?, vlan)).collect();
    let mut ways = ports.iter().zip(ways?).map(|((_, port), way)| (*port, way));
    let carriers = || ports.iter().map(|(_, port)| Carrier::of(port)).collect();
    // In which VLAN it leaves, when it does; else where it could not pass.
    let blocked = ways.try_fold(None, |blocked, (port, way)| match way {
        Crossing::In(vlan) if port.carries(vlan) => Err(vlan),
        Crossing::In(vlan) => Ok(blocked.or(Some((vlan, None)))),
        Crossing::Refused(patch, vlan) => Ok(blocked.or(Some((vlan, Some(patch))))),
    });
    let vlan = match blocked {
        Ok(Some((vlan, Some(patch)))) => return mismatch(vlan, Why::Patch(Carrier::of(patch), carriers())),
        Ok(Some((vlan, None))) => return mismatch(vlan, Why::Exit(carriers())),
        Ok(None) => return None,
        Err(vlan) => vlan,
    };
    if let Some(answered) = changed::answered(case, death) {
        return mismatch(death.facts.vlan, Why::Changed(answered));
    }
    let heard = heard(case, entered.point, vlan, dst)?;
    let steady = [entered.point, heard.point].into_iter().all(|point| is_steady(view, point));
    steady.then(|| mismatch(vlan, Why::Apart(heard))).flatten()
}

/// The VLAN of a port's untagged frames was the same all the time, as the tables take it to be.
fn is_steady(view: &View<'_>, point: PointId) -> bool {
    let name = view.points.name(point);
    let vlan = view.access_vlan(point);
    let mut ports = view.host.timeline.states().iter().filter_map(|state| state.topology.by_iface(name));
    ports.all(|(_, port)| port.vlan.unwrap_or(0) == vlan)
}

/// Where the destination is heard with that address and MAC, when that is in other VLANs only.
fn heard(case: &Case<'_, '_>, entry: PointId, vlan: u16, mac: Mac) -> Option<Heard> {
    let view = case.view;
    let domain = view.points.domain(entry)?;
    let table = &view.tables.claims.addresses;
    let mine = vlans(view, domain).into_iter().filter_map(|tags| {
        let key = AddressKey { domain, vlan: tags, ip: case.group.dst };
        table.get_key_value(&key)
    });
    let mut out: Option<Heard> = None;
    let mut vlans = BTreeSet::new();
    for (AddressKey { vlan: tags, .. }, address) in mine {
        let claims = address.claims.iter();
        for claim in claims.filter(|claim| claim.mac == mac && claim.kind != ClaimKind::Probe) {
            let entering = claim.seen.iter().filter(|(point, direction)| comes_in(view, *point, *direction));
            // A broadcast arrives at the backup of a bond as well.
            let entering = entering.min_by_key(|(point, _)| is_idle(view, *point));
            let (Some((point, _)), Some(run)) = (entering, claim.runs.runs().first()) else { continue };
            vlans.insert(tags.outer);
            out.get_or_insert(Heard { vlan: tags.outer, point: *point, sight: run.first });
        }
    }
    out.filter(|_| !vlans.contains(&vlan))
}

/// A member that its bond does not use.
fn is_idle(view: &View<'_>, point: PointId) -> bool {
    let port = view.host.topology().by_iface(view.points.name(point));
    port.is_some_and(|(_, port)| port.active == Some(false))
}

/// The VLANs of a domain in which somebody has an address.
fn vlans(view: &View<'_>, domain: DomainId) -> Vec<Tags> {
    let table = &view.tables.claims.addresses;
    let lowest = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    let mut out = Vec::new();
    let mut from = Some(AddressKey { domain, vlan: Tags::default(), ip: lowest });
    while let Some((key, _)) = from.and_then(|from| table.range(from..).next()) {
        if key.domain != domain {
            break;
        }
        out.push(key.vlan);
        let Tags { outer, inner } = key.vlan;
        let next = match (outer.checked_add(1), inner.checked_add(1)) {
            (_, Some(inner)) => Some(Tags { outer, inner }),
            (Some(outer), None) => Some(Tags { outer, inner: 0 }),
            (None, None) => None,
        };
        from = next.map(|vlan| AddressKey { domain, vlan, ip: lowest });
    }
    out
}

/// It comes into the switch there.
fn comes_in(view: &View<'_>, point: PointId, direction: Direction) -> bool {
    match view.points.get(point).map(|info| &info.role) {
        Some(Role::Internal) => direction == Direction::Out,
        _ => direction == Direction::In,
    }
}
