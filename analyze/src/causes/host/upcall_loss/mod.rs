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

use netcap_bundle::Nanos;
use netcap_bundle::run::HostSpan;

use crate::causes::{Cause, Claim, Ruling, Rung, harms_nobody};
use crate::deaths::{Case, Death, Way};
use crate::finding::{Confidence, Severity};
use crate::tables::hops::Side;
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
    harms: harms_nobody,
};

/// A line of the ledger is written in the second in which a loss is read; what it sums up before that was calm, or the
/// daemon was too busy to be asked.
const SECOND_NS: i64 = 2_000_000_000;
/// Between two readings further apart nothing is said.
const UNREAD_NS_MAX: i64 = 60_000_000_000;
/// A packet is counted that much after it was captured where it entered, at most.
const SLACK_NS: i64 = 100_000_000;
/// The count covers deaths when it is at least this part of them, in percent: one packet may be captured twice.
const COVERED_PERCENT_MIN: u64 = 50;
/// With so many of all upcalls lost it is no chance that these were among them, in percent.
const MOST_PERCENT: u64 = 90;
/// Deaths that make it proven.
const LOST_MIN: usize = 2;
/// A flow of the datapath stays so long without packets (`max-idle`, vswitchd.conf.db(5)).
const IDLE_NS: i64 = 10_000_000_000;

fn has_switch_point(view: &View<'_>) -> bool {
    view.points.iter().any(|(_, info)| info.vswitch.is_some())
}

/// A stretch in which upcalls were lost.
#[derive(Debug, Clone, Copy)]
struct Lossy {
    /// When the count was read before.
    from: Nanos,
    /// Since then it was certainly counting, unless the daemon was too busy to be asked in the second before.
    near: Nanos,
    /// When the count was read that shows them.
    to: Nanos,
    lost: u64,
    asked: u64,
}

impl Lossy {
    fn all(spans: &[HostSpan]) -> Vec<Self> {
        let mut read: Option<Nanos> = None;
        let mut out = Vec::new();
        for span in spans.iter().filter(|span| span.upcalls.is_some() || span.upcalls_lost > 0) {
            let length = i64::try_from(span.ms).unwrap_or(i64::MAX).saturating_mul(1_000_000);
            let begin = span.at.plus(-length.min(UNREAD_NS_MAX));
            if span.upcalls_lost > 0 {
                let from = read.map_or(begin, |read| read.max(span.at.plus(-UNREAD_NS_MAX)));
                let near = span.at.plus(-length.min(SECOND_NS)).max(from);
                let asked = span.upcalls.unwrap_or_default().max(span.upcalls_lost);
                out.push(Self { from, near, to: span.at, lost: span.upcalls_lost, asked });
            }
            read = Some(span.at);
        }
        out
    }

    /// Nearly all were lost, so that it is no chance which.
    fn is_most(&self) -> bool {
        self.lost.saturating_mul(100) >= self.asked.saturating_mul(MOST_PERCENT)
    }

    /// It may have died of it: where the count was not read in between, only if nearly all were lost.
    fn covers(&self, at: Nanos) -> bool {
        let from = if self.is_most() { self.from } else { self.near };
        from.plus(-SLACK_NS) < at && at <= self.to
    }

    fn is_near(&self, at: Nanos) -> bool {
        self.near.plus(-SLACK_NS) < at && at <= self.to
    }
}

fn judge(case: &Case<'_, '_>) -> Ruling {
    // Where nobody recorded the ways out, they may have left by one.
    if !dies_inside(case.view, case.group) || case.sure().next().is_none() {
        return Ruling::NotConcerned;
    }
    let spans = &case.view.input.ledger.host;
    if spans.is_empty() {
        return Ruling::NotConcerned;
    }
    if spans.iter().all(|span| span.upcalls.is_none() && span.upcalls_lost == 0) {
        return Ruling::CannotTell(vec![Text::new("upcall-loss.open.unread")]);
    }
    let all = Lossy::all(spans);
    let mine: Vec<Lossy> =
        all.iter().copied().filter(|lossy| case.rest.iter().any(|death| lossy.covers(death.at))).collect();
    if mine.is_empty() {
        return Ruling::RuledOut(Text::new("upcall-loss.out.none"));
    }
    let counting: Vec<Lossy> = mine.iter().copied().filter(|lossy| is_covered(case, lossy)).collect();
    let deaths: Vec<Death> = case
        .rest
        .iter()
        .filter(|death| counting.iter().any(|lossy| lossy.covers(death.at)) && !had_flow(case, death.at))
        .copied()
        .collect();
    if deaths.is_empty() {
        return Ruling::RuledOut(Text::new("upcall-loss.out.few"));
    }
    let confidence = confidence(&counting, &deaths);
    let finding = report::finding(case, &all, &deaths, confidence);
    Claim::of("upcalls".to_owned(), &deaths, finding)
}

/// They entered a switch of Open vSwitch and left it nowhere.
fn dies_inside(view: &View<'_>, group: &crate::deaths::Group<'_>) -> bool {
    let place = &group.place;
    let switch = view.points.get(place.from.point).and_then(|info| info.vswitch.as_deref());
    matches!(place.way, Way::Switch | Way::Learned)
        && matches!(place.from.side(&view.context), Side::Enter(_))
        && switch.is_some_and(|switch| !view.is_kernel_bridge(switch))
}

/// What was lost is enough for all that died inside switches meanwhile.
fn is_covered(case: &Case<'_, '_>, lossy: &Lossy) -> bool {
    let groups = case.deaths.groups.iter().filter(|group| dies_inside(case.view, group));
    let died =
        groups.flat_map(|group| &group.deaths).filter(|death| death.is_sure() && lossy.covers(death.at));
    let died: u64 = died.map(|death| death.packets).fold(0, u64::saturating_add);
    lossy.lost.saturating_mul(100) >= died.saturating_mul(COVERED_PERCENT_MIN)
}

/// The datapath had a flow for them when it was dumped last before.
fn had_flow(case: &Case<'_, '_>, at: Nanos) -> bool {
    let mut seen = case.flows().forward.iter().flat_map(|forward| &forward.seen);
    seen.any(|dumped| *dumped <= at && at.since(*dumped) <= IDLE_NS)
}

fn confidence(lossy: &[Lossy], deaths: &[Death]) -> Confidence {
    let lost = lossy.iter().map(|lossy| lossy.lost).fold(0, u64::saturating_add);
    let sure: Vec<&Death> = deaths.iter().filter(|death| death.is_sure()).collect();
    let died: u64 = sure.iter().map(|death| death.packets).fold(0, u64::saturating_add);
    let certain = |death: &&Death| lossy.iter().any(|lossy| lossy.is_most() && lossy.is_near(death.at));
    let proven = sure.len() >= LOST_MIN && sure.iter().all(certain) && lost >= died;
    if proven { Confidence::Proven } else { Confidence::Likely }
}

#[cfg(test)]
mod tests;
