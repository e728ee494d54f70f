//! `acl-drop`: a rule of the host's switch drops what a VM sends, or what is sent to it.
//!
//! Symptom: a VM reaches all addresses but one, or one protocol fails. Packets enter the switch at one port and are seen at
//! no port where they had to leave it; the datapath has a flow with `drop` for them; an OpenFlow rule is its cause, and
//! often a network filter (nwfilter, ACL, security group) of the platform is the cause of that.
//!
//! Looked at: packets of every kind, from a VM and towards it, of the host's own port too.
//!
//! Proven: two packets or more absent at every recorded port where they had to leave, bridges behind patch ports included,
//! while nothing was lost there and the filters would have shown them, and a datapath flow that drops them then. Likely:
//! the absence, and an OpenFlow rule found by replaying one of them through the dumped tables, because the datapath flow
//! had idled out; the growth of the rule's counter confirms it. Cannot tell: a rule drops them, but the capture lost
//! packets or did not record the ports where they could leave. A flow of the datapath alone, without a rule or a filter that
//! says so, is no proof of a rule: the switch has such a flow for all that it does not forward, whatever the reason.
//!
//! Where no flow and no rule drops them, a rule is ruled out only if a table was read while they died: one that came and
//! went again between two dumps is in none of them.
//!
//! Of packets in fragments the first ones only are followed. Where these got further and nobody answered, later ones are
//! replayed where they enter: a rule that drops them, and counted them, is likely.
//!
//! An answer that ends at a rule because connection tracking does not know its connection is not the rule's matter: the
//! rule is for what belongs to no connection. The finding says which zone was asked, and to leave the rule as it is.
//!
//! The replay follows matches, registers, rewritten headers, conntrack state, patch ports and the switch's own switching,
//! as ofproto/trace does on the host; where it meets something that was not recorded, it names no rule.
//!
//! What is configured (nwfilter) and what is seen dropping (flows, counters) are reported as separate facts.
//!
//! Exonerated: `NORMAL`, which switches and never drops; a flow of the datapath that sent such packets on in that time; loss
//! of the capture, filters and snapshot lengths that hide the packet, VM to VM on one host (looked for at the other VM's
//! port, never at the uplink), gaps between segments and the edges of the capture, multicast.
//!
//! Remedy: change the rule or the VM's filter; the finding names both.
//!
//! Sources: Open vSwitch ovs-fields(7), dpctl and ovs-ofctl manuals, lib/odp-util.c; libvirt formatnwfilter.
//!
//! 中文：虚拟机发出或发往虚拟机的报文被本机交换机的规则丢弃：在入口可见，在应出现的端口不可见，数据面流表
//! actions:drop，并给出对应的 OpenFlow 规则与 nwfilter（ACL）规则。处理：修改虚拟机的 ACL 配置。

mod filter;
mod fragments;
mod report;

use netcap_bundle::Role;

use crate::causes::{Cause, Claim, Ruling, Rung, harms_nobody, reads_nothing};
use crate::deaths::flows::{Replayed, Tables, confidence, packet_fields};
use crate::deaths::{Case, Way};
use crate::engine::PointInfo;
use crate::finding::{Confidence, Severity};
use crate::text::Text;
use crate::unit::{FINDINGS_MAX, Need, Unit, VM_PORT, has_vm_port};
use crate::view::View;

/// The registry's line.
pub(crate) const CAUSE: Cause = Cause {
    unit: Unit {
        id: "acl-drop",
        severity: Some((Severity::Info, Severity::Error)),
        most: Some(FINDINGS_MAX),
        needs: &[
            VM_PORT,
            Need { key: "need.vm-switch", met: has_vm_switch },
            Need { key: "need.other-port", met: has_other_port },
        ],
        source: include_str!("mod.rs"),
    },
    rung: Rung::Rule,
    judge,
    reads: reads_nothing,
    harms: harms_nobody,
};

/// The switch of a VM's port is known; without such a port nobody asks.
fn has_vm_switch(view: &View<'_>) -> Option<bool> {
    has_vm_port(view).then(|| view.points.iter().any(|(_, info)| is_vm_port(info)))
}

