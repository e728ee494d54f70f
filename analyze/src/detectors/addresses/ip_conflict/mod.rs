//! `ip-conflict`: two devices use one IP address.
//!
//! Symptom: SSH says that the password is wrong, or a service is unreachable, while the host looks healthy: the client
//! talks to another machine. Which of the two it meets changes with its ARP cache.
//!
//! The key is the address in its broadcast domain and VLAN, never the address alone: tenants overlap.
//!
//! Proven: a probe answered by another MAC; two MACs that probe one address at once; two MACs that announce one address
//! within 10 s; A, then B, then A again within a minute; the host's own address (in its snapshots at the start and the end)
//! claimed again and again by a MAC that is not the host's. Likely: the same, once; two announcements within a minute; A and B in turns over a longer time.
//! Info: one hand-over, A silent since B speaks; a failover and its return, each announced; routers whose VRRP shows who has
//! the address when; who asks again and again with sender 0 although it is answered (a switch that tracks devices, the ARP
//! monitor of a bond), or asks for an address beside its own (`arping -D`); two MACs that always answer together for
//! several addresses (ARP flux).
//!
//! Warning, cannot tell: all of it in a capture of all interfaces that does not say which (`tcpdump -i any` in its old form).
//!
//! Of several inputs: an address that one recording shows at one MAC and another one, of the same time and network, at
//! another. Nothing needs a common clock but that the recordings overlap: likely.
//!
//! A claim is an ARP or neighbour discovery packet; or a ping or TCP connection opened from the address at its owner's own
//! port (a VM's, or the host's) with an unspent hop limit, because the quiet side of a conflict may send no ARP at all.
//!
//! Exonerated: VRRP, CARP, HSRP and GLBP addresses; NLB clusters (Ethernet source and ARP sender differ, locally
//! administered); kernel balance-alb and multihomed hosts (both MACs belong to one host); proxy ARP (one MAC answers
//! for many addresses); anycast and proxy advertisements (no override flag); a failover's announcement (the former owner
//! falls silent); a card that was replaced between two recordings; RARP of a migration; sender address 0; IPv4 link-local addresses; one frame seen at several points.
//!
//! Remedy: give one of the two another address; the finding says where each of them sits.
//!
//! Sources: RFC 5227 sections 1.1, 2.1.1, 2.4; RFC 4861 sections 4.4, 7.2.7, 7.2.8; RFC 4862 section 5.4; RFC 5798
//! section 7.3 (VRRP MAC); RFC 2281 section 6 (HSRP MAC); Linux drivers/net/bonding/bond_alb.c.
//!
//! 中文：同一广播域、同一 VLAN 内两个设备使用同一 IP 地址。现象：SSH 提示密码错误或业务不通，而主机自身正常。
//! 处理：将其中一个设备改为其他 IP 地址；结论中给出两个 MAC 各自所在的位置。

mod across;
mod book;
mod checks;
mod claimants;
mod context;
mod evidence;
mod judge;
mod proof;
mod report;
mod turns;

pub(crate) use across::Books;
pub(crate) use book::AddressBook;

use std::collections::BTreeSet;
use std::net::IpAddr;

use netcap_bundle::Mac;

use crate::detectors::Detector;
use crate::finding::{Finding, Severity};
use crate::unit::{Need, Unit};
use crate::view::View;

/// The registry's line.
pub(crate) const DETECTOR: Detector = Detector {
    unit: Unit {
        id: "ip-conflict",
        severity: Some((Severity::Info, Severity::Error)),
        most: Some(FINDINGS_MAX),
        needs: &[Need {
            key: "need.address-claims",
            met: |view| Some(view.tables.claims.addresses.values().any(claimants::has_protocol_claims)),
        }],
        source: include_str!("mod.rs"),
    },
    run,
};

/// Findings made of one input; a scan of a whole network that all conflicts must not bury the rest.
const FINDINGS_MAX: usize = 200;

fn run(view: &View<'_>, findings: &mut Vec<Finding>) {
    let context = context::Context::new(view);
    let before = findings.len();
    // What several interfaces of one host show is one conflict, and all addresses of a host with two cards one matter.
    let mut said: BTreeSet<(Option<IpAddr>, Vec<Mac>)> = BTreeSet::new();
    for (key, address) in &view.tables.claims.addresses {
        if findings.len() - before >= FINDINGS_MAX {
            break;
        }
        let Some(case) = claimants::ContestedAddress::new(view, &context, *key, address) else { continue };
        let Some(conflict) = judge::judge(view, &context, &case) else { continue };
        let flux = conflict.best.rule == proof::Rule::Flux;
        let once = flux || key.domain.interface().is_some();
        if !once || said.insert((Some(key.ip).filter(|_| !flux), conflict.macs.clone())) {
            findings.push(report::finding(view, &context, &case, &conflict));
        }
    }
}

#[cfg(test)]
mod tests;
