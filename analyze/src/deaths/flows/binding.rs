//! Rules that bind a port to addresses: some let packets of these sources pass, one below them drops all others.

use netcap_bundle::replay::Packet;
use netcap_bundle::sources::ovs::openflow::{Flow, FlowMatch};
use netcap_bundle::sources::shared::{OfPort, Ternary};

/// Rules that let bound sources pass, kept.
const ALLOWS_MAX: usize = 8;
/// Fields that say who sends.
const SOURCES: [&str; 8] =
    ["nw_src", "ipv6_src", "arp_spa", "nd_target", "dl_src", "arp_sha", "nd_sll", "eth_src"];
/// Fields that say what kind of packet it is, or where it came in, and no more.
const FRAMES: [&str; 9] =
    ["ip", "ipv6", "arp", "icmp6", "dl_type", "in_port", "dl_vlan", "vlan_tci", "metadata"];
/// Neighbour solicitations and advertisements, which name the sender's address as their target.
const NEIGHBOUR: [&str; 2] = ["icmp_type", "icmp_code"];

/// What a port is bound to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Binding {
    /// The sources that pass, as the rules print them, each once.
    pub bound: Vec<String>,
    /// The rules that let them pass, in short.
    pub allows: Vec<String>,
}

/// The binding to which a drop belongs: rules above it in its table that are the same but for the sender's address, of which
/// one would have let the packet pass if it came from there. `port` is where it came in.
pub(super) fn of(flows: &[Flow], drop: &Flow, port: Option<OfPort>, packet: &Packet) -> Option<Binding> {
    let plain = |name: &str| FRAMES.contains(&name) || name.starts_with("reg");
    if !drop.matches.fields.iter().all(|(name, _)| plain(name) || name == "dl_src") {
        return None;
    }
    let allows = |flow: &&Flow| {
        let fields = &flow.matches.fields;
        let above = flow.table == drop.table && flow.priority > drop.priority && !flow.is_drop();
        let names = |name: &String| SOURCES.contains(&name.as_str());
        let others = |name: &String| plain(name) || names(name) || NEIGHBOUR.contains(&name.as_str());
        let of_port = port.is_some() && flow.matches.in_port() == port;
        above
            && of_port
            && fields.iter().any(|(name, _)| names(name))
            && fields.iter().all(|(name, _)| others(name))
    };
    let allows: Vec<&Flow> = flows.iter().filter(allows).collect();
    let only_source_differs = |flow: &&Flow| {
        let fields = flow.matches.fields.iter().filter(|(name, _)| !SOURCES.contains(&name.as_str()));
        let without = FlowMatch { fields: fields.cloned().collect() };
        flow.matches.matches(packet) == Ternary::No && without.matches(packet) == Ternary::Yes
    };
    allows.iter().find(|flow| only_source_differs(flow))?;
    let mut bound: Vec<String> = Vec::new();
    for value in SOURCES.iter().flat_map(|name| allows.iter().filter_map(|flow| flow.matches.get(name))) {
        if !bound.iter().any(|had| had == value) {
            bound.push(value.to_owned());
        }
    }
    Some(Binding { bound, allows: allows.iter().take(ALLOWS_MAX).map(|flow| flow.describe()).collect() })
}
