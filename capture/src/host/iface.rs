//! The network interfaces of this host as the kernel lists them (getifaddrs(3)).

use std::collections::BTreeMap;

use netcap_bundle::Mac;
use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;

/// One interface.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Iface {
    /// Kernel index.
    pub index: u32,
    /// Administratively up.
    pub up: bool,
    pub mac: Option<Mac>,
    /// Frames on it begin with an Ethernet header.
    pub ethernet: bool,
}

impl Iface {
    /// All interfaces by name; empty when the kernel does not answer.
    pub(crate) fn all() -> BTreeMap<String, Self> {
        let mut out: BTreeMap<String, Self> = BTreeMap::new();
        let Ok(list) = getifaddrs() else { return out };
        for entry in list {
            let Some(link) = entry.address.as_ref().and_then(|a| a.as_link_addr()) else { continue };
            let index = u32::try_from(link.ifindex()).unwrap_or(0);
            let mac = link.addr().map(Mac).filter(|mac| !mac.is_zero());
            let ethernet = is_ethernet(link.hatype());
            let up = entry.flags.contains(InterfaceFlags::IFF_UP);
            out.insert(entry.interface_name, Self { index, up, mac, ethernet });
        }
        out
    }

    /// The interface of that name, now.
    pub(crate) fn find(name: &str) -> Option<Self> {
        Self::all().remove(name)
    }
}

/// Whether frames of this hardware type begin with an Ethernet header (`ARPHRD_*`, include/uapi/linux/if_arp.h).
pub(crate) fn is_ethernet(hardware: u16) -> bool {
    matches!(hardware, libc::ARPHRD_ETHER | libc::ARPHRD_LOOPBACK)
}
