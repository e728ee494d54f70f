//! What a definition of libvirt holds, as far as netcap reads it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::Mac;

/// A virtual machine as configured.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Domain {
    /// As `virsh` lists it.
    pub name: String,
    /// What stays when it is renamed.
    pub uuid: Option<String>,
    /// It has an id: it runs.
    pub running: bool,
    /// Network interfaces in the order of the definition.
    pub interfaces: Vec<DomainInterface>,
    /// Consoles.
    pub graphics: Vec<Graphics>,
    /// In the order of the definition.
    pub disks: Vec<Disk>,
}

/// One network interface of a machine.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct DomainInterface {
    /// `bridge`, `network`, `direct`, `ethernet`, `vhostuser`, `hostdev`.
    pub kind: String,
    /// The guest's MAC.
    pub mac: Option<Mac>,
    /// Bridge, network or device it is plugged into.
    pub source: Option<String>,
    /// Tap on the host (`vnet0`); only while it runs.
    pub target_dev: Option<String>,
    /// VLAN tags.
    pub vlans: Vec<u16>,
    /// The tags are a trunk's.
    pub trunk: bool,
    /// `openvswitch` or other port profile.
    pub virtualport: Option<String>,
    /// Interface id of the port profile (`external_ids:iface-id` in OVS).
    pub interface_id: Option<String>,
    /// `virtio`, `e1000`, …
    pub model: Option<String>,
    /// MTU in bytes.
    pub mtu: Option<u32>,
    /// The link is set down.
    pub link_down: bool,
    /// Network filter.
    pub filter: Option<FilterRef>,
    /// What qemu calls it (`net0`).
    pub alias: Option<String>,
}

/// Values of a filter's variables; a variable may have several.
pub type Parameters = BTreeMap<String, Vec<String>>;

/// A reference to a network filter.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct FilterRef {
    /// The filter's name.
    pub name: String,
    /// Values of its variables.
    pub parameters: Parameters,
}

/// One console.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Graphics {
    /// `vnc`, `spice`.
    pub kind: String,
    /// TCP port; `None` when not assigned (-1).
    pub port: Option<u16>,
    /// Address it listens on.
    pub listen: Option<String>,
}

/// What a machine has as a disk.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Disk {
    /// `disk`, `cdrom`, `lun`.
    pub device: String,
    /// Name in the guest (`vda`).
    pub target: Option<String>,
    /// File, block device, volume or network image.
    pub source: Option<String>,
    /// `qcow2`, `raw`.
    pub format: Option<String>,
    /// `virtio`, `scsi`, `ide`.
    pub bus: Option<String>,
}

/// A network filter (nwfilter).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Nwfilter {
    /// As `virsh` lists it.
    pub name: String,
    /// What stays when it is renamed.
    pub uuid: Option<String>,
    /// Chain: `root`, `arp`, `ipv4`, …; `None` means root.
    pub chain: Option<String>,
    /// The chain's priority, when given.
    pub priority: Option<i32>,
    /// Filters it includes, in order.
    pub refs: Vec<FilterRef>,
    /// Its own rules in the order of the document.
    pub rules: Vec<Rule>,
    /// Places of rules with an action or direction this reader does not know; no verdict is certain beside them.
    pub unread: Vec<usize>,
}

/// What a filter does with packets that match.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rule {
    /// Place in the document, counted from 1.
    pub index: usize,
    /// What happens to what matches.
    pub action: Action,
    /// Which way.
    pub direction: Direction,
    /// −1000 to 1000, the lower the earlier; 500 when not given.
    pub priority: i32,
    /// False when the rule is stateless (`statematch='false'`).
    pub statematch: bool,
    /// Protocol element and its attributes; `None` matches everything.
    pub protocol: Option<Protocol>,
}

/// The protocol element of a rule: `icmp`, `tcp-ipv6`, `mac`, `all`, …
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Protocol {
    /// Element name.
    pub name: String,
    /// Attributes; all of them must hold.
    pub attributes: BTreeMap<String, String>,
}

