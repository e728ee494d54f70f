//! Capture points and the broadcast domains they belong to.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::ALIVE_MAX;
use netcap_bundle::packets::{Interface, LinkType};
use netcap_bundle::{Mac, Point, Role};
use netcap_filters::{Options, VlanMode};

use super::copies::Copies;
use super::follow::Follow;
use super::ids::{DomainId, HostId, PointId};
use super::sides::Sides;

/// Interfaces counted apart in one bare file; a packet of a later one belongs to the last.
const INTERFACES_PER_FILE: u32 = 4_096;
/// Points described of one input, those of bare files included.
const POINTS_MAX: usize = 16_384;
/// Domains of points without a switch start here.
const LONELY: u32 = 1 << 31;
/// Among them those of interfaces of one point: the point above, the number of the interface below.
const COOKED: u32 = 1 << 30;
const COOKED_BITS: u32 = 20;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PointInfo {
    /// Interface name, `#n` when the file does not say.
    pub name: String,
    /// What it is to the host.
    pub role: Role,
    /// Its virtual switch.
    pub vswitch: Option<String>,
    /// The interface's own MAC.
    pub mac: Option<Mac>,
    /// Filter as the user wrote it.
    pub filter: String,
    /// How the filter was compiled.
    pub manner: Options,
    /// Bytes kept of each frame; 0 when not said.
    pub snaplen: u32,
    /// Packets the kernel dropped there, as the file's own statistics say; bundles say it in their segments.
    pub dropped: Option<u64>,
    /// True when the bundle describes it; false for the interfaces of a bare file.
    pub described: bool,
    /// Frames of several interfaces are there, and do not say of which.
    pub mixed: bool,
}

/// What folds may know before the packets are read: the points, their domains and VLANs, who is in a bond.
#[derive(Debug, Default)]
pub(crate) struct FoldContext {
    points: Vec<PointInfo>,
    domains: Vec<DomainId>,
    vlans: Vec<u16>,
    bonded: BTreeSet<u32>,
    /// Of each point, when there are several.
    hosts: Vec<HostId>,
    files: usize,
    /// Hosts that are looked at together.
    beside: usize,
    /// Which packets are followed from point to point.
    pub follow: Follow,
    /// Which sightings are copies.
    pub copies: Copies,
    /// Which way frames went, where files do not say.
    pub sides: Sides,
}

impl FoldContext {
    /// As it is for an input of so many files.
    #[must_use]
    pub(crate) fn of_files(self, files: usize) -> Self {
        Self { files, ..self }
    }

    /// As it is for one of so many hosts that are looked at together.
    #[must_use]
    pub(crate) fn beside(self, hosts: usize) -> Self {
        Self { beside: hosts, ..self }
    }

    /// How many hosts share the memory that there is for comparing them.
    pub(crate) fn hosts(&self) -> usize {
        self.beside.max(1)
    }

    /// The contexts of several hosts as one: the points of each follow those of the one before it, and no switch has ports
    /// on two hosts. Returns the number of each one's first point, too.
    pub(crate) fn joined(contexts: &[&Self]) -> (Self, Vec<u32>) {
        let narrow = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let mut all = Self { beside: contexts.len(), ..Self::default() };
        let (mut bases, mut switches) = (Vec::new(), 0);
        for (host, context) in (0u32..).zip(contexts) {
            let base = narrow(all.points.len());
            bases.push(base);
            let domain = |of: &DomainId| {
                DomainId(if of.0 & LONELY == 0 { of.0 + switches } else { of.0.saturating_add(base) })
            };
            all.domains.extend(context.domains.iter().map(domain));
            let own = context.domains.iter().filter(|of| of.0 & LONELY == 0);
            switches += own.map(|of| of.0 + 1).max().unwrap_or(0);
            all.hosts.extend(context.points.iter().map(|_| HostId(host)));
            all.vlans.extend(&context.vlans);
            all.bonded.extend(context.bonded.iter().map(|index| index + base));
            all.points.extend(context.points.iter().cloned());
        }
        (all, bases)
    }

