//! Datapaths, their ports and flows.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::sources::shared::OfPort;

/// Datapaths, their ports and flows.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct OvsDatapath {
    /// From `dpctl/show`.
    pub datapaths: Vec<Datapath>,
    /// From `dpif/show`: both port numbers of every interface.
    pub ports: Vec<PortNumbers>,
    /// From `dpctl/dump-flows`.
    pub flows: Vec<DpFlow>,
}

/// One datapath of `dpctl/show`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Datapath {
    /// `system@ovs-system` (kernel) or `netdev@ovs-netdev` (userspace).
    pub name: String,
    /// Packets that found a flow.
    pub hit: Option<u64>,
    /// Packets that had to ask ovs-vswitchd.
    pub missed: Option<u64>,
    /// Packets lost because ovs-vswitchd could not be asked.
    pub lost: Option<u64>,
    /// Flows in use.
    pub flows: Option<u64>,
    /// Also those of bridges that share it.
    pub ports: Vec<DpPort>,
}

/// One port of a datapath.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DpPort {
    /// Datapath port number.
    pub number: u32,
    /// Interface name.
    pub name: String,
    /// `internal`, `tap`, `vxlan`, …; `None` for a plain network device.
    pub kind: Option<String>,
}

/// One interface of `dpif/show` with both of its numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PortNumbers {
    /// Name of the bridge it belongs to.
    pub bridge: String,
    /// Interface.
    pub iface: String,
    /// OpenFlow port number.
    pub ofport: OfPort,
    /// Datapath port number; `None` for patch ports, which exist in OpenFlow only.
    pub dp_port: Option<u32>,
    /// `system`, `tap`, `internal`, `patch`, `vxlan`, …
    pub kind: String,
    /// What follows the kind (`peer=patch1`).
    pub options: String,
}

impl OvsDatapath {
    /// Both numbers of an interface.
    pub fn port(&self, iface: &str) -> Option<&PortNumbers> {
        self.ports.iter().find(|port| port.iface == iface)
    }

    /// The interface with that datapath port number.
    pub fn iface_of(&self, dp_port: u32) -> Option<&str> {
        let shown =
            self.ports.iter().find(|port| port.dp_port == Some(dp_port)).map(|port| port.iface.as_str());
        shown.or_else(|| {
            let mut all = self.datapaths.iter().flat_map(|datapath| &datapath.ports);
            all.find(|port| port.number == dp_port).map(|port| port.name.as_str())
        })
    }

    /// The datapath port number of an interface.
    pub fn dp_port_of(&self, iface: &str) -> Option<u32> {
        self.port(iface).and_then(|port| port.dp_port).or_else(|| {
            let mut all = self.datapaths.iter().flat_map(|datapath| &datapath.ports);
            all.find(|port| port.name == iface).map(|port| port.number)
        })
    }

    /// Flows for packets that come in at that interface, whether the dump prints numbers or names.
    pub fn flows_in<'a>(&'a self, iface: &'a str) -> impl Iterator<Item = &'a DpFlow> {
        let number = self.dp_port_of(iface).map(|number| number.to_string());
        self.flows.iter().filter(move |flow| {
            flow.in_port.as_deref().is_some_and(|port| port == iface || Some(port) == number.as_deref())
        })
    }
}

/// One flow the datapath has in use.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct DpFlow {
    /// Line in the dump, counted from 1.
    pub line: usize,
    /// Pass through the datapath: 0 for a packet that just came in, else the number a `recirc()` action gave.
    pub recirc_id: u32,
    /// Port as printed: a datapath port number, or a name.
    pub in_port: Option<String>,
    /// Match fields by name with what stands in their parentheses, `eth_type` → `0x0800`, `ipv4` →
    /// `dst=172.16.51.6,proto=1,frag=no`. Fields behind a VLAN tag have `encap/` before the name, once a tag.
    pub fields: BTreeMap<String, String>,
    /// Packets that used it.
    pub packets: u64,
    /// Bytes that used it.
    pub bytes: u64,
    /// Milliseconds since it was last used; `None` for never.
    pub used_ms: Option<u64>,
    /// TCP flags seen (`SFP.`).
    pub tcp_flags: Option<String>,
    /// Unique flow id, with `-m` only.
    pub ufid: Option<String>,
    /// Actions as printed.
    pub actions: String,
    /// The whole line.
    pub raw: String,
}
