//! `acl-drop`: what a VM sends ends inside the host's switch, and the rule that ends it.
//!
//! Symptom: a VM reaches all addresses but one, or one protocol fails. Its requests are seen at its port (vnet) and at no
//! other port of the switch; the datapath has a flow with `drop` for them; an OpenFlow rule is its cause, and often a
//! network filter (nwfilter, ACL, security group) of the platform is the cause of that.
//!
//! Looked at: ICMP echo and TCP connection attempts, which need no rule to be a case; UDP, established TCP and every other
//! protocol where a rule or flow that drops them is found (without one, `packet-loss` tells of them).
//!
//! Proven: two requests or more absent at every recorded port where they could leave, bridges behind patch ports included,
//! while nothing was lost there and the filters would have shown them, and a datapath flow that drops them then. Likely:
//! the absence, and an OpenFlow rule found by replaying one of them through the dumped tables, because the datapath flow
//! had idled out; the growth of the rule's counter confirms it. Likely too: the absence alone. Cannot tell: a rule drops
//! them, but the capture lost packets or did not record the ports where they could leave.
//!
//! The replay follows matches, registers, rewritten headers, conntrack state, patch ports and the switch's own switching,
//! as ofproto/trace does on the host; where it meets something that was not recorded, it names no rule.
//!
//! What is configured (nwfilter) and what is seen dropping (flows, counters) are reported as separate facts.
//!
//! Exonerated: loss of the capture, filters and snapshot lengths that hide the packet, VM to VM on one host (looked for at
//! the other VM's port, never at the uplink), gaps between segments and the edges of the capture, multicast.
//!
//! Remedy: change the rule or the VM's filter; the finding names both.
//!
//! Sources: Open vSwitch ovs-fields(7), dpctl and ovs-ofctl manuals, lib/odp-util.c; libvirt formatnwfilter.
//!
//! 中文：虚拟机发出的报文在本机交换机内被丢弃：在 vnet 可见，在上行口不可见，数据面流表 actions:drop，
//! 并给出对应的 OpenFlow 规则与 nwfilter（ACL）规则。处理：修改虚拟机的 ACL 配置。

mod absence;
mod replayed;
mod report;
mod rules;

use crate::causes::{Answer, Cause};
use crate::finding::{Finding, Severity};
use crate::unit::{Need, Unit};
use crate::view::View;

/// The registry's line.
pub(crate) const CAUSE: Cause = Cause {
    unit: Unit {
        id: "acl-drop",
        severity: Some((Severity::Warning, Severity::Error)),
        most: Some(FINDINGS_MAX),
        needs: &[
            Need { key: "need.vm-port", met: |view| Some(absence::has_vm_port(view)) },
            Need { key: "need.vm-switch", met: absence::has_vm_switch },
            Need { key: "need.other-port", met: absence::has_other_port },
        ],
        source: include_str!("mod.rs"),
    },
    ask,
};

/// Findings made of one input.
const FINDINGS_MAX: usize = 100;

fn ask(view: &View<'_>, _symptoms: &[Finding]) -> Answer {
    let found = absence::all(view).into_iter().filter_map(|lost| {
        let rules = rules::Rules::find(view, &lost);
        report::finding(view, &lost, &rules)
    });
    Answer::of(found.take(FINDINGS_MAX).collect())
}

#[cfg(test)]
mod tests;
