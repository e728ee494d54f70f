//! The registry of causes: what explains [deaths](crate::deaths). One line each, in the order in which they are asked:
//! whose evidence proves most directly comes first.
//!
//! Each cause is asked for every group of deaths that no cause before it explained wholly. It takes the deaths that its
//! evidence covers (their time, size, VLAN, direction) and no other; the rest goes on to the next cause. What no cause
//! takes stays a symptom, with what was ruled out.

/// The kernel's bridge: its filters and its spanning tree.
pub(crate) mod bridge {
    pub(crate) mod linux_bridge;
}

/// The host: its daemons, and the filters of its devices.
pub(crate) mod host {
    pub(crate) mod daemon_silent;
    pub(crate) mod device_filter;
    pub(crate) mod upcall_loss;
}

/// Links: cables, bonds and what neighbours say on them.
pub(crate) mod links {
    pub(crate) mod bond_down;
    pub(crate) mod bond_mismatch;
    pub(crate) mod lacp_failure;
    pub(crate) mod lldp_mac_flap;
    pub(crate) mod mtu_mismatch;
    pub(crate) mod reflection;
    pub(crate) mod vlan_mismatch;
}

/// Ports and machines: whether they are there, and who has which address.
pub(crate) mod ports {
    pub(crate) mod port_gone;
    pub(crate) mod same_mac;
    pub(crate) mod vm_off;
    pub(crate) mod wrong_mac;
}

/// Limits of rates: queues, policers, meters.
pub(crate) mod queues {
    pub(crate) mod policing;
    pub(crate) mod qdisc;
}

/// The switch: what its rules do to packets.
pub(crate) mod switch {
    pub(crate) mod acl_drop;
    pub(crate) mod ct_zone_mismatch;
    pub(crate) mod ip_mac_binding;
    pub(crate) mod misforward;
}

use crate::deaths::{Case, Death, Deaths};
use crate::engine::FrameRef;
use crate::finding::{Confidence, Finding};
use crate::text::Text;
use crate::unit::Unit;
use crate::view::View;

/// How directly a cause is proved: the registry is in this order, and causes of one rung in that of their ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rung {
    /// The port was not there, or its machine was off.
    PortGone,
    /// Two ports have one address.
    Address,
    /// The bond had no member that carries.
    Bond,
    /// The packet arrived at a member that does not take any.
    BackupArrival,
    /// The physical switch and the host disagree about the bond.
    BondEnds,
    /// The packet is larger than the next link takes.
    Mtu,
    /// The next port does not carry the packet's VLAN.
    Vlan,
    /// Connection tracking looked the packet up in the wrong zone.
    Zone,
    /// The platform binds the port to other addresses.
    Binding,
    /// A rule drops it.
    Rule,
    /// A queue or a policer drops it.
    Queue,
    /// The kernel lost it on its way to the daemon.
    Host,
    /// The kernel's bridge: its filters, VLANs and spanning tree, and filters at its ports.
    LinuxBridge,
    /// The network outside returned the machine's own packets.
    Reflection,
    /// The daemon that runs the switch did not answer: what is left when nothing else explains them.
    DaemonSilent,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Cause {
    /// Id, needs and manual page.
    pub unit: Unit,
    /// When it is asked.
    pub rung: Rung,
    /// Judges a group, of which some deaths are not explained yet.
    pub judge: fn(&Case<'_, '_>) -> Ruling,
    /// Ids of the sources without which it cannot tell of a group; asked when it says nothing of one.
    pub reads: fn(&Case<'_, '_>) -> &'static [&'static str],
    /// Finds where it is at work though nobody need suffer from it. A claim of a fault that groups are claimed for as well
    /// becomes one finding with them; the `victims` of its finding name further deaths that it explains.
    pub harms: fn(&View<'_>, &Deaths<'_>) -> Vec<Claim>,
}

/// What a cause says of a group.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Ruling {
    /// It killed some of them, or all.
    Claims(Box<Claim>),
    /// It was looked for and did not.
    RuledOut(Text),
    /// Nobody can tell, for lack of these: what is really missing in this recording.
    CannotTell(Vec<Text>),
    /// Such packets cannot die of it.
    NotConcerned,
}

/// What a cause explains.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Claim {
    /// What makes it the same fault: all claims of a cause that agree in this are one finding.
    pub fault: String,
    /// The deaths it explains; none when the fault is there and whether it killed them cannot be told.
    pub deaths: Vec<FrameRef>,
    /// The fault. Its claim names what is wrong and counts nothing: what died of it is in the consequences, which
    /// are made of the deaths. The most decisive evidence comes first.
    pub finding: Finding,
}

impl Claim {
    /// Of a fault that is there whether or not somebody suffers from it.
    pub(crate) fn of_harm(fault: String, finding: Finding) -> Self {
        Self { fault, deaths: Vec::new(), finding }
    }

    /// Of all these deaths; of none when nobody can tell whether it killed them.
    pub(crate) fn of(fault: String, deaths: &[Death], finding: Finding) -> Ruling {
        let known = finding.confidence > Confidence::CannotTell;
        let deaths = deaths.iter().filter(|_| known).map(|death| death.frame).collect();
        Ruling::Claims(Box::new(Self { fault, deaths, finding }))
    }
}

/// A cause that is not asked for groups.
pub(crate) fn judges_nothing(_case: &Case<'_, '_>) -> Ruling {
    Ruling::NotConcerned
}

/// A cause that needs no state of the host, or says itself what it lacks.
pub(crate) fn reads_nothing(_case: &Case<'_, '_>) -> &'static [&'static str] {
    &[]
}

/// A cause that is found by its deaths only.
pub(crate) fn harms_nobody(_view: &View<'_>, _deaths: &Deaths<'_>) -> Vec<Claim> {
    Vec::new()
}

/// All causes.
pub(crate) const ALL: &[Cause] = &[
    ports::port_gone::CAUSE,
    ports::vm_off::CAUSE,
    ports::same_mac::CAUSE,
    ports::wrong_mac::CAUSE,
    links::bond_down::CAUSE,
    links::lacp_failure::CAUSE,
    links::lldp_mac_flap::CAUSE,
    links::bond_mismatch::CAUSE,
    links::mtu_mismatch::CAUSE,
    links::vlan_mismatch::CAUSE,
    switch::ct_zone_mismatch::CAUSE,
    switch::ip_mac_binding::CAUSE,
    switch::acl_drop::CAUSE,
    switch::misforward::CAUSE,
    queues::policing::CAUSE,
    queues::qdisc::CAUSE,
    host::upcall_loss::CAUSE,
    host::device_filter::CAUSE,
    bridge::linux_bridge::CAUSE,
    links::reflection::CAUSE,
    host::daemon_silent::CAUSE,
];
