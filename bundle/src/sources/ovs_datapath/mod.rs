//! `ovs-datapath`: what the datapath really does: its ports, and the flows it has in use (`dpctl/*`, `dpif/show`).
//!
//! A datapath flow has no priority; flows do not overlap; one with an empty action list drops. Flows unused for ten
//! seconds disappear (`max-idle`, vswitchd.conf.db(5)), so they are sampled while it happens.

use serde::Serialize;

use super::shared::OfPort;
use super::shared::text::usable;
use crate::source::{Cadence, Each, How, Parsed, RawItem, Recipe, Snapshot, SourceDef};

mod flow;
mod matching;
mod ports;

#[cfg(test)]
mod tests;

pub use flow::DpFlow;

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
    /// Its ports.
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
    /// Bridge.
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

/// A command without elements.
const fn command(item: &'static str, argv: &'static [&'static str], bytes_max: usize) -> Recipe {
    Recipe { item, each: Each::Once, how: How::Command(argv), bytes_max, timeout_ms: 5_000 }
}

impl Snapshot for OvsDatapath {
    const DEF: SourceDef = SourceDef {
        id: "ovs-datapath",
        about: "Open vSwitch datapath: port numbers, flows in use and what they do",
        cadence: Cadence::Periodic,
        recipes: &[
            command("dpctl-show", &["ovs-appctl", "dpctl/show"], 1 << 20),
            command("dpif-show", &["ovs-appctl", "dpif/show"], 1 << 20),
            command("dump-flows", &["ovs-appctl", "dpctl/dump-flows"], 8 << 20),
        ],
    };

    fn parse(items: &[RawItem<'_>]) -> Parsed<Self> {
        let mut parsed = Parsed::default();
        for item in items {
            match item.item {
                "dpctl-show" => ports::dpctl_show(&usable(item, &mut parsed), item, &mut parsed),
                "dpif-show" => ports::dpif_show(&usable(item, &mut parsed), item, &mut parsed),
                "dump-flows" => flow::dump(&usable(item, &mut parsed), item, &mut parsed),
                _ => {}
            }
        }
        parsed
    }
}
