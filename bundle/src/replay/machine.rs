//! The pipeline: looks rules up and does what they say to the packet.

use std::collections::{BTreeMap, VecDeque};

use super::action::{Action, Ct, Target, Zone, actions};
use super::bits::Bits;
use super::field::{Slot, TAGGED};
use super::packet::Packet;
use super::ports::Ports;
use super::rules::{Found, Tables};
use super::switching::{self, Switched};
use super::tracking::{self, Tracked};
use super::{Cause, Dumps, End, Exit, Lookup, Replay, Verdict};
use crate::sources::ovs_openflow::{Flow, Group, GroupKind};
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
const SOMEWHERE: &str = "NORMAL";

/// A packet on its way through one bridge.
#[derive(Clone)]
struct Way<'a> {
    bridge: &'a str,
    packet: Packet,
    table: u8,
    depth: usize,
    /// `write_actions`.
    set: Vec<Action>,
    stack: Vec<Bits>,
    /// `exit` was met: nothing is done any more on this way.
    exit: bool,
}

/// The state of a replay.
pub(super) struct Machine<'a> {
    dumps: Dumps<'a>,
    tables: BTreeMap<&'a str, Tables<'a>>,
    chain: Vec<&'a Flow>,
    tracked: Vec<Lookup<'a>>,
    exits: Vec<Exit>,
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
        let verdict = match (self.exits.is_empty() || self.endless, self.unknown, self.ended) {
            (false, ..) => Verdict::Forwarded(self.exits),
            (true, Some(why), _) => Verdict::CannotTell { why, candidates: self.candidates },
            (true, None, Some(end)) => Verdict::Dropped(end),
            (true, None, None) => {
                Verdict::CannotTell { why: "no rule was met".to_owned(), candidates: Vec::new() }
            }
        };
        Replay { chain: self.chain, tracked: self.tracked, verdict, complete }
    }

    /// One pass through a bridge from a table on, and the action set at its end.
    fn enter(&mut self, mut way: Way<'a>) {
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
                .or_insert_with(|| Tables::of(bridge))
                .lookup(table, &way.packet),
            None => Found::Cut,
        };
        way.packet.put(Slot::InPort, own);
        match found {
            Found::Rule(rule) => {
                self.chain.push(rule);
                let before = std::mem::replace(&mut way.table, table);
                way.depth += 1;
                self.rule(way, rule);
                way.depth -= 1;
                way.table = before;
            }
            Found::Miss => self.ends(way.bridge, table, None, Cause::Miss),
            Found::Cut => self.not_known("the dump of the rules is not whole"),
            Found::Perhaps(rules) => {
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
                Action::Drop | Action::Nothing | Action::Conjunction { .. } => {}
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
                Action::DecTtl => {}
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

    fn number(&self, way: &Way<'a>, target: &Target) -> Option<OfPort> {
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
        self.tracked.push(Lookup {
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

    fn group(&mut self, way: &mut Way<'a>, id: u32, rule: Option<&'a Flow>) {
        let bridge = self.dumps.openflow.bridges.get(way.bridge);
        let Some(group) = bridge.and_then(|bridge| bridge.groups.as_ref()?.iter().find(|g| g.id == id))
        else {
            return self.not_known(&format!("group {id}, which was not dumped"));
        };
        match group.kind {
            GroupKind::All | GroupKind::Indirect => {
                for bucket in &group.buckets {
                    self.bucket(way, bucket, rule);
                }
            }
            GroupKind::Other => self.choice(way, group, rule),
        }
    }

    /// One bucket is chosen by something that is not recorded: known only when all of them drop or all of them send.
    fn choice(&mut self, way: &Way<'a>, group: &'a Group, rule: Option<&'a Flow>) {
        let before = self.exits.len();
        let mut sending = 0;
        for bucket in &group.buckets {
            let had = self.exits.len();
            self.bucket(way, bucket, rule);
            sending += usize::from(self.exits.len() > had);
        }
        if sending != 0 && sending != group.buckets.len() {
            self.exits.truncate(before);
            self.not_known(&format!("group {} chooses among buckets that differ", group.id));
        }
    }

    fn output(&mut self, way: &mut Way<'a>, target: &Target, rule: Option<&'a Flow>) {
        match target {
            Target::Controller => self.sent(way.bridge, "CONTROLLER"),
            Target::Normal => self.normal(way, rule),
            Target::Flood | Target::All => self.everywhere(way, *target == Target::Flood, rule),
            Target::InPort => match way.packet.in_port() {
                Some(port) => self.leave(way, port, rule),
                None => self.not_known("the port it came in at is not known"),
            },
            target => match self.number(way, target) {
                // Back by the port it came in at is refused unless it says IN_PORT (OpenFlow 1.3.5, section 5.12).
                Some(port) if way.packet.in_port() == Some(port) => self.refused(way, rule, Cause::InputPort),
                Some(OfPort::NONE) => self.refused(way, rule, Cause::NoPort),
                // Reserved numbers that come out of a register (openflow-1.0.h, `OFPP_*`).
                Some(OfPort(0xfff8)) => self.output(way, &Target::InPort, rule),
                Some(OfPort(0xfffa)) => self.normal(way, rule),
                Some(OfPort(0xfffb)) => self.everywhere(way, true, rule),
                Some(OfPort(0xfffc)) => self.everywhere(way, false, rule),
                Some(OfPort(0xfffd)) => self.sent(way.bridge, "CONTROLLER"),
                Some(port) => self.leave(way, port, rule),
                None => self.not_known("the port it is sent to is not known"),
            },
        }
    }

    fn refused(&mut self, way: &Way<'a>, rule: Option<&'a Flow>, cause: Cause) {
        self.ends(way.bridge, way.table, rule, cause);
    }

    fn everywhere(&mut self, way: &mut Way<'a>, flood: bool, rule: Option<&'a Flow>) {
        let in_port = way.packet.in_port();
        let Some(all) = Ports::of(self.dumps, way.bridge).and_then(|ports| ports.all()) else {
            return self.sent(way.bridge, SOMEWHERE);
        };
        for port in all.iter().filter(|port| Some(port.number) != in_port) {
            if !(flood && port.config.iter().any(|flag| flag == "NO_FLOOD")) {
                self.leave(way, port.number, rule);
            }
        }
    }

    fn normal(&mut self, way: &mut Way<'a>, rule: Option<&'a Flow>) {
        let Some(ports) = Ports::of(self.dumps, way.bridge) else { return self.sent(way.bridge, SOMEWHERE) };
        match switching::switch(&ports, self.dumps.fdb, way.bridge, &way.packet) {
            Switched::Somewhere => self.sent(way.bridge, SOMEWHERE),
            Switched::Ends(cause) => self.ends(way.bridge, way.table, rule, cause),
            Switched::To(list, vlan) => {
                for port in list {
                    let mut copy = way.clone();
                    switching::retag(&mut copy.packet, port, vlan);
                    match port.interfaces.as_slice() {
                        [one] => match one.ofport {
                            Some(number) => self.leave(&copy, number, rule),
                            None => self.refused(&copy, rule, Cause::NoPort),
                        },
                        _ => self.sent(way.bridge, &port.name),
                    }
                }
            }
        }
    }

    /// Through a port; a patch port leads into another bridge.
    fn leave(&mut self, way: &Way<'a>, port: OfPort, rule: Option<&'a Flow>) {
        let Some(ports) = Ports::of(self.dumps, way.bridge) else {
            return self.sent(way.bridge, &port.to_string());
        };
        let Some(desc) = ports.by_number(port) else {
            return match ports.all() {
                Some(_) => self.refused(way, rule, Cause::NoPort),
                None => self.sent(way.bridge, &port.to_string()),
            };
        };
        if desc.config.iter().any(|flag| flag == "NO_FWD") {
            return self.refused(way, rule, Cause::NoPort);
        }
        let Some(peer) = ports.peer(&desc.name) else {
            let name = ports.config(&desc.name).map_or(desc.name.as_str(), |config| config.name.as_str());
            return self.sent(way.bridge, name);
        };
        let Some((bridge, number)) = ports.home(peer) else {
            return self.sent(way.bridge, &desc.name);
        };
        let mut packet = way.packet.clone();
        packet.forget_metadata();
        packet.set(Slot::InPort, u128::from(number.0));
        let depth = way.depth + 1;
        self.enter(Way {
            bridge,
            packet,
            table: 0,
            depth,
            set: Vec::new(),
            stack: way.stack.clone(),
            exit: false,
        });
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
    fn bucket(&mut self, way: &Way<'a>, bucket: &str, rule: Option<&'a Flow>) {
        self.perform_as_set(&mut way.clone(), actions(bucket), rule);
    }

    fn sent(&mut self, bridge: &str, port: &str) {
        if self.exits.len() >= EXITS_MAX {
            return;
        }
        self.exits.push(Exit { bridge: bridge.to_owned(), port: port.to_owned() });
    }

    fn ends(&mut self, bridge: &str, table: u8, rule: Option<&'a Flow>, cause: Cause) {
        self.ended = Some(End { bridge: bridge.to_owned(), table, rule, cause });
    }

    /// Keeps the first reason.
    fn not_known(&mut self, why: &str) {
        self.unknown.get_or_insert_with(|| why.to_owned());
    }
}

/// From here on, actions of a set are ways out.
const OUT: u8 = 8;

/// The order in which a set is done (`ofpacts_execute_action_set`, lib/ofp-actions.c).
fn rank(action: &Action) -> u8 {
    match action {
        Action::PopVlan => 0,
        Action::PushVlan => 1,
        Action::DecTtl => 2,
        Action::Group(_) => OUT,
        Action::Output(_) => OUT + 1,
        Action::Resubmit { .. } => OUT + 2,
        Action::Ct(_) => OUT + 3,
        _ => 3,
    }
}

/// OpenFlow 1.0's `mod_vlan_vid` keeps a tag that is there, and a dump in a later version prints it as a push and a set
/// (lib/ofp-actions.c, `encode_SET_VLAN_VID`): the same text as a real push, unless the rule matches on the tag.
fn doubt_tags(list: &mut [Action], rule: &Flow) {
    let is_tag = |name: &str| name.starts_with("dl_vlan") || name.starts_with("vlan_");
    if rule.matches.fields.iter().any(|(name, _)| is_tag(name)) {
        return;
    }
    for at in 1..list.len() {
        let sets = matches!(list.get(at), Some(Action::Set { field, .. }) if field.slot == Slot::Tci);
        if let Some(push) = list.get_mut(at - 1).filter(|before| sets && **before == Action::PushVlan) {
            *push = Action::PushOrKeep;
        }
    }
}

/// Adds to the action set: of each kind, the last one counts; changes of fields follow one another.
fn write_set(set: &mut Vec<Action>, actions: &[Action]) {
    for action in actions {
        match action {
            Action::Drop | Action::Nothing => {}
            Action::Set { .. } | Action::Move { .. } | Action::Tag { .. } => set.push(action.clone()),
            other => {
                let kind = std::mem::discriminant(other);
                set.retain(|had| std::mem::discriminant(had) != kind);
                set.push(other.clone());
            }
        }
    }
}

/// Changes fields.
fn edit(packet: &mut Packet, change: &Action) {
    match change {
        Action::Set { field, value, mask } => match packet.has(Action::need(field)) {
            Ternary::Yes => {
                let mut bits = packet.read(field);
                bits.put_masked(*value, *mask);
                packet.write(field, bits);
            }
            Ternary::Unknown => packet.put(field.slot, Bits::UNKNOWN),
            Ternary::No => {}
        },
        Action::Move { from, to } => match packet.has(Action::need(from)).and(packet.has(Action::need(to))) {
            Ternary::Yes => {
                let bits = packet.read(from);
                packet.write(to, bits);
            }
            Ternary::Unknown => packet.put(to.slot, Bits::UNKNOWN),
            Ternary::No => {}
        },
        Action::PushVlan => {
            packet.put(Slot::TciInner, packet.get(Slot::Tci));
            packet.set(Slot::Tci, TAGGED);
        }
        // A tag that is there stays, or a second one hides it.
        Action::PushOrKeep if packet.has(super::field::Need::Vlan) == Ternary::No => {
            edit(packet, &Action::PushVlan);
        }
        Action::PushOrKeep => {
            packet.put(Slot::TciInner, Bits::UNKNOWN);
            packet.put(Slot::Tci, Bits::partly(TAGGED, !0xefff));
        }
        Action::PopVlan => {
            packet.put(Slot::Tci, packet.get(Slot::TciInner));
            packet.set(Slot::TciInner, 0);
        }
        Action::Tag { first, width, value } => {
            let mut tci = packet.get(Slot::Tci);
            tci.put(*first, *width, Bits::known(u128::from(*value)));
            tci.put_masked(TAGGED, TAGGED);
            packet.put(Slot::Tci, tci);
        }
        Action::Forget(field) => packet.write(field, Bits::UNKNOWN),
        _ => {}
    }
}
