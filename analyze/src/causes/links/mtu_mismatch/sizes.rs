//! What the ports take at which a packet could leave, and which of the packets that died are larger.

use netcap_bundle::topology::{BondInfo, SwitchKind};
use netcap_bundle::{Nanos, Role};
use netcap_words::wire::ip_protocol::TCP;
use netcap_words::wire::{TAG_BYTES, is_tag};

use crate::deaths::{Case, Death, Group, Passers};
use crate::host::timeline::HostState;
use crate::view::View;

/// Octets of the Ethernet header, without tags.
pub(super) const HEADER_BYTES: u32 = 14;
/// What a kernel bridge lets pass above the MTU: a VLAN tag, whether or not there is one.
const BRIDGE_ALLOWANCE: u32 = 4;
/// Tags that are counted.
const TAGS_MAX: usize = 4;
/// No Ethernet link takes larger packets.
const JUMBO_BYTES: u32 = 9_216;
/// One batch of a switch in user space is sent at once.
const BATCH_NS: i64 = 1_000_000;
/// Groups that are looked through for the packet that was refused.
const GROUPS_MAX: usize = 512;

/// One port and what it took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PortSize {
    pub name: String,
    /// Its MTU in the states that may have held: the least and the most.
    pub mtu: (u32, u32),
}

/// What the ports take at which packets of a group could leave.
#[derive(Debug, Clone)]
pub(super) struct Sizes<'v> {
    view: &'v View<'v>,
    /// The ports that carried something in that time, by name.
    pub ports: Vec<PortSize>,
    /// The switch sends in user space, in batches.
    pub batches: bool,
    /// Tags in front of the packets, in octets.
    tags: u32,
    /// What the switch lets pass above the MTU.
    allowance: u32,
    /// What is larger than that is a super-segment.
    whole: u32,
}

/// What the size of a packet had to do with its death.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fits {
    /// Every port takes it.
    Everywhere,
    /// Not every port takes it, or not before or after a change.
    Perhaps,
    /// No port takes it.
    Nowhere,
}

impl<'v> Sizes<'v> {
    /// `None` when nobody knows the MTU of every one of these ports.
    pub(super) fn of(view: &'v View<'v>, group: &Group<'_>, (first, last): (Nanos, Nanos)) -> Option<Self> {
        let exits = &group.place.exits;
        let points = exits.points.iter().map(|point| view.points.name(*point));
        let mut names: Vec<&str> = points.chain(exits.unrecorded.iter().map(String::as_str)).collect();
        names.sort_unstable();
        names.dedup();
        let timeline = &view.host.timeline;
        let mut states: Vec<&HostState> = timeline.around(first).chain(timeline.around(last)).collect();
        states.extend(timeline.states().iter().filter(|state| first < state.at && state.at <= last));
        let ports = ports(&states, &names)?;
        let entry = view.points.get(group.place.from.point)?;
        let switch = entry.vswitch.as_deref()?;
        let switch = view.host.topology_at(first).switch(switch);
        let bridge = switch.is_some_and(|switch| switch.kind == SwitchKind::LinuxBridge);
        Some(Self {
            view,
            ports,
            batches: switch.is_some_and(|switch| switch.datapath.as_deref() == Some("netdev")),
            tags: group.example.map_or(0, |example| tags(example.bytes)),
            allowance: if bridge { BRIDGE_ALLOWANCE } else { 0 },
            // A guest may send larger frames than its port takes, but it cuts what TCP sends to the size of its segments.
            whole: match port(&states, &entry.name).filter(|_| group.protocol == TCP) {
                Some(port) => port.mtu.1,
                None => JUMBO_BYTES,
            },
        })
    }

    /// The size of the packet in a frame: what an MTU counts.
    pub(super) fn packet(&self, frame_bytes: u32) -> u32 {
        frame_bytes.saturating_sub(HEADER_BYTES + self.tags)
    }

    /// The least MTU of all.
    pub(super) fn least(&self) -> u32 {
        least(&self.ports)
    }

    /// The ports that take less than a packet of that size.
    pub(super) fn smaller(&self, frame_bytes: u32) -> impl Iterator<Item = &PortSize> {
        let packet = self.packet(frame_bytes);
        self.ports.iter().filter(move |port| port.mtu.0 + self.allowance < packet)
    }

    /// Whether a packet could leave.
    pub(super) fn fits(&self, death: &Death) -> Fits {
        let packet = self.packet(death.facts.size).saturating_sub(self.allowance);
        // A super-segment is cut before it leaves.
        if death.packets != 1 || packet > self.whole || packet <= self.least() {
            return Fits::Everywhere;
        }
        if least(&self.ports) == most(&self.ports) {
            return Fits::Nowhere;
        }
        let states: Vec<&HostState> = self.view.host.timeline.around(death.at).collect();
        let names: Vec<&str> = self.ports.iter().map(|port| port.name.as_str()).collect();
        match ports(&states, &names) {
            Some(ports) if packet > most(&ports) => Fits::Nowhere,
            Some(ports) if packet <= least(&ports) => Fits::Everywhere,
            _ => Fits::Perhaps,
        }
    }

