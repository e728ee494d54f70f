//! `upcall-loss`: the kernel lost packets on their way to ovs-vswitchd.
//!
//! Symptom: established connections go on while first packets die: ARP requests, the first ping, connection attempts. It looks as if
//! nobody answered. A packet that finds no flow in the datapath goes to ovs-vswitchd (an upcall); where that takes no more,
//! because it is overrun by new flows or has no thread for it, the kernel drops the packet and counts it.
//!
//! Looked at: what the datapath counted as lost, second by second, and packets that died inside a switch of Open vSwitch in
//! the same seconds. It takes no more deaths than the count covers, and none of which the datapath had a flow just before.
//!
//! Proven: two packets or more died while nine of ten upcalls and more were lost, and at least as many were lost as died.
//! Likely: fewer upcalls were lost, so that chance decided which, or the daemon was too busy to be asked for a while, so that
//! nobody knows in which of these seconds they were lost.
//!
//! Exonerated: upcalls lost at another time; fewer than half as many as died; a rule that drops them, which is asked before;
//! bridges of the kernel, which ask nobody; a daemon that answers nothing at all is `daemon-silent`.
//!
//! Remedy: find who opens so many flows, and what ovs-vswitchd is busy with; give it processors and handler threads.
//!
//! Sources: Linux net/openvswitch/datapath.c `ovs_dp_upcall` (`n_lost`); ovs-dpctl(8) show; Open vSwitch
//! ofproto/ofproto-dpif-upcall.c.
//!
//! 中文：内核数据面上送 ovs-vswitchd 的报文（upcall）丢失：已建立的流正常，而新流的首包（ARP、首个 ping、建连）丢失，看似无人应答。
//! 处理：查明大量新建流的来源以及 ovs-vswitchd 的负载，增加处理器与 handler 线程。

mod report;

use std::collections::BTreeSet;

use netcap_bundle::Nanos;

use crate::causes::{Cause, Claim, Ruling, Rung, harms_nobody, reads_nothing};
use crate::deaths::upcalls::{Lossy, Upcalls};
use crate::deaths::{Case, Death};
use crate::finding::{Confidence, Severity};
use crate::text::Text;
use crate::unit::{Need, Unit};
use crate::view::View;

/// The registry's line.
pub(crate) const CAUSE: Cause = Cause {
    unit: Unit {
        id: "upcall-loss",
        severity: Some((Severity::Info, Severity::Error)),
        most: None,
        needs: &[Need { key: "need.switch-point", met: |view| Some(has_switch_point(view)) }],
        source: include_str!("mod.rs"),
    },
    rung: Rung::Host,
    judge,
    reads: reads_nothing,
    harms: harms_nobody,
};

/// Deaths that make it proven.
const LOST_MIN: usize = 2;
/// A flow of the datapath stays so long without packets (`max-idle`, vswitchd.conf.db(5)).
const IDLE_NS: i64 = 10_000_000_000;

fn has_switch_point(view: &View<'_>) -> bool {
    view.points.iter().any(|(_, info)| info.vswitch.is_some())
}

fn judge(case: &Case<'_, '_>) -> Ruling {
    // Where nobody recorded the ways out, they may have left by one.
    if !case.group.dies_in_vswitch(case.view) || case.sure().next().is_none() {
        return Ruling::NotConcerned;
    }
    let spans = &case.view.input.ledger.host;
    if spans.is_empty() {
        return Ruling::NotConcerned;
    }
    if spans.iter().all(|span| span.upcalls.is_none() && span.upcalls_lost == 0) {
        return Ruling::CannotTell(vec![Text::new("upcall-loss.open.unread")]);
    }
    let upcalls = case.deaths.upcalls(case.view);
    let mut mine: BTreeSet<usize> = BTreeSet::new();
    for death in case.rest {
        mine.extend(upcalls.covering(death.at));
    }
    if mine.is_empty() {
        return Ruling::RuledOut(Text::new("upcall-loss.out.none"));
    }
    mine.retain(|place| upcalls.is_enough(*place));
    let deaths: Vec<Death> = case
        .rest
        .iter()
        .filter(|death| {
            upcalls.covering(death.at).any(|place| mine.contains(&place)) && !had_flow(case, death.at)
        })
        .copied()
        .collect();
    if deaths.is_empty() {
        return Ruling::RuledOut(Text::new("upcall-loss.out.few"));
    }
    let counting: Vec<Lossy> = mine.iter().filter_map(|place| upcalls.all.get(*place)).copied().collect();
    let confidence = confidence(upcalls, &counting, &deaths);
    let finding = report::finding(case, &upcalls.all, &deaths, confidence);
    Claim::of("upcalls".to_owned(), &deaths, finding)
}

/// The datapath had a flow for them when it was dumped last before.
fn had_flow(case: &Case<'_, '_>, at: Nanos) -> bool {
    let mut seen = case.flows().forward.iter().flat_map(|forward| &forward.seen);
    seen.any(|dumped| *dumped <= at && at.since(*dumped) <= IDLE_NS)
}

fn confidence(upcalls: &Upcalls, lossy: &[Lossy], deaths: &[Death]) -> Confidence {
    let lost = lossy.iter().map(|lossy| lossy.lost).fold(0, u64::saturating_add);
    let sure: Vec<&Death> = deaths.iter().filter(|death| death.is_sure()).collect();
    let died: u64 = sure.iter().map(|death| death.packets).fold(0, u64::saturating_add);
    let certain = |death: &&Death| {
        let mut mine = upcalls.covering(death.at).filter_map(|place| upcalls.all.get(place));
        mine.any(|lossy| lossy.is_most() && lossy.is_near(death.at))
    };
    let proven = sure.len() >= LOST_MIN && sure.iter().all(certain) && lost >= died;
    if proven { Confidence::Proven } else { Confidence::Likely }
}

#[cfg(test)]
mod tests;
