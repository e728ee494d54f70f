//! `mtu-mismatch`: packets larger than the MTU of the next port are lost, and smaller ones pass.
//!
//! Symptom: small pings are answered and large ones are not; connections open and then hang as soon as much is sent.
//!
//! Looked at: packets that entered a switch and were seen at no port where they had to leave, against the MTU that these ports
//! had at that time. What an MTU counts is the IP packet: the Ethernet header and VLAN tags do not belong to it. A kernel bridge
//! lets four octets more pass, the size of a tag. Super-segments are not judged: they are cut before they leave.
//!
//! Proven: two packets or more, each larger than what every port takes where it could leave, were seen at none of these while
//! the capture can be trusted there. Likely: the ports were not recorded, or differ, or their MTU was changed at about that
//! time.
//!
//! Open vSwitch in user space sends in batches, and gives up the rest of a batch when the kernel refuses a packet: smaller
//! packets that were lost within a millisecond of one that is too large are lost by it too, and told apart.
//!
//! Beyond what is recorded it is likely at most: of the pings between two addresses all large ones that must not be cut were
//! lost, all smaller ones were answered in the same time, and nobody said that a packet is too big (an MTU black hole). Where
//! is not known.
//!
//! Exonerated: a port with a small MTU that only gets what fits; an MTU that was set right before anything large was sent;
//! losses of small packets, or of large ones where a larger one passed.
//!
//! Remedy: one MTU on the whole way: raise it at the port that is named, or lower it at who sends.
//!
//! Sources: RFC 1191, RFC 8201, RFC 4821; Linux net/openvswitch/vport.c `ovs_vport_send`, net/bridge/br_forward.c and
//! include/linux/netdevice.h `is_skb_forwardable`, net/packet/af_packet.c; Open vSwitch lib/netdev-linux.c
//! `netdev_linux_sock_batch_send`.
//!
//! 中文：大于下一端口 MTU 的报文被丢弃，小报文正常：小包 ping 通而大包不通，连接建立后一发大量数据就停住。处理：全路径
//! MTU 一致，调大所列端口的 MTU，或调小发送方的 MTU。

mod beyond;
mod report;
mod sizes;

use netcap_words::wire::ip_protocol::TCP;

use crate::causes::{Cause, Claim, Ruling, Rung, harms_nobody, reads_nothing};
use crate::deaths::{Case, Way};
use crate::finding::Severity;
use crate::text::Text;
use crate::unit::{FINDINGS_MAX, Unit};
use sizes::{Sizes, split};

/// The registry's line.
pub(crate) const CAUSE: Cause = Cause {
    unit: Unit {
        id: "mtu-mismatch",
        severity: Some((Severity::Info, Severity::Error)),
        most: Some(FINDINGS_MAX),
        needs: &[],
        source: include_str!("mod.rs"),
    },
    rung: Rung::Mtu,
    judge,
    reads: reads_nothing,
    harms: harms_nobody,
};

fn judge(case: &Case<'_, '_>) -> Ruling {
    match case.group.place.way {
        Way::Switch | Way::Learned => inside(case),
        Way::Beyond => beyond::judge(case),
        Way::Backup => Ruling::NotConcerned,
    }
}

fn inside(case: &Case<'_, '_>) -> Ruling {
    let Some(sizes) = Sizes::of(case.view, case.group, case.span()) else { return Ruling::NotConcerned };
    let split = split(case, &sizes);
    let ports: Vec<Text> = sizes.ports.iter().map(|port| Text::verbatim(&port.name)).collect();
    if split.is_empty() {
        let out = Text::new("mtu-mismatch.out.fits");
        return Ruling::RuledOut(out.with("mtu", sizes.least()).with_list("ports", ports));
    }
    // What is larger than the largest of them passed: the size did not decide.
    let passed = &case.group.beside.same;
    if case.group.protocol != TCP && passed.count > 0 && !sizes.may_hold_back(passed) {
        let out = Text::new("mtu-mismatch.out.larger-passed");
        return Ruling::RuledOut(out.with("size", passed.largest).with_list("ports", ports));
    }
    let Some(confidence) = report::confidence(&split, &sizes) else { return Ruling::NotConcerned };
    let deaths: Vec<_> = split.all().copied().collect();
    let finding = report::finding(case, &sizes, &split, confidence);
    Claim::of(report::fault(&sizes), &deaths, finding)
}

#[cfg(test)]
mod tests;
