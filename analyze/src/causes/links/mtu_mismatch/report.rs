//! From sizes to finding.

use netcap_bundle::sources::network::links::Links;

use super::sizes::{Fits, Sizes, Split};
use crate::deaths::{Case, Death, Group, LOST_MIN};
use crate::finding::{Confidence, Evidence, Exoneration, Finding, Severity, Subject};
use crate::host::{file_of, said_at};
use crate::text::Text;

/// Packets that died, shown besides the smallest one.
const FRAMES_MAX: usize = 2;

/// What makes it the same fault: the ports and what they take.
pub(super) fn fault(sizes: &Sizes<'_>) -> String {
    let ports = sizes.ports.iter().map(|port| format!("{} {}", port.name, port.mtu.0));
    ports.collect::<Vec<_>>().join(", ")
}

/// `None` when the capture cannot be trusted where they had to appear.
pub(super) fn confidence(split: &Split<'_>, sizes: &Sizes<'_>) -> Option<Confidence> {
    let nowhere = split.large.iter().all(|(_, fits)| *fits == Fits::Nowhere);
    if !split.large.is_empty() && nowhere && split.sure().count() >= LOST_MIN {
        return Some(Confidence::Proven);
    }
    // What waits for an answer died for certain; where, the sizes say.
    let asked = split.large.iter().any(|(death, _)| !death.followed);
    let seen = split.sure().next().is_some() || !split.beside.is_empty();
    (seen || (asked && !sizes.ports.is_empty())).then_some(Confidence::Likely)
}

pub(super) fn finding(
    case: &Case<'_, '_>,
    sizes: &Sizes<'_>,
    split: &Split<'_>,
    confidence: Confidence,
) -> Finding {
    let times = || split.all().map(|death| death.at);
    Finding {
        from: times().min(),
        to: times().max(),
        claim: claim(case, sizes, split),
        evidence: evidence(case, sizes, split),
        exonerations: exonerations(case, split),
        remedy: remedy(case, sizes, split),
        ..Finding::new(
            super::CAUSE.unit.id,
            Severity::Error,
            confidence,
            Subject::Ports {
                switch: case.info().and_then(|info| info.vswitch.clone()),
                ports: refusing(sizes, split).map(|port| port.0).collect(),
            },
        )
    }
}

/// The ports that take less than what died, and what they take.
fn refusing<'s>(sizes: &'s Sizes<'_>, split: &Split<'_>) -> impl Iterator<Item = (String, u32)> + use<'s> {
    let size = split.smallest().map_or(u32::MAX, |death| death.facts.size);
    sizes.smaller(size).map(|port| (port.name.clone(), port.mtu.0))
}

fn names(sizes: &Sizes<'_>, split: &Split<'_>) -> Vec<Text> {
    refusing(sizes, split).map(|(name, _)| Text::verbatim(name)).collect()
}

fn mtu(sizes: &Sizes<'_>, split: &Split<'_>) -> u32 {
    refusing(sizes, split).map(|(_, mtu)| mtu).min().unwrap_or_else(|| sizes.least())
}

fn claim(case: &Case<'_, '_>, sizes: &Sizes<'_>, split: &Split<'_>) -> Text {
    let one = refusing(sizes, split).count() == 1;
    let switch = case.info().and_then(|info| info.vswitch.as_deref()).unwrap_or("?");
    Text::new(if one { "mtu-mismatch.claim-one" } else { "mtu-mismatch.claim" })
        .with_list("ports", names(sizes, split))
        .with("mtu", mtu(sizes, split))
        .with("switch", switch)
}