    /// How many states of folds are to share the memory that one may have: the one of a lonely file has all of it, those
    /// of many files a part each. It depends on nothing but the input, or so would what is given up.
    pub(crate) fn sharers(&self) -> usize {
        if self.files > 1 { ALIVE_MAX + 5 } else { 1 }
    }

    /// From the points of an input and the names of interfaces that are members of a bond.
    pub(crate) fn new(points: &[Point], bonded: &BTreeSet<String>) -> Self {
        let names: BTreeSet<&str> = points.iter().filter_map(|p| p.vswitch.as_deref()).collect();
        let switches: BTreeMap<&str, u32> = names.into_iter().zip(0u32..).collect();
        let mut context = Self::default();
        for (index, point) in (0u32..).zip(points) {
            let domain = point
                .vswitch
                .as_deref()
                .and_then(|name| switches.get(name).copied())
                .unwrap_or(LONELY | index);
            context.domains.push(DomainId(domain));
            context.vlans.push(point.vlan.unwrap_or(0));
            if bonded.contains(&point.iface) {
                context.bonded.insert(index);
            }
            // A machine that came back at a port of the same name is another point.
            let twice = context.points.iter().any(|before| before.name == point.iface);
            context.points.push(PointInfo {
                name: if twice { point.id.clone() } else { point.iface.clone() },
                role: point.role.clone(),
                vswitch: point.vswitch.clone(),
                mac: point.mac,
                filter: point.filter.clone(),
                manner: manner(point),
                snaplen: point.snaplen,
                dropped: None,
                described: true,
                mixed: false,
            });
        }
        context
    }

    /// The point of a packet. Segments without a point (bare files) get a range of ids each.
    pub(super) fn point(&self, segment_point: Option<usize>, lonely_file: u32, interface: u32) -> PointId {
        let narrow = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        if let Some(index) = segment_point {
            return PointId(narrow(index));
        }
        let offset = lonely_file.saturating_mul(INTERFACES_PER_FILE);
        let interface = interface.min(INTERFACES_PER_FILE - 1);
        PointId(narrow(self.points.len()).saturating_add(offset).saturating_add(interface))
    }

    /// The broadcast domain of a point.
    pub(crate) fn domain(&self, point: PointId) -> DomainId {
        self.domains.get(point.0 as usize).copied().unwrap_or(DomainId(LONELY | (point.0 & (LONELY - 1))))
    }

    /// The broadcast domain of a frame: of a point that is all interfaces of a host each of them is one.
    pub(super) fn domain_of(&self, point: PointId, link: LinkType, frame: &[u8]) -> DomainId {
        match cooked_interface(link, frame) {
            Some(index) => {
                let point = (point.0 << COOKED_BITS) & (COOKED - 1);
                DomainId(LONELY | COOKED | point | (index & ((1 << COOKED_BITS) - 1)))
            }
            None => self.domain(point),
        }
    }

    /// The access VLAN of a point, 0 when it has none.
    pub(crate) fn access_vlan(&self, point: PointId) -> u16 {
        self.vlans.get(point.0 as usize).copied().unwrap_or(0)
    }

    /// The host that a point belongs to; its points share one clock.
    pub(crate) fn host(&self, point: PointId) -> HostId {
        self.hosts.get(point.0 as usize).copied().unwrap_or_default()
    }

    /// The point belongs to a known switch.
    pub(crate) fn has_switch(&self, point: PointId) -> bool {
        self.points.get(point.0 as usize).is_some_and(|p| p.vswitch.is_some())
    }

    /// The point is a member of a bond.
    pub(crate) fn is_bonded(&self, point: PointId) -> bool {
        self.bonded.contains(&point.0)
    }

    /// What it is to the host.
    pub(crate) fn role(&self, point: PointId) -> Option<&Role> {
        self.points.get(point.0 as usize).map(|p| &p.role)
    }
}

/// The number of the interface that a cooked frame of version 2 came by (LINKTYPE_LINUX_SLL2).
fn cooked_interface(link: LinkType, frame: &[u8]) -> Option<u32> {
    let index = frame.get(4..).filter(|_| link == LinkType::LINUX_SLL2)?;
    index.first_chunk().map(|bytes| u32::from_be_bytes(*bytes))
}

