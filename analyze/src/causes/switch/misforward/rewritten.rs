//! Rules that make another packet of one on its way through the switch: another MAC or VLAN than that of who it is for.

use crate::causes::{Claim, Ruling};
use crate::deaths::{Case, EnteredAs, Group, Way, entered_as, shown};
use crate::engine::Tags;
use crate::finding::{Confidence, Evidence, Exoneration, Finding, Subject};
use crate::tables::claims::{AddressKey, ClaimKind};
use crate::tables::hops::Side;
use crate::text::Text;

/// Packets shown.
const FRAMES_MAX: usize = 3;

/// What was changed.
enum Changed {
    Mac { before: String, after: String },
    Vlan { before: u16, after: u16 },
}

/// Packets that left the switch otherwise than they came in, and nobody answered them: the one they are for has the MAC, or is in
/// the VLAN, with which they came in.
pub(super) fn judge(case: &Case<'_, '_>) -> Ruling {
    let (view, group) = (case.view, case.group);
    let leaves = matches!(group.place.from.side(&view.context), Side::Leave(_));
    let Some(entered) = case.rest.first().and_then(|death| entered_as(view, group, death)) else {
        return Ruling::NotConcerned;
    };
    let switch = |point| view.points.get(point).and_then(|info| info.vswitch.as_deref());
    let own = switch(entered.point);
    if group.place.way != Way::Beyond
        || !leaves
        || entered.point == group.place.from.point
        || own.is_none_or(|own| switch(group.place.from.point) != Some(own) || view.is_kernel_bridge(own))
    {
        return Ruling::NotConcerned;
    }
    let Some(changed) = changed(case, &entered) else { return Ruling::NotConcerned };
    let fault = format!("{} {}", own.unwrap_or_default(), group.dst);
    Claim::of(fault, case.rest, finding(case, &entered, &changed, own.unwrap_or("?")))
}

fn changed(case: &Case<'_, '_>, entered: &EnteredAs) -> Option<Changed> {
    let (view, group) = (case.view, case.group);
    let eth = group.eth?;
    let domain = view.points.domain(entered.point)?;
    let claims = |vlan: u16| {
        let key = AddressKey { domain, vlan: Tags { outer: vlan, inner: 0 }, ip: group.dst };
        let claims = view.tables.claims.addresses.get(&key).map(|address| address.claims.as_slice());
        claims.unwrap_or_default().iter().filter(|claim| claim.kind != ClaimKind::Probe)
    };
    // A router gives a packet another source as well.
    if eth.src != entered.eth.src {
        return None;
    }
    let owns = |mac| claims(entered.vlan).any(|claim| claim.mac == mac);
    if eth.dst != entered.eth.dst {
        let wrong = owns(entered.eth.dst) && !owns(eth.dst);
        return wrong
            .then(|| Changed::Mac { before: entered.eth.dst.to_string(), after: eth.dst.to_string() });
    }
    let apart = group.vlan != entered.vlan && owns(eth.dst) && claims(group.vlan).next().is_none();
    apart.then_some(Changed::Vlan { before: entered.vlan, after: group.vlan })
}

fn finding(case: &Case<'_, '_>, entered: &EnteredAs, changed: &Changed, switch: &str) -> Finding {
    let (view, group) = (case.view, case.group);
    let (entry, exit) = (view.points.name(entered.point), case.port());
    let words = |key: &'static str| {
        let text = Text::new(key)
            .with("switch", switch)
            .with_text("what", shown::what(group))
            .with("src", group.src)
            .with("dst", group.dst)
            .with_text("who", case.named(entry))
            .with("port", exit);
        match changed {
            Changed::Mac { before, after } => text.with("before", before).with("after", after),
            Changed::Vlan { before, after } => text.with("before", before).with("after", after),
        }
    };
    let (claim, remedy) = match changed {
        Changed::Mac { .. } => ("misforward.claim.mac", "misforward.remedy.mac"),
        Changed::Vlan { .. } => ("misforward.claim.vlan", "misforward.remedy.vlan"),
    };
    let mut finding = case.finding(super::CAUSE.unit.id, Confidence::Likely);
    if let Subject::Drop { port, .. } = &mut finding.subject {
        entry.clone_into(port);
    }
    let frames = case.rest.iter().take(FRAMES_MAX).map(|death| -> Evidence {
        view.frame(Group::sight(death), group.place.from.point, words("misforward.evidence.changed"))
    });
    Finding {
        claim: words(claim),
        evidence: frames.collect(),
        exonerations: vec![Exoneration::RuledOut(words("misforward.not.router"))],
        remedy: words(remedy),
        ..finding
    }
}
