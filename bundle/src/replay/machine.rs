//! The pipeline: looks rules up and does what they say to the packet.

use std::collections::{BTreeMap, VecDeque};

use super::action::{Action, Ct, Target, Zone, actions};
use super::bits::Bits;
use super::edits::{OUT, doubt_tags, edit, rank, write_set};
use super::field::Slot;
use super::model::{Cause, CtLookup, Dumps, End, Exit, ForwardingDecision, Replay};
use super::packet::Packet;
use super::ports::Ports;
use super::rules::{FlowTables, RuleLookup};
use super::tracking::{self, Tracked};
use crate::sources::ovs::openflow::Flow;
use crate::sources::shared::{OfPort, Ternary};

/// Lookups of one packet; OVS itself gives up after 4096 (`MAX_RESUBMITS`, ofproto/ofproto-dpif-xlate.c).
const LOOKUPS_MAX: usize = 512;
/// Lookups inside one another; OVS allows 64 that go back (`MAX_DEPTH`, there).
const DEPTH_MAX: usize = 128;
/// Ways out that are named.
const EXITS_MAX: usize = 4096;
/// Fields kept by `push`; ovs-ofctl(8) promises no more.
const STACK_MAX: usize = 256;

/// Where a packet is switched to when nothing says where.
pub(super) const SOMEWHERE: &str = "NORMAL";

/// A packet on its way through one bridge.
#[derive(Clone)]
pub(super) struct Way<'a> {
    pub(super) bridge: &'a str,
    pub(super) packet: Packet,
    pub(super) table: u8,
    pub(super) depth: usize,
    /// `write_actions`.
    pub(super) set: Vec<Action>,
    pub(super) stack: Vec<Bits>,
    /// `exit` was met: nothing is done any more on this way.
    pub(super) exit: bool,
}

/// The state of a replay.
pub(super) struct Machine<'a> {
    pub(super) dumps: Dumps<'a>,
    tables: BTreeMap<&'a str, FlowTables<'a>>,
    chain: Vec<&'a Flow>,
    tracked: Vec<CtLookup<'a>>,
    pub(super) exits: Vec<Exit>,
    /// Copies that go on after conntrack, in the order they were made: each is another pass through the datapath.
    recirculated: VecDeque<Way<'a>>,
    passes: usize,
    ended: Option<End<'a>>,
    unknown: Option<String>,
    endless: bool,
    candidates: Vec<&'a Flow>,
}

impl<'a> Machine<'a> {
    pub(super) fn new(dumps: Dumps<'a>) -> Self {
        Self {
            dumps,
            tables: BTreeMap::new(),
            chain: Vec::new(),
            tracked: Vec::new(),
            exits: Vec::new(),
            recirculated: VecDeque::new(),
            passes: 0,
            ended: None,
            unknown: None,
            endless: false,
            candidates: Vec::new(),
        }
    }

