//! From absence and rules to finding.

use netcap_bundle::{Nanos, Role};
use netcap_words::wire::ip_protocol::{ICMP, ICMPV6};

use super::absence::{DroppedFlow, LOST_MIN};
use super::replayed::{RuleDrop, TrackedAs};
use super::rules::Rules;
use crate::engine::identity::protocol_name;
use crate::finding::{Confidence, Evidence, Exoneration, Finding, Severity, Subject, Victim};
use crate::tables::journeys::Event;
use crate::tables::runs::Sight;
use crate::text::Text;
use crate::view::View;

/// Requests shown.
const FRAMES_MAX: usize = 3;
/// A counter that grew by at least this part of the lost requests, in percent, counted them: the samples begin and end
/// within ten seconds of the requests.
const GROWTH_PERCENT_MIN: u64 = 50;
/// Absences that make a case without any rule.
const BARE_MIN: usize = 3;
/// Requests that left between the absent ones, in percent, above which something else is going on.
const PASSED_PERCENT_MAX: usize = 10;

pub(super) fn finding(view: &View<'_>, lost: &DroppedFlow<'_>, rules: &Rules) -> Option<Finding> {
    let confidence = confidence(lost, rules)?;
    let events: Vec<&Event> =
        if lost.absent.is_empty() { lost.doubtful.iter().collect() } else { lost.absent.iter().collect() };
    let vm = vm(view, lost);
    let named = rules.datapath.is_some() || rules.openflow.is_some();
    Some(Finding {
        detector: super::CAUSE.unit.id,
        severity: if confidence == Confidence::CannotTell || !named {
            Severity::Warning
        } else {
            Severity::Error
        },
        confidence,
        subject: Subject::Drop {
            vm: vm.clone(),
            port: lost.info.name.clone(),
            src: lost.src,
            dst: lost.dst,
            protocol: protocol_name(lost.protocol),
            flow: rules.datapath.as_ref().map(|d| d.line.clone()),
            rule: rules.openflow.as_ref().map(|r| format!("cookie={:#x} {}", r.cookie, r.rule)),
            filter: rules.filter.as_ref().map(|f| format!("{} rule {}", f.filter, f.index)),
        },
        from: events.first().map(|e| e.at),
        to: events.last().map(|e| e.at),
        claim: claim(view, lost, rules, vm.as_deref(), events.len()),
        evidence: evidence(view, lost, rules, &events),
        exonerations: exonerations(lost),
        remedy: remedy(lost, rules),
        victims: victims(lost),
        explained_by: None,
    })
}

fn victims(lost: &DroppedFlow<'_>) -> Vec<Victim> {
    let flow = Victim::Flow(lost.src, lost.dst, lost.protocol);
    let pings = matches!(lost.protocol, ICMP | ICMPV6);
    if pings { vec![Victim::Pair(lost.src, lost.dst), flow] } else { vec![flow] }
}

fn flow_is_certain(rules: &Rules) -> bool {
    rules.datapath.as_ref().is_some_and(|flow| flow.certain)
}

fn confidence(lost: &DroppedFlow<'_>, rules: &Rules) -> Option<Confidence> {
    let absent = lost.absent.len();
    let named = flow_is_certain(rules) || rules.openflow.as_ref().is_some_and(|r| r.certain);
    if lost.by_rule_only && !named {
        return None;
    }
    let steady =
        lost.by_rule_only || lost.passed * 100 <= (absent + lost.doubtful.len()) * PASSED_PERCENT_MAX;
    let flow = rules.datapath.as_ref();
    let rule = rules.openflow.as_ref();
    let counted = rule.is_some_and(|r| {
        let grew = r.packets.1.saturating_sub(r.packets.0);
        grew > 0 && grew * 100 >= absent as u64 * GROWTH_PERCENT_MIN
    });
    if absent >= LOST_MIN && steady {
        // A flow was seen dropping, and not only before there was anything to drop; a rule was found by replay, which is
        // inferred however certain it is.
        let then = |at: Nanos| lost.absent.first().is_some_and(|first| first.at <= at);
        if flow.is_some_and(|f| f.certain && then(f.at)) {
            return Some(Confidence::Proven);
        }
        if flow.is_some() || rule.is_some() || absent >= BARE_MIN {
            return Some(Confidence::Likely);
        }
    }
    // The rule is there, but that the packets did not leave by another way is not shown.
    let dropping = flow.is_some_and(|f| f.certain) || (rule.is_some_and(|r| r.certain) && counted);
    (dropping && lost.passed == 0).then_some(Confidence::CannotTell)
}

fn vm(view: &View<'_>, lost: &DroppedFlow<'_>) -> Option<String> {
    match &lost.info.role {
        Role::Vnet { vm: Some(vm), .. } => Some(vm.clone()),
        _ => view.host.topology().by_iface(&lost.info.name).and_then(|(_, port)| port.vm.clone()),
    }
}

