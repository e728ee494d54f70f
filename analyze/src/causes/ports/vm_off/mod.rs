//! `vm-off`: the machine that packets are for was off or starting.
//!
//! Symptom: a VM does not answer for seconds or minutes, then answers again, mostly at a port with another name.
//!
//! Looked at: packets for a machine of this host that were lost while no interface of it was on the host, and those that were
//! delivered at its new port before anything came from there: it was starting.
//!
//! Proven: two packets or more were lost while the readings, or the recorder itself, say that its interface was gone. Likely:
//! they were lost between two readings, or while it was starting.
//!
//! Exonerated: a machine that was off while nobody spoke to it; one whose port was taken away while it ran (`port-gone`); a
//! guest that was there and did not answer.
//!
//! Remedy: nothing of the network is to be repaired: find out who stopped the machine, and start it.
//!
//! Sources: libvirt domain events and formatdomain, net/core/dev.c `unregister_netdevice`.
//!
//! 中文：目的虚拟机处于关机或启动过程中：其端口从主机上消失，之后以新端口出现。处理：网络无需修复，查明是谁关闭了虚拟机
//! 并将其启动。

use netcap_bundle::Nanos;
use netcap_bundle::packets::Direction;

use crate::causes::{Cause, Claim, Ruling, Rung, harms_nobody};
use crate::deaths::{Case, Death, End, Group, Missing};
use crate::engine::PointId;
use crate::finding::{Confidence, Evidence, Exoneration, Finding, Severity, Subject};
use crate::host::outages::{Life, Outage, Why};
use crate::tables::hops::Stop;
use crate::text::Text;
use crate::unit::{FINDINGS_MAX, Unit};
use netcap_bundle::source::Snapshot;
use netcap_bundle::sources::vm::libvirt::Libvirt;

/// The registry's line.
pub(crate) const CAUSE: Cause = Cause {
    unit: Unit {
        id: "vm-off",
        severity: Some((Severity::Info, Severity::Warning)),
        most: Some(FINDINGS_MAX),
        needs: &[],
        source: include_str!("mod.rs"),
    },
    rung: Rung::PortGone,
    judge,
    reads,
    harms: harms_nobody,
};

/// A guest that says nothing for so long after its card was there is not just starting.
const START_NS_MAX: i64 = 120_000_000_000;

fn is_off(outage: &Outage) -> bool {
    outage.why == Why::Gone && !outage.running
}

/// What it cannot tell without.
fn reads(case: &Case<'_, '_>) -> &'static [&'static str] {
    case.inside(&[Libvirt::DEF.id])
}

fn judge(case: &Case<'_, '_>) -> Ruling {
    if let Some(missing) = case.missing(is_off) {
        return claim(case, &missing, missing.confidence(), missing.evidence(case));
    }
    starting(case).unwrap_or(Ruling::NotConcerned)
}

/// What was delivered at the new port before anything came from there.
fn starting(case: &Case<'_, '_>) -> Option<Ruling> {
    let life = case.destination().filter(|_| case.is_delivered())?;
    let point = case.group.place.from.point;
    let awake = first_sign(case, point);
    let soon = |outage: &Outage, death: &Death| {
        let joined = outage.ended.map(|(_, by)| by);
        joined.is_some_and(|by| by <= death.at && death.at.since(by) <= START_NS_MAX)
    };
    let before = |death: &Death| awake.is_none_or(|awake| death.at < awake);
    let asleep = |outage: &Outage| -> Vec<Death> {
        case.rest.iter().filter(|death| soon(outage, death) && before(death)).copied().collect()
    };
    let outage = life.outages.iter().filter(|outage| is_off(outage)).max_by_key(|o| asleep(o).len())?;
    let deaths = asleep(outage);
    let first = *deaths.first()?;
    let missing = Missing { end: End::Destination, life, outage, deaths };
    let what = Text::new("vm-off.evidence.starting").with("port", case.view.points.name(point));
    let evidence = vec![case.view.frame(Group::sight(&first), point, what)];
    Some(claim(case, &missing, Confidence::Likely, evidence))
}

/// When something came from the machine first at its port, as far as pings and connections tell.
fn first_sign(case: &Case<'_, '_>, point: PointId) -> Option<Nanos> {
    let table = &case.view.tables.journeys;
    let from = Stop { point, direction: Direction::In };
    let events = table.journeys.iter().flat_map(|j| table.requests(j).iter().chain(table.replies(j)));
    let came = events.filter(|e| Stop { point: e.point, direction: e.direction } == from);
    came.map(|event| event.at).min()
}

fn claim(case: &Case<'_, '_>, missing: &Missing<'_>, sure: Confidence, evidence: Vec<Evidence>) -> Ruling {
    let (from, to) = missing.times();
    let (life, outage) = (missing.life, missing.outage);
    let finding = Finding {
        from,
        to,
        claim: words(case, missing),
        evidence,
        exonerations: exonerations(case, missing),
        remedy: Text::new(if outage.ended.is_some() { "vm-off.remedy.back" } else { "vm-off.remedy" })
            .with("vm", vm(life)),
        ..Finding::new(
            CAUSE.unit.id,
            Severity::Warning,
            sure,
            Subject::Ports {
                switch: Some(life.switch.clone()),
                ports: life.ifaces.iter().cloned().collect(),
            },
        )
    };
    Claim::of(format!("{:?} {:?}", life.ifaces, outage.began), &missing.deaths, finding)
}

/// Its name, or its port where nobody says whose it is.
fn vm(life: &Life) -> &str {
    life.vm.as_deref().or(life.ifaces.iter().next().map(String::as_str)).unwrap_or("?")
}

fn words(case: &Case<'_, '_>, missing: &Missing<'_>) -> Text {
    let offset = case.view.input.info.as_ref().map_or(0, |info| info.utc_offset_s);
    let (life, outage) = (missing.life, missing.outage);
    let key = match (&life.vm, &outage.after) {
        (Some(_), Some(_)) => "vm-off.claim.new-port",
        (Some(_), None) => "vm-off.claim",
        (None, Some(_)) => "vm-off.claim.nameless-new-port",
        (None, None) => "vm-off.claim.nameless",
    };
    Text::new(key)
        .with("vm", vm(life))
        .with("port", &outage.port)
        .with("switch", &life.switch)
        .with("after", outage.after.as_deref().unwrap_or_default())
        .with_text("when", missing.span(offset))
}

fn exonerations(case: &Case<'_, '_>, missing: &Missing<'_>) -> Vec<Exoneration> {
    let mut out = Vec::new();
    if missing.outage.shown.is_some() {
        out.push(Exoneration::RuledOut(Text::new("vm-off.not.unplugged")));
    }
    let left = case.rest.len() - missing.deaths.len();
    if left > 0 {
        out.push(Exoneration::Counted(Text::new("vm-off.not.other-times").with("count", left)));
    }
    out
}

#[cfg(test)]
mod tests;
