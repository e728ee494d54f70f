//! `misforward`: the rules of the host's switch send packets elsewhere than where their destination is.
//!
//! Symptom: a VM does not reach one address or one protocol, or is not reached, and no rule drops anything: packets leave the
//! switch at another machine's port, at an uplink of another network, go back where they came from, or end in a table that has
//! no rule for them. Found after a platform's controller was restarted, ports were numbered anew, or rules were written by hand.
//!
//! Looked at: packets that entered Open vSwitch and were not seen where their destination's MAC is, replayed through the
//! dumped rules; only where rules name ports or groups themselves, for `NORMAL` switches by address.
//!
//! Proven: two packets or more absent where their destination is, and a flow of the datapath that sent such packets to these
//! other ports (or dropped them, where they were sent back or met no rule) in that time. Likely: the datapath's flow had idled
//! out. Cannot tell: the port of the destination was not recorded.
//!
//! Likely as well: packets left the switch for another MAC, or in another VLAN, than they came in with, which is the one of who
//! they are for, and nobody answered.
//!
//! Exonerated: a rule that sends packets to their destination as well (a copy for an inspection); one that gives them another
//! destination (a router); a datapath that sent them to the right port; groups that may have chosen the right one.
//!
//! Remedy: who writes the rules corrects the port. Where the other port belongs to a machine that shall look at packets and
//! pass them on, the question is why that one did not; it is not the rule's fault then.
//!
//! Sources: OpenFlow 1.3.5, sections 5.4 (table miss), 5.12 (output to the ingress port); Open vSwitch ovs-actions(7).
//!
//! 中文：本机交换机的规则把报文送往别处：输出到不是目的所在的端口、送回入端口（被拒绝），或进入没有匹配规则的表。处理：由写规则的
//! 平台或控制器改正输出端口；若该端口是用于检测并转发的虚拟机，则查明它为何未转发。

mod report;
mod rewritten;

use crate::causes::{Cause, Claim, Ruling, Rung, harms_nobody};
use crate::deaths::Case;
use crate::finding::Severity;
use crate::unit::{FINDINGS_MAX, SWITCH_POINT, Unit};
use netcap_bundle::source::Snapshot;
use netcap_bundle::sources::ovs::openflow::OvsOpenflow;

/// The registry's line.
pub(crate) const CAUSE: Cause = Cause {
    unit: Unit {
        id: "misforward",
        severity: Some((Severity::Info, Severity::Error)),
        most: Some(FINDINGS_MAX),
        needs: &[SWITCH_POINT],
        source: include_str!("mod.rs"),
    },
    rung: Rung::Rule,
    judge,
    reads,
    harms: harms_nobody,
};

/// What it cannot tell without.
fn reads(case: &Case<'_, '_>) -> &'static [&'static str] {
    case.inside(&[OvsOpenflow::DEF.id])
}

fn judge(case: &Case<'_, '_>) -> Ruling {
    let Some(found) = case.misdirected() else { return rewritten::judge(case) };
    Claim::of(report::fault(case, &found), case.rest, report::finding(case, &found))
}

#[cfg(test)]
mod tests;