fn claim(view: &View<'_>, lost: &DroppedFlow<'_>, rules: &Rules, vm: Option<&str>, count: usize) -> Text {
    let exits = lost.exits.iter().map(|id| Text::verbatim(view.points.name(*id))).collect();
    let by = if let Some(rule) = &rules.openflow {
        let elsewhere = lost.info.vswitch.as_deref() != Some(&rule.bridge);
        if elsewhere { "acl-drop.by.rule-elsewhere" } else { "acl-drop.by.rule" }
    } else if rules.datapath.is_some() {
        "acl-drop.by.flow"
    } else {
        rules.unexplained()
    };
    let key = if lost.absent.is_empty() { "acl-drop.claim.doubtful" } else { "acl-drop.claim" };
    let (rule, bridge) = rules.openflow.as_ref().map(|r| (&*r.rule, &*r.bridge)).unwrap_or_default();
    Text::new(key)
        .with("count", count)
        .with("protocol", protocol_name(lost.protocol))
        .with("src", lost.src)
        .with("dst", lost.dst)
        .with_text(
            "who",
            match vm {
                Some(vm) => Text::new("place.vm").with("port", &lost.info.name).with("vm", vm),
                None => Text::new("place.vnet").with("port", &lost.info.name),
            },
        )
        .with_list("exits", exits)
        .with("switch", lost.info.vswitch.as_deref().unwrap_or("?"))
        .with_text("by", Text::new(by).with("rule", rule).with("bridge", bridge))
}

fn evidence(view: &View<'_>, lost: &DroppedFlow<'_>, rules: &Rules, events: &[&Event]) -> Vec<Evidence> {
    let mut out = Vec::new();
    for event in events.iter().take(FRAMES_MAX) {
        let what = Text::new("acl-drop.evidence.request").with("port", &lost.info.name);
        out.push(view.frame(Sight { at: event.at, frame: event.frame }, lost.vnet, what));
    }
    if let (Some(first), Some(last)) = (lost.absent.first(), lost.absent.last()) {
        for id in &lost.exits {
            let what = Text::new("acl-drop.evidence.absence")
                .with("port", view.points.name(*id))
                .with("count", lost.absent.len());
            out.push(view.absence(*id, first.at, last.at, what));
        }
    }
    if let Some(flow) = &rules.datapath {
        let what = Text::new("acl-drop.evidence.flow").with("port", &lost.info.name);
        out.push(Evidence::Snapshot {
            file: flow.file.clone(),
            at: Some(flow.at),
            line: flow.line.clone(),
            what,
        });
        out.extend(counter("packets", flow.packets, flow.times, "acl-drop.evidence.flow-grew"));
    }
    if let Some(rule) = &rules.openflow {
        let key = if rule.certain { "acl-drop.evidence.rule" } else { "acl-drop.evidence.rule-maybe" };
        let line = rule.line.clone();
        out.push(Evidence::Snapshot {
            file: rule.file.clone(),
            at: Some(rule.at),
            line,
            what: Text::new(key),
        });
        out.extend(way(rule));
        out.extend(counter("n_packets", rule.packets, rule.times, "acl-drop.evidence.rule-grew"));
    }
    if let Some(filter) = &rules.filter {
        let what =
            Text::new("acl-drop.evidence.filter").with("filter", &filter.filter).with("index", filter.index);
        out.push(Evidence::Snapshot {
            file: filter.file.clone(),
            at: Some(filter.at),
            line: filter.rule.clone(),
            what,
        });
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

fn exonerations(lost: &DroppedFlow<'_>) -> Vec<Exoneration> {
    let mut out = Vec::new();
    if lost.absent.is_empty() {
        let key = if lost.complete { "acl-drop.not.capture-lossy" } else { "acl-drop.not.exits-missing" };
        out.push(Exoneration::Open(Text::new(key)));
    } else {
        out.push(Exoneration::RuledOut(Text::new("acl-drop.not.capture")));
        out.push(Exoneration::RuledOut(Text::new("acl-drop.not.filter")));
        out.push(Exoneration::RuledOut(Text::new("acl-drop.not.local")));
    }
    if !lost.absent.is_empty() && !lost.doubtful.is_empty() {
        out.push(Exoneration::Counted(Text::new("acl-drop.not.doubtful").with("count", lost.doubtful.len())));
    }
    if lost.passed > 0 {
        out.push(Exoneration::Counted(Text::new("acl-drop.not.passed").with("count", lost.passed)));
    }
    out
}

fn remedy(lost: &DroppedFlow<'_>, rules: &Rules) -> Text {
    let port = &lost.info.name;
    match (&rules.filter, &rules.openflow) {
        (Some(filter), _) => Text::new("acl-drop.remedy.filter")
            .with("filter", &filter.filter)
            .with("index", filter.index)
            .with("port", port),
        (None, Some(rule)) => Text::new("acl-drop.remedy.rule")
            .with("rule", &rule.rule)
            .with("cookie", format!("{:#x}", rule.cookie))
            .with("switch", &rule.bridge),
        (None, None) => Text::new("acl-drop.remedy.unknown").with("port", port),
    }
}
