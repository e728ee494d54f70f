//! Which finding explains which: one fault is one alarm, with one remedy.

use std::collections::{BTreeMap, BTreeSet};

use netcap_bundle::Nanos;

use super::ladder::{Ladder, RELATED_NS_MAX, Said};
use crate::engine::FrameRef;
use crate::finding::{Confidence, Exoneration, Finding, Ruled, Severity, Subject};
use crate::host::lacking::Lack;
use crate::symptoms;
use crate::text::Text;

/// Deaths left unexplained that are an alarm.
const LEFT_MIN: usize = 2;

/// Marks symptoms that causes explain. One that is explained wholly stays as information; of one that is explained in part
/// the rest keeps its weight. What no cause explains says what was ruled out.
pub(super) fn relate(symptoms: &mut [Finding], ladder: &Ladder) {
    for symptom in symptoms.iter_mut() {
        if symptom.deaths.is_empty() {
            by_victims(symptom, ladder);
        } else {
            by_deaths(symptom, ladder);
            // A ping log counts the requests for its target's MAC as its packets.
            if symptom.explained_by.is_none() && matches!(symptom.subject, Subject::Pair { src: None, .. }) {
                by_victims(symptom, ladder);
            }
        }
    }
    by_hops(symptoms);
    by_pairs(symptoms);
}

fn by_deaths(symptom: &mut Finding, ladder: &Ladder) {
    let mut by: BTreeMap<&'static str, usize> = BTreeMap::new();
    let mut left: Vec<FrameRef> = Vec::new();
    for frame in &symptom.deaths {
        match ladder.explains(*frame) {
            // What is less severe explains no more than itself.
            Some(cause) if cause.severity >= symptom.severity => *by.entry(cause.detector).or_default() += 1,
            _ => left.push(*frame),
        }
    }
    symptom.ruled = ruled(ladder, &left);
    // The one that explains most; among equals the alphabet decides.
    let Some((id, count)) = by.iter().max_by_key(|(id, count)| (**count, std::cmp::Reverse(**id))) else {
        return;
    };
    if left.is_empty() {
        explained(symptom, id);
        return;
    }
    let claim = symptom.claim.clone();
    let key = if by.len() == 1 { "related.claim-some" } else { "related.claim-several" };
    let all: usize = by.values().sum();
    let ids = by.keys().map(|id| Text::verbatim(format!("[{id}]"))).collect();
    symptom.claim = Text::new(key)
        .with_text("claim", claim)
        .with("count", if by.len() == 1 { *count } else { all })
        .with("by", id)
        .with_list("causes", ids);
    if left.len() < LEFT_MIN {
        symptom.severity = Severity::Info;
    }
}

fn ruled(ladder: &Ladder, left: &[FrameRef]) -> Vec<Ruled> {
    let mut out = Vec::new();
    // What several causes could not tell for one reason is one line.
    let mut blind: BTreeMap<Lack, (Vec<&'static str>, Vec<&'static str>)> = BTreeMap::new();
    for (cause, said) in ladder.said(left.iter().copied()) {
        match said {
            Said::Out(why) => out.push(Ruled { causes: vec![cause], what: Exoneration::RuledOut(why) }),
            Said::Open(needs) => {
                let what = Text::new("ladder.cannot-tell").with("cause", cause).with_clauses("needs", needs);
                out.push(Ruled { causes: vec![cause], what: Exoneration::Open(what) });
            }
            Said::Blind(lack, sources) => {
                let (causes, known) = blind.entry(lack).or_default();
                causes.extend((!causes.contains(&cause)).then_some(cause));
                known
                    .extend(sources.into_iter().filter(|source| !known.contains(source)).collect::<Vec<_>>());
            }
        }
    }
    out.extend(blind.into_iter().map(|(lack, (causes, sources))| {
        let key = match lack {
            Lack::NotRecorded => "ladder.blind.not-recorded",
            Lack::TimedOut => "ladder.blind.timed-out",
            Lack::Failed => "ladder.blind.failed",
            Lack::Gone => "ladder.blind.gone",
        };
        let names = causes.iter().map(|cause| Text::verbatim(format!("[{cause}]"))).collect();
        let what = Text::new(key)
            .with_list("causes", names)
            .with_list("sources", sources.into_iter().map(Text::verbatim).collect());
        Ruled { causes, what: Exoneration::Open(what) }
    }));
    out
}