/// Another port of the VM's switch is recorded; which switch that is, is known by the VM's port alone.
fn has_other_port(view: &View<'_>) -> Option<bool> {
    let mut vms = view.points.iter().filter(|(_, info)| is_vm_port(info)).peekable();
    vms.peek()?;
    Some(vms.any(|(id, info)| view.switch_points().others(id, info).next().is_some()))
}

fn is_vm_port(info: &PointInfo) -> bool {
    info.vswitch.is_some() && matches!(info.role, Role::Vnet { .. })
}

fn judge(case: &Case<'_, '_>) -> Ruling {
    let flows = case.flows();
    if let Some(later) = &flows.later {
        return fragments::judge(case, later);
    }
    // Its own causes: what drops is right, and what it was given is not.
    if flows.rule.as_ref().is_some_and(|rule| rule.other_zone.is_some() || rule.binding.is_some()) {
        return Ruling::NotConcerned;
    }
    let named = flows.drop.as_ref().is_some_and(|flow| flow.certain) || flows.rule.is_some();
    if !named {
        return configured(case).unwrap_or_else(|| unnamed(case));
    }
    // What the datapath did contradicts what a replay would do.
    if let Some(forward) = flows.forward.as_ref().filter(|_| flows.drop.is_none()) {
        let ports = forward.ports.iter().map(Text::verbatim).collect();
        return Ruling::RuledOut(Text::new("acl-drop.out.forwarded").with_list("ports", ports));
    }
    let filter = filter::find(case, &packet_fields(case.view, case.group));
    // The datapath has such a flow for whatever the switch does not forward: a bond without a member, a port that is
    // blocked, a VLAN that is not carried. Without a rule that says so it is no rule's doing.
    if let (None, None, Some(flow)) = (&flows.rule, &filter, &flows.drop) {
        if case.misdirected().is_some() {
            return Ruling::NotConcerned;
        }
        let switch = case.info().and_then(|info| info.vswitch.as_deref()).unwrap_or("?");
        let open = Text::new("acl-drop.open.flow").with("switch", switch).with("flow", &flow.line);
        return Ruling::CannotTell(vec![open]);
    }
    let Some(confidence) = confidence(case, flows) else { return Ruling::NotConcerned };
    let finding = report::finding(case, flows, filter.as_ref(), confidence);
    let fault = report::fault(case, flows);
    Claim::of(fault, case.rest, finding)
}

/// A network filter that libvirt itself enforces, at a port of the kernel's bridge.
fn configured(case: &Case<'_, '_>) -> Option<Ruling> {
    let switch = case.info().and_then(|info| info.vswitch.as_deref())?;
    if !case.view.is_kernel_bridge(switch) || case.sure().next().is_none() {
        return None;
    }
    let filter = filter::enforced(case, &packet_fields(case.view, case.group))?;
    let finding = report::finding(case, case.flows(), Some(&filter), Confidence::Likely);
    Some(Claim::of(format!("{} {} {}", filter.port, filter.filter, filter.index), case.rest, finding))
}

/// No rule and no flow drops them.
fn unnamed(case: &Case<'_, '_>) -> Ruling {
    let Some(switch) = case.info().and_then(|info| info.vswitch.as_deref()) else {
        return Ruling::NotConcerned;
    };
    // A rule that sends them elsewhere is one all the same.
    if case.misdirected().is_some() {
        return Ruling::NotConcerned;
    }
    // What left the switch was not dropped in it, and the kernel's bridge has no such rules.
    if case.group.place.way == Way::Beyond || case.view.is_kernel_bridge(switch) {
        return Ruling::NotConcerned;
    }
    match case.flows().tables {
        Tables::Read if case.flows().replayed != Replayed::Decided => {
            Ruling::CannotTell(vec![report::undecided(switch, case.flows().replayed)])
        }
        Tables::Read => Ruling::RuledOut(Text::new("acl-drop.out.unknown").with("switch", switch)),
        Tables::Between(before, after) => {
            Ruling::CannotTell(vec![report::between(case, switch, before, after)])
        }
        Tables::Gone => Ruling::CannotTell(vec![Text::new("acl-drop.open.gone").with("switch", switch)]),
        Tables::Failed => Ruling::CannotTell(vec![Text::new("acl-drop.open.failed").with("switch", switch)]),
        Tables::Never => Ruling::CannotTell(vec![Text::new("acl-drop.open.never").with("switch", switch)]),
    }
}

#[cfg(test)]
mod tests;