/// What a rule does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Lets it pass.
    Accept,
    /// Throws it away in silence.
    Drop,
    /// Throws it away and says so to the sender.
    Reject,
    /// Goes back to the calling chain.
    Return,
    /// Goes on with the next rule.
    Continue,
}

/// Direction of a rule, as seen from the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Towards the machine.
    In,
    /// From the machine.
    Out,
    /// Both.
    Inout,
}

impl DomainInterface {
    /// The variables of its filter: those of the reference, and `MAC`, which libvirt always sets (formatnwfilter).
    pub fn parameters(&self) -> Parameters {
        let mut parameters = self.filter.as_ref().map(|filter| filter.parameters.clone()).unwrap_or_default();
        if let Some(mac) = self.mac {
            parameters.entry("MAC".to_owned()).or_insert_with(|| vec![mac.to_string()]);
        }
        parameters
    }
}

impl Action {
    /// The packet ends here.
    pub(crate) fn ends_packet(self) -> bool {
        matches!(self, Self::Drop | Self::Reject)
    }

    /// The word in the definition.
    pub fn word(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Drop => "drop",
            Self::Reject => "reject",
            Self::Return => "return",
            Self::Continue => "continue",
        }
    }
}

impl Direction {
    /// A rule of this direction applies to packets going that way.
    pub fn covers(self, way: Self) -> bool {
        self == Self::Inout || way == Self::Inout || self == way
    }

    /// The word in the definition.
    pub fn word(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Out => "out",
            Self::Inout => "inout",
        }
    }
}

/// Machines and filters.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Libvirt {
    /// Names of `virsh list --all`: the recorder asks for each.
    pub domain_names: Vec<String>,
    /// Names of `virsh nwfilter-list`: the recorder asks for each.
    pub nwfilter_names: Vec<String>,
    /// Definitions of machines.
    pub domains: Vec<Domain>,
    /// Definitions of network filters.
    pub nwfilters: Vec<Nwfilter>,
}

impl Libvirt {
    /// The machine of that name.
    pub fn domain(&self, name: &str) -> Option<&Domain> {
        self.domains.iter().find(|domain| domain.name == name)
    }

    /// The machine's interface with that guest MAC; a running machine's before a stopped one's.
    pub fn by_mac(&self, mac: Mac) -> Option<(&Domain, &DomainInterface)> {
        self.find(|iface| iface.mac == Some(mac))
    }

    /// The machine's interface behind that tap.
    pub fn by_target(&self, dev: &str) -> Option<(&Domain, &DomainInterface)> {
        self.find(|iface| iface.target_dev.as_deref() == Some(dev))
    }

    fn find(&self, wanted: impl Fn(&DomainInterface) -> bool) -> Option<(&Domain, &DomainInterface)> {
        let all =
            self.domains.iter().flat_map(|domain| domain.interfaces.iter().map(move |iface| (domain, iface)));
        let found: Vec<_> = all.filter(|(_, iface)| wanted(iface)).collect();
        found.iter().find(|(domain, _)| domain.running).or_else(|| found.first()).copied()
    }

    /// The filter of that name.
    pub fn nwfilter(&self, name: &str) -> Option<&Nwfilter> {
        self.nwfilters.iter().find(|filter| filter.name == name)
    }

    /// The filter of that name and all that it includes, itself first; every filter once.
    pub fn nwfilter_with_refs(&self, name: &str) -> Vec<&Nwfilter> {
        let mut seen = BTreeSet::new();
        let mut open = vec![name];
        let mut found = Vec::new();
        while let Some(name) = open.pop() {
            let Some(filter) = self.nwfilter(name).filter(|_| seen.insert(name)) else { continue };
            found.push(filter);
            open.extend(filter.refs.iter().rev().map(|reference| reference.name.as_str()));
        }
        found
    }
}
