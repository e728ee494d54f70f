//! Bridges, ports and interfaces as the database has them.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::Mac;
use crate::sources::shared::OfPort;

/// String keys and values, as OVSDB's maps are.
pub type Map = BTreeMap<String, String>;

/// The database as far as netcap reads it. Everything is sorted by name.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Ovsdb {
    /// Version of ovs-vswitchd (`3.1.0`).
    pub ovs_version: Option<String>,
    /// `Open_vSwitch.external_ids` (`system-id`, `hostname`, …).
    pub external_ids: Map,
    /// `Open_vSwitch.other_config` (`dpdk-init`, `lacp-time`, …).
    pub other_config: Map,
    /// Rows of the table `Bridge`, with what they refer to.
    pub bridges: Vec<Bridge>,
}

/// One row of the Bridge table with its ports.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Bridge {
    /// Also that of its own port (`vswitch0`).
    pub name: String,
    /// `system` (kernel), `netdev` (userspace); empty in the database means `system`.
    pub datapath_type: String,
    /// OpenFlow datapath id, sixteen hexadecimal digits.
    pub datapath_id: Option<String>,
    /// `standalone` or `secure`; `None` means standalone.
    pub fail_mode: Option<String>,
    /// Spanning tree (802.1D) is on.
    pub stp_enable: bool,
    /// Rapid spanning tree is on.
    pub rstp_enable: bool,
    /// Multicast snooping is on.
    pub mcast_snooping_enable: bool,
    /// Its mirrors.
    pub mirrors: Vec<Mirror>,
    /// How many OpenFlow controllers are configured.
    pub controllers: usize,
    /// Settings: `hwaddr`, `forward-bpdu`, `mac-aging-time`, …
    pub other_config: Map,
    /// What others keep here for themselves.
    pub external_ids: Map,
    /// By name, as people count.
    pub ports: Vec<Port>,
}

/// One row of the Mirror table: what it selects is sent to its output a second time.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Mirror {
    /// Any text (ovs-vswitchd.conf.db(5)); it need not be unique.
    pub name: String,
    /// The port that gets the copies. It forwards nothing else, and what comes in there is discarded.
    pub output_port: Option<String>,
    /// The VLAN that gets the copies (RSPAN): all that is in it is copies.
    pub output_vlan: Option<u16>,
    /// Everything is selected.
    pub select_all: bool,
    /// Ports whose arriving packets are selected.
    pub select_src: Vec<String>,
    /// Ports whose departing packets are selected.
    pub select_dst: Vec<String>,
    /// VLANs that are selected; empty means all.
    pub select_vlan: Vec<u16>,
}

/// One row of the Port table with its interfaces; a port with more than one is a bond.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Port {
    /// Of a bond its own, else that of the interface.
    pub name: String,
    /// Access VLAN, or the native VLAN in the native modes.
    pub tag: Option<u16>,
    /// VLANs of a trunk; empty means all.
    pub trunks: Vec<u16>,
    /// `access`, `trunk`, `native-tagged`, `native-untagged`, `dot1q-tunnel`; `None`: access with a tag, else trunk.
    pub vlan_mode: Option<String>,
    /// `active-backup`, `balance-slb`, `balance-tcp`; `None` means the default of that version.
    pub bond_mode: Option<String>,
    /// `active`, `passive` or `off`; `None` means off.
    pub lacp: Option<String>,
    /// MAC of the member that is active, as ovs-vswitchd last wrote it (`bond_active_slave`).
    pub bond_active_member: Option<Mac>,
    /// Milliseconds a member must be up before it is used.
    pub bond_updelay_ms: u64,
    /// Milliseconds a member must be down before it is given up.
    pub bond_downdelay_ms: u64,
    /// Settings: `lacp-time`, `lacp-fallback-ab`, `bond-primary`, …
    pub other_config: Map,
    /// What others keep here for themselves.
    pub external_ids: Map,
    /// More than one make it a bond.
    pub interfaces: Vec<Interface>,
}

/// One row of the Interface table.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Interface {
    /// Name, the same as the network device's.
    pub name: String,
    /// `system` (also when empty in the database), `internal`, `patch`, `vxlan`, `dpdk`, …
    pub kind: String,
    /// OpenFlow port number; `None` while it has none or could not be created (-1).
    pub ofport: Option<OfPort>,
    /// Kernel interface index.
    pub ifindex: Option<u32>,
    /// MAC asked for.
    pub mac: Option<Mac>,
    /// As the device has it, whatever was asked for.
    pub mac_in_use: Option<Mac>,
    /// MTU in bytes.
    pub mtu: Option<u32>,
    /// Administratively up.
    pub admin_up: Option<bool>,
    /// Carrier present.
    pub link_up: Option<bool>,
    /// How often the carrier was lost or came back.
    pub link_resets: Option<u64>,
    /// Bits per second.
    pub link_speed: Option<u64>,
    /// `full` or `half`.
    pub duplex: Option<String>,
    /// Why the interface could not be configured.
    pub error: Option<String>,
    /// LACP says the member is synchronised with its partner.
    pub lacp_current: Option<bool>,
    /// Ingress policing in kbit/s, 0 for none.
    pub ingress_policing_rate: u64,
    /// Settings of its type: `peer`, `remote_ip`, …
    pub options: Map,
    /// Settings of the device.
    pub other_config: Map,
    /// What the platform notes: `attached-mac`, `iface-id`, `vm-id`, …
    pub external_ids: Map,
    /// What the device says of itself: `driver_name`, `firmware_version`, …
    pub status: Map,
    /// Counters by name (`rx_dropped`, …).
    pub statistics: BTreeMap<String, u64>,
}

impl Interface {
    /// The guest's MAC behind a tap, `external_ids:attached-mac`.
    pub(crate) fn attached_mac(&self) -> Option<Mac> {
        self.external_ids.get("attached-mac").and_then(|text| text.parse().ok())
    }

    /// The VM's name as the platform wrote it beside the port, if it did.
    pub(crate) fn vm_hint(&self) -> Option<&str> {
        let key =
            ["vm-name", "vm_name", "vm-id", "vm-uuid"].into_iter().find_map(|key| self.external_ids.get(key));
        key.map(String::as_str).filter(|name| !name.is_empty())
    }
}

impl Port {
    /// More than one interface: a bond.
    pub(crate) fn is_bond(&self) -> bool {
        self.interfaces.len() > 1
    }

    /// VLAN of untagged frames at this port, when it is an access or native port.
    pub fn access_vlan(&self) -> Option<u16> {
        match self.vlan_mode.as_deref() {
            Some("trunk") => None,
            _ => self.tag,
        }
    }
}

impl Ovsdb {
    /// The bridge of that name.
    pub fn bridge(&self, name: &str) -> Option<&Bridge> {
        self.bridges.iter().find(|bridge| bridge.name == name)
    }

    /// Every interface with its bridge and port.
    pub fn interfaces(&self) -> impl Iterator<Item = (&Bridge, &Port, &Interface)> {
        self.bridges.iter().flat_map(|bridge| {
            bridge
                .ports
                .iter()
                .flat_map(move |port| port.interfaces.iter().map(move |iface| (bridge, port, iface)))
        })
    }

    /// The bridge, port and interface of that interface name.
    pub fn interface(&self, name: &str) -> Option<(&Bridge, &Port, &Interface)> {
        self.interfaces().find(|(_, _, iface)| iface.name == name)
    }
}
