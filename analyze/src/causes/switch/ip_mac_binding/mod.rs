//! `ip-mac-binding`: a VM's port is bound to addresses, and the VM sends with another one.
//!
//! Symptom: a VM that got a second address, a new card or a copied configuration is not reached at that address, though at
//! its first one it is. Platforms bind ports with a few rules of one table: some let IP and ARP of the bound sender pass, one
//! below them drops all other IP and ARP of the port.
//!
//! Looked at: packets of every kind that a VM sends, ARP included; those of one port and sender are one finding.
//!
//! Proven: packets that left nowhere where they had to, the rule that drops them, rules above it in its table that differ
//! only in the sender's address and of which one would have let the packet pass, and a datapath flow seen dropping or the
//! rule's counter that grew with the packets. Likely: without the counter.
//!
//! Exonerated: the bound address itself, of which a packet dropped by another rule is `acl-drop`'s; a rule that drops by
//! destination, protocol or port; a port of which no rule lets anything pass.
//!
//! Remedy: give the VM's configuration the address it uses, or the VM the address it is bound to.
//!
//! Sources: Open vSwitch ovs-fields(7) (`nw_src`, `arp_spa`, `arp_sha`, `nd_target`); libvirt formatnwfilter
//! (no-ip-spoofing, no-arp-ip-spoofing).
//!
//! 中文：虚拟机端口绑定了 IP/MAC 地址，而虚拟机使用了其他地址，其报文（含 ARP）被绑定规则丢弃。
//! 处理：在平台上修改该虚拟机的地址绑定，或让虚拟机使用已绑定的地址。

use std::net::IpAddr;

use crate::causes::{Cause, Claim, Ruling, Rung, harms_nobody};
use crate::deaths::Case;
use crate::deaths::flows::{Binding, RuleDrop};
use crate::finding::{Confidence, Evidence, Exoneration, Finding, Severity};
use crate::text::Text;
use crate::unit::{FINDINGS_MAX, Unit, VM_PORT};
use netcap_bundle::source::Snapshot;
use netcap_bundle::sources::ovs::openflow::OvsOpenflow;

/// The registry's line.
pub(crate) const CAUSE: Cause = Cause {
    unit: Unit {
        id: "ip-mac-binding",
        severity: Some((Severity::Info, Severity::Error)),
        most: Some(FINDINGS_MAX),
        needs: &[VM_PORT],
        source: include_str!("mod.rs"),
    },
    rung: Rung::Binding,
    judge,
    reads,
    harms: harms_nobody,
};

/// What it cannot tell without.
fn reads(case: &Case<'_, '_>) -> &'static [&'static str] {
    if case.is_from_vm() { case.inside(&[OvsOpenflow::DEF.id]) } else { &[] }
}

fn judge(case: &Case<'_, '_>) -> Ruling {
    let flows = case.flows();
    let rule = flows.rule.as_ref().filter(|rule| rule.certain && case.is_from_vm());
    let Some((rule, binding)) = rule.and_then(|rule| Some((rule, rule.binding.as_ref()?))) else {
        return Ruling::NotConcerned;
    };
    let dropping = flows.drop.as_ref().is_some_and(|flow| flow.certain);
    let confidence = case.confidence(dropping || rule.counted(case.rest.len()));
    let finding = finding(case, rule, binding, confidence);
    Claim::of(format!("{} {}", case.port(), used(case, binding)), case.rest, finding)
}

/// The sender's address that is not bound: of IP and ARP, else the MAC.
fn used(case: &Case<'_, '_>, binding: &Binding) -> String {
    let ip = case.group.src.to_string();
    let is_ip = |bound: &String| bound.split('/').next().is_some_and(|text| text.parse::<IpAddr>().is_ok());
    match case.group.eth {
        // A port that is bound by MAC only may send with any IP address.
        Some(eth) if binding.bound.contains(&ip) || !binding.bound.iter().any(is_ip) => eth.src.to_string(),
        _ => ip,
    }
}

fn finding(case: &Case<'_, '_>, rule: &RuleDrop, binding: &Binding, confidence: Confidence) -> Finding {
    let (used, port) = (used(case, binding), case.port());
    let bound = || binding.bound.iter().map(Text::verbatim).collect::<Vec<Text>>();
    let claim = Text::new("ip-mac-binding.claim")
        .with_text("who", case.who())
        .with("switch", &rule.bridge)
        .with_list("bound", bound())
        .with("used", &used)
        .with("rule", &rule.rule);
    let mut exonerations = vec![Exoneration::RuledOut(Text::new("ip-mac-binding.not.rule"))];
    exonerations.extend(case.recorded());
    let remedy = Text::new("ip-mac-binding.remedy")
        .with("vm", case.vm_at(port).unwrap_or_else(|| port.to_owned()))
        .with("port", port)
        .with_list("bound", bound())
        .with("used", &used)
        .with("switch", &rule.bridge);
    Finding {
        claim,
        evidence: evidence(case, rule, binding),
        exonerations,
        remedy,
        ..case.finding(CAUSE.unit.id, confidence)
    }
}

/// What passes, what is dropped, and that it was.
fn evidence(case: &Case<'_, '_>, rule: &RuleDrop, binding: &Binding) -> Vec<Evidence> {
    let allow = |line: &String| Evidence::Snapshot {
        file: rule.file.clone(),
        at: Some(rule.at),
        line: line.clone(),
        what: Text::new("ip-mac-binding.evidence.passes").with("port", case.port()),
    };
    let mut out = case.flows().evidence(case.port());
    let first = out.len().min(1);
    out.splice(first..first, binding.allows.iter().map(allow));
    out.extend(case.packets());
    out
}

#[cfg(test)]
mod tests;
