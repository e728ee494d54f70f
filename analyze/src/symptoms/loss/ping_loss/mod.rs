//! `ping-loss`: pings that were sent and never answered.
//!
//! Symptom: an address answers on and off, or not at all. The finding says how many of how many, when, and at which
//! capture point the lost requests were last seen: what lies behind that point lost them, or their replies.
//!
//! Warning: two lost pings or more. Info: one; or a pair that is never answered in a capture of foreign origin, which may
//! have recorded one direction only.
//!
//! Exonerated: requests within two seconds of the end of the capture (the answer may have come later); a traceroute's
//! requests, for which a router says that their hop limit ran out; requests sent while the capture itself lost packets, or
//! where its filter hides replies; copies of a request at several points, which are one request; multicast and broadcast
//! targets, which need not answer.
//!
//! When a router or a firewall says why a request did not arrive (ICMP unreachable, too big), the finding says who and
//! why; that is proof, whatever else the capture lost.
//!
//! When what seems lost comes back from another address, or as the request itself with its sender as destination, the finding
//! says so: addresses are translated one way only.
//!
//! When the address was asked for by ARP or neighbour discovery and nobody answered, the finding says so: the pings never
//! reached a wire.
//!
//! Remedy: look between the last point that saw the request and the next one; record both sides at once.
//!
//! Sources: RFC 792; RFC 1812 section 5.2.7; RFC 4443 sections 3 and 4; RFC 1122 section 3.2.2.6 (a host must answer; not to broadcast).
//!
//! 中文：ping 发出后没有应答。结论给出丢失个数、时间段，以及丢失的请求最后在哪个抓包点出现。
//! 处理：排查该抓包点与下一跳之间；必要时两端同时抓包。

mod count;
mod elsewhere;
mod logs;
mod neighbour;
mod refused;
mod report;
mod strangers;

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::deaths::Deaths;
use crate::finding::{Finding, Severity};
use crate::symptoms::Symptom;
use crate::unit::{Need, Unit};
use crate::view::View;

/// The registry's line.
pub(crate) const SYMPTOM: Symptom = Symptom {
    unit: Unit {
        id: "ping-loss",
        severity: Some((Severity::Info, Severity::Warning)),
        most: Some(FINDINGS_MAX),
        needs: &[Need { key: "need.echo", met: |view| Some(view.has_echo()) }],
        source: include_str!("mod.rs"),
    },
    run,
};

/// Findings made of one input: a scan of a whole network must not bury the rest.
const FINDINGS_MAX: usize = 100;

fn run(view: &View<'_>, deaths: &Deaths<'_>, findings: &mut Vec<Finding>) {
    let mut pairs = count::pairs(view);
    pairs.sort_by_key(|p| (std::cmp::Reverse(p.lost.len()), p.src, p.dst));
    // What the packets show is better evidence for the same loss.
    let shown: Vec<String> = pairs
        .iter()
        .filter(|p| logs::of_pair(view, p.src, p.dst).is_some())
        .map(|p| p.dst.to_string())
        .collect();
    // A request that comes back to who sent it is no ping of its own.
    let returned: BTreeSet<IpAddr> = pairs.iter().filter_map(elsewhere::hairpin).collect();
    pairs.retain(|pair| pair.src != pair.dst || !returned.contains(&pair.src));
    findings.extend(
        pairs
            .iter()
            .take(FINDINGS_MAX)
            .map(|pair| elsewhere::finding(view, pair).unwrap_or_else(|| report::of_packets(view, pair))),
    );
    for log in logs::all(view).filter(|log| !shown.contains(&log.log.address)) {
        findings.extend(log.finding(view, deaths));
    }
}

#[cfg(test)]
mod tests;
