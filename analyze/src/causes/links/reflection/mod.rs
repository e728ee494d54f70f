//! `reflection`: the network outside returns the host's own frames, so the switch learns machines at the uplink.
//!
//! Symptom: packets for a machine are lost in bursts: for some seconds nothing reaches it, until it speaks itself. Or the
//! network is full of the same few frames (a loop).
//!
//! Looked at: frames that left by an uplink and came in again at an uplink of the same switch, unchanged; and packets for the
//! machine that had sent them, which arrived at an uplink and were not delivered. After such a frame the switch takes the
//! machine to be outside, and does not send back out what comes from there. The order tells: a death has a reflection
//! between the last packet that was delivered and itself.
//!
//! Proven: five deaths or more, nine in ten of which have a reflection behind the last delivery, clearly more often than what
//! was delivered has; and the switch's table shows the machine at the uplink. Likely: without that table. Whether or not
//! something dies: a frame to a group that came back a hundred times within seconds circulates, which is an error of its own.
//!
//! Exonerated: frames that come back while nothing is lost; a machine that moved to another host, whose frames differ; a
//! router that sends packets back with a lower hop limit; the backup of a bond, which hears its own broadcasts once.
//!
//! Remedy: find the loop or the reflecting port outside; on this host nothing is wrong.
//!
//! Sources: IEEE 802.1Q (learning); Open vSwitch ofproto/ofproto-dpif-xlate.c `is_mac_learning_update_needed`,
//! `xlate_normal`; ofproto/bond.c.
//!
//! 中文：外部网络把本机发出的帧又送回，交换机在上联口学习到虚拟机的 MAC，之后发往该虚拟机的报文被丢弃，直到其再次发送。处理：
//! 在外部查找环路或反射端口，本机配置无需修改。

mod bursts;
mod circling;
mod report;

use netcap_bundle::Role;
use netcap_bundle::topology::Learned;

use crate::causes::{Cause, Claim, Ruling, Rung, reads_nothing};
use crate::deaths::{Case, Death, Way};
use crate::finding::{Confidence, Severity};
use crate::tables::hops::Side;
use crate::unit::{FINDINGS_MAX, Unit};
use bursts::Bursts;

/// The registry's line.
pub(crate) const CAUSE: Cause = Cause {
    unit: Unit {
        id: "reflection",
        severity: Some((Severity::Info, Severity::Error)),
        most: Some(FINDINGS_MAX),
        needs: &[],
        source: include_str!("mod.rs"),
    },
    rung: Rung::Reflection,
    judge,
    reads: reads_nothing,
    harms: circling::harms,
};

fn judge(case: &Case<'_, '_>) -> Ruling {
    let from = case.group.place.from;
    let enters = matches!(from.side(&case.view.context), Side::Enter(_));
    let uplink = case.info().is_some_and(|info| matches!(info.role, Role::Uplink { .. }));
    let Some(eth) = case.group.eth.filter(|_| enters && uplink && case.group.place.way == Way::Switch) else {
        return Ruling::NotConcerned;
    };
    let Some(bursts) = Bursts::of(case, eth.dst) else { return Ruling::NotConcerned };
    if !bursts.explain() {
        return Ruling::NotConcerned;
    }
    let deaths: Vec<Death> = case.rest.iter().filter(|death| bursts.covers(death.at)).copied().collect();
    if deaths.is_empty() {
        return Ruling::NotConcerned;
    }
    let learned = learned_outside(case, &bursts);
    let confidence = if learned.is_some() { Confidence::Proven } else { Confidence::Likely };
    let finding = report::finding(case, &bursts, &deaths, learned.as_ref(), confidence);
    Claim::of(eth.dst.to_string(), &deaths, finding)
}

/// The switch's table had the machine at an uplink.
fn learned_outside(case: &Case<'_, '_>, bursts: &Bursts<'_>) -> Option<(netcap_bundle::Nanos, Learned)> {
    case.view.host.timeline.states().iter().find_map(|state| {
        let mine = |learned: &&Learned| {
            let port = learned.iface.as_deref().and_then(|iface| state.topology.by_iface(iface));
            learned.mac == bursts.mac
                && port.is_some_and(|(_, port)| matches!(port.role, Role::Uplink { .. }))
        };
        state.topology.learned.iter().find(mine).map(|learned| (state.at, learned.clone()))
    })
}

#[cfg(test)]
mod tests;
