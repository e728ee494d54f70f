//! Interfaces, their addresses, counters and routes.

use std::net::IpAddr;

use serde::Serialize;

use crate::Mac;

/// Interfaces and routes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Links {
    /// Interfaces by index.
    pub links: Vec<Link>,
    /// Routes of all tables, in the kernel's order.
    pub routes: Vec<Route>,
}

/// One interface.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Link {
    /// Interface index.
    pub ifindex: u32,
    /// As the kernel calls it now (`eth2`).
    pub name: String,
    /// `veth`, `bridge`, `bond`, `tun`, `openvswitch`, `vlan`, `vxlan`, …; `None` for hardware (and unknown).
    pub kind: Option<String>,
    /// `bridge`, `bond`, `openvswitch`: what it is a port of.
    pub master_kind: Option<String>,
    /// The interface it is a port of (`ovs-system` for kernel OVS).
    pub master: Option<String>,
    /// The interface it sits on, or its veth peer.
    pub lower: Option<String>,
    /// VLAN id of a VLAN interface.
    pub vlan_id: Option<u16>,
    /// Current MAC.
    pub mac: Option<Mac>,
    /// Burnt-in MAC, when it differs from the current one.
    pub permanent_mac: Option<Mac>,
    /// MTU in bytes.
    pub mtu: Option<u32>,
    /// `UP`, `LOWER_UP`, `NO-CARRIER`, `PROMISC`, …
    pub flags: Vec<String>,
    /// `UP`, `DOWN`, `LOWERLAYERDOWN`, `UNKNOWN`, … (RFC 2863).
    pub operstate: String,
    /// Of IPv4 and IPv6, in the order printed.
    pub addresses: Vec<Address>,
    /// Counters.
    pub stats: Option<LinkStats>,
    /// Member state in a kernel bond (`ACTIVE`, `BACKUP`) and its MII status.
    pub bond_member: Option<BondMember>,
    /// Settings of a kernel bond.
    pub bond: Option<KernelBond>,
    /// Spanning tree of a kernel bridge is on.
    pub stp: Option<bool>,
    /// A kernel bridge looks at VLANs (`vlan_filtering`); without it what `bridge vlan` lists decides nothing.
    pub filters_vlans: Option<bool>,
    /// The kind of its queue of packets to send (`mq`, `tbf`, `noqueue`, …).
    pub queue: Option<String>,
}

/// One address of an interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Address {
    /// The address.
    pub ip: IpAddr,
    /// Prefix length.
    pub prefix: u8,
    /// `global`, `link`, `host`.
    pub scope: String,
}

/// Counters of an interface since it exists (`struct rtnl_link_stats64`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct LinkStats {
    /// Received.
    pub rx: Side,
    /// Sent.
    pub tx: Side,
}

/// Counters of one direction. What the direction does not have stays 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Side {
    /// Frame headers included, checksums not.
    pub bytes: u64,
    /// Frames.
    pub packets: u64,
    /// Of every kind; the kinds follow.
    pub errors: u64,
    /// Dropped by the host: no buffer, no listener.
    pub dropped: u64,
    /// Received: ring buffer overflow.
    pub over: u64,
    /// Received: the card had no room (`missed`).
    pub missed: u64,
    /// Received: alignment errors.
    pub frame: u64,
    /// Received: checksum errors.
    pub crc: u64,
    /// FIFO errors.
    pub fifo: u64,
    /// Received: multicast frames.
    pub multicast: u64,
    /// Sent: carrier lost while sending.
    pub carrier: u64,
    /// Sent: collisions.
    pub collisions: u64,
}

/// An interface as member of a kernel bond.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BondMember {
    /// It carries traffic (`ACTIVE`), or waits (`BACKUP`).
    pub active: bool,
    /// Link seen by MII monitoring.
    pub mii_up: bool,
}

/// What the kernel's bonding driver says of a bond.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KernelBond {
    /// `active-backup`, `802.3ad`, `balance-xor`, …
    pub mode: String,
    /// Active member in active-backup mode.
    pub active: Option<String>,
}

/// One line of the routing tables.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Route {
    /// `unicast`, `local`, `broadcast`, `blackhole`, …
    pub kind: String,
    /// Destination: `default`, an address or a prefix.
    pub dst: String,
    /// Next hop.
    pub gateway: Option<IpAddr>,
    /// Interface.
    pub dev: Option<String>,
    /// Source address chosen.
    pub src: Option<IpAddr>,
    /// Routing table; `main` when not said.
    pub table: String,
    /// The lower is preferred.
    pub metric: u32,
}

impl Link {
    /// Administratively up.
    pub(crate) fn admin_up(&self) -> bool {
        self.has_flag("UP")
    }

    /// Carrier present: the physical link is there.
    pub(crate) fn carrier(&self) -> bool {
        self.has_flag("LOWER_UP") && !self.has_flag("NO-CARRIER")
    }

    /// `UP`, `LOWER_UP`, `PROMISC`, … as `ip` prints them.
    pub(crate) fn has_flag(&self, flag: &str) -> bool {
        self.flags.iter().any(|f| f == flag)
    }
}

impl Links {
    /// The interface of that name.
    pub fn link(&self, name: &str) -> Option<&Link> {
        self.links.iter().find(|link| link.name == name)
    }

    /// The interface that owns that address.
    pub fn owner(&self, ip: IpAddr) -> Option<&Link> {
        self.links.iter().find(|link| link.addresses.iter().any(|address| address.ip == ip))
    }

    /// Default gateways of the main table with their interface.
    pub fn gateways(&self) -> impl Iterator<Item = (IpAddr, &str)> {
        let main = self.routes.iter().filter(|route| route.dst == "default" && route.table == "main");
        main.filter_map(|route| Some((route.gateway?, route.dev.as_deref()?)))
    }

    /// The interface of that index or name, made when it is new. Text and JSON of `link` and `addr` meet here.
    pub(super) fn entry(&mut self, ifindex: u32, name: &str) -> Option<&mut Link> {
        let at = match self.links.iter().rposition(|link| link.ifindex == ifindex && link.name == name) {
            Some(at) => at,
            // The kernel has at most a few thousand; the search above is linear in this bound.
            None if self.links.len() >= LINKS_MAX => return None,
            None => {
                self.links.push(Link { ifindex, name: name.to_owned(), ..Link::default() });
                self.links.len() - 1
            }
        };
        self.links.get_mut(at)
    }
}

/// Interfaces kept. A host with a thousand VMs has a few thousand.
pub(super) const LINKS_MAX: usize = 16_384;
