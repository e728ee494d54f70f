//! `vlan-mismatch`: packets are in a VLAN that the next port does not carry, or in another one than who they are for.
//!
//! Symptom: a machine reaches nobody, or not one machine beside it on the same host, after it was moved or its port was
//! changed; others in the same network reach each other.
//!
//! Looked at: the VLAN in which packets came into an Open vSwitch (their own tag, else the tag of the port), and tag, trunks
//! and mode of that port and of those where they had to leave, in the database as it was then. Where a packet was flooded to
//! others does not matter: its way is the one to the port of its destination. Patch ports on that way have VLANs of their own,
//! and two access ports of other VLANs make one of the other.
//!
//! Proven: two packets or more came in at a port that does not carry their VLAN, or could leave only at ports that do not,
//! and were seen at none of these while the capture can be trusted there. Likely: these ports were not recorded; or the
//! packets left, and who they are for is heard with that address and MAC in other VLANs only, never in theirs; or pings of
//! the same pair were answered as long as they left in another VLAN.
//!
//! Exonerated: a rule that drops them before they are switched; a flow of the datapath that sent such packets to that port; a
//! trunk that names the VLAN; a wrong tag that was set right before anything was sent; what is lost beyond the host in the
//! VLAN in which its destination is.
//!
//! Remedy: the same VLAN at both ports, by whoever manages the machines' networks; the finding names ports and VLANs.
//!
//! Sources: IEEE 802.1Q; Open vSwitch vswitchd.conf.db(5) `tag`, `trunks`, `vlan_mode`, ofproto/ofproto-dpif-xlate.c
//! `input_vid_is_valid`, `xbundle_includes_vlan`.
//!
//! 中文：报文所在的 VLAN 与下一端口承载的 VLAN 不一致，或与目的所在的 VLAN 不同：虚拟机迁移或改配置后与其他机器不通。处理：
//! 由网络管理员统一两端口的 VLAN（finding 中列出端口与 VLAN）。

mod changed;
mod crossing;
mod heard;
mod report;
mod vlans;

use crate::causes::{Cause, Claim, Ruling, Rung, harms_nobody};
use crate::deaths::{Case, Death};
use crate::finding::Severity;
use crate::text::Text;
use crate::unit::{FINDINGS_MAX, Unit};
use netcap_bundle::source::Snapshot;
use netcap_bundle::sources::ovs::ovsdb::Ovsdb;
use vlans::Mismatch;

/// The registry's line.
pub(crate) const CAUSE: Cause = Cause {
    unit: Unit {
        id: "vlan-mismatch",
        severity: Some((Severity::Info, Severity::Error)),
        most: Some(FINDINGS_MAX),
        needs: &[],
        source: include_str!("mod.rs"),
    },
    rung: Rung::Vlan,
    judge,
    reads,
    harms: harms_nobody,
};

/// What it cannot tell without.
fn reads(case: &Case<'_, '_>) -> &'static [&'static str] {
    case.inside(&[Ovsdb::DEF.id])
}

fn judge(case: &Case<'_, '_>) -> Ruling {
    let flows = case.flows();
    // What a rule drops, or sends to a port that it names, is never switched.
    if flows.rule.as_ref().is_some_and(|rule| rule.certain) || flows.sent.is_some() {
        return Ruling::NotConcerned;
    }
    let mut found: Option<Mismatch> = None;
    let mut deaths: Vec<&Death> = Vec::new();
    for death in case.rest {
        let Some(mismatch) = Mismatch::of(case, death) else { continue };
        let first = found.get_or_insert_with(|| mismatch.clone());
        if *first == mismatch {
            deaths.push(death);
        }
    }
    let Some(mismatch) = found else { return Ruling::NotConcerned };
    let sent = flows.forward.iter().flat_map(|forward| &forward.ports);
    if let Some(port) = mismatch.exits().iter().find(|port| sent.clone().any(|name| port.is_called(name))) {
        return Ruling::RuledOut(Text::new("vlan-mismatch.out.forwarded").with("port", &port.name));
    }
    let Some(confidence) = report::confidence(case, &mismatch, &deaths) else { return Ruling::NotConcerned };
    let finding = report::finding(case, &mismatch, &deaths, confidence);
    let deaths: Vec<Death> = deaths.into_iter().copied().collect();
    Claim::of(mismatch.fault(), &deaths, finding)
}

#[cfg(test)]
mod tests;
