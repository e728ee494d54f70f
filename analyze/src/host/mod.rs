//! The recorded host as detectors ask about it: its own addresses, and where a MAC sits.

pub(crate) mod bonds;
pub(crate) mod carrying;
pub(crate) mod copies;
pub(crate) mod exits;
pub(crate) mod growth;
pub(crate) mod lacking;
pub(crate) mod macs;
pub(crate) mod outages;
mod place;
pub(crate) mod presence;
mod said;
pub(crate) mod sides;
pub(crate) mod silence;
pub(crate) mod timeline;

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use netcap_bundle::input::Input;
use netcap_bundle::sources::network::links::{Link, Links};
use netcap_bundle::sources::vm::libvirt::Libvirt;
use netcap_bundle::state::Round;

use netcap_bundle::topology::Topology;
use netcap_bundle::{Mac, Nanos};

use crate::finding::Evidence;
use crate::text::Text;

pub(crate) use place::place;
pub(crate) use said::said_at;

use presence::Presence;
use timeline::{HostTimeline, Read};

/// An address that the host itself has.
#[derive(Debug, Clone)]
pub(crate) struct OwnAddress {
    /// MAC of the interface that has it.
    pub mac: Mac,
    /// The interface.
    pub iface: String,
    /// The line of the snapshot that says so.
    pub evidence: Evidence,
}

/// State of the host, read once.
#[derive(Debug, Default)]
pub(crate) struct Host {
    first: Option<Round<Links>>,
    last: Option<Round<Links>>,
    libvirt: Option<Round<Libvirt>>,
    topology: Topology,
    macs: BTreeSet<Mac>,
    /// Open vSwitch hands flows to the network card (`other_config:hw-offload`): their packets pass no capture.
    pub offloads: bool,
    /// The host over time.
    pub timeline: HostTimeline,
    /// When its points were there.
    pub presence: Presence,
}

impl Host {
    /// Reads what the input recorded.
    pub(crate) fn read(input: &Input) -> Self {
        let first = input.state.first::<Links>(&input.files);
        let last = input.state.last::<Links>(&input.files);
        let links = [&first, &last].into_iter().flatten().flat_map(|r| &r.parsed.value.links);
        // A tap's MAC is the host's, the guest's MAC is not.
        let macs = links.flat_map(|l| [l.mac, l.permanent_mac]).flatten().filter(|m| !m.is_zero()).collect();
        let libvirt = input.state.last::<Libvirt>(&input.files);
        let Read { timeline, end, offloads } = Read::of(input);
        let mut topology = end;
        // A directory of the old script has nothing but its listing.
        if topology.switches.is_empty() {
            topology = input.listing.topology();
        }
        let presence = Presence::read(input);
        Self { first, last, libvirt, topology, macs, offloads, timeline, presence }
    }

    /// Switches, ports and who sits where, as at the end of the recording.
    pub(crate) fn topology(&self) -> &Topology {
        &self.topology
    }

    /// The same as they were at that time.
    pub(crate) fn topology_at(&self, at: Nanos) -> &Topology {
        self.timeline.at(at).map_or(&self.topology, |state| &state.topology)
    }

    /// Virtual machines, if libvirt answered.
    pub(crate) fn libvirt(&self) -> Option<&Round<Libvirt>> {
        self.libvirt.as_ref()
    }

    /// One of the host's own interfaces has that MAC.
    pub(crate) fn owns_mac(&self, mac: Mac) -> bool {
        self.macs.contains(&mac)
    }

    /// One of the host's own interfaces has that address; `None` when the interfaces are not known.
    pub(crate) fn owns_ip(&self, ip: IpAddr) -> Option<bool> {
        self.last.as_ref()?;
        let links = [&self.first, &self.last].into_iter().flatten().flat_map(|r| &r.parsed.value.links);
        Some(links.flat_map(|l| &l.addresses).any(|address| address.ip == ip))
    }

    /// The broadcast address of one of the host's networks.
    pub(crate) fn is_broadcast(&self, ip: Ipv4Addr) -> bool {
        let links = self.last.iter().flat_map(|r| &r.parsed.value.links);
        links.flat_map(|l| &l.addresses).any(|address| match address.ip {
            IpAddr::V4(own) if address.prefix < 31 => {
                let host_bits = u32::MAX.checked_shr(u32::from(address.prefix)).unwrap_or(0);
                ip.to_bits() == own.to_bits() | host_bits
            }
            _ => false,
        })
    }

    /// The host's interface with that MAC; a switch's own port before its uplinks, which share its MAC.
    pub(crate) fn iface_of(&self, mac: Mac) -> Option<&str> {
        let links = &self.last.as_ref()?.parsed.value.links;
        let mut named: Vec<&Link> = links.iter().filter(|l| l.mac == Some(mac)).collect();
        named.sort_by_key(|l| (l.addresses.is_empty(), l.ifindex));
        named.first().map(|l| l.name.as_str())
    }

    /// The addresses of the host's own interfaces at the end of the recording.
    pub(crate) fn ips(&self) -> BTreeSet<IpAddr> {
        let links = self.last.iter().flat_map(|r| &r.parsed.value.links);
        links.flat_map(|l| &l.addresses).map(|address| address.ip).collect()
    }

    /// The MACs of the host's own interfaces.
    pub(crate) fn macs(&self) -> &BTreeSet<Mac> {
        &self.macs
    }

    /// The kernel's interfaces were read.
    pub(crate) fn knows_ifaces(&self) -> bool {
        self.last.is_some()
    }

    /// The kernel has that interface, at the start or at the end.
    pub(crate) fn has_iface(&self, name: &str) -> bool {
        let links = [&self.first, &self.last].into_iter().flatten().flat_map(|r| &r.parsed.value.links);
        links.into_iter().any(|link| link.name == name)
    }

    /// The host's own interface for that address in a switch and VLAN: the switch's port, or a VLAN interface on it.
    /// Only an address that is there at the start and at the end counts: one that moved away was handed over.
    pub(crate) fn owner(&self, ip: IpAddr, vswitch: &str, vlan: u16, access_vlan: u16) -> Option<OwnAddress> {
        let (first, last) = (self.first.as_ref()?, self.last.as_ref()?);
        let fits = |link: &&Link| {
            let has = link.addresses.iter().any(|a| a.ip == ip);
            let here = link.name == vswitch && vlan == access_vlan;
            let tagged = link.lower.as_deref() == Some(vswitch) && link.vlan_id == Some(vlan);
            has && (here || tagged)
        };
        let link = last.parsed.value.links.iter().find(fits)?;
        first.parsed.value.links.iter().find(fits)?;
        let file = file_of(last, "addr").or_else(|| file_of(last, "text")).unwrap_or_default();
        let mac = link.mac?;
        Some(OwnAddress {
            mac,
            iface: link.name.clone(),
            evidence: Evidence::Snapshot {
                file,
                at: Some(last.at),
                line: format!("{}: link/ether {mac} inet {ip}", link.name),
                what: Text::new("evidence.own-address"),
            },
        })
    }
}

/// The file of an item of a round.
pub(crate) fn file_of<T>(round: &Round<T>, item: &str) -> Option<String> {
    round.files.iter().find(|file| file.item == item && !file.path.is_empty()).map(|file| file.path.clone())
}

/// The file of an item that is repeated over something.
pub(crate) fn file_of_arg<T>(round: &Round<T>, item: &str, arg: &str) -> Option<String> {
    let mut files = round.files.iter();
    let found = files.find(|file| file.item == item && file.arg == arg && !file.path.is_empty());
    found.map(|file| file.path.clone())
}
