//! The rules of one bridge, made ready for lookups, and the lookup itself (lib/classifier.c).

use netcap_words::wire::ether_type;
use std::collections::{BTreeMap, BTreeSet};

use super::action::{Action, actions};
use super::field::{self, Field, Slot, TAGGED};
use super::packet::Packet;
use crate::sources::ovs::openflow::{BridgeFlows, Flow, FlowMatch};
use crate::sources::shared::{OfPort, Ternary};

/// Rules that may decide, shown at most.
const CANDIDATES_MAX: usize = 8;

/// One rule with its match as bits.
#[derive(Debug)]
pub(super) struct Rule<'a> {
    pub(super) flow: &'a Flow,
    wanted: Vec<Wanted>,
    /// Something in the match could not be read.
    obscure: bool,
    /// `conjunction(id, k/n)`: it only contributes to the rule for that id (ovs-fields(7), "Conjunctive Match").
    parts: Vec<Part>,
}

/// Bits that a packet must have.
#[derive(Debug)]
struct Wanted {
    slot: Slot,
    value: u128,
    mask: u128,
}

/// `conjunction(id, part/all)`.
#[derive(Debug)]
struct Part {
    id: u32,
    number: u32,
    all: u32,
}

/// The tables of a bridge, each from the highest priority down.
#[derive(Debug, Default)]
pub(super) struct FlowTables<'a> {
    tables: BTreeMap<u8, Vec<Rule<'a>>>,
    complete: bool,
}

