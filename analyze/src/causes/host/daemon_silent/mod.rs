//! `daemon-silent`: a daemon of the host, mostly ovs-vswitchd, did not answer anything for a while.
//!
//! Symptom: new connections of all VMs fail at once while old ones go on, or nothing passes at all where the datapath is in
//! user space; commands like ovs-appctl and ovs-ofctl hang.
//!
//! Looked at: what the recorder asked the daemon and when it ran into its time limit, and packets that died inside a switch of
//! Open vSwitch meanwhile: without ovs-vswitchd no new flow gets into the datapath.
//!
//! Proven: three questions or more in a row ran into their time limit, or two that are five seconds apart, and none was
//! answered in between. Likely: two. One alone may be a large answer.
//!
//! Packets that died in that time are put down to it only when no other cause explains them, and then the finding is `likely`:
//! a rule, a port that is gone or a link that is down kills with and without the daemon.
//!
//! Exonerated: a daemon that answered late once; one that is not installed here.
//!
//! Remedy: look at the daemon's process and journal, then restart it.
//!
//! Sources: ovs-vswitchd(8), ovs-appctl(8); Open vSwitch ofproto/ofproto-dpif-upcall.c.
//!
//! 中文：主机上的守护进程（多为 ovs-vswitchd）一段时间内没有应答任何查询：新连接全部失败而旧连接继续，用户态数据面则全部
//! 中断。处理：查看该进程与日志后将其重启。

mod report;

use crate::causes::{Cause, Claim, Ruling, Rung, reads_nothing};
use crate::deaths::{Case, Death, Deaths, Way};
use crate::finding::Severity;
use crate::host::silence::SilentDaemon;
use crate::unit::Unit;
use crate::view::View;

/// The registry's line.
pub(crate) const CAUSE: Cause = Cause {
    unit: Unit {
        id: "daemon-silent",
        severity: Some((Severity::Warning, Severity::Error)),
        most: Some(FINDINGS_MAX),
        needs: &[],
        source: include_str!("mod.rs"),
    },
    rung: Rung::DaemonSilent,
    judge,
    reads: reads_nothing,
    harms,
};

/// Findings made of one input.
const FINDINGS_MAX: usize = 16;
/// Questions in a row; one alone may have a large answer.
const ASKED_MIN: usize = 2;
/// Packets may have died of it so long before it was asked: the recorder asks every ten seconds at least.
const BEFORE_NS: i64 = 10_000_000_000;

/// When daemons were silent, as far as that is no single large answer.
fn silences<'d>(view: &View<'_>, deaths: &'d Deaths<'_>) -> impl Iterator<Item = &'d SilentDaemon> {
    deaths.silences(view).iter().filter(|silent| silent.hung.asked.len() >= ASKED_MIN)
}

fn harms(view: &View<'_>, deaths: &Deaths<'_>) -> Vec<Claim> {
    let of = |SilentDaemon { daemon, hung, .. }: &SilentDaemon| {
        Claim::of_harm(report::fault(daemon, hung), report::finding(view, daemon, hung))
    };
    silences(view, deaths).map(of).collect()
}

/// What died inside a switch that the daemon runs, while it was silent, and that nothing else explains: every other cause
/// was asked before.
fn judge(case: &Case<'_, '_>) -> Ruling {
    let Some(switch) = case.info().and_then(|info| info.vswitch.as_deref()) else {
        return Ruling::NotConcerned;
    };
    let inside = matches!(case.group.place.way, Way::Switch | Way::Learned);
    if !inside || case.view.is_kernel_bridge(switch) {
        return Ruling::NotConcerned;
    }
    for silent in silences(case.view, case.deaths).filter(|silent| silent.daemon.forwards) {
        let SilentDaemon { daemon, hung, answered } = silent;
        let from = hung.from.plus(-BEFORE_NS).max(*answered);
        let while_hung =
            |death: &&Death| from <= death.at && hung.until.is_none_or(|until| death.at <= until);
        let deaths: Vec<Death> = case.rest.iter().filter(while_hung).copied().collect();
        if !deaths.is_empty() {
            let finding = report::with_deaths(report::finding(case.view, daemon, hung));
            return Claim::of(report::fault(daemon, hung), &deaths, finding);
        }
    }
    Ruling::NotConcerned
}

#[cfg(test)]
mod tests;
