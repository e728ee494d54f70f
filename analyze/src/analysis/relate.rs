//! Which finding explains which: one fault is one alarm, with one remedy.

use netcap_bundle::Nanos;

use crate::finding::{Confidence, Finding, Severity, Subject, Victim};
use crate::symptoms;
use crate::text::Text;

/// Marks symptoms that another finding explains, which stay as information. Packets lost on a hop are explained first:
/// what else they explain is then a symptom of the same cause.
pub(super) fn relate(findings: &mut [Finding]) {
    let is_symptom = |f: &Finding| symptoms::ALL.iter().any(|symptom| symptom.unit.id == f.detector);
    let is_hop = |f: &Finding| matches!(f.subject, Subject::Hop { .. });
    explain(findings, |f| !is_hop(f), |f| is_hop(f) && is_symptom(f));
    explain(findings, |_| true, |f| f.victims.is_empty() && !is_hop(f) && is_symptom(f));
}

fn explain(findings: &mut [Finding], may: impl Fn(&Finding) -> bool, shows: impl Fn(&Finding) -> bool) {
    let causes: Vec<_> = findings
        .iter()
        .filter(|f| !f.victims.is_empty() && f.confidence > Confidence::CannotTell && may(f))
        .map(|f| (f.detector, f.severity, f.from, f.to, f.victims.clone()))
        .collect();
    for symptom in findings.iter_mut().filter(|f| shows(f)) {
        let subject = &symptom.subject;
        let hit = |victim: &Victim| match subject {
            Subject::Pair { src, dst } => victim.covers(*src, dst),
            Subject::Hop { flow: Some(flow), .. } => victim.covers_flow(flow.src, flow.dst, flow.number),
            _ => false,
        };
        let cause = causes.iter().filter(|(_, severity, from, to, victims)| {
            let together = overlap((*from, *to), (symptom.from, symptom.to));
            together && *severity >= symptom.severity && victims.iter().any(hit)
        });
        // The worst explains; among equals the alphabet decides.
        let Some((id, ..)) = cause.min_by_key(|c| (std::cmp::Reverse(c.1), c.0)) else { continue };
        symptom.explained_by = Some(id);
        symptom.severity = Severity::Info;
        symptom.victims.clear();
        let claim = symptom.claim.clone();
        symptom.claim = Text::new("related.claim").with_text("claim", claim).with("by", id);
        symptom.remedy = Text::new("related.remedy").with("by", id);
    }
}

/// How far apart cause and symptom may be: a fault shows first in what is sent next.
const RELATED_NS_MAX: i64 = 10_000_000_000;

fn overlap(a: (Option<Nanos>, Option<Nanos>), b: (Option<Nanos>, Option<Nanos>)) -> bool {
    match (a, b) {
        ((Some(a), Some(b)), (Some(c), Some(d))) => {
            a.plus(-RELATED_NS_MAX) <= d && c.plus(-RELATED_NS_MAX) <= b
        }
        _ => false,
    }
}
