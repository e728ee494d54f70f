//! From deaths and rules to finding.

use netcap_bundle::{Nanos, Role};

use super::filter::FilterDrop;
use crate::deaths::flows::{Flows, RuleDrop, TrackedAs};
use crate::deaths::{Case, Death, Group, Standing};
use crate::engine::PacketKind;
use crate::engine::flow::protocol_name;
use crate::finding::{Confidence, Evidence, Exoneration, Finding, Severity, Subject};
use crate::text::Text;

/// Packets that died, shown.
const FRAMES_MAX: usize = 3;
/// Deaths that make a case; one may be a race with the end of a segment or a table that was just written.
const LOST_MIN: usize = 2;
/// A counter that grew by at least this part of the deaths, in percent, counted them: the dumps begin and end within ten
/// seconds of them.
const GROWTH_PERCENT_MIN: u64 = 50;
/// Packets that left between those that died, in percent, above which something else is going on.
const PASSED_PERCENT_MAX: u64 = 10;

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
        detector: super::CAUSE.unit.id,
        severity: if confidence == Confidence::CannotTell { Severity::Warning } else { Severity::Error },
        confidence,
        subject: Subject::Drop {
            vm: vm(case),
            port: case.view.points.name(group.place.from.point).to_owned(),
            src: group.src,
            dst: group.dst,
            protocol: protocol_name(group.protocol),
            flow: flows.drop.as_ref().map(|d| d.line.clone()),
            rule: flows.rule.as_ref().map(|r| format!("cookie={:#x} {}", r.cookie, r.rule)),
            filter: filter.map(|f| format!("{} rule {}", f.filter, f.index)),
        },
        from: Some(from),
        to: Some(to),
        claim: claim(case, flows, confidence),
        evidence: evidence(case, flows, filter),
        exonerations: exonerations(case),
        remedy: remedy(case, flows, filter),
        victims: Vec::new(),
        explained_by: None,
        consequences: Vec::new(),
        deaths: Vec::new(),
        ruled: Vec::new(),
    }
}

pub(super) fn confidence(case: &Case<'_, '_>, flows: &Flows) -> Option<Confidence> {
    let sure = case.sure().count();
    let (flow, rule) = (flows.drop.as_ref(), flows.rule.as_ref());
    let certain = flow.is_some_and(|flow| flow.certain) || rule.is_some_and(|rule| rule.certain);
    // Pings and attempts are known one by one: what else passed may have left before a rule was written.
    let one_by_one = matches!(case.group.kind, PacketKind::EchoRequest | PacketKind::Syn);
    if !one_by_one && !certain {
        return None;
    }
    let all = case.rest.len() as u64;
    let steady = !one_by_one || case.group.beside.between * 100 <= all * PASSED_PERCENT_MAX;
    if sure > 0 && case.rest.len() >= LOST_MIN && steady {
        // A flow was seen dropping, and not only before there was anything to drop; a rule was found by replay, which is
        // inferred however certain it is.
        let first = case.sure().next()?.at;
        if sure >= LOST_MIN && flow.is_some_and(|f| f.certain && first <= f.at) {
            return Some(Confidence::Proven);
        }
        return Some(Confidence::Likely);
    }
    // The rule is there, but that the packets did not leave by another way is not shown.
    let counted = rule.is_some_and(|r| {
        let grew = r.packets.1.saturating_sub(r.packets.0);
        grew > 0 && grew * 100 >= all * GROWTH_PERCENT_MIN
    });
    let dropping = flow.is_some_and(|f| f.certain) || (rule.is_some_and(|r| r.certain) && counted);
    let suspected = dropping && case.group.beside.between == 0 && case.rest.len() >= LOST_MIN;
    suspected.then_some(Confidence::CannotTell)
}

/// The machine that sends them, else the one they are for.
fn vm(case: &Case<'_, '_>) -> Option<String> {
    let points = std::iter::once(case.group.place.from.point).chain(case.group.exits().iter().copied());
    points.into_iter().filter_map(|id| case.view.points.get(id)).find_map(|info| match &info.role {
        Role::Vnet { vm: Some(vm), .. } => Some(vm.clone()),
        Role::Vnet { vm: None, .. } => {
            case.view.host.topology().by_iface(&info.name).and_then(|(_, port)| port.vm.clone())
        }
        _ => None,
    })
}

/// The port where they enter, with its machine.
fn who(case: &Case<'_, '_>) -> Text {
    let port = case.view.points.name(case.group.place.from.point);
    let enters = case.info().is_some_and(|info| matches!(info.role, Role::Vnet { .. }));
    match vm(case).filter(|_| enters) {
        Some(vm) => Text::new("place.vm").with("port", port).with("vm", vm),
        None => Text::verbatim(port),
    }
}

/// What they are, in the words of those who miss them.
fn what(group: &Group<'_>) -> Text {
    let protocol = protocol_name(group.protocol);
    match group.kind {
        PacketKind::EchoRequest => Text::new("packets.ping"),
        PacketKind::EchoReply => Text::new("packets.pong"),
        PacketKind::Syn => Text::new("packets.syn"),
        PacketKind::SynAck => Text::new("packets.syn-ack"),
        PacketKind::ArpRequest => Text::new("packets.arp"),
        PacketKind::ArpReply => Text::new("packets.arp-reply"),
        PacketKind::Other => Text::new("packets.other").with("protocol", protocol),
    }
}

