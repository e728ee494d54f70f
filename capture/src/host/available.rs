//! Everything that could be recorded on this host.

use std::collections::{BTreeMap, BTreeSet};

use netcap_bundle::topology::SwitchKind;
use netcap_bundle::{Point, Role};
use rust_i18n::t;

/// A port that the kernel does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SwitchPort {
    /// Its interface as the switch calls it.
    pub(crate) iface: String,
    pub(crate) switch: String,
}

/// Everything that could be recorded here.
#[derive(Debug, Clone, Default)]
pub(crate) struct Available {
    /// Every interface that exists, with its place; filter and snaplen are empty.
    pub points: Vec<Point>,
    pub switches: BTreeMap<String, SwitchKind>,
    /// Ports that a switch has and the kernel does not (DPDK, tunnels).
    pub unrecordable: Vec<SwitchPort>,
    /// Interfaces whose frames do not begin with an Ethernet header.
    pub not_ethernet: BTreeSet<String>,
    /// Sentences about who could not be asked, so that "there is none" is not taken for certain.
    pub unasked: Vec<String>,
}

impl Available {
    /// `vswitch0 (OVS, 2 uplinks, 3 vnets)`.
    pub(crate) fn describe(&self, switch: &str) -> String {
        let of = |wanted: fn(&Role) -> bool| {
            self.points.iter().filter(|p| p.vswitch.as_deref() == Some(switch) && wanted(&p.role)).count()
        };
        let kind = match self.switches.get(switch) {
            Some(SwitchKind::LinuxBridge) => "Linux",
            Some(SwitchKind::Ovs) | None => "OVS",
        };
        let uplinks = of(|role| matches!(role, Role::Uplink { .. }));
        let vnets = of(|role| matches!(role, Role::Vnet { .. }));
        t!("plan.switch", name = switch, kind = kind, uplinks = uplinks, vnets = vnets).into_owned()
    }
}