/// The MTU first, then the smallest that died with what passed, then where they were missed.
fn evidence(case: &Case<'_, '_>, sizes: &Sizes<'_>, split: &Split<'_>) -> Vec<Evidence> {
    let mut out: Vec<Evidence> =
        refusing(sizes, split).filter_map(|(name, mtu)| snapshot(case, split, &name, mtu)).collect();
    let from = case.group.place.from.point;
    let smallest = split.smallest();
    if let Some(death) = smallest {
        out.push(case.view.frame(Group::sight(death), from, contrast(case, sizes, death)));
    }
    let sure: Vec<&Death> = split.sure().collect();
    if let (Some(first), Some(last)) = (sure.first(), sure.last()) {
        for id in case.group.exits() {
            let port = case.view.points.name(*id);
            let what =
                Text::new("mtu-mismatch.evidence.absence").with("port", port).with("count", sure.len());
            out.push(case.view.absence(*id, first.at, last.at, what));
        }
    }
    let others = sure.iter().filter(|death| Some(death.frame) != smallest.map(|death| death.frame));
    for death in others.take(FRAMES_MAX) {
        let what = Text::new("mtu-mismatch.evidence.large")
            .with("size", sizes.packet(death.facts.size))
            .with("port", case.view.points.name(from));
        out.push(case.view.frame(Group::sight(death), from, what));
    }
    if let Some(death) = split.beside.first() {
        let what = Text::new("mtu-mismatch.evidence.batch").with("count", split.beside.len());
        out.push(case.view.frame(Group::sight(death), from, what));
    }
    out
}

/// The smallest that died, against the largest that passed.
fn contrast(case: &Case<'_, '_>, sizes: &Sizes<'_>, death: &Death) -> Text {
    let passed = &case.group.beside.same;
    let key =
        if passed.count > 0 { "mtu-mismatch.evidence.contrast" } else { "mtu-mismatch.evidence.smallest" };
    Text::new(key)
        .with("size", sizes.packet(death.facts.size))
        .with("frame", death.facts.size)
        .with("count", passed.count)
        .with("largest", sizes.packet(passed.largest))
}

fn snapshot(case: &Case<'_, '_>, split: &Split<'_>, port: &str, mtu: u32) -> Option<Evidence> {
    let at = split.all().map(|death| death.at).min()?;
    let round = said_at::<Links>(case.view.input, at)?;
    round.parsed.value.links.iter().find(|link| link.name == port && link.mtu == Some(mtu))?;
    let file = file_of(&round, "link").or_else(|| file_of(&round, "text"))?;
    let what = Text::new("mtu-mismatch.evidence.mtu").with("port", port);
    Some(Evidence::Snapshot { file, at: Some(round.at), line: format!("{port}: mtu {mtu}"), what })
}

fn exonerations(case: &Case<'_, '_>, split: &Split<'_>) -> Vec<Exoneration> {
    let mut out = Vec::new();
    if split.sure().next().is_some() {
        out.push(Exoneration::RuledOut(Text::new("mtu-mismatch.not.capture")));
        out.push(Exoneration::RuledOut(Text::new("mtu-mismatch.not.filter")));
    } else if !split.large.is_empty() {
        out.push(Exoneration::Open(Text::new("mtu-mismatch.not.unrecorded")));
    }
    let left = case.rest.len() - split.all().count();
    if left > 0 {
        out.push(Exoneration::Counted(Text::new("mtu-mismatch.not.small").with("count", left)));
    }
    out
}

fn remedy(case: &Case<'_, '_>, sizes: &Sizes<'_>, split: &Split<'_>) -> Text {
    use netcap_bundle::topology::SwitchKind;
    let (at, _) = case.span();
    let switch = case.info().and_then(|info| info.vswitch.as_deref()).unwrap_or("?");
    let known = case.view.host.topology_at(at).switch(switch);
    let ovs = known.is_none_or(|switch| switch.kind == SwitchKind::Ovs);
    let size = split.large.iter().map(|(death, _)| sizes.packet(death.facts.size)).max().unwrap_or(0);
    Text::new(if ovs { "mtu-mismatch.remedy.ovs" } else { "mtu-mismatch.remedy.bridge" })
        .with_list("ports", names(sizes, split))
        .with("port", refusing(sizes, split).next().map(|(name, _)| name).unwrap_or_default())
        .with("size", size)
        .with("mtu", mtu(sizes, split))
        .with("payload", size.saturating_sub(28))
        .with("dst", case.group.dst)
}
