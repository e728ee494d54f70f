//! The way of one packet through a bridge's tables: which rules it meets and whether one of them drops it.

use std::collections::BTreeMap;

use super::actions::{Step, apply, steps};
use super::registers::Registers;
use super::{BridgeFlows, Flow};
use crate::sources::shared::{CtKnowledge, PacketFields, Ternary};

/// Lookups of one packet; OVS itself gives up after 4096 (`MAX_RESUBMITS`, ofproto/ofproto-dpif-xlate.c).
const LOOKUPS_MAX: usize = 512;

/// Resubmissions inside one another; OVS allows 64 (`MAX_DEPTH`, there).
const DEPTH_MAX: usize = 64;

/// The rules a packet met, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Walk<'a> {
    /// Rules in the order met.
    pub steps: Vec<&'a Flow>,
    /// What became of it.
    pub verdict: WalkVerdict<'a>,
}

/// What became of a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WalkVerdict<'a> {
    /// Certainly nothing sends it on.
    Dropped {
        /// The rule it ended at; `None` when no rule of the table matched.
        rule: Option<&'a Flow>,
        /// That table.
        table: u8,
    },
    /// Some rule sends it on. `NORMAL` counts: the bridge's own switching may still refuse it.
    Forwarded,
    /// It depends on something that is not known.
    Unknown {
        /// On what.
        why: String,
        /// Rules that may decide: those whose match is not certain, the first few.
        candidates: Vec<&'a Flow>,
    },
}

/// Follows a packet from table 0, as untracked (`ct_state=-trk`) and with empty registers, as packets come in.
///
/// Certain only if no rule of the same or a higher priority *might* match as well, and if the dump is whole. Changes of
/// headers on the way make those headers unknown; a group, a controller or an output to a register's port is unknown.
pub fn walk<'a>(bridge: &'a BridgeFlows, packet: &PacketFields) -> Walk<'a> {
    let mut tables: BTreeMap<u8, Vec<&'a Flow>> = BTreeMap::new();
    for flow in &bridge.flows {
        tables.entry(flow.table).or_default().push(flow);
    }
    let mut walker = Walker { tables, complete: bridge.complete, ..Walker::default() };
    let mut state = State { packet: packet.clone(), registers: Registers::default(), table: 0, depth: 0 };
    if state.packet.ct == CtKnowledge::Unknown {
        state.packet.ct = CtKnowledge::Untracked;
    }
    walker.lookup(state);
    let verdict = if walker.sent {
        WalkVerdict::Forwarded
    } else if let Some(why) = walker.unknown {
        WalkVerdict::Unknown { why, candidates: walker.candidates }
    } else {
        let (rule, table) = walker.ended.unwrap_or((None, 0));
        WalkVerdict::Dropped { rule, table }
    };
    Walk { steps: walker.steps, verdict }
}

/// The packet at one place of its way.
#[derive(Clone)]
struct State {
    packet: PacketFields,
    registers: Registers,
    table: u8,
    depth: usize,
}

#[derive(Default)]
struct Walker<'a> {
    tables: BTreeMap<u8, Vec<&'a Flow>>,
    complete: bool,
    steps: Vec<&'a Flow>,
    sent: bool,
    unknown: Option<String>,
    candidates: Vec<&'a Flow>,
    ended: Option<(Option<&'a Flow>, u8)>,
}

impl<'a> Walker<'a> {
    /// Finds the rule in the state's table and does what it says.
    fn lookup(&mut self, mut state: State) {
        loop {
            if self.steps.len() >= LOOKUPS_MAX || state.depth > DEPTH_MAX {
                return self.not_known("the rules send it round and round");
            }
            let Some(rule) = self.decide(&state) else { return };
            self.steps.push(rule);
            match self.perform(rule, &mut state) {
                Some(next) => state.table = next,
                None => return,
            }
        }
    }

    /// The rule that certainly decides; `None` when there is none or it is not certain, which is noted.
    fn decide(&mut self, state: &State) -> Option<&'a Flow> {
        let flows = self.tables.get(&state.table).map(Vec::as_slice).unwrap_or_default();
        let mut best: Option<&'a Flow> = None;
        let mut perhaps: Vec<&'a Flow> = Vec::new();
        for flow in flows {
            match flow.matches.matches_with(&state.packet, &state.registers) {
                Ternary::No => {}
                // A rule with conjunction() only contributes to another one (ovs-fields(7), "Conjunctive Match").
                Ternary::Yes if !flow.actions.contains("conjunction(") => match best {
                    Some(other) if other.priority > flow.priority => {}
                    // Overlapping rules of one priority: OpenFlow leaves open which is met.
                    Some(other) if other.priority == flow.priority => perhaps.push(flow),
                    _ => best = Some(flow),
                },
                _ => perhaps.push(flow),
            }
        }
        let floor = best.map_or(0, |flow| flow.priority);
        perhaps.retain(|flow| {
            let as_certain = best
                .is_some_and(|best| best.actions == flow.actions && !flow.actions.contains("conjunction("));
            flow.priority >= floor && !as_certain
        });
        if !perhaps.is_empty() {
            self.not_known(&format!(
                "table {}: a rule of the same or a higher priority may match",
                state.table
            ));
            let room = 8_usize.saturating_sub(self.candidates.len());
            self.candidates.extend(perhaps.into_iter().chain(best).take(room));
            return None;
        }
        if best.is_none() {
            if self.complete {
                self.ended = Some((None, state.table));
            } else {
                self.not_known("the dump of the rules is not whole");
            }
        }
        best
    }

    /// Does the rule's actions; gives the table where the same packet goes on.
    fn perform(&mut self, rule: &'a Flow, state: &mut State) -> Option<u8> {
        let mut went_on = false;
        let mut next = None;
        for step in steps(&rule.actions) {
            match step {
                // Back by the port it came in at is refused unless it says IN_PORT (OpenFlow 1.3.5, section 5.12).
                Step::SendTo(port) if state.packet.of_port == Some(port) => {}
                Step::Send | Step::SendTo(_) => (self.sent, went_on) = (true, true),
                Step::Goto(table) => (next, went_on) = (Some(table), true),
                Step::Resubmit { port, table } => {
                    went_on = true;
                    let mut again = state.clone();
                    again.packet.of_port = port.or(again.packet.of_port);
                    self.branch(again, table.unwrap_or(state.table));
                }
                Step::Ct { table, nat } => {
                    if nat {
                        apply(&super::actions::Change::Upper, &mut state.packet, &mut state.registers);
                    }
                    if let Some(table) = table {
                        went_on = true;
                        let mut tracked = state.clone();
                        tracked.packet.ct = CtKnowledge::Tracked;
                        self.branch(tracked, table);
                    }
                }
                Step::CtClear => state.packet.ct = CtKnowledge::Untracked,
                Step::Change(change) => apply(&change, &mut state.packet, &mut state.registers),
                Step::Unknown => {
                    went_on = true;
                    self.not_known(&format!("an action that is not followed: {}", short(&rule.actions)));
                }
                Step::Drop | Step::Exit => break,
                Step::Nothing => {}
            }
        }
        if !went_on {
            self.ended = Some((Some(rule), rule.table));
        }
        next
    }

    fn branch(&mut self, mut state: State, table: u8) {
        state.table = table;
        state.depth += 1;
        self.lookup(state);
    }

    /// Keeps the first reason.
    fn not_known(&mut self, why: &str) {
        self.unknown.get_or_insert_with(|| why.to_owned());
    }
}

fn short(actions: &str) -> String {
    actions.chars().take(60).collect()
}
