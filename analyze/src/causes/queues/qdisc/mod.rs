//! `qdisc`: a queue of an interface drops packets before they reach the wire.
//!
//! Symptom: single packets pass and bursts lose, TCP is slow. Packets enter the switch at a VM's port and are not seen at
//! the uplink, for a capture sees a frame after its queue. A shaper (`tbf`, `htb`, the QoS of Open vSwitch) sends at a rate
//! of its own; any other queue drops when its interface is given more than it sends.
//!
//! Proven: packets that did not leave by an interface, whose queue counted at least as many drops between the readings
//! around their deaths. Likely: one packet, or fewer drops than packets (what is dropped as one may have been several).
//! Likely as well: the interface has a shaper, its counters were not recorded, and what passed meanwhile stood in its queue ten
//! times as long as it takes the other way. Cannot tell: the same without the wait.
//!
//! Exonerated: a queue whose counter stood still; drops of another time; a rule or a meter that drops before the queue.
//!
//! Remedy: raise the rate or the limit of the queue where it was set, or send less.
//!
//! Sources: Linux tc(8), tc-tbf(8), net/sched/sch_tbf.c, net/core/dev.c (`dev_hard_start_xmit` after the queue); Open
//! vSwitch FAQ, quality of service.
//!
//! 中文：网卡的发送队列（tbf、htb、Open vSwitch QoS 等）丢弃报文：单个报文能通过，突发时丢失，且队列丢弃计数同时增长。
//! 处理：在配置该队列处提高速率或队列长度，或降低发送速率。

mod waited;

use netcap_bundle::sources::network::queues::Qdisc;

use crate::causes::{Cause, Claim, Ruling, Rung, harms_nobody};
use crate::deaths::{Case, Death, Way, all_counted, counted, drop_evidence, shown};
use crate::finding::{Exoneration, Finding, Severity};
use crate::host::growth::{Dropper, Growth};
use crate::text::Text;
use crate::unit::{FINDINGS_MAX, SWITCH_POINT, Unit};
use netcap_bundle::source::Snapshot;
use netcap_bundle::sources::network::queues::Queues;

/// The registry's line.
pub(crate) const CAUSE: Cause = Cause {
    unit: Unit {
        id: "qdisc",
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

/// What it cannot tell without.
fn reads(case: &Case<'_, '_>) -> &'static [&'static str] {
    case.inside(&[Queues::DEF.id])
}

fn judge(case: &Case<'_, '_>) -> Ruling {
    if !matches!(case.group.place.way, Way::Switch | Way::Learned) {
        return Ruling::NotConcerned;
    }
    let ports: Vec<&str> = case.group.exits().iter().map(|id| case.view.points.name(*id)).collect();
    let growths = case.deaths.growths(case.view);
    if !growths.has_queues {
        return waited::claim(case).unwrap_or_else(|| unread(case, &ports));
    }
    let queue = |port: &&str| Some((growths.queues.get(*port)?, (*port).to_owned()));
    let covered =
        ports.iter().filter_map(queue).map(|(queue, port)| (port, queue, counted(queue, case.rest)));
    let most = covered.max_by_key(|(port, _, (died, _))| (died.len(), std::cmp::Reverse(port.clone())));
    match most {
        Some((port, queue, (died, growths))) if !died.is_empty() => {
            Claim::of(format!("{port} {}", queue.kind), &died, finding(case, &port, queue, &died, &growths))
        }
        Some((port, ..)) => Ruling::RuledOut(Text::new("qdisc.out.still").with("port", port)),
        None => Ruling::NotConcerned,
    }
}

/// What the interfaces say of their queues where the counters are missing.
fn unread(case: &Case<'_, '_>, ports: &[&str]) -> Ruling {
    let (growths, (first, _)) = (case.deaths.growths(case.view), case.span());
    let shaper = |port: &&str| {
        let kind = growths.kind_at(port, first).filter(|kind| Qdisc::is_shaper(kind))?;
        Some(Text::new("qdisc.open.unread").with("port", port).with("kind", kind))
    };
    let open: Vec<Text> = ports.iter().filter_map(shaper).collect();
    if open.is_empty() { Ruling::NotConcerned } else { Ruling::CannotTell(open) }
}

fn finding(case: &Case<'_, '_>, port: &str, queue: &Dropper, died: &[Death], growths: &[&Growth]) -> Finding {
    let key = if Qdisc::is_shaper(&queue.kind) { "qdisc.claim.shaper" } else { "qdisc.claim.full" };
    let claim = Text::new(key)
        .with("port", port)
        .with("kind", &queue.kind)
        .with_text("who", case.who())
        .with_text("what", shown::what(case.group));
    let grew = Text::new("qdisc.evidence.grew").with("port", port);
    let what = Text::new("qdisc.evidence.queue").with("port", port);
    let mut evidence = drop_evidence(queue, growths, &grew, what);
    evidence.extend(case.packets());
    let mut exonerations = vec![Exoneration::RuledOut(Text::new("qdisc.not.rule"))];
    exonerations.extend(case.recorded());
    let remedy = if Qdisc::is_shaper(&queue.kind) { "qdisc.remedy.shaper" } else { "qdisc.remedy.full" };
    Finding {
        claim,
        evidence,
        exonerations,
        remedy: Text::new(remedy).with("port", port).with("kind", &queue.kind),
        ..case.finding(CAUSE.unit.id, case.confidence(all_counted(died, growths)))
    }
}

#[cfg(test)]
mod tests;
