//! The datapath's own flows: what it did with such packets, not what it would do.

use std::collections::{BTreeMap, BTreeSet};

use netcap_bundle::Nanos;
use netcap_bundle::source::Snapshot;
use netcap_bundle::sources::ovs::datapath::{DpFlow, OvsDatapath};
use netcap_bundle::sources::shared::{PacketFields, Ternary};
use netcap_bundle::state::Round;

use super::fields::packet_fields;
use super::{AFTER_NS, Flows, Target, dumps};
use crate::host::{copies, file_of};
use crate::view::View;

/// A datapath flow seen dropping.
#[derive(Debug, Clone)]
pub(crate) struct DatapathDrop {
    /// The line of the dump.
    pub line: String,
    pub file: String,
    /// When it was dumped.
    pub at: Nanos,
    /// Its counter at the first and the last dump it was in.
    pub packets: (u64, u64),
    /// When these were taken.
    pub times: (Nanos, Nanos),
    /// Every field of the flow is known to match.
    pub certain: bool,
    /// It sends copies to these ports of mirrors, and the packet nowhere.
    pub copied: Vec<String>,
    flow: DpFlow,
}

/// A datapath flow seen sending such packets on.
#[derive(Debug, Clone)]
pub(crate) struct DatapathForward {
    /// Where it sends them: datapath port numbers or names, as printed.
    pub ports: Vec<String>,
    /// The line of the last dump with it, and its file.
    pub line: String,
    pub file: String,
    /// When it was dumped, in order of the dumps.
    pub seen: Vec<Nanos>,
}

pub(super) fn look(view: &View<'_>, targets: &[Target<'_, '_>], all: &mut [Flows]) {
    let fields: Vec<PacketFields> = targets.iter().map(|target| packet_fields(view, target.group)).collect();
    for (round, asked) in dumps(view, OvsDatapath::DEF.id, targets) {
        let Some(round) = view.input.state.read::<OvsDatapath>(&view.input.files, round) else { continue };
        for number in asked {
            let (Some(target), Some(fields)) = (targets.get(number), fields.get(number)) else { continue };
            let Some(flows) = all.get_mut(target.index) else { continue };
            look_at(&round, target, fields, &Mirrors::of(view, &round), flows);
        }
    }
}

fn look_at(
    round: &Round<OvsDatapath>,
    target: &Target<'_, '_>,
    fields: &PacketFields,
    mirrors: &Mirrors,
    flows: &mut Flows,
) {
    let (datapath, name) = (&round.parsed.value, target.info.name.as_str());
    let known = datapath.dp_port_of(name);
    let packet = &PacketFields { dp_port: fields.dp_port.or(known), ..fields.clone() };
    let dst = target.group.dst;
    let matching = |flow: &DpFlow| match flow.matches(packet) {
        Ternary::Yes => Some(true),
        Ternary::Unknown if flow.ip_dst().is_some_and(|m| m.matches(dst)) => Some(false),
        _ => None,
    };
    let drops = datapath.flows_in(name).filter(|flow| flow.is_drop() || mirrors.get_all(&flow.actions));
    let drops = drops.filter_map(|flow| Some((matching(flow)?, flow)));
    if let Some((certain, flow)) = drops.max_by_key(|(certain, flow)| (*certain, flow.packets, flow.line)) {
        let copied = mirrors.ports_of(&flow.actions);
        take_drop(round, (certain, copied), flow, &mut flows.drop);
    }
    // What it did then, with packets that came in and were not tracked first.
    let then = target.first <= round.at && round.at <= target.last.plus(AFTER_NS);
    let sent = datapath.flows_in(name).filter(|flow| then && flow.recirc_id == 0 && flow.packets > 0);
    let mut sent = sent.filter(|flow| matching(flow) == Some(true));
    if let Some((ports, flow)) = sent.find_map(|flow| Some((mirrors.sent_on(&flow.actions)?, flow))) {
        let mut seen = flows.forward.take().map(|forward| forward.seen).unwrap_or_default();
        seen.push(round.at);
        let file = file_of(round, super::DUMP).unwrap_or_default();
        flows.forward = Some(DatapathForward { ports, line: flow.raw.clone(), file, seen });
    }
}

/// The flow in whichever dump it was used most: idle flows vanish after ten seconds.
fn take_drop(
    round: &Round<OvsDatapath>,
    (certain, copied): (bool, Vec<String>),
    flow: &DpFlow,
    best: &mut Option<DatapathDrop>,
) {
    let same = |had: &DatapathDrop| had.flow.fields == flow.fields && had.packets.1 <= flow.packets;
    let (first, since) = match best {
        Some(had) if same(had) => (had.packets.0, had.times.0),
        _ => (flow.packets, round.at),
    };
    if best.as_ref().is_none_or(|had| (had.certain, had.packets.1) <= (certain, flow.packets)) {
        *best = Some(DatapathDrop {
            line: flow.raw.clone(),
            file: file_of(round, super::DUMP).unwrap_or_default(),
            at: round.at,
            packets: (first, flow.packets),
            times: (since, round.at),
            certain,
            copied,
            flow: flow.clone(),
        });
    }
}