fn explained(symptom: &mut Finding, by: &'static str) {
    symptom.explained_by = Some(by);
    symptom.severity = Severity::Info;
    let claim = symptom.claim.clone();
    symptom.claim = Text::new("related.claim").with_text("claim", claim).with("by", by);
    symptom.remedy = Text::new("related.remedy").with("by", by);
}

/// A ping log says no packets: whose pings it is about must do.
fn by_victims(symptom: &mut Finding, ladder: &Ladder) {
    let Subject::Pair { src, dst } = &symptom.subject else { return };
    let causes = ladder.findings.iter().filter(|cause| {
        cause.confidence > Confidence::CannotTell
            && cause.severity >= symptom.severity
            && overlap((cause.from, cause.to), (symptom.from, symptom.to))
            && cause.victims.iter().any(|victim| victim.covers(*src, dst))
    });
    let worst = causes.min_by_key(|cause| (std::cmp::Reverse(cause.severity), cause.detector));
    if let Some(by) = worst.map(|cause| cause.detector) {
        explained(symptom, by);
    }
}

/// Losses on a hop that nothing explains.
struct LossyHop {
    /// The symptom that found them.
    id: &'static str,
    severity: Severity,
    deaths: BTreeSet<FrameRef>,
}

/// Pings that are lost on a hop are a part of its losses.
fn by_hops(symptoms: &mut [Finding]) {
    let is_hop = |finding: &Finding| matches!(finding.subject, Subject::Hop { .. });
    let hops: Vec<LossyHop> = symptoms
        .iter()
        .filter(|f| is_hop(f) && f.explained_by.is_none() && f.confidence > Confidence::CannotTell)
        .map(|f| LossyHop {
            id: f.detector,
            severity: f.severity,
            deaths: f.deaths.iter().copied().collect(),
        })
        .collect();
    let pings =
        symptoms.iter_mut().filter(|f| !is_hop(f) && f.explained_by.is_none() && !f.deaths.is_empty());
    for ping in pings {
        let hop = |frame: &FrameRef| {
            hops.iter().find(|hop| hop.severity >= ping.severity && hop.deaths.contains(frame))
        };
        let by: Option<Vec<&'static str>> =
            ping.deaths.iter().map(|frame| hop(frame).map(|hop| hop.id)).collect();
        if let Some(id) = by.and_then(|by| by.first().copied())
            && symptoms::ALL.iter().any(|symptom| symptom.unit.id == id)
        {
            explained(ping, id);
        }
    }
}

/// One may be missed in several ways: its pings die, then nobody answers for its MAC. That of which most died is the alarm.
fn by_pairs(symptoms: &mut [Finding]) {
    let alarm = |finding: &Finding| {
        let pair = matches!(finding.subject, Subject::Pair { src: Some(_), .. });
        pair && finding.explained_by.is_none() && finding.severity > Severity::Info
    };
    let rank = |place: usize, finding: &Finding| (finding.deaths.len(), std::cmp::Reverse(place));
    let by: Vec<Option<&'static str>> = symptoms
        .iter()
        .enumerate()
        .map(|(place, mine)| {
            let greater = symptoms.iter().enumerate().filter(|(number, other)| {
                alarm(mine)
                    && alarm(other)
                    && other.detector != mine.detector
                    && other.subject == mine.subject
                    && overlap((mine.from, mine.to), (other.from, other.to))
                    && rank(*number, other) > rank(place, mine)
            });
            greater.max_by_key(|(number, other)| rank(*number, other)).map(|(_, other)| other.detector)
        })
        .collect();
    for (symptom, id) in symptoms.iter_mut().zip(by) {
        if let Some(id) = id {
            explained(symptom, id);
        }
    }
}

fn overlap(a: (Option<Nanos>, Option<Nanos>), b: (Option<Nanos>, Option<Nanos>)) -> bool {
    match (a, b) {
        ((Some(a), Some(b)), (Some(c), Some(d))) => {
            a.plus(-RELATED_NS_MAX) <= d && c.plus(-RELATED_NS_MAX) <= b
        }
        _ => false,
    }
}
