//! A connection that was looked up in one conntrack zone and is known in another: flows of two ports that disagree.

use netcap_bundle::Nanos;
use netcap_bundle::source::Snapshot;
use netcap_bundle::sources::ovs::conntrack::{CtEntry, CtTuple, OvsConntrack};
use netcap_bundle::sources::ovs::openflow::{Flow, OvsOpenflow};
use netcap_bundle::state::Round;
use netcap_words::wire::ip_protocol_number;

use super::rule::{OtherZone, RuleDrop};
use super::{DUMP, Target};
use crate::deaths::Death;
use crate::host::{file_of, file_of_arg};
use crate::view::View;

/// The zone in which the last lookup before the drop found nothing, where the rule depends on that lookup.
pub(super) fn asked(rule: &RuleDrop) -> Option<u16> {
    let last = rule.tracked.last()?;
    let depends = rule.rule.contains("ct_state=");
    last.zone.filter(|_| rule.certain && depends && last.line.is_none())
}

/// Looks for the connection of a dead packet in the zones that were not asked: an answer of a connection that another zone
/// knows. One in the direction of the first packet is no sign, for a switch may track both sides in zones of their own.
pub(super) fn find(
    view: &View<'_>,
    openflow: &Round<OvsOpenflow>,
    conntrack: &Round<OvsConntrack>,
    target: &Target<'_, '_>,
    rule: &RuleDrop,
) -> Option<OtherZone> {
    let asked = asked(rule)?;
    let was_asked = |zone: u16| rule.tracked.iter().any(|lookup| lookup.zone == Some(zone));
    let entries = conntrack.parsed.value.between(target.group.src, target.group.dst);
    let mut answers = entries.filter(|entry| !was_asked(entry.zone) && answered_by(entry, target));
    // Of a connection that is known in the asked zone as well, the zones say nothing.
    let entry = answers.find(|entry| {
        let twin = |other: &CtEntry| other.zone == asked && other.orig == entry.orig;
        !conntrack.parsed.value.entries.iter().any(twin)
    })?;
    let flows = openflow.parsed.value.flows(&rule.bridge);
    let file = |bridge: &str| file_of_arg(openflow, DUMP, bridge).unwrap_or_default();
    let short = |flow: &Flow| (flow.describe(), file(&flow.bridge));
    let peer = target.group.place.exits.points.iter().find_map(|id| {
        let name = view.points.name(*id);
        let topology = view.host.topology_at(target.first);
        Some((name.to_owned(), topology.by_iface(name)?.1.ofport?))
    });
    let commits = peer.as_ref().and_then(|(_, port)| {
        let mut of_port = flows.iter().filter(|flow| flow.matches.in_port() == Some(*port));
        of_port.find(|flow| zones(&flow.actions).contains(&entry.zone))
    });
    Some(OtherZone {
        asked,
        known: entry.zone,
        entry: entry.raw.clone(),
        half_open: entry.state == "SYN_SENT" && target.first <= confirmed(view, conntrack.at),
        at: conntrack.at,
        file: file_of(conntrack, "dump").unwrap_or_default(),
        rules_at: openflow.at,
        asks: rule.chain.iter().rev().find(|(line, _)| zones(line).contains(&asked)).cloned(),
        commits: commits.map(short),
        peer: peer.map(|(name, _)| name),
    })
}

/// When the table was last read and found as it was then.
pub(super) fn confirmed(view: &View<'_>, then: Nanos) -> Nanos {
    let state = &view.input.state;
    let changes = state.changed(OvsConntrack::DEF.id);
    let next = changes.iter().map(|(_, at)| *at).find(|at| *at > then);
    let same = |at: &Nanos| next.is_none_or(|next| *at < next);
    state.readings(OvsConntrack::DEF.id).into_iter().filter(same).max().unwrap_or(then).max(then)
}

/// A dead packet is an answer of that connection.
fn answered_by(entry: &CtEntry, target: &Target<'_, '_>) -> bool {
    let group = target.group;
    let between = (entry.reply.src, entry.reply.dst) == (Some(group.src), Some(group.dst));
    ip_protocol_number(&entry.proto) == Some(group.protocol)
        && between
        && group.deaths.iter().any(|death| is_of(&entry.reply, death))
}

/// The ports of a death are those of the connection's answers; of an echo its identifier is.
fn is_of(reply: &CtTuple, death: &Death) -> bool {
    match (reply.icmp_id, reply.sport, reply.dport) {
        (Some(id), ..) => id == death.ports.0,
        (None, Some(sport), Some(dport)) => (sport, dport) == death.ports,
        _ => false,
    }
}

/// The zones that `ct(…)` actions of a rule name; a lookup without one is in zone 0.
fn zones(actions: &str) -> Vec<u16> {
    let calls = actions.match_indices("ct(").filter(|(at, _)| {
        let before = actions.get(..*at).and_then(|text| text.chars().next_back());
        before.is_none_or(|c| !c.is_alphanumeric() && c != '_')
    });
    let zone = |(at, _): (usize, &str)| {
        let inside = actions.get(at + 3..)?;
        let inside = inside.get(..end_of_call(inside))?;
        match inside.split(',').find_map(|word| word.strip_prefix("zone=")) {
            None => Some(0),
            Some(number) => number.parse().ok(),
        }
    };
    calls.filter_map(zone).collect()
}

/// Where the bracket that was open before `text` is closed.
fn end_of_call(text: &str) -> usize {
    let mut depth = 1_u32;
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_are_those_of_ct_calls_and_zero_without_one() {
        assert_eq!(zones("ct(table=5,zone=188)"), [188]);
        assert_eq!(zones("ct(commit),NORMAL"), [0]);
        assert_eq!(zones("ct(commit,zone=7,nat(src=1.2.3.4)),ct(zone=9,table=1)"), [7, 9]);
        assert_eq!(zones("table=0 priority=10,ct_state=-trk,ip actions=ct(table=5)"), [0]);
        assert!(zones("NORMAL").is_empty() && zones("ct_clear,drop").is_empty());
        // A zone of a register is not known here.
        assert!(zones("ct(zone=NXM_NX_REG0[],table=1)").is_empty());
    }
}
