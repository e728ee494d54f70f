//! `linux-bridge`: the kernel's bridge keeps packets back, by a filter rule, a port's VLANs or because a port does not forward.
//!
//! Symptom: on a host without Open vSwitch a VM's packets, or those for it, enter the bridge and leave it nowhere. Bridged
//! frames pass nftables' rules for bridges, among them those that ebtables and libvirt's network filters (clean-traffic, a
//! security group) become; a port that spanning tree has not opened yet neither takes nor sends frames; and where the bridge
//! filters VLANs, a port takes and sends frames of its own VLANs only, untagged ones in its PVID.
//!
//! Proven: packets that were not seen where they had to leave, and a rule that certainly drops them and counted them, or a
//! port that did not forward, or not their VLAN, before and after they died. Likely: a rule that does not count. Cannot tell: a
//! rule that may drop them and is not understood in full; filter rules that were not recorded.
//!
//! Exonerated: a rule for other ports, addresses or protocols; a spare uplink that spanning tree blocks on purpose; rules of
//! which none drops them; VLANs listed by a bridge that does not filter them.
//!
//! Remedy: change the rule where it was made (the VM's network filter, the platform's security group, the table's owner);
//! switch spanning tree off on a bridge of VMs, or wait for it; give the port the VLAN where the platform configures it.
//!
//! Sources: nft(8), ebtables(8), libvirt formatnwfilter; Linux net/bridge/br_input.c (`br_handle_frame`, port states),
//! net/bridge/br_forward.c `should_deliver`, net/bridge/br_vlan.c `br_allowed_ingress`; bridge(8) vlan.
//!
//! 中文：Linux 网桥扣下报文：nftables/ebtables 规则（包括 libvirt 网络过滤器生成的规则）丢弃，端口不放行其 VLAN，或端口因
//! 生成树尚未进入转发状态。
//! 处理：在规则的来源处修改（虚拟机的网络过滤器、平台安全组），或在虚拟机网桥上关闭生成树。

mod filter;
mod tree;
mod vlans;

use crate::causes::{Cause, Ruling, Rung, harms_nobody, reads_nothing};
use crate::deaths::{Case, Way};
use crate::finding::Severity;
use crate::unit::{FINDINGS_MAX, Need, Unit};
use crate::view::View;

/// The registry's line.
pub(crate) const CAUSE: Cause = Cause {
    unit: Unit {
        id: "linux-bridge",
        severity: Some((Severity::Info, Severity::Error)),
        most: Some(FINDINGS_MAX),
        needs: &[Need { key: "need.linux-bridge", met: |view| Some(has_bridge(view)) }],
        source: include_str!("mod.rs"),
    },
    rung: Rung::LinuxBridge,
    judge,
    reads: reads_nothing,
    harms: harms_nobody,
};

fn has_bridge(view: &View<'_>) -> bool {
    view.points
        .iter()
        .any(|(_, info)| info.vswitch.as_deref().is_some_and(|name| view.is_kernel_bridge(name)))
}

fn judge(case: &Case<'_, '_>) -> Ruling {
    let Some(switch) = case.info().and_then(|info| info.vswitch.as_deref()) else {
        return Ruling::NotConcerned;
    };
    if !case.view.is_kernel_bridge(switch) || !matches!(case.group.place.way, Way::Switch | Way::Learned) {
        return Ruling::NotConcerned;
    }
    // In the order of the kernel: a port's state, its VLANs, then the filters.
    let before = tree::judge(case, switch).or_else(|| vlans::judge(case, switch));
    before.unwrap_or_else(|| filter::judge(case, switch))
}

#[cfg(test)]
mod tests;