/// What a lookup gives.
#[derive(Debug)]
pub(super) enum RuleLookup<'a> {
    /// This rule, certainly.
    Rule(&'a Flow),
    /// No rule, certainly.
    Miss,
    /// These may decide.
    Perhaps(Vec<&'a Flow>),
    /// No rule of those that were dumped, and the dump is not whole.
    Cut,
}

impl<'a> FlowTables<'a> {
    pub(super) fn of(bridge: &'a BridgeFlows) -> Self {
        let mut tables: BTreeMap<u8, Vec<Rule<'a>>> = BTreeMap::new();
        let port = |name: &str| bridge.ports.iter().find(|port| port.name == name).map(|port| port.number);
        for flow in &bridge.flows {
            tables.entry(flow.table).or_default().push(Rule::of(flow, &port));
        }
        for rules in tables.values_mut() {
            rules.sort_by_key(|rule| std::cmp::Reverse(rule.flow.priority));
        }
        Self { tables, complete: bridge.complete }
    }

    pub(super) fn lookup(&self, table: u8, packet: &Packet) -> RuleLookup<'a> {
        let rules = self.tables.get(&table).map(Vec::as_slice).unwrap_or_default();
        let plain = self.plain(rules, packet);
        let has_parts = rules.iter().any(|rule| !rule.parts.is_empty());
        if has_parts { Self::conjunctive(self, rules, packet, plain) } else { plain }
    }

    /// The highest rule that matches, contributors to conjunctions left out.
    fn plain(&self, rules: &[Rule<'a>], packet: &Packet) -> RuleLookup<'a> {
        let mut best: Option<&'a Flow> = None;
        let mut perhaps: Vec<&'a Flow> = Vec::new();
        for rule in rules.iter().filter(|rule| rule.parts.is_empty()) {
            if best.is_some_and(|best| best.priority > rule.flow.priority) {
                break;
            }
            match rule.matches(packet) {
                Ternary::No => {}
                Ternary::Yes if best.is_none() => best = Some(rule.flow),
                // Overlapping rules of one priority: OpenFlow leaves open which is met.
                _ => perhaps.push(rule.flow),
            }
        }
        // The same outcome either way is certain enough.
        perhaps.retain(|flow| best.is_none_or(|best| best.actions != flow.actions));
        match best {
            Some(best) if perhaps.is_empty() => RuleLookup::Rule(best),
            None if perhaps.is_empty() && self.complete => RuleLookup::Miss,
            None if perhaps.is_empty() => RuleLookup::Cut,
            best => {
                perhaps.extend(best);
                perhaps.truncate(CANDIDATES_MAX);
                RuleLookup::Perhaps(perhaps)
            }
        }
    }

    /// `classifier_lookup__`: from the highest priority down, a set of contributors that is complete makes a second lookup
    /// with its id; contributors count only above the best other rule.
    fn conjunctive(&self, rules: &[Rule<'a>], packet: &Packet, plain: RuleLookup<'a>) -> RuleLookup<'a> {
        let floor = match &plain {
            RuleLookup::Rule(rule) => i32::from(rule.priority),
            RuleLookup::Miss => -1,
            RuleLookup::Perhaps(_) | RuleLookup::Cut => return plain,
        };
        let soft =
            || rules.iter().filter(|rule| !rule.parts.is_empty() && i32::from(rule.flow.priority) > floor);
        let mut doubtful: Vec<&'a Flow> = Vec::new();
        let priorities: BTreeSet<_> = soft().map(|rule| std::cmp::Reverse(rule.flow.priority)).collect();
        for std::cmp::Reverse(priority) in priorities {
            let mut met: BTreeMap<u32, (u32, BTreeSet<u32>)> = BTreeMap::new();
            for rule in soft().filter(|rule| rule.flow.priority == priority) {
                match rule.matches(packet) {
                    Ternary::Yes => {
                        for Part { id, number: part, all } in &rule.parts {
                            let entry = met.entry(*id).or_insert((*all, BTreeSet::new()));
                            entry.1.insert(*part);
                        }
                    }
                    Ternary::Unknown => doubtful.push(rule.flow),
                    Ternary::No => {}
                }
            }
            if !doubtful.is_empty() {
                doubtful.truncate(CANDIDATES_MAX);
                return RuleLookup::Perhaps(doubtful);
            }
            for (id, (all, parts)) in met {
                if parts.len() < usize::try_from(all).unwrap_or(usize::MAX) {
                    continue;
                }
                let mut again = packet.clone();
                again.set(Slot::ConjId, u128::from(id));
                match self.plain(rules, &again) {
                    RuleLookup::Miss => {}
                    found => return found,
                }
            }
        }
        plain
    }
}

impl<'a> Rule<'a> {
    fn of(flow: &'a Flow, port: &impl Fn(&str) -> Option<OfPort>) -> Self {
        let mut rule = Self { flow, wanted: Vec::new(), obscure: false, parts: Vec::new() };
        for (name, value) in &flow.matches.fields {
            if !rule.want(name, value, port) {
                rule.obscure = true;
            }
        }
        if flow.actions.contains("conjunction(") {
            let parts = actions(&flow.actions).into_iter().filter_map(|action| match action {
                Action::Conjunction { id, part, all } => Some(Part { id, number: part, all }),
                _ => None,
            });
            rule.parts.extend(parts);
            rule.obscure |= rule.parts.is_empty();
        }
        rule
    }

    /// Adds one field of the match; false when it cannot be read.
    fn want(&mut self, name: &str, value: &str, port: &impl Fn(&str) -> Option<OfPort>) -> bool {
        if value.is_empty() {
            return self.shorthand(name);
        }
        match name {
            // Every frame of an Ethernet port is of packet type (0, 0).
            "packet_type" => value == "(0,0)",
            "dl_vlan" | "dl_vlan_pcp" | "vlan_pcp" => self.tag(name, value),
            "vlan_tci1" => false,
            // ARP's operation is kept where the protocol is, and `nw_src` of an ARP rule is its sender.
            _ => match field::field(name) {
                Some(field) => self.field(&field, value, port),
                None => false,
            },
        }
    }

    fn want_bits(&mut self, slot: Slot, value: u128, mask: u128) {
        self.wanted.push(Wanted { slot, value, mask });
    }

    fn field(&mut self, field: &Field, value: &str, port: &impl Fn(&str) -> Option<OfPort>) -> bool {
        let named = || {
            let name = value.trim_matches('"');
            (field.kind == field::Kind::Port).then(|| port(name)).flatten().map(|p| (u128::from(p.0), 0xffff))
        };
        let Some((value, mask)) = field.parse(value).or_else(named) else { return false };
        self.want_bits(field.slot, value << field.first, mask << field.first);
        true
    }

    /// `dl_vlan=5` asks for a tag too; 0xffff is OpenFlow 1.0's word for none.
    fn tag(&mut self, name: &str, value: &str) -> bool {
        if name == "dl_vlan" && field::wide_number(value) == Some(0xffff) {
            self.want_bits(Slot::Tci, 0, TAGGED);
            return true;
        }
        self.want_bits(Slot::Tci, TAGGED, TAGGED);
        field::field(name).is_some_and(|field| self.field(&field, value, &|_| None))
    }

    /// `icmp` and its like (lib/ofp-match.c, `ofp_parse_protocol`).
    fn shorthand(&mut self, name: &str) -> bool {
        let (eth_type, proto) = match name {
            "ip" | "ipv4" => (ether_type::IPV4, None),
            "icmp" => (ether_type::IPV4, Some(1)),
            "tcp" => (ether_type::IPV4, Some(6)),
            "udp" => (ether_type::IPV4, Some(17)),
            "sctp" => (ether_type::IPV4, Some(132)),
            "ipv6" | "ip6" => (ether_type::IPV6, None),
            "icmp6" | "icmpv6" => (ether_type::IPV6, Some(58)),
            "tcp6" => (ether_type::IPV6, Some(6)),
            "udp6" => (ether_type::IPV6, Some(17)),
            "sctp6" => (ether_type::IPV6, Some(132)),
            "arp" => (ether_type::ARP, None),
            "rarp" => (ether_type::RARP, None),
            "mpls" => (0x8847, None),
            "mplsm" => (0x8848, None),
            "eth" => return true,
            _ => return false,
        };
        self.want_bits(Slot::EthType, u128::from(eth_type), 0xffff);
        if let Some(proto) = proto {
            self.want_bits(Slot::Proto, proto, 0xff);
        }
        true
    }

    fn matches(&self, packet: &Packet) -> Ternary {
        let answers = self.wanted.iter().map(|bits| packet.get(bits.slot).agrees(bits.value, bits.mask));
        let answer: Ternary = answers.collect();
        if self.obscure { answer.and(Ternary::Unknown) } else { answer }
    }
}

/// Whether a packet matches, each field known or not.
pub(super) fn matches(wanted: &FlowMatch, packet: &Packet) -> Ternary {
    let flow = Flow { matches: wanted.clone(), ..Flow::default() };
    Rule::of(&flow, &|_| None).matches(packet)
}
