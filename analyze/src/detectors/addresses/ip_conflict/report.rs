//! From conflict to finding.

use netcap_bundle::{Mac, Nanos};

use super::claimants::ContestedAddress;
use super::context::Context;
use super::evidence::{evidence, suspect};
use super::judge::Conflict;
use super::proof::Rule;
use crate::finding::{Claimant, Confidence, Exoneration, Finding, Severity, Subject, Victim};
use crate::text::Text;
use crate::view::View;

pub(super) fn finding(
    view: &View<'_>,
    context: &Context,
    case: &ContestedAddress,
    conflict: &Conflict,
) -> Finding {
    let rule = conflict.best.rule;
    let mixed = rule.is_conflict() && is_mixed(view, case, conflict);
    let claimants: Vec<Claimant> =
        conflict.macs.iter().map(|mac| Claimant { mac: *mac, place: place_of(view, case, *mac) }).collect();
    let domain = view.points.domain_name(case.key.domain).into_owned();
    let (from, to) = span(case, conflict);
    let claim = claim(context, case, conflict, &claimants);
    Finding {
        from,
        to,
        claim,
        evidence: evidence(view, case, conflict),
        exonerations: exonerations(rule, mixed),
        remedy: if mixed {
            Text::new("ip-conflict.remedy.mixed").with("ip", case.key.ip)
        } else {
            remedy(case, rule)
        },
        victims: if rule.is_conflict() { vec![Victim::Address(case.key.ip)] } else { Vec::new() },
        ..Finding::new(
            super::DETECTOR.unit.id,
            match rule.is_conflict() {
                true if mixed => Severity::Warning,
                true => Severity::Error,
                false => Severity::Info,
            },
            if mixed { Confidence::CannotTell } else { rule.confidence() },
            Subject::Address {
                ip: case.key.ip,
                domain,
                vlan: case.key.vlan.to_string(),
                claimants,
                named: view.points.is_domain_named(case.key.domain),
            },
        )
    }
}

fn place_of(view: &View<'_>, case: &ContestedAddress, mac: Mac) -> Text {
    if let Some(own) = case.own.as_ref().filter(|own| own.mac == mac) {
        return Text::new("place.host").with("port", &own.iface);
    }
    let seen = suspect(case, mac).map(|s| s.seen.as_slice()).unwrap_or_default();
    view.place(mac, seen)
}

/// It was only seen where frames of several interfaces are mixed: the two may be in two networks.
fn is_mixed(view: &View<'_>, case: &ContestedAddress, conflict: &Conflict) -> bool {
    let involved = case.suspects.iter().filter(|s| conflict.macs.contains(&s.mac));
    let mut points = involved.flat_map(|s| s.seen.iter().map(|(point, _)| *point));
    points.any(|point| view.points.get(point).is_some_and(|info| info.mixed))
}