/// Where the mirrors of that time send copies.
#[derive(Debug, Default)]
struct Mirrors {
    /// Datapath ports by number and by name, each with the interface's name.
    ports: BTreeMap<String, String>,
    vlans: BTreeSet<u16>,
}

impl Mirrors {
    fn of(view: &View<'_>, round: &Round<OvsDatapath>) -> Self {
        let mut mirrors = Self::default();
        for switch in &view.host.topology_at(round.at).switches {
            mirrors.vlans.extend(switch.mirrors.iter().filter_map(|mirror| mirror.output_vlan));
            for port in switch.ports.iter().filter(|port| copies::is_output(switch, port)) {
                let number = round.parsed.value.dp_port_of(&port.iface).or(port.dp_port);
                let names = number.map(|number| number.to_string()).into_iter().chain([port.iface.clone()]);
                mirrors.ports.extend(names.map(|name| (name, port.iface.clone())));
            }
        }
        mirrors
    }

    fn takes(&self, output: &Output) -> bool {
        self.ports.contains_key(&output.port) || output.vlan.is_some_and(|vlan| self.vlans.contains(&vlan))
    }

    /// Copies are sent, and the packet nowhere.
    fn get_all(&self, actions: &str) -> bool {
        outputs(actions).is_some_and(|sent| sent.iter().all(|output| self.takes(output)))
    }

    /// The ports that get copies.
    fn ports_of(&self, actions: &str) -> Vec<String> {
        let sent = outputs(actions).unwrap_or_default().into_iter().filter(|output| self.takes(output));
        sent.map(|output| self.ports.get(&output.port).cloned().unwrap_or(output.port)).collect()
    }

    /// The ports to which the packet itself is sent; `None` when it is sent nowhere, or back into the tables.
    fn sent_on(&self, actions: &str) -> Option<Vec<String>> {
        let sent = outputs(actions)?.into_iter().filter(|output| !self.takes(output));
        let ports: Vec<String> = sent.map(|output| output.port).collect();
        (!ports.is_empty()).then_some(ports)
    }
}

/// A port to which actions send a packet, with the tag that they gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Output {
    port: String,
    vlan: Option<u16>,
}

/// The ports to which actions send a packet; `None` when they send it nowhere, or back into the tables.
fn outputs(actions: &str) -> Option<Vec<Output>> {
    let words = words(actions);
    if words.iter().any(|word| word.starts_with("recirc") || word.starts_with("ct")) {
        return None;
    }
    let (mut ports, mut vlan) = (Vec::new(), None);
    for word in words {
        if let Some(pushed) = word.strip_prefix("push_vlan(") {
            let id = pushed.split(',').find_map(|part| part.trim().strip_prefix("vid="));
            vlan = id.and_then(|id| id.trim_end_matches(')').parse().ok());
        } else if word == "pop_vlan" {
            vlan = None;
        } else if !word.is_empty() && !word.contains('(') && word != "drop" {
            ports.push(Output { port: word, vlan });
        }
    }
    (!ports.is_empty()).then_some(ports)
}

/// Actions one by one: commas in brackets part nothing.
fn words(actions: &str) -> Vec<String> {
    let (mut depth, mut word) = (0_u32, String::new());
    let mut words = Vec::new();
    for c in actions.chars() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if c == ',' && depth == 0 {
            words.push(std::mem::take(&mut word).trim().to_owned());
        } else {
            word.push(c);
        }
    }
    words.push(word.trim().to_owned());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_what_stands_outside_of_brackets() {
        let ports = |actions| Mirrors::default().sent_on(actions).unwrap_or_default().join(" ");
        assert_eq!(ports("3"), "3");
        assert_eq!(ports("push_vlan(vid=77,pcp=0),4,pop_vlan,vnet1"), "4 vnet1");
        for nowhere in
            ["drop", "", "ct(commit,zone=5),recirc(0x1)", "recirc(0x2)", "sample(sample=1.0%,actions(3))"]
        {
            assert_eq!(outputs(nowhere), None, "{nowhere}");
        }
    }

    #[test]
    fn what_mirrors_get_is_sent_nowhere() {
        let ports = [("7", "eth5"), ("eth5", "eth5")].map(|(a, b)| (a.to_owned(), b.to_owned()));
        let mirrors = Mirrors { ports: ports.into(), vlans: [999].into() };
        for (actions, sent, copied) in [
            ("7", None, "eth5"),
            ("eth5", None, "eth5"),
            ("7,3", Some("3"), "eth5"),
            ("push_vlan(vid=999,pcp=0),4", None, "4"),
            ("push_vlan(vid=999,pcp=0),4,pop_vlan,3", Some("3"), "4"),
            ("push_vlan(vid=998,pcp=0),4", Some("4"), ""),
            ("drop", None, ""),
        ] {
            let sent_on = mirrors.sent_on(actions).map(|ports| ports.join(" "));
            assert_eq!(sent_on.as_deref(), sent, "{actions}");
            assert_eq!(mirrors.ports_of(actions).join(" "), copied, "{actions}");
            assert_eq!(mirrors.get_all(actions), sent.is_none() && !copied.is_empty(), "{actions}");
        }
    }
}
