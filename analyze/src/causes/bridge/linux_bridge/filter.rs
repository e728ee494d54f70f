//! Filter rules that drop bridged frames.

use netcap_bundle::sources::network::bridge_filter::{BridgeFilter, BridgedFrame, FilterEnd};
use netcap_bundle::sources::shared::PacketFields;
use netcap_bundle::state::Round;

use super::CAUSE;
use crate::causes::{Claim, Ruling};
use crate::deaths::flows::packet_fields;
use crate::deaths::{Case, shown};
use crate::finding::{Evidence, Exoneration, Finding};
use crate::host::file_of;
use crate::text::Text;

/// A counter counted the deaths when it grew by at least this part of them, in percent.
const COUNTED_PERCENT_MIN: u64 = 50;

pub(super) fn judge(case: &Case<'_, '_>, switch: &str) -> Ruling {
    let rounds = case.deaths.bridge_filters(case.view);
    let (_, last) = case.span();
    // Rules as they were when the last one died, or as they were read first.
    let Some(round) = rounds.iter().rfind(|round| round.at <= last).or_else(|| rounds.first()) else {
        return Ruling::CannotTell(vec![Text::new("linux-bridge.open.unread").with("switch", switch)]);
    };
    let packet = packet_fields(case.view, case.group);
    let exits: Vec<&str> = case.group.exits().iter().map(|id| case.view.points.name(*id)).collect();
    let ends: Vec<Option<FilterEnd<'_>>> = exits.iter().map(|exit| end(round, case, &packet, exit)).collect();
    match ends.iter().flatten().next() {
        Some(end) if ends.iter().all(Option::is_some) => {
            if !end.certain {
                let open = Text::new("linux-bridge.open.rule").with("rule", line(end));
                return Ruling::CannotTell(vec![open]);
            }
            claim(case, switch, round, end, &packet)
        }
        _ if round.parsed.value.complete => {
            Ruling::RuledOut(Text::new("linux-bridge.out.none").with("switch", switch))
        }
        _ => Ruling::CannotTell(vec![Text::new("linux-bridge.open.cut").with("switch", switch)]),
    }
}

fn end<'r>(
    round: &'r Round<BridgeFilter>,
    case: &Case<'_, '_>,
    packet: &PacketFields,
    leaves: &str,
) -> Option<FilterEnd<'r>> {
    round.parsed.value.drops(&BridgedFrame { packet, enters: case.port(), leaves })
}

fn line(end: &FilterEnd<'_>) -> String {
    match end.rule {
        Some(rule) => rule.raw.clone(),
        None => "policy drop".to_owned(),
    }
}

/// The rule without its counter, which is what stays the same.
fn short(end: &FilterEnd<'_>) -> String {
    let rule = end.rule.map_or_else(|| "policy".to_owned(), |rule| rule.matches.join(" "));
    format!("{rule} drop")
}

/// The counter of the rule where it was read first and last.
fn counter(case: &Case<'_, '_>, end: &FilterEnd<'_>, packet: &PacketFields) -> Option<Evidence> {
    let rounds = case.deaths.bridge_filters(case.view);
    let exit = case.group.exits().first().map(|id| case.view.points.name(*id)).unwrap_or_default();
    let read = |round: &Round<BridgeFilter>| {
        let now = self::end(round, case, packet, exit)?;
        let same = now.chain.table == end.chain.table
            && now.chain.name == end.chain.name
            && short(&now) == short(end);
        Some((round.at, now.rule?.packets.filter(|_| same)?))
    };
    let (from, before) = rounds.iter().find_map(read)?;
    let (to, after) = rounds.iter().rev().find_map(read)?;
    let what = Text::new("linux-bridge.evidence.grew");
    (before < after).then_some(Evidence::Counter {
        name: "packets".to_owned(),
        before,
        after,
        from,
        to,
        what,
    })
}

fn claim(
    case: &Case<'_, '_>,
    switch: &str,
    round: &Round<BridgeFilter>,
    end: &FilterEnd<'_>,
    packet: &PacketFields,
) -> Ruling {
    let (table, chain, rule) = (&end.chain.table, &end.chain.name, short(end));
    let counter = counter(case, end, packet);
    let counted = matches!(&counter, Some(Evidence::Counter { before, after, .. })
        if (after - before) * 100 >= case.rest.len() as u64 * COUNTED_PERCENT_MIN);
    let confidence = case.confidence(counted);
    let what = Text::new("linux-bridge.evidence.rule").with("table", table).with("chain", chain);
    let file = file_of(round, "ruleset").unwrap_or_default();
    let mut evidence = vec![Evidence::Snapshot { file, at: Some(round.at), line: line(end), what }];
    evidence.extend(counter);
    evidence.extend(case.packets());
    let mut exonerations = vec![Exoneration::RuledOut(Text::new("linux-bridge.not.tree"))];
    exonerations.extend(case.recorded());
    // libvirt names its chains after the port: `libvirt-I-vnet0`, `I-vnet0-ipv4`, `O-vnet0-arp`.
    let ports =
        std::iter::once(case.port()).chain(case.group.exits().iter().map(|id| case.view.points.name(*id)));
    let made_for = ports.into_iter().find(|port| is_libvirts(chain, port));
    let remedy = match made_for {
        Some(port) => {
            let vm = case.vm_at(port).unwrap_or_else(|| "VM".to_owned());
            Text::new("linux-bridge.remedy.nwfilter").with("port", port).with("vm", vm)
        }
        None => Text::new("linux-bridge.remedy.rule"),
    };
    let finding = Finding {
        claim: Text::new("linux-bridge.claim.rule")
            .with("switch", switch)
            .with("table", table)
            .with("chain", chain)
            .with("rule", &rule)
            .with_text("what", shown::what(case.group))
            .with_text("who", case.who())
            .with_list("exits", case.exit_names()),
        evidence,
        exonerations,
        remedy: remedy.with("table", table).with("chain", chain).with("rule", &rule),
        ..case.finding(CAUSE.unit.id, confidence)
    };
    Claim::of(format!("{table} {chain} {rule}"), case.rest, finding)
}

fn is_libvirts(chain: &str, port: &str) -> bool {
    chain.split_once("I-").or_else(|| chain.split_once("O-")).is_some_and(|(head, tail)| {
        matches!(head, "" | "libvirt-")
            && (tail == port || tail.strip_prefix(port).is_some_and(|t| t.starts_with('-')))
    })
}