fn claim(context: &Context, case: &ContestedAddress, conflict: &Conflict, claimants: &[Claimant]) -> Text {
    let changes = conflict.best.sights.len().saturating_sub(1);
    let key = match conflict.best.rule {
        Rule::Checked => "ip-conflict.claim.checked",
        Rule::Flux => "ip-conflict.claim.flux",
        Rule::Elected if changes == 1 => "ip-conflict.claim.elected-one",
        Rule::Elected if changes == 2 => "ip-conflict.claim.elected-back",
        Rule::Elected => "ip-conflict.claim.elected",
        Rule::HandOver => "ip-conflict.claim.hand-over",
        Rule::ReturnedSoon | Rule::Returned => "ip-conflict.claim.returned",
        Rule::AnnouncedTogether => "ip-conflict.claim.announced-together",
        Rule::TakingTurns => "ip-conflict.claim.taking-turns",
        Rule::OwnAddress | Rule::OwnAddressAgain => "ip-conflict.claim.own-address",
        Rule::Announcers => "ip-conflict.claim.announcers",
        Rule::Alternation => "ip-conflict.claim.alternation",
        Rule::Probers => "ip-conflict.claim.probers",
        Rule::ProbeAnswered => "ip-conflict.claim.probe-answered",
    };
    // The order of the proof tells the story; the host's own side comes first.
    let mut order: Vec<Mac> = Vec::new();
    if let Some(own) = case.own.as_ref().filter(|own| conflict.macs.contains(&own.mac)) {
        order.push(own.mac);
    }
    order.extend(conflict.best.sights.iter().map(|(mac, _)| *mac));
    order.extend(&conflict.macs);
    let mut seen = std::collections::BTreeSet::new();
    order.retain(|mac| seen.insert(*mac));
    let who = |index: usize| {
        let mac = order.get(index).copied().unwrap_or_default();
        claimants.iter().find(|c| c.mac == mac).map_or_else(|| Text::verbatim(mac), Claimant::words)
    };
    let (a, b) = conflict.best.macs;
    let flux = context.flux(case.key, a, b).unwrap_or_default();
    let said = Text::new(key)
        .with("ip", case.key.ip)
        .with("count", conflict.macs.len())
        .with_list("ips", flux.iter().map(Text::verbatim).collect())
        .with_text("a", who(0))
        .with_text("b", who(1));
    // What two of them did is told; the others are listed.
    let counted = matches!(conflict.best.rule, Rule::Alternation | Rule::TakingTurns);
    if conflict.macs.len() <= 2 || counted {
        return said;
    }
    Text::new("ip-conflict.claim.more").with("count", conflict.macs.len()).with_text("said", said)
}

fn span(case: &ContestedAddress, conflict: &Conflict) -> (Option<Nanos>, Option<Nanos>) {
    let involved = case.suspects.iter().filter(|s| conflict.macs.contains(&s.mac));
    let sights: Vec<Nanos> = involved
        .flat_map(|s| [s.all.first(), s.all.last(), s.probe.first(), s.probe.last()])
        .flatten()
        .map(|s| s.at)
        .collect();
    (sights.iter().min().copied(), sights.iter().max().copied())
}

/// What was looked for, and why it is not that.
fn exonerations(rule: Rule, mixed: bool) -> Vec<Exoneration> {
    let open = |key| vec![Exoneration::Open(Text::new(key))];
    let takeover = match rule {
        Rule::Flux => return open("ip-conflict.not.flux-maybe"),
        Rule::Checked => return open("ip-conflict.not.checked-maybe"),
        Rule::ReturnedSoon => return open("ip-conflict.not.returned-maybe"),
        Rule::Elected => return vec![ruled_out("ip-conflict.not.elected-it-is")],
        // A takeover within that minute would look the same.
        Rule::AnnouncedTogether => Exoneration::Open(Text::new("ip-conflict.not.takeover-maybe")),
        Rule::HandOver => ruled_out("ip-conflict.not.hand-over-it-is"),
        Rule::Returned => ruled_out("ip-conflict.not.returned-it-is"),
        Rule::OwnAddress | Rule::OwnAddressAgain => ruled_out("ip-conflict.not.takeover-own"),
        Rule::Probers | Rule::ProbeAnswered => ruled_out("ip-conflict.not.takeover-probe"),
        Rule::Announcers | Rule::Alternation | Rule::TakingTurns => ruled_out("ip-conflict.not.takeover"),
    };
    let others = ["ip-conflict.not.router", "ip-conflict.not.one-device", "ip-conflict.not.proxy"];
    let networks = mixed.then(|| Exoneration::Open(Text::new("ip-conflict.not.mixed")));
    std::iter::once(takeover).chain(networks).chain(others.map(ruled_out)).collect()
}

fn ruled_out(key: &'static str) -> Exoneration {
    Exoneration::RuledOut(Text::new(key))
}

fn remedy(case: &ContestedAddress, rule: Rule) -> Text {
    let key = match (rule.is_conflict(), case.key.ip.is_ipv6()) {
        _ if rule == Rule::Flux => "ip-conflict.remedy.flux",
        _ if rule == Rule::Checked => "ip-conflict.remedy.checked",
        (true, false) => "ip-conflict.remedy",
        (true, true) => "ip-conflict.remedy.v6",
        (false, _) => "ip-conflict.remedy.info",
    };
    Text::new(key).with("ip", case.key.ip)
}
