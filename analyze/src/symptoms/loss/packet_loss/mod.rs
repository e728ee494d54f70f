//! `packet-loss`: packets that were seen at one capture point and never at the next.
//!
//! Symptom: something is slow, stalls or fails, and nobody knows where the packets die. Every packet is followed from point
//! to point, whatever happens to it on the way: VLAN tags, MACs, hop limits and checksums may change, TCP may be cut into
//! segments or joined, connection tracking may have translated its addresses. A finding says whose packets, how many of how
//! many, and between which two points they were lost.
//!
//! Proven: two packets or more entered a switch, all ports where they could leave are recorded, none of them saw the
//! packets, and nothing was lost by the capture on either side in that time. Likely: the next point is known only from other
//! packets of the same pair that reached it, or nothing says whether the capture lost packets. Cannot tell: the capture
//! lost packets on one of both sides, did not cover that time, or its filter hides them.
//!
//! Exonerated: losses of the capture, its filters and edges; retransmissions, copies and reflections, which are counted as
//! what they are; frames for groups, which leave at many ports or none; frames that arrive at the backup member of a bond;
//! frames at an uplink for machines elsewhere; fragments; packets that left with other addresses; segments made of a
//! super-segment.
//!
//! Remedy: look at what lies between the two points: flows and rules of the switch, nftables, queues (tc), the counters of
//! the ports.
//!
//! Sources: RFC 2680 (one-way loss), RFC 4737 section 3.3 (reordering), RFC 9293 section 3.4; net/core/dev.c
//! (`dev_queue_xmit_nit`: packet sockets see super-segments); Open vSwitch ofproto/bond.c `bond_check_admissibility`.
//!
//! 中文：报文在一个抓包点出现，在下一个抓包点未出现，即在两点之间丢失；结论给出地址对、个数与位置。
//! 处理：排查两点之间的交换机流表与规则、nftables、队列（tc）及端口计数。

mod judge;
mod report;

use crate::deaths::Deaths;
use crate::finding::{Finding, Severity};
use crate::symptoms::Symptom;
use crate::unit::{Need, Unit};
use crate::view::View;

/// The registry's line.
pub(crate) const SYMPTOM: Symptom = Symptom {
    unit: Unit {
        id: "packet-loss",
        severity: Some((Severity::Info, Severity::Warning)),
        most: Some(FINDINGS_MAX),
        needs: &[Need { key: "need.two-points", met: |view| Some(has_two_points(view)) }],
        source: include_str!("mod.rs"),
    },
    run,
};

/// Findings made of one input.
const FINDINGS_MAX: usize = 50;

/// Two points are recorded, and what was recorded has a direction.
fn has_two_points(view: &View<'_>) -> bool {
    let hops = &view.tables.hops;
    view.context.follow.on && (hops.undirected == 0 || hops.followed > 0)
}

fn run(view: &View<'_>, deaths: &Deaths<'_>, findings: &mut Vec<Finding>) {
    let hops = judge::hops(view, deaths);
    findings.extend(hops.iter().filter_map(|hop| report::finding(view, hop)).take(FINDINGS_MAX));
}

#[cfg(test)]
mod tests;
