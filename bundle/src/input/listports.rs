//! The topology that check_network.sh left behind: the output of the platform's `ovs_dbg_listports`.
//!
//! Its columns are aligned for people and differ between versions (with and without the tap's own MAC, with `(vsw)` or
//! `(vnb)` behind a switch), so a line is read by what its words look like, not by where they stand:
//!
//! ```text
//! vswitch0 (vsw)
//! int   vswitch0        346b5b298863               10.125.32.240  65534/2        1500
//!       vnet11          feda411d8513 0cda411d8513                 3/25     188x  1500  kylin10_219  5908  FW_white
//! bond  vswitch0_bond   eth1 40a8f02814d9                         31/3           1500  03:00.1
//!                       eth0 40a8f02814d8                         32/4     *     1500  03:00.0
//! ```

use crate::Mac;
use crate::run::Role;
use crate::topology::{Port, Switch, SwitchKind, Topology};

/// Ports read of one file; a host has some hundreds.
const PORTS_MAX: usize = 10_000;
/// Smallest and largest MTU believed, in bytes (RFC 791 section 3.2; an IPv4 packet's 16-bit length).
const MTU_BYTES: std::ops::RangeInclusive<u32> = 68..=65_535;

/// What a line says of a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedPort {
    /// Its switch.
    pub vswitch: String,
    /// Interface name.
    pub iface: String,
    /// What it is to the host.
    pub role: Role,
    /// The interface's own MAC.
    pub mac: Option<Mac>,
    /// MTU in bytes.
    pub mtu: Option<u32>,
    /// Access VLAN.
    pub vlan: Option<u16>,
    /// A member of a bond that is marked as the active one: `*`, alone or before its state.
    pub active: bool,
    /// The line, with single spaces.
    pub line: String,
}

/// A listing of ports.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// Path of the listing in the input, for evidence.
    pub file: String,
    /// Every port in it.
    pub ports: Vec<ListedPort>,
}

impl Listing {
    /// The same as switches and ports. What the platform lists are switches of Open vSwitch.
    pub fn topology(&self) -> Topology {
        let mut switches: Vec<Switch> = Vec::new();
        for listed in &self.ports {
            let at = switches.iter().position(|switch| switch.name == listed.vswitch).unwrap_or_else(|| {
                switches.push(Switch::bare(SwitchKind::Ovs, &listed.vswitch));
                switches.len() - 1
            });
            if let Some(switch) = switches.get_mut(at) {
                switch.ports.push(port_of(listed));
            }
        }
        Topology { switches, ..Topology::default() }
    }
}

fn port_of(listed: &ListedPort) -> Port {
    let mut port = Port::bare(&listed.iface, listed.role.clone());
    (port.mac, port.mtu, port.vlan) = (listed.mac, listed.mtu, listed.vlan);
    match &listed.role {
        Role::Vnet { vm, guest_mac } => (port.vm, port.guest_mac) = (vm.clone(), *guest_mac),
        Role::Uplink { bond: Some(_) } => port.active = Some(listed.active),
        _ => {}
    }
    port
}

/// Reads a listing, and whether all of it was read. Lines that are no port, such as the table of network cards above it,
/// are passed over.
pub(super) fn parse(text: &str) -> (Vec<ListedPort>, bool) {
    let mut ports = Vec::new();
    let mut vswitch = None;
    let mut bond: Option<String> = None;
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        if let [name, kind, ..] = words.as_slice()
            && kind.starts_with("(v")
            && kind.ends_with(')')
        {
            vswitch = Some((*name).to_owned());
            bond = None;
            continue;
        }
        let Some(vswitch) = &vswitch else { continue };
        let (kind, words) = match words.as_slice() {
            [kind @ ("int" | "bond" | "tun" | "patch"), rest @ ..] => (Some(*kind), rest),
            rest => (None, rest),
        };
        let words = match kind {
            // The bond's name stands before its first member, or alone.
            Some("bond") => {
                bond = words.first().map(|w| (*w).to_owned());
                words.get(1..).unwrap_or_default()
            }
            Some(_) => {
                bond = None;
                words
            }
            None => words,
        };
        if let Some(mut port) = port(vswitch, kind, words, bond.as_deref()) {
            port.line = line.split_whitespace().collect::<Vec<_>>().join(" ");
            if ports.len() >= PORTS_MAX {
                return (ports, false);
            }
            ports.push(port);
        }
    }
    (ports, true)
}

fn port(vswitch: &str, kind: Option<&str>, words: &[&str], bond: Option<&str>) -> Option<ListedPort> {
    let (iface, rest) = words.split_first()?;
    let macs: Vec<Mac> = rest.iter().filter_map(|w| bare_mac(w)).collect();
    let numbers = rest.iter().position(|w| is_port_pair(w));
    if macs.is_empty() && numbers.is_none() {
        return None;
    }
    // The MTU is the first plain number behind the port numbers; what stands behind it belongs to the VM or the card.
    let behind = rest.get(numbers.map_or(0, |at| at + 1)..).unwrap_or_default();
    let mtu_at = behind.iter().position(|w| w.parse().is_ok_and(|n: u32| MTU_BYTES.contains(&n)));
    let mtu = mtu_at.and_then(|at| behind.get(at)).and_then(|w| w.parse().ok());
    let vlan =
        behind.iter().find_map(|w| w.strip_suffix('x')?.parse().ok().filter(|v| (1..4095).contains(v)));
    let is_vnet = iface.starts_with("vnet") || iface.starts_with("tap");
    let role = if kind == Some("int") {
        Role::Internal
    } else if is_vnet {
        let vm = mtu_at.and_then(|at| behind.get(at + 1)).map(|w| (*w).to_owned());
        // One MAC is the guest's; of two the first is the tap's.
        Role::Vnet { vm, guest_mac: macs.last().copied() }
    } else {
        Role::Uplink { bond: bond.map(str::to_owned) }
    };
    let mac = if is_vnet && macs.len() < 2 { None } else { macs.first().copied() };
    let active = bond.is_some() && !is_vnet && behind.iter().any(|w| w.starts_with('*'));
    Some(ListedPort {
        vswitch: vswitch.to_owned(),
        iface: (*iface).to_owned(),
        role,
        mac,
        mtu,
        vlan,
        active,
        line: String::new(),
    })
}

