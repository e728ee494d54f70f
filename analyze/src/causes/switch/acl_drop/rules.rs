//! What drops: the datapath flow, the OpenFlow rule, the network filter. Three facts, found independently.

use netcap_bundle::source::{Outcome, Snapshot};
use netcap_bundle::sources::ovs::datapath::{DpFlow, OvsDatapath};
use netcap_bundle::sources::ovs::openflow::OvsOpenflow;
use netcap_bundle::sources::shared::{PacketFields, Ternary, VlanTag};
use netcap_bundle::sources::vm::libvirt;
use netcap_bundle::sources::vm::libvirt::Libvirt;
use netcap_bundle::{Nanos, Role, layout};
use netcap_words::wire::ip_protocol::{ICMP, ICMPV6, SCTP, TCP, UDP};
use netcap_words::wire::{ether_type, icmp, icmpv6};

use super::absence::DroppedFlow;
use super::replayed::{self, RuleDrop};
use crate::host::{file_of, file_of_arg};
use crate::view::View;

/// The item of both sources that holds the table.
const DUMP: &str = "dump-flows";

/// A datapath flow seen dropping.
#[derive(Debug, Clone)]
pub(super) struct DatapathDrop {
    pub line: String,
    pub file: String,
    pub at: Nanos,
    /// Its counter at the first and the last sample it was in.
    pub packets: (u64, u64),
    pub times: (Nanos, Nanos),
    /// Every field of the flow is known to match.
    pub certain: bool,
}

/// The network filter's rule that would end it.
#[derive(Debug, Clone)]
pub(super) struct FilterDrop {
    pub filter: String,
    pub index: usize,
    pub rule: String,
    pub file: String,
    pub at: Nanos,
}

/// All three.
#[derive(Debug, Default)]
pub(super) struct Rules {
    pub datapath: Option<DatapathDrop>,
    pub openflow: Option<RuleDrop>,
    pub filter: Option<FilterDrop>,
    /// What is known of the tables that were searched.
    tables: DumpState,
}

/// Whether silence of the flow tables means anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum DumpState {
    /// Both were recorded and are there.
    Read,
    /// One was recorded, and files of it are gone: a cut bundle.
    Gone,
    /// Reading one failed on the host.
    Failed,
    /// Nobody recorded one.
    #[default]
    Never,
}

impl Rules {
    pub(super) fn find(view: &View<'_>, lost: &DroppedFlow<'_>) -> Self {
        let packet = fields(view, lost);
        Self {
            datapath: datapath(view, lost, &packet),
            openflow: replayed::openflow(view, lost),
            filter: filter(view, lost, &packet),
            tables: [OvsDatapath::DEF.id, OvsOpenflow::DEF.id]
                .into_iter()
                .map(|source| tables(view, source))
                .find(|tables| *tables != DumpState::Read)
                .unwrap_or(DumpState::Read),
        }
    }

    /// Phrase for requests that no flow and no rule explains: that none was found is worth saying only when there
    /// was something to search.
    pub(super) fn unexplained(&self) -> &'static str {
        match self.tables {
            DumpState::Read => "acl-drop.by.unknown",
            DumpState::Gone => "acl-drop.by.gone",
            DumpState::Failed => "acl-drop.by.failed",
            DumpState::Never => "acl-drop.by.never",
        }
    }
}

fn tables(view: &View<'_>, source: &str) -> DumpState {
    let (state, files) = (&view.input.state, &view.input.files);
    let gone = view.input.missing.paths.iter().any(|path| layout::kind(path) == source);
    let mut dumps = state.lines().filter(|line| line.source == source && line.item == DUMP).peekable();
    if gone {
        DumpState::Gone
    } else if dumps.peek().is_none() {
        DumpState::Never
    } else if dumps.any(|line| line.outcome == Outcome::Ok && files.is_whole(&line.path)) {
        DumpState::Read
    } else {
        DumpState::Failed
    }
}

