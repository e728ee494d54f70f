//! Ports that are no members of the frames' VLAN, on a bridge that filters VLANs.

use netcap_bundle::sources::network::linux_bridge::LinuxBridge;
use netcap_bundle::state::Round;

use super::CAUSE;
use crate::causes::{Claim, Ruling};
use crate::deaths::{Case, Death, VlanEnd, shown};
use crate::finding::{Evidence, Exoneration, Finding};
use crate::host::file_of;
use crate::text::Text;

/// Where a packet ends, by all that the readings around its death say.
fn end(case: &Case<'_, '_>, death: &Death, switch: &str, exits: &[&str]) -> Option<VlanEnd> {
    let vlans = case.deaths.bridge_vlans(case.view);
    if !vlans.filters(switch, death.at) {
        return None;
    }
    // A port's own VLAN is added to what is not tagged when it is read.
    let vlan = death.facts.vlan;
    let vlan = if vlan == case.view.access_vlan(case.group.place.from.point) { 0 } else { vlan };
    let mut ends =
        vlans.around(death.at).map(|round| VlanEnd::of(&round.parsed.value, case.port(), vlan, exits));
    let first = ends.next()??;
    ends.all(|end| end.as_ref() == Some(&first)).then_some(first)
}

pub(super) fn judge(case: &Case<'_, '_>, switch: &str) -> Option<Ruling> {
    let complete = case.group.place.exits.complete;
    let exits: Vec<&str> = case.group.exits().iter().map(|id| case.view.points.name(*id)).collect();
    let known = if complete { exits.as_slice() } else { &[] };
    let ends = case.rest.iter().filter_map(|death| Some((end(case, death, switch, known)?, *death)));
    let ends: Vec<(VlanEnd, Death)> = ends.collect();
    let (what, first) = ends.first()?;
    let died: Vec<Death> = ends.iter().filter(|(end, _)| end == what).map(|(_, death)| *death).collect();
    let round = case.deaths.bridge_vlans(case.view).around(first.at).next()?;
    let finding = finding(case, switch, what, round, &exits);
    let fault = match what {
        VlanEnd::Untagged => format!("vlan {} untagged", case.port()),
        VlanEnd::Entry(vlan) => format!("vlan {} {vlan}", case.port()),
        VlanEnd::Exit(vlan) => format!("vlan {} {vlan}", exits.join(" ")),
    };
    Some(Claim::of(fault, &died, finding))
}

/// The VLANs of a port as `bridge vlan` prints them.
fn line(read: &LinuxBridge, port: &str) -> String {
    let words = read.vlans.iter().filter(|vlan| vlan.iface == port).map(|vlan| {
        let range = if vlan.first == vlan.last { String::new() } else { format!("-{}", vlan.last) };
        let pvid = if vlan.pvid { " PVID" } else { "" };
        let untagged = if vlan.untagged { " Egress Untagged" } else { "" };
        format!("{}{range}{pvid}{untagged}", vlan.first)
    });
    format!("{port}: {}", words.collect::<Vec<String>>().join(", "))
}

fn finding(
    case: &Case<'_, '_>,
    switch: &str,
    end: &VlanEnd,
    round: &Round<LinuxBridge>,
    exits: &[&str],
) -> Finding {
    let file = file_of(round, "vlan").unwrap_or_default();
    let listed = |port: &str| Evidence::Snapshot {
        file: file.clone(),
        at: Some(round.at),
        line: line(&round.parsed.value, port),
        what: Text::new("linux-bridge.evidence.vlans").with("port", port),
    };
    let mut evidence = Vec::new();
    if let VlanEnd::Exit(_) = end {
        evidence.extend(exits.iter().map(|exit| listed(exit)));
    }
    evidence.push(listed(case.port()));
    evidence.extend(case.packets());
    let (key, vlan) = match end {
        VlanEnd::Untagged => ("linux-bridge.claim.untagged", 0),
        VlanEnd::Entry(vlan) => ("linux-bridge.claim.vlan-entry", *vlan),
        VlanEnd::Exit(vlan) => ("linux-bridge.claim.vlan-exit", *vlan),
    };
    let remedy = match end {
        VlanEnd::Exit(_) => "linux-bridge.remedy.vlan-exit",
        VlanEnd::Untagged | VlanEnd::Entry(_) => "linux-bridge.remedy.vlan-entry",
    };
    let words = |text: Text| {
        text.with("switch", switch)
            .with("port", case.port())
            .with("vlan", vlan)
            .with("exit", exits.first().copied().unwrap_or_default())
            .with_list("exits", case.exit_names())
    };
    let mut exonerations = vec![Exoneration::RuledOut(words(Text::new("linux-bridge.not.unfiltered")))];
    exonerations.extend(case.recorded());
    Finding {
        claim: words(Text::new(key)).with_text("what", shown::what(case.group)).with_text("who", case.who()),
        evidence,
        exonerations,
        remedy: words(Text::new(remedy)),
        ..case.finding(CAUSE.unit.id, case.confidence(true))
    }
}