fn claim(case: &Case<'_, '_>, flows: &Flows, confidence: Confidence) -> Text {
    let group = case.group;
    let switch = case.info().and_then(|info| info.vswitch.as_deref()).unwrap_or("?");
    let elsewhere = flows.rule.as_ref().is_some_and(|rule| rule.bridge != switch);
    let by = match &flows.rule {
        Some(_) if elsewhere => "acl-drop.by.rule-elsewhere",
        Some(_) => "acl-drop.by.rule",
        None => "acl-drop.by.flow",
    };
    let (rule, bridge) = flows.rule.as_ref().map(|r| (&*r.rule, &*r.bridge)).unwrap_or_default();
    let exits = group.exits().iter().map(|id| Text::verbatim(case.view.points.name(*id))).collect();
    let key = match (confidence, group.exits().is_empty()) {
        (Confidence::CannotTell, _) => "acl-drop.claim.doubtful",
        (_, true) => "acl-drop.claim.nowhere",
        _ => "acl-drop.claim",
    };
    Text::new(key)
        .with_text("by", Text::new(by).with("rule", rule).with("bridge", bridge).with("switch", switch))
        .with_text("what", what(group))
        .with("src", group.src)
        .with("dst", group.dst)
        .with_text("who", who(case))
        .with("switch", switch)
        .with_list("exits", exits)
}

/// The rule and its counter first, for they decide; then that they came in, and left nowhere.
fn evidence(case: &Case<'_, '_>, flows: &Flows, filter: Option<&FilterDrop>) -> Vec<Evidence> {
    let mut out = tables(case, flows);
    if let Some(filter) = filter {
        let what =
            Text::new("acl-drop.evidence.filter").with("filter", &filter.filter).with("index", filter.index);
        let line = filter.rule.clone();
        out.push(Evidence::Snapshot { file: filter.file.clone(), at: Some(filter.at), line, what });
    }
    let sure: Vec<&Death> = case.sure().collect();
    let shown: Vec<&Death> = if sure.is_empty() { case.rest.iter().collect() } else { sure.clone() };
    let from = case.group.place.from.point;
    for death in shown.iter().take(FRAMES_MAX) {
        let what = Text::new("acl-drop.evidence.request").with("port", case.view.points.name(from));
        out.push(case.view.frame(Group::sight(death), from, what));
    }
    if let (Some(first), Some(last)) = (sure.first(), sure.last()) {
        for id in case.group.exits() {
            let what = Text::new("acl-drop.evidence.absence")
                .with("port", case.view.points.name(*id))
                .with("count", sure.len());
            out.push(case.view.absence(*id, first.at, last.at, what));
        }
    }
    out
}

fn tables(case: &Case<'_, '_>, flows: &Flows) -> Vec<Evidence> {
    let mut out = Vec::new();
    if let Some(flow) = &flows.drop {
        let port = case.view.points.name(case.group.place.from.point);
        out.push(Evidence::Snapshot {
            file: flow.file.clone(),
            at: Some(flow.at),
            line: flow.line.clone(),
            what: match flow.copied.as_slice() {
                [] => Text::new("acl-drop.evidence.flow").with("port", port),
                copied => Text::new("acl-drop.evidence.flow-copied")
                    .with("port", port)
                    .with_list("copied", copied.iter().map(Text::verbatim).collect()),
            },
        });
        out.extend(counter("packets", flow.packets, flow.times, "acl-drop.evidence.flow-grew"));
    }
    if let Some(rule) = &flows.rule {
        let key = if rule.certain { "acl-drop.evidence.rule" } else { "acl-drop.evidence.rule-maybe" };
        let line = rule.line.clone();
        out.push(Evidence::Snapshot {
            file: rule.file.clone(),
            at: Some(rule.at),
            line,
            what: Text::new(key),
        });
        out.extend(counter("n_packets", rule.packets, rule.times, "acl-drop.evidence.rule-grew"));
        out.extend(way(rule));
    }
    out
}

/// How the packet came to the rule.
fn way(rule: &RuleDrop) -> Vec<Evidence> {
    let step = |(line, file): &(String, String)| Evidence::Snapshot {
        file: file.clone(),
        at: Some(rule.at),
        line: line.clone(),
        what: Text::new("acl-drop.evidence.chain"),
    };
    let asked = |tracked: &TrackedAs| {
        let zone = tracked.zone.map_or_else(|| "?".to_owned(), |zone| zone.to_string());
        let key = match tracked.line {
            Some(_) => "acl-drop.evidence.connection",
            None => "acl-drop.evidence.no-connection",
        };
        Evidence::Snapshot {
            file: tracked.file.clone(),
            at: Some(tracked.at),
            line: tracked.line.clone().unwrap_or_else(|| "-".to_owned()),
            what: Text::new(key).with("zone", zone).with("state", &tracked.state),
        }
    };
    let seen = |tracked: &&TrackedAs| !tracked.file.is_empty();
    rule.chain.iter().map(step).chain(rule.tracked.iter().filter(seen).map(asked)).collect()
}

fn counter(name: &str, packets: (u64, u64), times: (Nanos, Nanos), key: &'static str) -> Option<Evidence> {
    (packets.1 > packets.0).then(|| Evidence::Counter {
        name: name.to_owned(),
        before: packets.0,
        after: packets.1,
        from: times.0,
        to: times.1,
        what: Text::new(key),
    })
}

fn exonerations(case: &Case<'_, '_>) -> Vec<Exoneration> {
    let mut out = Vec::new();
    let exits = &case.group.place.exits;
    if case.sure().next().is_some() {
        out.push(Exoneration::RuledOut(Text::new("acl-drop.not.capture")));
        out.push(Exoneration::RuledOut(Text::new("acl-drop.not.filter")));
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

fn remedy(case: &Case<'_, '_>, flows: &Flows, filter: Option<&FilterDrop>) -> Text {
    let switch = case.info().and_then(|info| info.vswitch.as_deref()).unwrap_or("?");
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
