//! What the dumped tables say of a group, as evidence, and how sure it is.

use netcap_bundle::Nanos;

use super::{Flows, RuleDrop, TrackedAs};
use crate::deaths::{Case, LOST_MIN};
use crate::engine::PacketKind;
use crate::finding::{Confidence, Evidence};
use crate::text::Text;

/// A counter that grew by at least this part of the deaths, in percent, counted them: the dumps begin and end within ten
/// seconds of them.
const GROWTH_PERCENT_MIN: u64 = 50;
/// Packets that left between those that died, in percent, above which something else is going on.
const PASSED_PERCENT_MAX: u64 = 10;

/// How sure it is that the rule, or the flow, drops what is left of a group; `None` when nothing is shown.
pub(crate) fn confidence(case: &Case<'_, '_>, flows: &Flows) -> Option<Confidence> {
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
    let counted = rule.is_some_and(|rule| rule.counted(case.rest.len()));
    let dropping = flow.is_some_and(|f| f.certain) || (rule.is_some_and(|r| r.certain) && counted);
    let suspected = dropping && case.group.beside.between == 0 && case.rest.len() >= LOST_MIN;
    suspected.then_some(Confidence::CannotTell)
}

impl RuleDrop {
    /// Its counter grew by as many packets as died, or most of them.
    pub(crate) fn counted(&self, deaths: usize) -> bool {
        let grew = self.packets.1.saturating_sub(self.packets.0);
        grew > 0 && grew * 100 >= deaths as u64 * GROWTH_PERCENT_MIN
    }
}

impl Flows {
    /// The flow and the rule that drop them, with how their counters grow, and the way to the rule.
    pub(crate) fn evidence(&self, port: &str) -> Vec<Evidence> {
        let mut out = Vec::new();
        if let Some(flow) = &self.drop {
            out.push(Evidence::Snapshot {
                file: flow.file.clone(),
                at: Some(flow.at),
                line: flow.line.clone(),
                what: match flow.copied.as_slice() {
                    [] => Text::new("case.flow").with("port", port),
                    copied => Text::new("case.flow-copied")
                        .with("port", port)
                        .with_list("copied", copied.iter().map(Text::verbatim).collect()),
                },
            });
            out.extend(counter("packets", flow.packets, flow.times, "case.flow-grew"));
        }
        if let Some(rule) = &self.rule {
            let key = if rule.certain { "case.rule" } else { "case.rule-maybe" };
            let line = rule.line.clone();
            out.push(Evidence::Snapshot {
                file: rule.file.clone(),
                at: Some(rule.at),
                line,
                what: Text::new(key),
            });
            out.extend(counter("n_packets", rule.packets, rule.times, "case.rule-grew"));
            out.extend(way(rule));
        }
        out
    }
}

/// How the packet came to the rule.
fn way(rule: &RuleDrop) -> Vec<Evidence> {
    let step = |(line, file): &(String, String)| Evidence::Snapshot {
        file: file.clone(),
        at: Some(rule.at),
        line: line.clone(),
        what: Text::new("case.chain"),
    };
    let asked = |tracked: &TrackedAs| {
        let zone = tracked.zone.map_or_else(|| "?".to_owned(), |zone| zone.to_string());
        let key = match tracked.line {
            Some(_) => "case.connection",
            None => "case.no-connection",
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
