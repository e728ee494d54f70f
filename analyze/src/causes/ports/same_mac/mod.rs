//! `same-mac`: two machines of one switch and VLAN have the same MAC address, so that each gets only a part of what is for it.
//!
//! Symptom: about half of the answers to each of two VMs are lost, and which half changes with who spoke last. Cloned VMs, and
//! addresses that were set by hand in a guest.
//!
//! Looked at: the source addresses of frames that come from machines' ports. Two ports from which one address speaks in turns
//! are two machines: the switch learns the address at whichever spoke last, and sends everything there.
//!
//! Proven: two frames or more from each port, the first of each before the last of the other, and other IP addresses at one
//! port than at the other. Likely: the same IP addresses at both, which a machine that bridges or reflects would show, too.
//!
//! Lost by it is what was delivered at a port of the address that is not the one it was for.
//!
//! Exonerated: two VLANs or two switches; an address that moved once (a migration, a hand-over); one machine with two cards in
//! a bond of the guest; addresses that routers share by design (VRRP, HSRP, CARP).
//!
//! Remedy: give one of the two machines another address.
//!
//! Sources: IEEE 802.1Q 8.7 (the learning process); Open vSwitch lib/mac-learning.c; libvirt formatdomain (`mac address`).
//!
//! 中文：同一交换机、同一 VLAN 内两台虚拟机的 MAC 地址相同，交换机把报文送往最后说话的一方，双方各丢一部分。常见于克隆的
//! 虚拟机或在客户机内手工改过的地址。处理：为其中一台更换 MAC 地址。

mod report;

use netcap_bundle::{Mac, Role};

use crate::causes::{Cause, Claim, Ruling, Rung, reads_nothing};
use crate::deaths::{Case, Deaths};
use crate::finding::{Confidence, Severity};
use crate::host::macs::is_virtual_router;
use crate::tables::hops::Side;
use crate::tables::sources::{SourceKey, Spoken};
use crate::unit::{FINDINGS_MAX, Unit};
use crate::view::View;

/// The registry's line.
pub(crate) const CAUSE: Cause = Cause {
    unit: Unit {
        id: "same-mac",
        severity: Some((Severity::Warning, Severity::Error)),
        most: Some(FINDINGS_MAX),
        needs: &[],
        source: include_str!("mod.rs"),
    },
    rung: Rung::Address,
    judge,
    reads: reads_nothing,
    harms,
};

/// Frames from each port; a single one may be on its way while the machine moves.
const FRAMES_MIN: u64 = 2;

/// One address at two ports.
struct Pair<'a> {
    mac: Mac,
    ends: [(&'a SourceKey, &'a Spoken); 2],
}

impl Pair<'_> {
    /// The two use other IP addresses: they are two machines.
    fn confidence(&self) -> Confidence {
        let [(_, a), (_, b)] = self.ends;
        let own = |mine: &Spoken, other: &Spoken| mine.ips.iter().any(|ip| !other.ips.contains(ip));
        if own(a, b) && own(b, a) { Confidence::Proven } else { Confidence::Likely }
    }
}

/// Every address that speaks from two ports in turns, or the one that is looked for.
fn pairs<'a>(view: &'a View<'_>, wanted: Option<Mac>) -> Vec<Pair<'a>> {
    let mut out: Vec<Pair<'a>> = Vec::new();
    let table = &view.tables.sources;
    let spoken: Vec<(&SourceKey, &Spoken)> = match wanted {
        Some(mac) => table.of(mac).collect(),
        None => table.spoken.iter().collect(),
    };
    let spoken = spoken.into_iter().filter(|(_, spoken)| spoken.count >= FRAMES_MIN);
    let all: Vec<(&SourceKey, &Spoken)> = spoken.collect();
    let same = |a: &SourceKey, b: &SourceKey| (a.domain, a.vlan, a.mac) == (b.domain, b.vlan, b.mac);
    for group in all.chunk_by(|a, b| same(a.0, b.0)) {
        let (Some(first), true) = (group.first(), group.len() > 1) else { continue };
        if is_virtual_router(first.0.mac) || out.len() >= FINDINGS_MAX {
            continue;
        }
        if let Some(mut ends) = in_turns(view, group) {
            ends.sort_by_key(|(key, _)| *key);
            out.push(Pair { mac: first.0.mac, ends });
        }
    }
    out
}

/// Two ports from which an address speaks in turns, of other machines. Whoever spoke up to the latest time so far is the one to
/// compare the next with; of one machine's ports another's is kept besides.
fn in_turns<'a>(
    view: &View<'_>,
    ports: &[(&'a SourceKey, &'a Spoken)],
) -> Option<[(&'a SourceKey, &'a Spoken); 2]> {
    let mut ports = ports.to_vec();
    ports.sort_by_key(|(key, spoken)| (spoken.first, *key));
    let mut latest: Vec<(&SourceKey, &Spoken)> = Vec::new();
    for port in ports {
        let turns = |other: &&(&SourceKey, &Spoken)| {
            port.1.first.at < other.1.last.at
                && other.1.first.at < port.1.last.at
                && !one_machine(view, other.0, port.0)
        };
        if let Some(other) = latest.iter().find(turns) {
            return Some([*other, port]);
        }
        match latest.iter_mut().find(|other| one_machine(view, other.0, port.0)) {
            Some(own) if own.1.last >= port.1.last => {}
            Some(own) => *own = port,
            None => latest.push(port),
        }
        latest.sort_by_key(|(key, spoken)| (std::cmp::Reverse(spoken.last), *key));
        latest.truncate(2);
    }
    None
}

/// Both ports belong to the same machine: its guest has a bond.
fn one_machine(view: &View<'_>, a: &SourceKey, b: &SourceKey) -> bool {
    let vm = |key: &SourceKey| match view.points.get(key.point).map(|info| &info.role) {
        Some(Role::Vnet { vm, .. }) => vm.clone(),
        _ => None,
    };
    let (a, b) = (vm(a), vm(b));
    a.is_some() && a == b
}

fn harms(view: &View<'_>, _deaths: &Deaths<'_>) -> Vec<Claim> {
    let of = |pair: &Pair<'_>| Claim::of_harm(report::fault(pair), report::finding(view, pair));
    pairs(view, None).iter().map(of).collect()
}

/// What was delivered at one of the two ports and was lost all the same was for the other one.
fn judge(case: &Case<'_, '_>) -> Ruling {
    let from = case.group.place.from;
    let Some(dst) = case.group.eth.map(|eth| eth.dst) else { return Ruling::NotConcerned };
    if !matches!(from.side(&case.view.context), Side::Leave(_)) {
        return Ruling::NotConcerned;
    }
    let pairs = pairs(case.view, Some(dst));
    let mine = pairs.iter().find(|pair| pair.ends.iter().any(|(key, _)| key.point == from.point));
    let Some(pair) = mine else { return Ruling::NotConcerned };
    // What its own machine got, and did not answer, is not lost to the other one.
    let own = pair.ends.iter().find(|(key, _)| key.point == from.point);
    if own.is_some_and(|(_, spoken)| spoken.ips.contains(&case.group.dst)) {
        return Ruling::NotConcerned;
    }
    Claim::of(report::fault(pair), case.rest, report::finding(case.view, pair))
}

#[cfg(test)]
mod tests;