/// Twelve hexadecimal digits without separators.
fn bare_mac(word: &str) -> Option<Mac> {
    (word.len() == 12 && !word.contains([':', '-', '.'])).then(|| word.parse().ok())?
}

/// `65534/2`: OpenFlow port and datapath port.
fn is_port_pair(word: &str) -> bool {
    word.split_once('/').is_some_and(|(a, b)| {
        [a, b].iter().all(|n| !n.is_empty() && n.len() <= 10 && n.bytes().all(|c| c.is_ascii_digit()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LISTING: &str = "\
PCI          NAME  LW IO NU SRIO MTU  A/L SPD MAC               DRIVE
0000:3d:00.0 eth0  66 0  0/32    1500 u/u 1000 34:6b:5b:29:88:63 X722
Type Name      MAC          VMMAC        IP            OFPort  Vlan MTU  VMName           VNC  Filter
vswitch0 (vsw)
int  vswitch0  346b5b298863              10.125.32.240 65534/2      1500
     vnet3     feda411d590e 0cda411d590e               2/17         1500 E0730_237        5902
int  dhcp0     5eeca7ca4160                            20/3    44x
     eth0      346b5b298863                            7/1          1500 3d:00.0          66
vs-app (vsw)
int  vs-app    7485c41db398                            65534/11     1500
     vnet11    feda411d8513 0cda411d8513               3/25    188x 1500 kylin10_219      5908 FW_white
vswitch1 (vnb)
     vnet0     0cda411d4379 172.16.51.23               12/7    100x 2800 E0513            5902
bond vswitch1_bond eth1 40a8f02814d9                   31/3    uxe  1500 03:00.1          21
     eth2      40a8f02814d8                            32/4    *uxe 1500 03:00.0          21
";

    fn listed(iface: &str) -> ListedPort {
        parse(LISTING).0.into_iter().find(|p| p.iface == iface).unwrap_or_else(|| panic!("no {iface}"))
    }

    fn mac(text: &str) -> Option<Mac> {
        text.parse().ok()
    }

    #[test]
    fn switches_vnets_and_uplinks_are_told_apart() {
        assert_eq!(parse(LISTING).0.len(), 9);
        let own = listed("vswitch0");
        assert_eq!((own.role, own.mac, own.mtu), (Role::Internal, mac("346b5b298863"), Some(1500)));
        let vnet = listed("vnet11");
        let guest_mac = mac("0cda411d8513");
        assert_eq!(vnet.role, Role::Vnet { vm: Some("kylin10_219".into()), guest_mac });
        assert_eq!((vnet.vswitch.as_str(), vnet.vlan, vnet.mac), ("vs-app", Some(188), mac("feda411d8513")));
        assert_eq!(listed("eth0").role, Role::Uplink { bond: None });
    }

    #[test]
    fn the_older_form_with_one_mac_and_a_bond() {
        let vnet = listed("vnet0");
        let guest_mac = mac("0cda411d4379");
        assert_eq!(vnet.role, Role::Vnet { vm: Some("E0513".into()), guest_mac });
        assert_eq!((vnet.mac, vnet.mtu, vnet.vlan), (None, Some(2800), Some(100)));
        for member in ["eth1", "eth2"] {
            assert_eq!(listed(member).role, Role::Uplink { bond: Some("vswitch1_bond".into()) });
        }
        assert_eq!((listed("eth1").active, listed("eth2").active), (false, true));
        assert!(listed("eth2").line.starts_with("eth2 40a8f02814d8 32/4 *uxe"));
    }

    #[test]
    fn a_listing_that_is_too_long_says_so() {
        let ports = |count: usize| {
            let line = |n| format!("     eth{n} 346b5b298863 7/1\n");
            let (ports, whole) =
                parse(&format!("vswitch0 (vsw)\n{}", (0..count).map(line).collect::<String>()));
            (ports.len(), whole)
        };
        assert_eq!(ports(PORTS_MAX), (PORTS_MAX, true));
        assert_eq!(ports(PORTS_MAX + 1), (PORTS_MAX, false));
    }

    proptest! {
        #[test]
        fn any_listing_is_answered(text in "((int|bond|vnet0|eth1|v \\(vsw\\)|[0-9a-f]{12}|[0-9]{1,7}/[0-9]{0,3}|[0-9]{1,6}x?|\\PC{0,6})[ \n]){0,60}") {
            prop_assert!(parse(&text).0.len() <= PORTS_MAX);
        }
    }
}