    pub(super) fn run(mut self, bridge: &str, mut packet: Packet) -> Replay<'a> {
        match self.dumps.openflow.bridges.get_key_value(bridge) {
            Some((name, _)) => {
                let through_tunnel = Ports::of(self.dumps, name).is_some_and(|ports| {
                    let port = packet.in_port().and_then(|n| ports.by_number(n));
                    port.is_some_and(|port| ports.is_tunnel(&port.name))
                });
                if through_tunnel {
                    packet.put(Slot::TunId, Bits::UNKNOWN);
                    packet.put(Slot::Tunnel, Bits::UNKNOWN);
                }
                self.enter(Way {
                    bridge: name,
                    packet,
                    table: 0,
                    depth: 0,
                    set: Vec::new(),
                    stack: Vec::new(),
                    exit: false,
                });
            }
            None => self.not_known("the rules of the bridge were not dumped"),
        }
        while let Some(way) = self.recirculated.pop_front() {
            self.enter(way);
        }
        self.exits.sort();
        self.exits.dedup();
        let complete = self.unknown.is_none() && !self.exits.iter().any(|exit| exit.port == SOMEWHERE);
        let decision = match (self.exits.is_empty() || self.endless, self.unknown, self.ended) {
            (false, ..) => ForwardingDecision::Forwarded(self.exits),
            (true, Some(why), _) => ForwardingDecision::CannotTell { why, candidates: self.candidates },
            (true, None, Some(end)) => ForwardingDecision::Dropped(end),
            (true, None, None) => {
                ForwardingDecision::CannotTell { why: "no rule was met".to_owned(), candidates: Vec::new() }
            }
        };
        Replay { chain: self.chain, tracked: self.tracked, decision, complete }
    }

    /// One pass through a bridge from a table on, and the action set at its end.
    pub(super) fn enter(&mut self, mut way: Way<'a>) {
        let (table, port) = (way.table, way.packet.get(Slot::InPort));
        self.table(&mut way, table, port);
        self.perform_set(&mut way);
    }

    /// Looks the packet up in a table, as if from that port, and does what the rule says. The port is for the lookup only;
    /// what the rules change otherwise stays changed (`xlate_table_action`).
    fn table(&mut self, way: &mut Way<'a>, table: u8, port: Bits) {
        if self.chain.len() >= LOOKUPS_MAX || way.depth >= DEPTH_MAX {
            // The switch gives up somewhere in here and drops what it did not do yet.
            self.endless = true;
            return self.not_known("the rules send it round and round");
        }
        let dumps = self.dumps;
        let own = way.packet.get(Slot::InPort);
        way.packet.put(Slot::InPort, port);
        let found = match dumps.openflow.bridges.get_key_value(way.bridge) {
            Some((name, bridge)) => self
                .tables
                .entry(name.as_str())
                .or_insert_with(|| FlowTables::of(bridge))
                .lookup(table, &way.packet),
            None => RuleLookup::Cut,
        };
        way.packet.put(Slot::InPort, own);
        match found {
            RuleLookup::Rule(rule) => {
                self.chain.push(rule);
                let before = std::mem::replace(&mut way.table, table);
                way.depth += 1;
                self.rule(way, rule);
                way.depth -= 1;
                way.table = before;
            }
            RuleLookup::Miss => self.ends(way.bridge, table, None, Cause::Miss),
            RuleLookup::Cut => self.not_known("the dump of the rules is not whole"),
            RuleLookup::Perhaps(rules) => {
                self.not_known(&format!("{} table {table}: more than one rule may match", way.bridge));
                if self.candidates.is_empty() {
                    self.candidates = rules;
                }
            }
        }
    }

    fn rule(&mut self, way: &mut Way<'a>, rule: &'a Flow) {
        let mut list = actions(&rule.actions);
        doubt_tags(&mut list, rule);
        let before = (self.exits.len(), self.unknown.is_some(), self.chain.len(), self.ended.clone());
        self.perform(way, &list, Some(rule));
        // Nothing came of it: neither sent, nor looked up again, nor ended by something more telling.
        let idle =
            (self.exits.len(), self.unknown.is_some(), self.chain.len()) == (before.0, before.1, before.2);
        if idle && self.ended == before.3 && way.set.is_empty() {
            self.ends(way.bridge, rule.table, Some(rule), Cause::Rule);
        }
    }

    fn perform(&mut self, way: &mut Way<'a>, list: &[Action], rule: Option<&'a Flow>) {
        for action in list {
            if way.exit {
                return;
            }
            match action {
                Action::Exit => way.exit = true,
                Action::Output(target) => self.output(way, target, rule),
                Action::Resubmit { port, table } => self.resubmit(way, port.as_ref(), *table),
                Action::Goto(table) => {
                    let port = way.packet.get(Slot::InPort);
                    self.table(way, *table, port);
                }
                Action::Ct(ct) => self.ct(way, ct, rule),
                Action::CtClear => way.packet.forget_tracking(),
                Action::Write(actions) => write_set(&mut way.set, actions),
                Action::ClearActions => way.set.clear(),
                Action::Clone(actions) => {
                    let mut copy = way.clone();
                    self.perform(&mut copy, actions, rule);
                    // Within the copy, what was written so far is done (`clone_xlate_actions`).
                    self.perform_set(&mut copy);
                }
                Action::Group(id) => self.group(way, *id, rule),
                // The rest of this list is not done; whoever resubmitted to it goes on.
                Action::DecTtl if !self.dec_ttl(way, rule) => return,
                Action::DecTtl | Action::Drop | Action::Nothing | Action::Conjunction { .. } => {}
                Action::Push(field) => {
                    if way.stack.len() < STACK_MAX {
                        let bits = way.packet.read(field);
                        way.stack.push(bits);
                    }
                }
                Action::Pop(field) => {
                    let bits = way.stack.pop().unwrap_or(Bits::UNKNOWN);
                    way.packet.write(field, bits);
                }
                Action::Unknown(text) => {
                    self.not_known(&format!("an action that is not followed: {text}"));
                    // What it did to the packet is not known either.
                    way.exit = true;
                }
                change => edit(&mut way.packet, change),
            }
        }
    }

    fn resubmit(&mut self, way: &mut Way<'a>, port: Option<&Target>, table: Option<u8>) {
        let own = way.packet.get(Slot::InPort);
        let port = port.map(|port| self.number(way, port));
        let port = port.map(|port| port.map_or(Bits::UNKNOWN, |port| Bits::known(u128::from(port.0))));
        let table = table.unwrap_or(way.table);
        self.table(way, table, port.unwrap_or(own));
    }

    pub(super) fn number(&self, way: &Way<'a>, target: &Target) -> Option<OfPort> {
        match target {
            Target::Port(port) => Some(*port),
            Target::InPort => way.packet.in_port(),
            Target::Named(name) => Ports::of(self.dumps, way.bridge)?.by_name(name),
            Target::Field(field) => {
                let value = way.packet.read(field).exact_low(field.width)?;
                Some(OfPort(u16::try_from(value).unwrap_or(OfPort::NONE.0)))
            }
            _ => None,
        }
    }

    /// False when it ran out.
    fn dec_ttl(&mut self, way: &mut Way<'a>, rule: Option<&'a Flow>) -> bool {
        let has = way.packet.has(super::field::Need::Ip);
        if has == Ternary::No {
            return true;
        }
        match way.packet.get(Slot::Ttl).exact_low(8) {
            Some(ttl) if ttl > 1 && has == Ternary::Yes => way.packet.set(Slot::Ttl, ttl - 1),
            Some(_) if has == Ternary::Yes => {
                self.refused(way, rule, Cause::Ttl);
                return false;
            }
            _ => self.not_known("its time to live is not known"),
        }
        true
    }

    fn ct(&mut self, way: &mut Way<'a>, ct: &Ct, rule: Option<&'a Flow>) {
        let zone = match &ct.zone {
            Zone::Number(zone) => Some(*zone),
            Zone::Field(field) => way.packet.read(field).exact_low(16).and_then(|z| u16::try_from(z).ok()),
        };
        if let Some(table) = ct.table {
            let mut copy = Way { table, depth: 0, ..way.clone() };
            let tracked = self.look_up_connection(&copy.packet, zone);
            let state = match &ct.nat {
                Some(nat) => tracking::translate(&mut copy.packet, &tracked, nat),
                None => tracked.state,
            };
            Self::track(&mut copy.packet, zone, &tracked, state);
            self.perform(&mut copy, &ct.exec, rule);
            if self.recirculated.len() < LOOKUPS_MAX && self.passes < LOOKUPS_MAX {
                self.passes += 1;
                self.recirculated.push_back(copy);
            } else {
                self.not_known("the rules send it through conntrack again and again");
            }
        }
        way.packet.forget_tracking();
    }

    fn look_up_connection(&mut self, packet: &Packet, zone: Option<u16>) -> Tracked<'a> {
        let tracked = tracking::lookup(self.dumps.conntrack, packet, zone);
        self.tracked.push(CtLookup {
            zone,
            entry: tracked.entry,
            state: tracking::words(tracked.state),
            certain: tracked.state.exact().is_some(),
        });
        tracked
    }

    /// Writes what conntrack says into the fields of a copy that goes on.
    fn track(packet: &mut Packet, zone: Option<u16>, tracked: &Tracked<'a>, state: Bits) {
        packet.put(Slot::CtState, state);
        packet.put(Slot::CtZone, zone.map_or(Bits::UNKNOWN, |zone| Bits::known(u128::from(zone))));
        let (mark, label) = match tracked.entry {
            Some(entry) => (Bits::known(u128::from(entry.mark)), Bits::known(entry.label)),
            None if tracked.state.exact().is_some() => (Bits::ZERO, Bits::ZERO),
            None => (Bits::UNKNOWN, Bits::UNKNOWN),
        };
        packet.put(Slot::CtMark, mark);
        packet.put(Slot::CtLabel, label);
        packet.put(Slot::CtTuple, Bits::UNKNOWN);
    }

    /// The action set at the end of the pipeline: tags, changes, then one way out (OpenFlow 1.3.5, section 5.10).
    fn perform_set(&mut self, way: &mut Way<'a>) {
        if way.set.is_empty() || way.exit {
            return;
        }
        let list = std::mem::take(&mut way.set);
        let rule = self.chain.last().copied();
        self.perform_as_set(way, list, rule);
    }

    /// A group takes precedence over an output, and without a way out the packet is dropped.
    fn perform_as_set(&mut self, way: &mut Way<'a>, mut list: Vec<Action>, rule: Option<&'a Flow>) {
        list.sort_by_key(rank);
        match list.iter().position(|action| rank(action) >= OUT) {
            Some(at) => {
                list.truncate(at + 1);
                self.perform(way, &list, rule);
            }
            None => self.ends(way.bridge, way.table, rule, Cause::Rule),
        }
    }

    /// The actions of a bucket are a set as well (`xlate_group_bucket`).
    pub(super) fn bucket(&mut self, way: &Way<'a>, bucket: &str, rule: Option<&'a Flow>) {
        self.perform_as_set(&mut way.clone(), actions(bucket), rule);
    }

    pub(super) fn sent(&mut self, bridge: &str, port: &str) {
        if self.exits.len() >= EXITS_MAX {
            return;
        }
        self.exits.push(Exit { bridge: bridge.to_owned(), port: port.to_owned() });
    }

    pub(super) fn ends(&mut self, bridge: &str, table: u8, rule: Option<&'a Flow>, cause: Cause) {
        self.ended = Some(End { bridge: bridge.to_owned(), table, rule, cause });
    }

    /// Keeps the first reason.
    pub(super) fn not_known(&mut self, why: &str) {
        self.unknown.get_or_insert_with(|| why.to_owned());
    }
}
