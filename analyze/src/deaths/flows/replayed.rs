//! The OpenFlow rule that drops such packets: one of them is replayed through the dumps of the tables.

use std::collections::BTreeSet;

use netcap_bundle::Nanos;
use netcap_bundle::replay::{Cause, CtLookup, Dumps, ForwardingDecision, Packet, replay};
use netcap_bundle::source::Snapshot;
use netcap_bundle::sources::ovs::conntrack::OvsConntrack;
use netcap_bundle::sources::ovs::datapath::OvsDatapath;
use netcap_bundle::sources::ovs::fdb::OvsFdb;
use netcap_bundle::sources::ovs::openflow::OvsOpenflow;
use netcap_bundle::sources::ovs::ovsdb::Ovsdb;
use netcap_bundle::sources::shared::OfPort;
use netcap_bundle::state::Round;

use super::binding;
use super::metered::Metered;
use super::rule::{RuleDrop, TrackedAs};
use super::sent::{Sent, aims};
use super::zones;
use super::{Flows, Replayed, Target, dumps};
use crate::host::{file_of, file_of_arg};
use crate::view::View;

/// Rules of the way that are kept.
const CHAIN_MAX: usize = 12;

/// A reading of the connections so far from a death still tells of it: a ping's entry is kept half a minute
/// (`nf_conntrack_icmp_timeout`, lib/conntrack-icmp.c), and the table is read every ten seconds.
const CONNECTIONS_NS: i64 = 30_000_000_000;

/// What is dumped beside the rules, as it was when they were.
#[derive(Default)]
pub(super) struct Around {
    ovsdb: Option<(u32, Ovsdb)>,
    datapath: Option<(u32, OvsDatapath)>,
    fdb: Option<(u32, OvsFdb)>,
    conntrack: Option<(u32, Round<OvsConntrack>)>,
}

impl Around {
    /// Reads what changed since the dump before.
    pub(super) fn move_to(&mut self, view: &View<'_>, at: Nanos) {
        last_before(view, at, &mut self.ovsdb);
        last_before(view, at, &mut self.datapath);
        last_before(view, at, &mut self.fdb);
    }

    /// The connections as they were nearest to a time, because they come and go.
    pub(super) fn connections(&mut self, view: &View<'_>, at: Nanos) {
        let whole = view.input.state.obtained(OvsConntrack::DEF.id).into_iter();
        let apart = |then: Nanos| then.since(at).max(at.since(zones::confirmed(view, then))).max(0);
        let nearest = whole.map(|(number, then)| (apart(then), number)).min_by_key(|(apart, _)| *apart);
        let Some((_, number)) = nearest.filter(|(apart, _)| *apart <= CONNECTIONS_NS) else {
            // That a table of another time does not know a connection means nothing.
            self.conntrack = None;
            return;
        };
        if self.conntrack.as_ref().is_none_or(|(had, _)| *had != number) {
            self.conntrack = None;
            self.conntrack = view.input.state.read(&view.input.files, number).map(|round| (number, round));
        }
    }
}

/// The last sample before a time, or the first of all.
fn last_before<T: Snapshot>(view: &View<'_>, at: Nanos, into: &mut Option<(u32, T)>) {
    let state = &view.input.state;
    let Some(number) = state.obtained_at(T::DEF.id, at) else { return };
    if into.as_ref().is_none_or(|(had, _)| *had != number) {
        *into = None;
        *into = state.read::<T>(&view.input.files, number).map(|round| (number, round.parsed.value));
    }
}

pub(super) fn look(view: &View<'_>, targets: &[Target<'_, '_>], all: &mut [Flows]) {
    let mut around = Around::default();
    let mut searched = BTreeSet::new();
    for (round, asked) in dumps(view, OvsOpenflow::DEF.id, targets) {
        let Some(round) = view.input.state.read::<OvsOpenflow>(&view.input.files, round) else { continue };
        around.move_to(view, round.at);
        for number in asked {
            let Some(target) = targets.get(number) else { continue };
            let Some(flows) = all.get_mut(target.index) else { continue };
            around.connections(view, target.first);
            look_at(view, &round, &around, target, flows);
            let Some(rule) = flows.rule.as_mut() else { continue };
            if rule.other_zone.is_none() && zones::asked(rule).is_some() {
                look_in_zones(view, &round, &mut around, target, rule, &mut searched);
            }
        }
    }
}

/// Looks for the connection in the other zones, in the dumps nearest to the last and the first death. `searched` are the
/// dumps that were asked for a target already, in vain.
fn look_in_zones(
    view: &View<'_>,
    round: &Round<OvsOpenflow>,
    around: &mut Around,
    target: &Target<'_, '_>,
    rule: &mut RuleDrop,
    searched: &mut BTreeSet<(usize, u32)>,
) {
    for at in [target.last, target.first] {
        around.connections(view, at);
        let Some((number, conntrack)) = &around.conntrack else { return };
        if rule.other_zone.is_none() && searched.insert((target.index, *number)) {
            rule.other_zone = zones::find(view, round, conntrack, target, rule);
        }
    }
}

