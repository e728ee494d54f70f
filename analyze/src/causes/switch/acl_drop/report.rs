//! From deaths and rules to finding.

use netcap_bundle::source::Snapshot;
use netcap_bundle::sources::ovs::conntrack::OvsConntrack;
use netcap_bundle::{Nanos, layout};

use super::filter::FilterDrop;
use crate::deaths::flows::{Flows, Replayed, TrackedAs};
use crate::deaths::{Case, Standing, shown};
use crate::engine::flow::protocol_name;
use crate::finding::{Confidence, Evidence, Exoneration, Finding, Severity, Subject};
use crate::text::Text;

/// The tables as they were while the packets died, which is between two dumps of them.
pub(super) fn between(
    case: &Case<'_, '_>,
    switch: &str,
    before: Option<Nanos>,
    after: Option<Nanos>,
) -> Text {
    let offset = case.view.input.info.as_ref().map_or(0, |info| info.utc_offset_s);
    let time = |at: Nanos| Text::verbatim(at.clock(offset));
    let key = match (before, after) {
        (Some(_), Some(_)) => "acl-drop.open.between",
        (Some(_), None) => "acl-drop.open.before",
        _ => "acl-drop.open.after",
    };
    Text::new(key)
        .with("switch", switch)
        .with_text("before", before.map_or_else(|| Text::verbatim("?"), time))
        .with_text("after", after.map_or_else(|| Text::verbatim("?"), time))
}

/// What the rules do with such packets, which a replay could not tell.
pub(super) fn undecided(switch: &str, replayed: Replayed) -> Text {
    let key = match replayed {
        Replayed::Open => "acl-drop.open.depends",
        Replayed::Decided | Replayed::Not => "acl-drop.open.replay",
    };
    Text::new(key).with("switch", switch)
}

/// The zone that was asked for the connection of an answer, which no zone knows, where the rule takes what is left.
fn untracked<'f>(case: &Case<'_, '_>, flows: &'f Flows) -> Option<&'f TrackedAs> {
    let rule = flows.rule.as_ref().filter(|rule| case.group.kind.is_answer() && rule.is_for_the_rest())?;
    let gone = &case.view.input.missing.paths;
    if gone.iter().any(|path| layout::kind(path) == OvsConntrack::DEF.id) {
        return None;
    }
    // An empty table has no file; a table that was not read has no time.
    rule.tracked.last().filter(|lookup| lookup.line.is_none() && lookup.at > Nanos(0))
}

/// What makes it the same fault: the rule, else the flow, at the port where the packets enter.
pub(super) fn fault(case: &Case<'_, '_>, flows: &Flows) -> String {
    let port = case.view.points.name(case.group.place.from.point);
    let by = match (&flows.rule, &flows.drop) {
        (Some(rule), _) => format!("{} {:#x} {}", rule.bridge, rule.cookie, rule.rule),
        (None, Some(flow)) => flow.line.split(", packets:").next().unwrap_or_default().to_owned(),
        (None, None) => String::new(),
    };
    format!("{port} {by}")
}

pub(super) fn finding(
    case: &Case<'_, '_>,
    flows: &Flows,
    filter: Option<&FilterDrop>,
    confidence: Confidence,
) -> Finding {
    let group = case.group;
    let (from, to) = case.span();
    Finding {
        from: Some(from),
        to: Some(to),
        claim: claim(case, flows, filter, confidence),
        evidence: evidence(case, flows, filter),
        exonerations: exonerations(case),
        remedy: remedy(case, flows, filter),
        ..Finding::new(
            super::CAUSE.unit.id,
            if confidence == Confidence::CannotTell { Severity::Warning } else { Severity::Error },
            confidence,
            Subject::Drop {
                vm: case.vm(),
                port: case.view.points.name(group.place.from.point).to_owned(),
                src: group.src,
                dst: group.dst,
                protocol: protocol_name(group.protocol),
                flow: flows.drop.as_ref().map(|d| d.line.clone()),
                rule: flows.rule.as_ref().map(|r| format!("cookie={:#x} {}", r.cookie, r.rule)),
                filter: filter.map(|f| format!("{} rule {}", f.filter, f.index)),
            },
        )
    }
}

