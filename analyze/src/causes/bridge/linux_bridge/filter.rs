//! Filter rules that drop bridged frames.

use netcap_bundle::sources::network::bridge_filter::{BridgeFilter, BridgedFrame};
use netcap_bundle::state::Round;

use super::CAUSE;
use crate::causes::{Claim, Ruling};
use crate::deaths::filtered::{Filtered, Filtering, line, short};
use crate::deaths::flows::packet_fields;
use crate::deaths::{Case, shown};
use crate::finding::{Evidence, Exoneration, Finding};
use crate::host::file_of;
use crate::text::Text;

pub(super) fn judge(case: &Case<'_, '_>, switch: &str) -> Ruling {
    let packet = packet_fields(case.view, case.group);
    let ending = case.filtering(&|round: &Round<BridgeFilter>, leaves: &str| {
        round.parsed.value.drops(&BridgedFrame { packet: &packet, enters: case.port(), leaves })
    });
    match ending {
        Filtering::Unread => {
            Ruling::CannotTell(vec![Text::new("linux-bridge.open.unread").with("switch", switch)])
        }
        Filtering::Ends(filtered) if !filtered.end.certain => {
            let open = Text::new("linux-bridge.open.rule").with("rule", line(&filtered.end));
            Ruling::CannotTell(vec![open])
        }
        Filtering::Ends(filtered) => claim(case, switch, filtered),
        Filtering::Passes(round) if round.parsed.value.complete => {
            Ruling::RuledOut(Text::new("linux-bridge.out.none").with("switch", switch))
        }
        Filtering::Passes(_) => {
            Ruling::CannotTell(vec![Text::new("linux-bridge.open.cut").with("switch", switch)])
        }
    }
}

fn claim(case: &Case<'_, '_>, switch: &str, filtered: Filtered<'_>) -> Ruling {
    let Filtered { round, end, counter, counted } = filtered;
    let (table, chain, rule) = (&end.chain.table, &end.chain.name, short(&end));
    let confidence = case.confidence(counted);
    let what = Text::new("linux-bridge.evidence.rule").with("table", table).with("chain", chain);
    let file = file_of(round, "ruleset").unwrap_or_default();
    let mut evidence = vec![Evidence::Snapshot { file, at: Some(round.at), line: line(&end), what }];
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
