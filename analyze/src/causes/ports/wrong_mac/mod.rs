//! `wrong-mac`: packets for an address go to a MAC that is not the one of who has the address.
//!
//! Symptom: one machine does not reach one other, which all the others reach; nothing drops anything, the packets leave and
//! nobody answers, or answers are delivered to a machine that does not take them. A fixed neighbour entry that is wrong or that
//! outlived the machine it was for, at either end or at the router between them.
//!
//! Looked at: packets that were not answered, or answers that did not reach who asked, with the MAC they are sent to, and who
//! said by ARP or neighbour discovery that the address they are for is theirs.
//!
//! Likely: the address is claimed in that VLAN, by other MACs only; and either nobody with the MAC was heard, learned by a
//! switch or configured, or it is somebody else's while the two ask for each other directly, so that no router is meant.
//! Never more, for the MAC may be that of a router which is silent.
//!
//! Exonerated: a MAC that the packets did not have where they came into the switch, whose rules changed it; a MAC to which something was sent that was answered; addresses that routers share (VRRP, HSRP, CARP); an address
//! that nobody claims in this recording.
//!
//! Remedy: take the wrong entry away where packets are sent from, and what writes it there.
//!
//! Sources: RFC 826; ip-neighbour(8) `nud permanent`; RFC 5798 section 7.3.
//!
//! 中文：发往某地址的报文使用了错误的目的 MAC：该 MAC 无人使用，或属于其他设备，而该地址实际属于另一 MAC。常见于写错或已过期的静态
//! ARP/邻居表项。处理：在发送方删除该表项并清理其来源。

mod report;

use std::net::IpAddr;

use netcap_bundle::topology::MacLocation;
use netcap_bundle::{Mac, Role};

use crate::causes::{Cause, Claim, Ruling, Rung, harms_nobody, reads_nothing};
use crate::deaths::{Case, Way, entered_as};
use crate::engine::Tags;
use crate::finding::{Confidence, Severity};
use crate::host::macs::is_virtual_router;
use crate::tables::claims::{self, AddressKey, ClaimKind};
use crate::tables::questions::QuestionKey;
use crate::text::Text;
use crate::unit::{FINDINGS_MAX, Need, Unit};
use crate::view::View;

/// The registry's line.
pub(crate) const CAUSE: Cause = Cause {
    unit: Unit {
        id: "wrong-mac",
        severity: Some((Severity::Info, Severity::Error)),
        most: Some(FINDINGS_MAX),
        needs: &[Need {
            key: "need.address-claims",
            met: |view| Some(!view.tables.claims.addresses.is_empty()),
        }],
        source: include_str!("mod.rs"),
    },
    rung: Rung::Address,
    judge,
    reads: reads_nothing,
    harms: harms_nobody,
};

/// Who has the MAC that packets are sent to.
#[derive(Debug, Clone)]
enum Whose {
    /// Nobody who was heard, learned or configured.
    Nobody,
    /// Somebody else, there.
    Other(Text),
}

/// An address, the MAC that packets for it go to, and the claims of who has it.
struct Wrong<'c> {
    mac: Mac,
    whose: Whose,
    owner: &'c claims::Claim,
}

fn judge(case: &Case<'_, '_>) -> Ruling {
    let Some(wrong) = wrong(case) else { return Ruling::NotConcerned };
    if case.deaths.answering(case.view).contains(&wrong.mac) {
        return Ruling::RuledOut(Text::new("wrong-mac.out.answered").with("mac", wrong.mac));
    }
    let fault = format!("{} {}", case.group.dst, wrong.mac);
    Claim::of(fault, case.rest, report::finding(case, &wrong, Confidence::Likely))
}

fn wrong<'c>(case: &Case<'c, '_>) -> Option<Wrong<'c>> {
    let (view, group) = (case.view, case.group);
    if group.is_arp() || group.place.way != Way::Beyond {
        return None;
    }
    let mac = group.eth.map(|eth| eth.dst).filter(|mac| !mac.is_multicast() && !is_virtual_router(*mac))?;
    // What a rule of the switch made of it is no entry of who sends it.
    if entered_as(view, group, case.rest.first()?).is_some_and(|entered| entered.eth.dst != mac) {
        return None;
    }
    let domain = view.points.domain(group.place.from.point)?;
    let key = AddressKey { domain, vlan: Tags { outer: group.vlan, inner: 0 }, ip: group.dst };
    let claims = &view.tables.claims.addresses.get(&key)?.claims;
    let uses = |claim: &claims::Claim| claim.mac == mac || claim.sender == Some(mac);
    if claims.iter().any(uses) {
        return None;
    }
    let owner =
        claims.iter().filter(|claim| claim.kind != ClaimKind::Probe).max_by_key(|claim| claim.frames())?;
    let whose = match (view.tables.claims.speaks(mac), view.host.topology_at(case.span().0).locate(mac)) {
        (None, None) if !view.host.owns_mac(mac) && !is_machines(view, mac) => Whose::Nobody,
        // What goes to the host itself, or to where a switch learned it, may be routed there.
        (_, Some(MacLocation::Own { .. })) => return None,
        (heard, _) if asks_directly(case, owner.mac) => {
            let seen = heard.map(|claim| claim.seen.as_slice()).unwrap_or_default();
            Whose::Other(view.place(mac, seen))
        }
        _ => return None,
    };
    Some(Wrong { mac, whose, owner })
}

/// A machine of this host has it, by the role of its port.
fn is_machines(view: &View<'_>, mac: Mac) -> bool {
    view.points
        .iter()
        .any(|(_, info)| matches!(info.role, Role::Vnet { guest_mac: Some(own), .. } if own == mac))
}

/// One of the two asked for the other by ARP: there is no router between them.
fn asks_directly(case: &Case<'_, '_>, owner: Mac) -> bool {
    let (group, pairs) = (case.group, &case.view.tables.questions.pairs);
    let (IpAddr::V4(src), IpAddr::V4(dst), Some(eth)) = (group.src, group.dst, group.eth) else {
        return false;
    };
    pairs.contains_key(&QuestionKey { mac: eth.src, asker: src, target: dst })
        || pairs.contains_key(&QuestionKey { mac: owner, asker: dst, target: src })
}

#[cfg(test)]
mod tests;