    /// Of these, that passed, none was too large for every port.
    pub(super) fn may_hold_back(&self, passed: &Passers) -> bool {
        self.packet(passed.largest) <= most(&self.ports) + self.allowance
    }
}

fn least(ports: &[PortSize]) -> u32 {
    ports.iter().map(|port| port.mtu.0).min().unwrap_or(u32::MAX)
}

fn most(ports: &[PortSize]) -> u32 {
    ports.iter().map(|port| port.mtu.1).max().unwrap_or(u32::MAX)
}

/// Those that carry something; all of them when none does.
fn ports(states: &[&HostState], names: &[&str]) -> Option<Vec<PortSize>> {
    let used: Vec<&str> = names.iter().copied().filter(|name| carries(states, name)).collect();
    let used = if used.is_empty() { names.to_vec() } else { used };
    let ports: Option<Vec<PortSize>> = used.into_iter().map(|name| port(states, name)).collect();
    ports.filter(|ports| !ports.is_empty())
}

/// A member that its bond does not use carries nothing.
fn carries(states: &[&HostState], name: &str) -> bool {
    let idle = |state: &&HostState| {
        state.topology.by_iface(name).is_some_and(|(switch, port)| {
            let Role::Uplink { bond: Some(bond) } = &port.role else { return false };
            let backup = switch.and_then(|switch| switch.bond(bond)).is_some_and(BondInfo::is_active_backup);
            port.enabled == Some(false) || (backup && port.active == Some(false))
        })
    };
    !states.iter().all(idle)
}

fn port(states: &[&HostState], name: &str) -> Option<PortSize> {
    let known = states.iter().filter_map(|state| state.topology.by_iface(name));
    let mtus: Option<Vec<u32>> = known
        // What leaves by a tunnel gets a header more, and its way has an MTU of its own.
        .map(|(_, port)| port.mtu.filter(|_| !matches!(port.role, Role::Tunnel { .. } | Role::Patch { .. })))
        .collect();
    let mtus = mtus?;
    let mtu = (*mtus.iter().min()?, *mtus.iter().max()?);
    Some(PortSize { name: name.to_owned(), mtu })
}

/// Octets of the tags in front of what a frame carries.
fn tags(frame: &[u8]) -> u32 {
    let tag = |number: &usize| {
        let at = 12 + number * TAG_BYTES;
        frame.get(at..).and_then(|rest| rest.first_chunk()).is_some_and(|b| is_tag(u16::from_be_bytes(*b)))
    };
    let count = (0..TAGS_MAX).take_while(tag).count();
    u32::try_from(count * TAG_BYTES).unwrap_or(0)
}

/// Deaths of a group, by what their size had to do with it.
#[derive(Debug, Default)]
pub(super) struct Split<'d> {
    /// Larger than a port takes, and for each whether no other could take it.
    pub large: Vec<(&'d Death, Fits)>,
    /// Small, and given up together with one that was refused.
    pub beside: Vec<&'d Death>,
}

impl<'d> Split<'d> {
    pub(super) fn is_empty(&self) -> bool {
        self.large.is_empty() && self.beside.is_empty()
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &'d Death> {
        self.large.iter().map(|(death, _)| *death).chain(self.beside.iter().copied())
    }

    /// The large ones that were looked for where they had to appear.
    pub(super) fn sure(&self) -> impl DoubleEndedIterator<Item = &'d Death> {
        self.large.iter().map(|(death, _)| *death).filter(|death| death.is_sure())
    }

    /// The smallest of the large ones.
    pub(super) fn smallest(&self) -> Option<&'d Death> {
        self.large.iter().map(|(death, _)| *death).min_by_key(|death| (death.facts.size, death.at))
    }
}

pub(super) fn split<'d>(case: &Case<'d, '_>, sizes: &Sizes<'_>) -> Split<'d> {
    let mut split = Split::default();
    let mut small = Vec::new();
    for death in case.rest {
        match sizes.fits(death) {
            Fits::Everywhere => small.push(death),
            fits => split.large.push((death, fits)),
        }
    }
    if sizes.batches && !small.is_empty() {
        let refused = refused(case, sizes);
        let near = |death: &&Death| {
            let next = refused.partition_point(|at| *at < death.at.plus(-BATCH_NS));
            refused.get(next).is_some_and(|at| *at <= death.at.plus(BATCH_NS))
        };
        split.beside = small.into_iter().filter(|death| death.is_sure() && near(death)).collect();
    }
    split
}

/// When packets were refused at the same ports, of whatever group.
fn refused(case: &Case<'_, '_>, sizes: &Sizes<'_>) -> Vec<Nanos> {
    let exits = case.group.exits();
    let groups = case.deaths.judged().iter().filter(|group| !exits.is_empty() && group.exits() == exits);
    let deaths = groups.take(GROUPS_MAX).flat_map(|group| {
        let tags = group.example.map_or(0, |example| tags(example.bytes));
        let whole = if group.protocol == TCP { sizes.whole } else { JUMBO_BYTES };
        let own = Sizes { tags, whole, ..sizes.clone() };
        let large = move |death: &&Death| death.is_sure() && own.fits(death) != Fits::Everywhere;
        group.deaths.iter().filter(large)
    });
    let mut times: Vec<Nanos> = deaths.map(|death| death.at).collect();
    times.sort_unstable();
    times
}
