//! From a bond without a partner to finding.

use netcap_bundle::Nanos;
use netcap_bundle::sources::ovs::bond::{LacpInfo, LacpMember};

use super::Failed;
use crate::finding::{Confidence, Evidence, Exoneration, Finding, Severity, Subject};
use crate::host::file_of;
use crate::text::Text;

pub(super) fn finding(
    failed: &Failed<'_>,
    (from, to): (Nanos, Nanos),
    confidence: Confidence,
    severity: Severity,
) -> Finding {
    Finding {
        from: Some(from),
        to: Some(to),
        claim: claim(failed),
        evidence: evidence(failed),
        exonerations: exonerations(failed),
        remedy: remedy(failed),
        ..Finding::new(
            super::CAUSE.unit.id,
            severity,
            confidence,
            Subject::Bond { bond: failed.name.to_owned(), switch: switch(failed), members: members(failed) },
        )
    }
}

fn switch(failed: &Failed<'_>) -> Option<String> {
    failed.state.members(failed.name).find_map(|(switch, _)| switch).map(|switch| switch.name.clone())
}

fn members(failed: &Failed<'_>) -> Vec<String> {
    failed.state.members(failed.name).map(|(_, port)| port.iface.clone()).collect()
}

fn names(failed: &Failed<'_>) -> Vec<Text> {
    members(failed).iter().map(Text::verbatim).collect()
}

/// A partner was heard once: its address is kept when it falls silent.
fn heard(member: &LacpMember) -> bool {
    member.partner.sys_id.is_some_and(|id| !id.is_zero())
}

fn claim(failed: &Failed<'_>) -> Text {
    let once = failed.lacp().is_some_and(|lacp| lacp.members.iter().any(heard));
    let key = if once { "lacp-failure.claim.lost" } else { "lacp-failure.claim" };
    Text::new(key)
        .with("bond", failed.name)
        .with("switch", switch(failed).unwrap_or_else(|| "?".into()))
        .with_list("members", names(failed))
}

/// What LACP says of each member, then that the bond does not use it.
fn evidence(failed: &Failed<'_>) -> Vec<Evidence> {
    let round = &failed.round;
    let line = |file: String, line: String, key: &'static str| Evidence::Snapshot {
        file,
        at: Some(round.at),
        line,
        what: Text::new(key),
    };
    let mut out = Vec::new();
    if let (Some(lacp), Some(file)) = (failed.lacp(), file_of(round, "lacp-show")) {
        for member in &lacp.members {
            let attached = if member.attached { "attached" } else { "detached" };
            let text = format!("member: {}: {} {attached}", member.name, word(member.status));
            out.push(line(file.clone(), text, "lacp-failure.evidence.lacp"));
        }
        if let Some(partner) = lacp.members.iter().find_map(|member| member.partner.sys_id) {
            let key = if partner.is_zero() {
                "lacp-failure.evidence.never"
            } else {
                "lacp-failure.evidence.partner"
            };
            out.push(line(file, format!("partner sys_id: {partner}"), key));
        }
    }
    if let (Some(bond), Some(file)) = (failed.bond(), file_of(round, "bond-show")) {
        for member in bond.members.iter().filter(|member| !member.enabled) {
            let text = format!("member {}: disabled", member.name);
            out.push(line(file.clone(), text, "lacp-failure.evidence.disabled"));
        }
    }
    out
}

fn word(status: LacpInfo) -> &'static str {
    match status {
        LacpInfo::Current => "current",
        LacpInfo::Expired => "expired",
        LacpInfo::Defaulted => "defaulted",
        LacpInfo::Unknown => "?",
    }
}

fn exonerations(failed: &Failed<'_>) -> Vec<Exoneration> {
    let mut out = Vec::new();
    let plugged: Vec<Text> = failed
        .state
        .members(failed.name)
        .filter(|(_, port)| port.carrier == Some(true))
        .map(|(_, port)| Text::verbatim(&port.iface))
        .collect();
    if !plugged.is_empty() {
        out.push(Exoneration::RuledOut(Text::new("lacp-failure.not.cable").with_list("members", plugged)));
    }
    if failed.bond().is_some_and(|bond| bond.lacp_fallback_ab == Some(false)) {
        out.push(Exoneration::RuledOut(Text::new("lacp-failure.not.fallback")));
    }
    out
}

fn remedy(failed: &Failed<'_>) -> Text {
    let passive = failed.lacp().is_some_and(|lacp| !lacp.active);
    let key = if passive { "lacp-failure.remedy.passive" } else { "lacp-failure.remedy" };
    Text::new(key).with("bond", failed.name).with_list("members", names(failed))
}