/// The packet as flow tables see it when it comes in at the VM's port.
fn fields(view: &View<'_>, lost: &DroppedFlow<'_>) -> PacketFields {
    let topology = view.host.topology();
    let port = topology.by_iface(&lost.info.name).map(|(_, port)| port);
    let access = view.access_vlan(lost.vnet);
    let tag = lost.sample.vlan.outer;
    let echo = matches!(lost.protocol, ICMP | ICMPV6);
    let has_ports = matches!(lost.protocol, TCP | UDP | SCTP);
    let ports = lost.absent.first().or(lost.doubtful.first()).map(|e| e.key.id).filter(|_| has_ports);
    PacketFields {
        of_port: port.and_then(|p| p.ofport),
        dp_port: port.and_then(|p| p.dp_port),
        port_name: Some(lost.info.name.clone()),
        eth_src: Some(lost.sample.eth.src),
        eth_dst: Some(lost.sample.eth.dst),
        eth_type: Some(if lost.dst.is_ipv4() { ether_type::IPV4 } else { ether_type::IPV6 }),
        vlan: if tag == access { VlanTag::None } else { VlanTag::Tagged { vid: tag, pcp: None } },
        ip_src: Some(lost.src),
        ip_dst: Some(lost.dst),
        ip_proto: Some(lost.protocol),
        // Every attempt has a port of its own: only the destination's is the same.
        l4_dst: ports.and_then(|id| u16::try_from(id & 0xffff).ok()),
        icmp_type: echo.then_some(if lost.dst.is_ipv4() { icmp::ECHO_REQUEST } else { icmpv6::ECHO_REQUEST }),
        icmp_code: echo.then_some(0),
        ..PacketFields::default()
    }
}

/// The flow that drops such packets, in whichever sample it was used most: idle flows vanish after ten seconds.
fn datapath(view: &View<'_>, lost: &DroppedFlow<'_>, packet: &PacketFields) -> Option<DatapathDrop> {
    let mut best: Option<DatapathDrop> = None;
    let mut key: Option<DpFlow> = None;
    view.input.state.visit::<OvsDatapath>(&view.input.files, |round| {
        let known = round.parsed.value.dp_port_of(&lost.info.name);
        let packet = &PacketFields { dp_port: packet.dp_port.or(known), ..packet.clone() };
        let drops = round.parsed.value.flows_in(&lost.info.name).filter(|flow| flow.is_drop());
        let matching = drops.filter_map(|flow| match flow.matches(packet) {
            Ternary::Yes => Some((true, flow)),
            Ternary::Unknown if flow.ip_dst().is_some_and(|m| m.matches(lost.dst)) => Some((false, flow)),
            _ => None,
        });
        if let Some((certain, flow)) =
            matching.max_by_key(|(certain, flow)| (*certain, flow.packets, flow.line))
        {
            let same = key.as_ref().is_some_and(|k| k.fields == flow.fields);
            let (first, since) = match &best {
                Some(best) if same && best.packets.1 <= flow.packets => (best.packets.0, best.times.0),
                _ => (flow.packets, round.at),
            };
            let better = best.as_ref().is_none_or(|b| (b.certain, b.packets.1) <= (certain, flow.packets));
            if better {
                best = Some(DatapathDrop {
                    line: flow.raw.clone(),
                    file: file_of(&round, "dump-flows").unwrap_or_default(),
                    at: round.at,
                    packets: (first, flow.packets),
                    times: (since, round.at),
                    certain,
                });
                key = Some(flow.clone());
            }
        }
        true
    });
    best
}

/// The filter of the VM's interface, and the rule in it (or in a filter it includes) that ends such packets. Of any
/// direction: platforms differ in which side they call `in`.
fn filter(view: &View<'_>, lost: &DroppedFlow<'_>, packet: &PacketFields) -> Option<FilterDrop> {
    let round = view.host.libvirt()?;
    let libvirt: &Libvirt = &round.parsed.value;
    let guest = match &lost.info.role {
        Role::Vnet { guest_mac: Some(mac), .. } => Some(*mac),
        _ => None,
    };
    let by_mac = || libvirt.by_mac(guest.unwrap_or(lost.sample.eth.src));
    let (_, interface) = libvirt.by_target(&lost.info.name).or_else(by_mac)?;
    let reference = interface.filter.as_ref()?;
    let filters = libvirt.nwfilter_with_refs(&reference.name);
    let ends = libvirt::ends(&filters, packet, &interface.parameters());
    let (filter, rule) = ends.into_iter().find(|(_, rule)| rule.action != libvirt::Action::Accept)?;
    Some(FilterDrop {
        filter: filter.name.clone(),
        index: rule.index,
        rule: rule.describe(),
        file: file_of_arg(round, "nwfilter", &filter.name).unwrap_or_default(),
        at: round.at,
    })
}