/// What really ran in the kernel: the recorder says so, and an older one had the same options and did not.
fn manner(point: &Point) -> Options {
    let vlan = if point.no_vlan { VlanMode::Literal } else { VlanMode::AsMeant };
    Options { vlan, inner: point.inner }
}

/// Every point of an input after the pass.
#[derive(Debug, Default)]
pub(crate) struct Points {
    map: BTreeMap<PointId, (PointInfo, DomainId)>,
    /// Interfaces that are not kept apart, or not described, because there are too many.
    pub crowd: u64,
}

impl Points {
    pub(super) fn new(context: &FoldContext) -> Self {
        let known = (0u32..).map(PointId).zip(&context.points);
        Self { map: known.map(|(id, info)| (id, (info.clone(), context.domain(id)))).collect(), crowd: 0 }
    }

    /// Adds the interface of a bare file, or what a file adds to a known point.
    pub(super) fn add(&mut self, id: PointId, number: usize, interface: &Interface, context: &FoldContext) {
        let full = self.map.len() >= POINTS_MAX && !self.map.contains_key(&id);
        self.crowd += u64::from(full || number >= INTERFACES_PER_FILE as usize);
        if full {
            return;
        }
        let entry = self.map.entry(id).or_insert_with(|| {
            let name = if interface.name.is_empty() { format!("#{number}") } else { interface.name.clone() };
            let info = PointInfo {
                name,
                role: Role::Other,
                vswitch: None,
                mac: interface.mac,
                filter: interface.filter.clone(),
                manner: Options::default(),
                snaplen: interface.snaplen,
                dropped: None,
                described: false,
                mixed: false,
            };
            (info, context.domain(id))
        });
        entry.0.mixed |= interface.link == LinkType::LINUX_SLL && interface.name.is_empty();
        if let Some(dropped) = interface.dropped {
            entry.0.dropped = Some(entry.0.dropped.unwrap_or(0).saturating_add(dropped));
        }
    }

    /// What is known of a point.
    pub(crate) fn get(&self, id: PointId) -> Option<&PointInfo> {
        self.map.get(&id).map(|(info, _)| info)
    }

    /// Its name, for people.
    pub(crate) fn name(&self, id: PointId) -> &str {
        self.get(id).map_or("?", |p| p.name.as_str())
    }

    /// Its name when that tells something: of a lonely file nobody asks where, and it may not say.
    pub(crate) fn named(&self, id: PointId) -> Option<&str> {
        let made_up = |info: &PointInfo| !info.described && info.name.starts_with('#');
        self.get(id).filter(|info| self.map.len() > 1 || !made_up(info)).map(|info| info.name.as_str())
    }

    /// Its broadcast domain.
    pub(crate) fn domain(&self, id: PointId) -> Option<DomainId> {
        self.map.get(&id).map(|(_, domain)| *domain)
    }

    /// The point of that interface.
    pub(crate) fn by_name(&self, name: &str) -> Option<PointId> {
        self.map.iter().find(|(_, (info, _))| info.name == name).map(|(id, _)| *id)
    }

    /// All points in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (PointId, &PointInfo)> {
        self.map.iter().map(|(id, (info, _))| (*id, info))
    }

    /// The name of a domain tells people something.
    pub(crate) fn is_domain_named(&self, domain: DomainId) -> bool {
        if domain.interface().is_some() {
            return true;
        }
        let mut points = self.map.iter().filter(|(_, (_, d))| *d == domain).map(|(id, _)| *id);
        points.any(|id| self.named(id).is_some())
    }

    /// The name of a domain: its switch, the only point of it, or the number of an interface.
    pub(crate) fn domain_name(&self, domain: DomainId) -> Cow<'_, str> {
        if let Some(index) = domain.interface() {
            return format!("ifindex {index}").into();
        }
        self.map
            .values()
            .find(|(_, d)| *d == domain)
            .map_or("?", |(info, _)| info.vswitch.as_deref().unwrap_or(&info.name))
            .into()
    }
}

impl DomainId {
    /// The interface that it is, of a point that is all interfaces of a host.
    pub(crate) fn interface(self) -> Option<u32> {
        (self.0 & LONELY != 0 && self.0 & COOKED != 0).then_some(self.0 & ((1 << COOKED_BITS) - 1))
    }
}
