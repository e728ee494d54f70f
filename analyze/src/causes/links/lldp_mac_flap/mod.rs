//! `lldp-mac-flap`: LLDP from the backup member of a bond moves the bond's MAC to the wrong switch port.
//!
//! Symptom: the host reaches its gateway, and the gateway reaches the host on and off, as long as a certain member of an
//! active-backup bond is active. The backup member sends LLDP every few seconds with the MAC that the active member uses
//! for everything; the switch learns the MAC at the backup's port; what is for the host arrives at the backup, and Open
//! vSwitch drops all that arrives there, until the host's next frame moves the MAC back.
//!
//! Proven: a MAC leaves by two members of an active-backup bond within the switch's ageing time (300 s), all its frames at
//! the backup are LLDP, and frames for it arrive at the backup. Likely: the same without frames arriving there, or in a
//! capture that does not tell the direction.
//!
//! Exonerated: bonds with LACP and balance modes (the switch expects several ports); LLDP with an address of its own, as
//! lldpd mangles it; a failover between the two; announcements of a failover or migration (RARP, gratuitous ARP); VRRP,
//! HSRP and other virtual router addresses.
//!
//! Remedy: turn LLDP off on the backup's card: `lldpcli configure ports ethX lldp status disabled`, `lldptool -i ethX
//! adminStatus=disabled`, or for the firmware of X7xx cards `ethtool --set-priv-flags ethX disable-fw-lldp on`. The
//! firmware's own frames may not be visible to a capture on the host.
//!
//! Sources: IEEE 802.1AB; IEEE 802.1Q table 8-6 (ageing time); Open vSwitch ofproto/bond.c `bond_check_admissibility`.
//!
//! 中文：主备聚合的备用口用聚合的 MAC 发送 LLDP，使上游交换机把该 MAC 漂移到备用口，返回流量被 OVS 在备用口丢弃，
//! 表现为网关 ping 主机时通时不通。处理：关闭该物理网卡的 LLDP 功能。

mod evidence;
mod lldp;
mod suspicion;

use crate::causes::{Cause, Claim, Rung, judges_nothing, reads_nothing};
use crate::deaths::Deaths;
use crate::finding::Severity;
use crate::unit::{Need, Unit};
use crate::view::View;

/// The registry's line.
pub(crate) const CAUSE: Cause = Cause {
    unit: Unit {
        id: "lldp-mac-flap",
        severity: Some((Severity::Warning, Severity::Error)),
        most: None,
        needs: &[
            Need { key: "need.bond-state", met: |view| Some(view.bonds.any_active_backup()) },
            Need { key: "need.bond-members", met: suspicion::members_recorded },
            Need { key: "need.lldp-shown", met: suspicion::lldp_would_show },
        ],
        source: include_str!("mod.rs"),
    },
    rung: Rung::BackupArrival,
    judge: judges_nothing,
    reads: reads_nothing,
    harms,
};

fn harms(view: &View<'_>, _deaths: &Deaths<'_>) -> Vec<Claim> {
    let found = suspicion::all(view).into_iter().map(|suspicion| evidence::finding(view, &suspicion));
    found.map(|finding| Claim::of_harm(finding.subject.line().english(), finding)).collect()
}

#[cfg(test)]
mod tests;
