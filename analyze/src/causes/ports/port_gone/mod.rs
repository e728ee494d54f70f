//! `port-gone`: the port by which packets came, or the one of the machine they are for, was no port of its switch, or was down.
//!
//! Symptom: a VM loses its network all at once, in both directions, while it runs on. Its interface may still be there, and
//! frames of it are still seen there: nobody takes them.
//!
//! Looked at: packets that were lost at a time at which, by the readings of the switch's ports and of the host's links, that
//! port was taken out of the switch, set down, or its interface taken away from a running machine.
//!
//! Proven: two packets or more were lost while the readings before and after agree that the port was not there. Likely: they
//! were lost between two readings of which only one says so.
//!
//! Exonerated: a port that was away while nobody used it; a machine that was off (`vm-off`); losses before and after.
//!
//! Remedy: put the port back into the switch, or set it up; the finding says with which command and how to see that it worked.
//!
//! Sources: Open vSwitch ovs-vswitchd.conf.db(5) tables Bridge and Port; Linux rtnetlink(7), IFF_UP.
//!
//! 中文：报文进入的端口或目的虚拟机的端口已不在交换机中，或被关闭：虚拟机仍在运行但网络全断。处理：把端口加回交换机
//! 或将其启用，并确认 ping 恢复。

use crate::causes::{Cause, Claim, Ruling, Rung, harms_nobody};
use crate::deaths::{Case, End, Missing};
use crate::finding::{Exoneration, Finding, Severity, Subject};
use crate::host::outages::{Outage, Why};
use crate::text::Text;
use crate::unit::{FINDINGS_MAX, Unit};
use netcap_bundle::source::Snapshot;
use netcap_bundle::sources::network::links::Links;
use netcap_bundle::sources::ovs::ovsdb::Ovsdb;

/// The registry's line.
pub(crate) const CAUSE: Cause = Cause {
    unit: Unit {
        id: "port-gone",
        severity: Some((Severity::Info, Severity::Error)),
        most: Some(FINDINGS_MAX),
        needs: &[],
        source: include_str!("mod.rs"),
    },
    rung: Rung::PortGone,
    judge,
    reads,
    harms: harms_nobody,
};

/// A machine that is off is another fault.
fn is_gone(outage: &Outage) -> bool {
    outage.why != Why::Gone || outage.running
}

/// What it cannot tell without.
fn reads(case: &Case<'_, '_>) -> &'static [&'static str] {
    case.inside(&[Ovsdb::DEF.id, Links::DEF.id])
}

fn judge(case: &Case<'_, '_>) -> Ruling {
    let Some(missing) = case.missing(is_gone) else { return ruled_out(case) };
    let (from, to) = missing.times();
    let fault = format!("{} {:?} {:?}", missing.outage.port, missing.outage.why, missing.outage.began);
    let finding = Finding {
        from,
        to,
        claim: claim(case, &missing),
        evidence: missing.evidence(case),
        exonerations: exonerations(case, &missing),
        remedy: remedy(case, &missing),
        ..Finding::new(
            CAUSE.unit.id,
            Severity::Error,
            missing.confidence(),
            Subject::Ports {
                switch: Some(missing.life.switch.clone()),
                ports: vec![missing.outage.port.clone()],
            },
        )
    };
    Claim::of(fault, &missing.deaths, finding)
}

/// The port of the machine they are for is known and was there when they died.
fn ruled_out(case: &Case<'_, '_>) -> Ruling {
    let Some(life) = case.destination().filter(|life| !life.ifaces.is_empty()) else {
        return Ruling::NotConcerned;
    };
    let away = case.rest.iter().any(|death| life.outages.iter().any(|outage| outage.may_hold(death.at)));
    if away || case.is_delivered() || case.view.host.timeline.states().is_empty() {
        return Ruling::NotConcerned;
    }
    let ports = life.ifaces.iter().map(Text::verbatim).collect();
    let out = Text::new("port-gone.out").with("switch", &life.switch).with_list("ports", ports);
    Ruling::RuledOut(out)
}

fn claim(case: &Case<'_, '_>, missing: &Missing<'_>) -> Text {
    let offset = case.view.input.info.as_ref().map_or(0, |info| info.utc_offset_s);
    let key = match (missing.outage.why, &missing.life.vm) {
        (Why::Down, None) => "port-gone.claim.down",
        (Why::Down, Some(_)) => "port-gone.claim.down-vm",
        (Why::Unplugged, None) => "port-gone.claim.unplugged",
        (Why::Unplugged, Some(_)) => "port-gone.claim.unplugged-vm",
        (Why::Gone, _) => "port-gone.claim.detached",
    };
    Text::new(key)
        .with("port", &missing.outage.port)
        .with("vm", missing.life.vm.as_deref().unwrap_or_default())
        .with("switch", &missing.life.switch)
        .with_text("when", missing.span(offset))
}

fn exonerations(case: &Case<'_, '_>, missing: &Missing<'_>) -> Vec<Exoneration> {
    let mut out = Vec::new();
    if missing.end == End::Source {
        out.push(Exoneration::RuledOut(Text::new("port-gone.not.off").with("port", &missing.outage.port)));
    }
    let left = case.rest.len() - missing.deaths.len();
    if left > 0 {
        out.push(Exoneration::Counted(Text::new("port-gone.not.other-times").with("count", left)));
    }
    out
}

fn remedy(case: &Case<'_, '_>, missing: &Missing<'_>) -> Text {
    let key = match missing.outage.why {
        Why::Down => "port-gone.remedy.down",
        Why::Gone => "port-gone.remedy.detached",
        Why::Unplugged if case.view.is_kernel_bridge(&missing.life.switch) => "port-gone.remedy.bridge",
        Why::Unplugged => "port-gone.remedy.ovs",
    };
    let vlan = case.view.host.topology().by_iface(&missing.outage.port).and_then(|(_, port)| port.vlan);
    let before = missing.outage.began.map(|(after, _)| case.view.host.topology_at(after));
    let before = before.and_then(|host| host.by_iface(&missing.outage.port)).and_then(|(_, port)| port.vlan);
    let tag = before.or(vlan).filter(|vlan| *vlan != 0).map(|vlan| format!(" tag={vlan}"));
    Text::new(key)
        .with("port", &missing.outage.port)
        .with("switch", &missing.life.switch)
        .with_text("tag", Text::verbatim(tag.unwrap_or_default()))
        .with("vm", missing.life.vm.as_deref().unwrap_or("VM"))
}

#[cfg(test)]
mod tests;
