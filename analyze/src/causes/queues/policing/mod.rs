//! `policing`: a limit on what a port may send drops what is over the rate.
//!
//! Symptom: a VM's single packets pass and its bursts lose at the switch it is plugged into. Open vSwitch limits a port by
//! `ingress_policing_rate` (a policer at the ingress of the interface) or by a meter that a rule of its tables names; in both
//! a capture at the port still sees the packets.
//!
//! Proven: packets that entered and left nowhere, and a meter on their way, or the policer of their port, that counted at
//! least as many packets over the rate between the readings around their deaths. Likely: one packet, or fewer counted.
//! Cannot tell: the port is limited in the database of Open vSwitch and the counters of policers were not recorded.
//!
//! Exonerated: a meter or policer whose counter stood still; drops of another time; a rule that drops whatever the rate.
//!
//! Remedy: raise the limit where it was set, or send less.
//!
//! Sources: Open vSwitch ovs-vswitchd.conf.db(5) (`ingress_policing_rate`), ovs-actions(7) (`meter`); Linux
//! net/sched/act_police.c; net/core/dev.c (taps are served before the ingress hook).
//!
//! 中文：端口限速（ingress_policing_rate 或 OpenFlow meter）丢弃超出速率的报文：单个报文能通过，突发时丢失，且限速计数同时增长。
//! 处理：在配置限速处提高速率，或降低发送速率。

use netcap_words::quote;

use crate::causes::{Cause, Claim, Ruling, Rung, harms_nobody};
use crate::deaths::{Case, Death, Way, all_counted, counted, drop_evidence, shown};
use crate::finding::{Evidence, Exoneration, Finding, Severity};
use crate::host::growth::{Dropper, Growth};
use crate::text::Text;
use crate::unit::{FINDINGS_MAX, SWITCH_POINT, Unit};
use netcap_bundle::source::Snapshot;
use netcap_bundle::sources::network::queues::Queues;
use netcap_bundle::sources::ovs::meters::OvsMeters;

/// The registry's line.
pub(crate) const CAUSE: Cause = Cause {
    unit: Unit {
        id: "policing",
        severity: Some((Severity::Info, Severity::Error)),
        most: Some(FINDINGS_MAX),
        needs: &[SWITCH_POINT],
        source: include_str!("mod.rs"),
    },
    rung: Rung::Queue,
    judge,
    reads,
    harms: harms_nobody,
};

/// Something on the way of the packets that limits their rate.
struct Limit<'a> {
    dropper: &'a Dropper,
    /// What it is, for people.
    name: Text,
    /// How to look at it.
    command: String,
    fault: String,
    /// The rule that sends packets to it.
    rule: Option<Evidence>,
}

/// What it cannot tell without.
fn reads(case: &Case<'_, '_>) -> &'static [&'static str] {
    case.inside(&[Queues::DEF.id, OvsMeters::DEF.id])
}

fn judge(case: &Case<'_, '_>) -> Ruling {
    if !matches!(case.group.place.way, Way::Switch | Way::Learned) {
        return Ruling::NotConcerned;
    }
    let limits = limits(case);
    let mut out = Ruling::NotConcerned;
    for limit in limits {
        let (died, growths) = counted(limit.dropper, case.rest);
        if !died.is_empty() {
            return Claim::of(limit.fault.clone(), &died, finding(case, &limit, &died, &growths));
        }
        out = Ruling::RuledOut(Text::new("policing.out.still").with_text("limit", limit.name));
    }
    let growths = case.deaths.growths(case.view);
    match growths.policed.get(case.port()) {
        Some(rate) if !growths.has_queues => {
            let open = Text::new("policing.open.unread").with("port", case.port()).with("rate", rate);
            Ruling::CannotTell(vec![open])
        }
        _ => out,
    }
}

fn limits<'a>(case: &'a Case<'_, '_>) -> Vec<Limit<'a>> {
    let growths = case.deaths.growths(case.view);
    let port = case.port();
    let mut out = Vec::new();
    if let Some(meter) = &case.flows().meter
        && let Some(dropper) = growths.meters.get(&(meter.bridge.clone(), meter.id))
    {
        out.push(Limit {
            dropper,
            name: Text::new("policing.meter").with("id", meter.id).with("bridge", &meter.bridge),
            command: quote::command(["ovs-ofctl", "-O", "OpenFlow13", "meter-stats", &meter.bridge]),
            fault: format!("meter {} {}", meter.bridge, meter.id),
            rule: Some(Evidence::Snapshot {
                file: meter.file.clone(),
                at: Some(meter.at),
                line: meter.rule.clone(),
                what: Text::new("policing.evidence.rule"),
            }),
        });
    }
    if let Some(dropper) = growths.policers.get(port) {
        let name = match growths.policed.get(port) {
            Some(rate) => Text::new("policing.policer-rate").with("port", port).with("rate", rate),
            None => Text::new("policing.policer").with("port", port),
        };
        let command = quote::command(["tc", "-s", "qdisc", "show", "dev", port]);
        out.push(Limit { dropper, name, command, fault: format!("policer {port}"), rule: None });
    }
    out
}

fn finding(case: &Case<'_, '_>, limit: &Limit<'_>, died: &[Death], growths: &[&Growth]) -> Finding {
    let grew = Text::new("policing.evidence.grew").with_text("limit", limit.name.clone());
    let what = Text::new("policing.evidence.limit");
    let mut evidence = drop_evidence(limit.dropper, growths, &grew, what);
    evidence.extend(limit.rule.clone());
    evidence.extend(case.packets());
    let mut exonerations = vec![Exoneration::RuledOut(Text::new("policing.not.rule"))];
    exonerations.extend(case.recorded());
    Finding {
        claim: Text::new("policing.claim")
            .with_text("limit", limit.name.clone())
            .with_text("who", case.who())
            .with_text("what", shown::what(case.group)),
        evidence,
        exonerations,
        remedy: Text::new("policing.remedy")
            .with_text("limit", limit.name.clone())
            .with("command", &limit.command)
            .with_text("who", case.who()),
        ..case.finding(CAUSE.unit.id, case.confidence(all_counted(died, growths)))
    }
}

#[cfg(test)]
mod tests;
