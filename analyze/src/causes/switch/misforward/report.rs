//! From rules and where they lead to finding.

use crate::deaths::flows::SentTo;
use crate::deaths::{Case, Misdirected, shown};
use crate::finding::{Evidence, Exoneration, Finding, Subject};
use crate::text::Text;

/// What makes it the same fault: the rule, or the table, at the port where packets enter.
pub(super) fn fault(case: &Case<'_, '_>, found: &Misdirected<'_>) -> String {
    let sent = found.sent;
    let rule = sent.rule.as_ref().map(|rule| format!("{:#x} {}", rule.cookie, rule.rule)).unwrap_or_default();
    format!("{} {} {rule}", case.port(), sent.bridge)
}

pub(super) fn finding(case: &Case<'_, '_>, found: &Misdirected<'_>) -> Finding {
    let mut finding = case.finding(super::CAUSE.unit.id, case.confidence(found.seen));
    if let Subject::Drop { rule, .. } = &mut finding.subject {
        let named = found.sent.rule.as_ref();
        *rule = named.map(|rule| format!("cookie={:#x} {}", rule.cookie, rule.rule));
    }
    Finding {
        claim: claim(case, found),
        evidence: evidence(case, found),
        exonerations: exonerations(case),
        remedy: remedy(case, found),
        ..finding
    }
}

/// Where a rule leads, as a part of a sentence.
fn by(case: &Case<'_, '_>, found: &Misdirected<'_>) -> Text {
    let sent = found.sent;
    let text = match (&sent.way, &sent.rule) {
        (SentTo::Ports(ports), _) => Text::new("misforward.by.ports")
            .with_list("ports", ports.iter().map(|port| case.named(port)).collect()),
        (SentTo::Back, _) => Text::new("misforward.by.back").with("port", case.port()),
        (SentTo::NoRule(table), Some(_)) => Text::new("misforward.by.no-rule").with("table", table),
        (SentTo::NoRule(table), None) => Text::new("misforward.by.no-rule-at-all").with("table", table),
    };
    let rule = sent.rule.as_ref().map(|rule| rule.rule.as_str()).unwrap_or_default();
    text.with("rule", rule).with("bridge", bridge(case, found))
}

/// The bridge whose rules decide; of one without any rule the one of the port.
fn bridge<'c>(case: &'c Case<'_, '_>, found: &Misdirected<'c>) -> &'c str {
    let own = || case.info().and_then(|info| info.vswitch.as_deref()).unwrap_or("?");
    if found.sent.bridge.is_empty() { own() } else { &found.sent.bridge }
}

fn wanted(found: &Misdirected<'_>) -> Vec<Text> {
    found.wanted.iter().map(Text::verbatim).collect()
}

fn mac(case: &Case<'_, '_>) -> String {
    case.group.eth.map(|eth| eth.dst.to_string()).unwrap_or_default()
}

fn claim(case: &Case<'_, '_>, found: &Misdirected<'_>) -> Text {
    let key = if case.sure().next().is_some() { "misforward.claim" } else { "misforward.claim.unseen" };
    Text::new(key)
        .with_text("by", by(case, found))
        .with_text("what", shown::what(case.group))
        .with("src", case.group.src)
        .with("dst", case.group.dst)
        .with_text("who", case.who())
        .with("mac", mac(case))
        .with_list("wanted", wanted(found))
}

/// The rule first, for it decides; what the datapath did; that the packets came in and did not get there.
fn evidence(case: &Case<'_, '_>, found: &Misdirected<'_>) -> Vec<Evidence> {
    let (sent, flows) = (found.sent, case.flows());
    let mut out = Vec::new();
    if let Some(rule) = &sent.rule {
        let snapshot = |line: &str, file: &str, key| Evidence::Snapshot {
            file: file.to_owned(),
            at: Some(sent.times.1),
            line: line.to_owned(),
            what: Text::new(key),
        };
        out.push(snapshot(&rule.line, &rule.file, "misforward.evidence.rule"));
        if rule.packets.1 > rule.packets.0 {
            out.push(Evidence::Counter {
                name: "n_packets".to_owned(),
                before: rule.packets.0,
                after: rule.packets.1,
                from: sent.times.0,
                to: sent.times.1,
                what: Text::new("case.rule-grew"),
            });
        }
        out.extend(rule.chain.iter().map(|(line, file)| snapshot(line, file, "case.chain")));
    }
    if let (SentTo::Ports(_), Some(forward)) = (&sent.way, &flows.forward) {
        out.push(Evidence::Snapshot {
            file: forward.file.clone(),
            at: forward.seen.last().copied(),
            line: forward.line.clone(),
            what: Text::new("misforward.evidence.flow").with("port", case.port()),
        });
    }
    if flows.drop.is_some() {
        out.extend(flows.evidence(case.port()));
    }
    out.extend(case.packets());
    out
}

fn exonerations(case: &Case<'_, '_>) -> Vec<Exoneration> {
    let mut out = case.recorded();
    out.push(Exoneration::RuledOut(Text::new("misforward.not.drop")));
    out
}

fn remedy(case: &Case<'_, '_>, found: &Misdirected<'_>) -> Text {
    let rule = found.sent.rule.as_ref();
    let text = match &found.sent.way {
        SentTo::Ports(ports) => {
            let machine = ports.iter().any(|port| case.vm_at(port).is_some());
            let key = if machine { "misforward.remedy.machine" } else { "misforward.remedy.ports" };
            Text::new(key).with_list("ports", ports.iter().map(|port| case.named(port)).collect())
        }
        SentTo::Back => Text::new("misforward.remedy.back").with("port", case.port()),
        SentTo::NoRule(table) => Text::new("misforward.remedy.no-rule").with("table", table),
    };
    text.with("bridge", bridge(case, found))
        .with("rule", rule.map(|rule| rule.rule.as_str()).unwrap_or_default())
        .with("cookie", rule.map(|rule| format!("{:#x}", rule.cookie)).unwrap_or_default())
        .with_list("wanted", wanted(found))
        .with("port", case.port())
        .with("mac", mac(case))
}
