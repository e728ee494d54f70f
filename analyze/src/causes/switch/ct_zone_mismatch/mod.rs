//! `ct-zone-mismatch`: the flows of two ports track one connection in different conntrack zones, so its answers are dropped.
//!
//! Symptom: two VMs with a virtual firewall reach the gateway and not each other, though no rule forbids it. The first
//! packet (SYN, ping) is committed in the zone of the sender's flows and delivered. The answer is looked up in the zone of
//! the other port's flows, which has no such connection; there it is invalid (`+inv`) or new, and a rule for such packets
//! drops it. The rule is right; the zones are not.
//!
//! Proven: answers that entered a switch and left it nowhere, a rule they end at that depends on `ct_state` and counted
//! them, no connection in the zone that was asked, and in the same dump the connection half open (`SYN_SENT`) in another
//! zone, though its answer was captured. Likely: the same without the counter, or a connection without states (ICMP, UDP).
//! Cannot tell: connection tracking was not recorded.
//!
//! Exonerated: a packet that no zone knows (it is invalid, and `acl-drop` names the rule); a first packet that passed one
//! zone and is dropped in another, as switches with a zone for each port do on purpose; a connection known in both zones.
//!
//! Remedy: apply the flows of both ports again from their configuration, and see that they name one zone. The rule that
//! drops what is invalid stays as it is.
//!
//! Sources: Open vSwitch ovs-actions(7) (`ct`, zones), ovs-fields(7) (`ct_state`), lib/conntrack-tcp.c; Linux
//! net/netfilter/nf_conntrack_proto_tcp.c.
//!
//! 中文：两个虚拟机端口的流表使用不同的 conntrack 区域（zone），应答报文在对方区域中查不到连接而被判为无效（+inv）并丢弃。
//! 处理：按配置重刷两个端口的流表（set_cvk_port_flow.sh vnetX），使 zone 一致；不要修改丢弃 +inv 的规则。

use netcap_bundle::Role;
use netcap_bundle::source::Snapshot;
use netcap_bundle::sources::ovs::conntrack::OvsConntrack;

use netcap_words::quote;

use crate::causes::{Cause, Claim, Ruling, Rung, harms_nobody};
use crate::deaths::flows::{OtherZone, RuleDrop};
use crate::deaths::{Case, shown};
use crate::finding::{Evidence, Exoneration, Finding, Severity};
use crate::text::Text;
use crate::unit::{FINDINGS_MAX, SWITCH_POINT, Unit};
use netcap_bundle::sources::ovs::openflow::OvsOpenflow;

/// The registry's line.
pub(crate) const CAUSE: Cause = Cause {
    unit: Unit {
        id: "ct-zone-mismatch",
        severity: Some((Severity::Info, Severity::Error)),
        most: Some(FINDINGS_MAX),
        needs: &[SWITCH_POINT],
        source: include_str!("mod.rs"),
    },
    rung: Rung::Zone,
    judge,
    reads,
    harms: harms_nobody,
};

/// What it cannot tell without.
fn reads(case: &Case<'_, '_>) -> &'static [&'static str] {
    if case.group.kind.is_answer() { case.inside(&[OvsOpenflow::DEF.id, OvsConntrack::DEF.id]) } else { &[] }
}

fn judge(case: &Case<'_, '_>) -> Ruling {
    let Some(rule) = case.flows().rule.as_ref().filter(|rule| rule.rule.contains("ct_state=")) else {
        return Ruling::NotConcerned;
    };
    if let Some(zones) = &rule.other_zone {
        let finding = finding(case, rule, zones);
        return Claim::of(format!("{} {} {}", rule.bridge, zones.asked, zones.known), case.rest, finding);
    }
    let tracked = case.view.input.state.readings(OvsConntrack::DEF.id);
    if tracked.is_empty() && !rule.certain {
        return Ruling::CannotTell(vec![Text::new("ct-zone-mismatch.open.untracked")]);
    }
    Ruling::RuledOut(Text::new("ct-zone-mismatch.out.nowhere"))
}

fn finding(case: &Case<'_, '_>, rule: &RuleDrop, zones: &OtherZone) -> Finding {
    let confidence = case.confidence(zones.half_open && rule.counted(case.rest.len()));
    let peer = zones.peer.as_deref();
    let key = if peer.is_some() { "ct-zone-mismatch.claim" } else { "ct-zone-mismatch.claim.nowhere" };
    let claim = Text::new(key)
        .with_text("who", case.who())
        .with_text("peer", peer.map_or_else(|| Text::verbatim("?"), |peer| case.named(peer)))
        .with("asked", zones.asked)
        .with("known", zones.known)
        .with("rule", &rule.rule)
        .with("switch", &rule.bridge)
        .with_text("what", shown::what(case.group))
        .with("src", case.group.src)
        .with("dst", case.group.dst);
    let mut exonerations = vec![Exoneration::RuledOut(Text::new("ct-zone-mismatch.not.invalid"))];
    exonerations.extend(case.recorded());
    Finding {
        claim,
        evidence: evidence(case, zones),
        exonerations,
        remedy: remedy(case, rule, zones),
        ..case.finding(CAUSE.unit.id, confidence)
    }
}

/// The connection where it was not asked for, the two rules that disagree, then what became of the packets.
fn evidence(case: &Case<'_, '_>, zones: &OtherZone) -> Vec<Evidence> {
    let snapshot = |file: &str, line: &str, what: Text| Evidence::Snapshot {
        file: file.to_owned(),
        at: Some(zones.at),
        line: line.to_owned(),
        what,
    };
    let key = if zones.half_open { "ct-zone-mismatch.entry.half-open" } else { "ct-zone-mismatch.entry" };
    let entry = Text::new(key).with("known", zones.known).with("asked", zones.asked);
    let mut out = vec![snapshot(&zones.file, &zones.entry, entry)];
    let at = Some(zones.rules_at);
    let mut of_port = |line: &Option<(String, String)>, zone: u16, port: &str| {
        if let Some((line, file)) = line {
            let what = Text::new("ct-zone-mismatch.evidence.port").with("port", port).with("zone", zone);
            out.push(Evidence::Snapshot { file: file.clone(), at, line: line.clone(), what });
        }
    };
    of_port(&zones.asks, zones.asked, case.port());
    of_port(&zones.commits, zones.known, zones.peer.as_deref().unwrap_or("?"));
    out.extend(case.flows().evidence(case.port()));
    out.extend(case.packets());
    out
}

fn remedy(case: &Case<'_, '_>, rule: &RuleDrop, zones: &OtherZone) -> Text {
    let points = [Some(case.port()), zones.peer.as_deref()].into_iter().flatten();
    let is_vm = |name: &&str| {
        let info = case.view.points.by_name(name).and_then(|id| case.view.points.get(id));
        info.is_some_and(|info| matches!(info.role, Role::Vnet { .. }))
    };
    let command =
        |port: &str| Text::verbatim(quote::command(["bash", "/opt/bin/set_cvk_port_flow.sh", port]));
    let commands: Vec<Text> = points.filter(is_vm).map(command).collect();
    Text::new("ct-zone-mismatch.remedy")
        .with_clauses("commands", commands)
        .with("switch", &rule.bridge)
        .with("rule", &rule.rule)
}

#[cfg(test)]
mod tests;