/// The rule that drops the packet in the last dump in which one does, and how its counter grew since the first.
fn look_at(
    view: &View<'_>,
    round: &Round<OvsOpenflow>,
    around: &Around,
    target: &Target<'_, '_>,
    flows: &mut Flows,
) {
    let Some(example) = &target.group.example else { return };
    let name = target.info.name.as_str();
    let port = view.host.topology_at(target.first).by_iface(name).and_then(|(_, port)| port.ofport);
    let port = port.or_else(|| round.parsed.value.port(target.bridge, name));
    match ending(round, around, target.bridge, port, example.bytes) {
        // A port that was there in another dump may have been there when they died.
        Some(Ending::Rule(drop)) if drop.nowhere && flows.replayed == Replayed::Decided => {}
        Some(Ending::Rule(mut drop)) => {
            drop.counts_since(flows.rule.as_ref());
            flows.rule = Some(*drop);
        }
        Some(Ending::Sent(meter, sent)) => {
            flows.replayed = Replayed::Decided;
            flows.rule.take_if(|rule| rule.nowhere);
            flows.meter = meter.or(flows.meter.take());
            let before = flows.sent.take();
            // What a rule did that is gone by now is told by the dump before their death.
            flows.sent = match sent {
                Some(sent) => Some(sent.after(before)),
                None => before.filter(|before| before.times.1 >= target.first || round.at > target.last),
            };
        }
        Some(Ending::Unknown) if flows.replayed == Replayed::Not => flows.replayed = Replayed::Open,
        Some(Ending::Unknown) | None => {}
    }
}

/// How a packet ends.
pub(super) enum Ending {
    /// At a rule that drops it.
    Rule(Box<RuleDrop>),
    /// No rule drops it; with the meter on its way, if there is one, and where a rule sends it.
    Sent(Option<Metered>, Option<Box<Sent>>),
    /// It depends on something that is not known.
    Unknown,
}

pub(super) fn ending(
    round: &Round<OvsOpenflow>,
    around: &Around,
    bridge: &str,
    port: Option<OfPort>,
    frame: &[u8],
) -> Option<Ending> {
    let packet = Packet::of_frame(port, frame);
    let dumps = Dumps {
        openflow: &round.parsed.value,
        ovsdb: around.ovsdb.as_ref().map(|(_, value)| value),
        datapath: around.datapath.as_ref().map(|(_, value)| value),
        fdb: around.fdb.as_ref().map(|(_, value)| value),
        conntrack: around.conntrack.as_ref().map(|(_, round)| &round.parsed.value),
    };
    let file = |bridge: &str| {
        file_of_arg(round, super::DUMP, bridge).or_else(|| file_of(round, super::DUMP)).unwrap_or_default()
    };
    let replay = replay(&dumps, bridge, packet.clone());
    let (flow, certain, nowhere) = match &replay.decision {
        // Only a rule that says so drops. `NORMAL` switches, and that it leads nowhere has other causes.
        ForwardingDecision::Dropped(end) if end.cause == Cause::Rule => (end.rule?, true, false),
        ForwardingDecision::Dropped(end) if end.cause == Cause::NoPort && end.rule.is_some_and(aims) => {
            (end.rule?, true, true)
        }
        ForwardingDecision::Dropped(end) => {
            return Some(Ending::Sent(None, Sent::ended(&replay, end, round.at, &file).map(Box::new)));
        }
        ForwardingDecision::CannotTell { candidates, .. } => {
            let drops = candidates.iter().copied().filter(|flow| flow.is_drop());
            match drops.max_by_key(|flow| (flow.priority, flow.n_packets)) {
                Some(flow) => (flow, false, false),
                None => return Some(Ending::Unknown),
            }
        }
        ForwardingDecision::Forwarded(exits) => {
            let sent = Sent::forwarded(&replay, exits, dumps.openflow, round.at, &file);
            return Some(Ending::Sent(Metered::of(&replay.chain, round.at, file), sent.map(Box::new)));
        }
    };
    let chain = replay.chain.iter().filter(|step| **step != flow).take(CHAIN_MAX);
    let flows = dumps.openflow.flows(&flow.bridge);
    let binding =
        (flow.bridge == bridge && !nowhere).then(|| binding::of(flows, flow, port, &packet)).flatten();
    let drop = RuleDrop {
        bridge: flow.bridge.clone(),
        rule: flow.describe(),
        cookie: flow.cookie,
        line: flow.raw.clone(),
        file: file(&flow.bridge),
        at: round.at,
        packets: (flow.n_packets, flow.n_packets),
        times: (round.at, round.at),
        certain,
        nowhere,
        chain: chain.map(|step| (step.describe(), file(&step.bridge))).collect(),
        tracked: replay.tracked.iter().map(|lookup| tracked(lookup, around)).collect(),
        binding,
        other_zone: None,
        flow: flow.clone(),
    };
    Some(Ending::Rule(Box::new(drop)))
}

fn tracked(lookup: &CtLookup<'_>, around: &Around) -> TrackedAs {
    let round = around.conntrack.as_ref().map(|(_, round)| round);
    TrackedAs {
        zone: lookup.zone,
        state: lookup.state.clone(),
        line: lookup.entry.map(|entry| entry.raw.clone()),
        file: round.and_then(|round| file_of(round, "dump")).unwrap_or_default(),
        at: round.map_or(Nanos(0), |round| round.at),
    }
}