fn claim(case: &Case<'_, '_>, flows: &Flows, filter: Option<&FilterDrop>, confidence: Confidence) -> Text {
    let group = case.group;
    let switch = case.info().and_then(|info| info.vswitch.as_deref()).unwrap_or("?");
    let elsewhere = flows.rule.as_ref().is_some_and(|rule| rule.bridge != switch);
    let by = match &flows.rule {
        Some(rule) if rule.nowhere => "acl-drop.by.nowhere",
        Some(_) if elsewhere => "acl-drop.by.rule-elsewhere",
        Some(_) => "acl-drop.by.rule",
        None if flows.drop.is_none() => "acl-drop.by.filter",
        None => "acl-drop.by.flow",
    };
    let (rule, bridge) = flows.rule.as_ref().map(|r| (&*r.rule, &*r.bridge)).unwrap_or_default();
    let by = match filter.filter(|_| by == "acl-drop.by.filter") {
        Some(filter) => Text::new(by)
            .with("filter", &filter.filter)
            .with("index", filter.index)
            .with("port", &filter.port),
        None => Text::new(by),
    };
    let by = match untracked(case, flows).filter(|_| filter.is_none()) {
        Some(lookup) => Text::new("acl-drop.by.untracked").with_text("zone", zone(lookup)),
        None => by,
    };
    let key = match (confidence, group.exits().is_empty()) {
        (Confidence::CannotTell, _) => "acl-drop.claim.doubtful",
        (_, true) => "acl-drop.claim.nowhere",
        _ => "acl-drop.claim",
    };
    Text::new(key)
        .with_text("by", by.with("rule", rule).with("bridge", bridge).with("switch", switch))
        .with_text("what", shown::what(group))
        .with("src", group.src)
        .with("dst", group.dst)
        .with_text("who", case.who())
        .with("switch", switch)
        .with_list("exits", case.exit_names())
}

/// The rule and its counter first, for they decide; then that they came in, and left nowhere.
fn evidence(case: &Case<'_, '_>, flows: &Flows, filter: Option<&FilterDrop>) -> Vec<Evidence> {
    let mut out = flows.evidence(case.port());
    if let Some(filter) = filter {
        let what =
            Text::new("acl-drop.evidence.filter").with("filter", &filter.filter).with("index", filter.index);
        let line = filter.rule.clone();
        out.push(Evidence::Snapshot { file: filter.file.clone(), at: Some(filter.at), line, what });
    }
    out.extend(case.packets());
    out
}

fn exonerations(case: &Case<'_, '_>) -> Vec<Exoneration> {
    let mut out = Vec::new();
    let exits = &case.group.place.exits;
    if case.sure().next().is_some() {
        out.push(Exoneration::RuledOut(Text::new("case.not.capture")));
        out.push(Exoneration::RuledOut(Text::new("case.not.filter")));
        out.push(Exoneration::RuledOut(Text::new("acl-drop.not.local")));
    } else if !exits.unrecorded.is_empty() {
        let ports = exits.unrecorded.iter().map(Text::verbatim).collect();
        out.push(Exoneration::Open(Text::new("acl-drop.not.exits-unrecorded").with_list("ports", ports)));
    } else if exits.complete {
        out.push(Exoneration::Open(Text::new("acl-drop.not.capture-lossy")));
    } else {
        out.push(Exoneration::Open(Text::new("acl-drop.not.exits-missing")));
    }
    let doubtful = case.rest.iter().filter(|death| !matches!(death.standing, Standing::Sure(_))).count();
    if doubtful > 0 && doubtful < case.rest.len() {
        out.push(Exoneration::Counted(Text::new("acl-drop.not.doubtful").with("count", doubtful)));
    }
    let passed = case.group.beside.between;
    if passed > 0 {
        out.push(Exoneration::Counted(Text::new("acl-drop.not.passed").with("count", passed)));
    }
    out
}

fn zone(lookup: &TrackedAs) -> Text {
    let number = lookup.zone.map_or_else(|| "?".to_owned(), |zone| zone.to_string());
    Text::verbatim(number)
}

fn remedy(case: &Case<'_, '_>, flows: &Flows, filter: Option<&FilterDrop>) -> Text {
    let switch = case.info().and_then(|info| info.vswitch.as_deref()).unwrap_or("?");
    if let (None, Some(rule), Some(lookup)) = (filter, &flows.rule, untracked(case, flows)) {
        return Text::new("acl-drop.remedy.untracked")
            .with("rule", &rule.rule)
            .with("switch", &rule.bridge)
            .with_text("zone", zone(lookup))
            .with("src", case.group.src)
            .with("dst", case.group.dst);
    }
    match (filter, &flows.rule) {
        (Some(filter), _) => Text::new("acl-drop.remedy.filter")
            .with("filter", &filter.filter)
            .with("index", filter.index)
            .with("port", &filter.port),
        (None, Some(rule)) => Text::new("acl-drop.remedy.rule")
            .with("rule", &rule.rule)
            .with("cookie", format!("{:#x}", rule.cookie))
            .with("switch", &rule.bridge),
        (None, None) => Text::new("acl-drop.remedy.flow").with("switch", switch),
    }
}
