//! Which cause killed what: every cause in its turn is asked for every group of deaths that is not explained yet.

use std::collections::{BTreeMap, BTreeSet};

use netcap_bundle::Nanos;

use super::consequences::consequences;
use super::stale;
use super::turns::Turns;
use crate::causes::{self, Cause, Claim, Ruling};
use crate::deaths::{Case, Death, Deaths, Group};
use crate::engine::FrameRef;
use crate::finding::{Confidence, Evidence, Finding, Severity, Victim};
use crate::host::lacking::{Lack, lack};
use crate::text::Text;
use crate::unit::Unit;
use crate::view::View;

/// Evidence of one finding that several claims give.
const EVIDENCE_MAX: usize = 24;
/// How far apart a fault may be from what it did to other packets than those it is known by: it shows first in what is sent
/// next.
pub(super) const RELATED_NS_MAX: i64 = 10_000_000_000;

/// What a cause said of a group that it did not explain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Said {
    /// It is ruled out.
    Out(Text),
    /// Nobody can tell, for lack of these.
    Open(Vec<Text>),
    /// It said nothing, and without these sources it could not.
    Blind(Lack, Vec<&'static str>),
}

/// The findings of causes, and which deaths each explains.
#[derive(Debug, Default)]
pub(super) struct Ladder {
    /// Findings of causes, in the order in which they were asked.
    pub findings: Vec<Finding>,
    /// By death: which of `findings` explains it.
    explained: BTreeMap<FrameRef, usize>,
    /// What causes said of groups that they did not explain, by group.
    said: BTreeMap<usize, Vec<(&'static str, Said)>>,
    /// By source: why it said nothing, if it did not.
    lacks: BTreeMap<&'static str, Option<Lack>>,
    /// The groups of deaths.
    group_of: BTreeMap<FrameRef, usize>,
}

impl Ladder {
    /// Asks all causes.
    pub(super) fn climb(view: &View<'_>, deaths: &Deaths<'_>, turns: &mut Turns<'_>) -> Self {
        let mut ladder = Self::default();
        for (index, group) in deaths.groups.iter().enumerate() {
            ladder.group_of.extend(group.deaths.iter().map(|death| (death.frame, index)));
        }
        for cause in causes::ALL {
            if turns.wanted(&cause.unit) && turns.note(&cause.unit, cause.unit.missing(view)) {
                ladder.ask(view, deaths, cause);
            }
        }
        ladder
    }

    fn ask(&mut self, view: &View<'_>, deaths: &Deaths<'_>, cause: &Cause) {
        let mut faults = Faults::default();
        for claim in (cause.harms)(view, deaths) {
            faults.harms.insert(claim.fault.clone());
            faults.take(claim, &[]);
        }
        for (index, group) in deaths.judged().iter().enumerate() {
            let rest = self.rest(group);
            if rest.is_empty() {
                continue;
            }
            match (cause.judge)(&Case { view, deaths, number: index, group, rest: &rest }) {
                Ruling::Claims(claim) => faults.take(*claim, &rest),
                Ruling::RuledOut(why) => self.note(index, &cause.unit, Said::Out(why)),
                Ruling::CannotTell(needs) => self.note(index, &cause.unit, Said::Open(needs)),
                Ruling::NotConcerned => {
                    self.note_blind(view, cause, &Case { view, deaths, number: index, group, rest: &rest });
                }
            }
        }
        let Faults { claims, harms } = faults;
        let before = self.findings.len();
        let mut claims: Vec<Claim> = claims.into_values().collect();
        claims.sort_by_key(|claim| std::cmp::Reverse(claim.deaths.len()));
        for mut claim in claims.into_iter().take(cause.unit.most.unwrap_or(usize::MAX)) {
            // One packet may have been lost to a race with a change.
            if claim.deaths.len() == 1 && !harms.contains(&claim.fault) {
                claim.finding.severity = Severity::Info;
            }
            self.explained.extend(claim.deaths.iter().map(|frame| (*frame, self.findings.len())));
            self.add(claim.finding, deaths);
        }
        self.mark_stale(view, deaths, before);
    }

    /// Of the findings from that one on: whether the state by which they are stated is of the time of their deaths.
    fn mark_stale(&mut self, view: &View<'_>, deaths: &Deaths<'_>, from: usize) {
        let Some(fresh) = self.findings.get_mut(from..).filter(|fresh| !fresh.is_empty()) else { return };
        let mut spans: Vec<Option<(Nanos, Nanos)>> =
            fresh.iter().map(|finding| finding.from.zip(finding.to)).collect();
        let mut told = vec![false; spans.len()];
        for death in deaths.groups.iter().flat_map(|group| &group.deaths) {
            let number = self.explained.get(&death.frame).and_then(|number| number.checked_sub(from));
            let Some((span, told)) = number.and_then(|n| spans.get_mut(n).zip(told.get_mut(n))) else {
                continue;
            };
            let (first, last) = span.filter(|_| *told).unwrap_or((death.at, death.at));
            (*span, *told) = (Some((first.min(death.at), last.max(death.at))), true);
        }
        for (finding, span) in fresh.iter_mut().zip(spans) {
            if let Some(span) = span {
                stale::mark(view, finding, span);
            }
        }
    }

    /// Takes a finding that names its victims, and whatever of the deaths is theirs and not explained yet.
    pub(super) fn add(&mut self, finding: Finding, deaths: &Deaths<'_>) {
        let number = self.findings.len();
        if finding.confidence > Confidence::CannotTell && !finding.victims.is_empty() {
            for group in deaths.groups.iter().filter(|group| is_victim(&finding.victims, group)) {
                for death in group.deaths.iter().filter(|death| is_near(&finding, death.at)) {
                    self.explained.entry(death.frame).or_insert(number);
                }
            }
        }
        self.findings.push(finding);
    }

    fn rest(&self, group: &Group<'_>) -> Vec<Death> {
        group.deaths.iter().filter(|death| !self.explained.contains_key(&death.frame)).copied().collect()
    }

    /// That a cause could not tell of a group, because sources said nothing.
    fn note_blind(&mut self, view: &View<'_>, cause: &Cause, case: &Case<'_, '_>) {
        let mut lacks: BTreeMap<Lack, Vec<&'static str>> = BTreeMap::new();
        for source in (cause.reads)(case) {
            let lack = self.lacks.entry(source).or_insert_with(|| lack(view.input, source));
            if let Some(lack) = *lack {
                lacks.entry(lack).or_default().push(source);
            }
        }
        for (lack, sources) in lacks {
            self.note(case.number, &cause.unit, Said::Blind(lack, sources));
        }
    }

    fn note(&mut self, group: usize, unit: &Unit, said: Said) {
        self.said.entry(group).or_default().push((unit.id, said));
    }

    /// Which finding explains a death.
    pub(super) fn explains(&self, frame: FrameRef) -> Option<&Finding> {
        self.findings.get(*self.explained.get(&frame)?)
    }

    /// What was said of the groups of those deaths, in the order in which causes were asked.
    pub(super) fn said(&self, frames: impl Iterator<Item = FrameRef>) -> Vec<(&'static str, Said)> {
        let groups: BTreeSet<usize> = frames.filter_map(|frame| self.group_of.get(&frame)).copied().collect();
        let mut out: Vec<(&'static str, Said)> = Vec::new();
        for said in groups.iter().filter_map(|group| self.said.get(group)).flatten() {
            if !out.contains(said) {
                out.push(said.clone());
            }
        }
        let rung = |id: &str| causes::ALL.iter().find(|cause| cause.unit.id == id).map(|cause| cause.rung);
        out.sort_by_key(|(id, _)| (rung(id), *id));
        out
    }

    /// Says of every finding what died of it, once all are found.
    pub(super) fn tell_consequences(&mut self, deaths: &Deaths<'_>) {
        let by = |death: &Death| self.explained.get(&death.frame).copied();
        for (number, lines) in consequences(deaths, by) {
            if let Some(finding) = self.findings.get_mut(number) {
                finding.consequences = lines;
            }
        }
    }
}

/// The faults that one cause found.
#[derive(Debug, Default)]
struct Faults {
    claims: BTreeMap<String, Claim>,
    /// Those that harm whether or not somebody suffers from them.
    harms: BTreeSet<String>,
}

impl Faults {
    /// Joins a claim to those of the same fault. The surest one speaks for all.
    fn take(&mut self, mut claim: Claim, rest: &[Death]) {
        let rest: BTreeSet<FrameRef> = rest.iter().map(|death| death.frame).collect();
        claim.deaths.retain(|frame| rest.contains(frame));
        let Some(mine) = self.claims.get_mut(&claim.fault) else {
            self.claims.insert(claim.fault.clone(), claim);
            return;
        };
        // That a fault is there may be surer than that packets died of it: what is said of them goes before.
        let harms_only =
            mine.deaths.is_empty() && !claim.deaths.is_empty() && self.harms.contains(&claim.fault);
        let surer =
            (claim.finding.confidence, claim.deaths.len()) > (mine.finding.confidence, mine.deaths.len());
        if harms_only || surer {
            std::mem::swap(mine, &mut claim);
        }
        mine.deaths.append(&mut claim.deaths);
        join(&mut mine.finding, claim.finding);
    }
}

fn join(finding: &mut Finding, other: Finding) {
    finding.severity = finding.severity.max(other.severity);
    finding.from = earliest(finding.from, other.from);
    finding.to = finding.to.max(other.to);
    // Frames and absences of one claim are examples of all; what is known of the host adds up.
    let state =
        |evidence: &Evidence| matches!(evidence, Evidence::Snapshot { .. } | Evidence::Counter { .. });
    for evidence in other.evidence.into_iter().filter(state) {
        if finding.evidence.len() < EVIDENCE_MAX && !finding.evidence.contains(&evidence) {
            finding.evidence.push(evidence);
        }
    }
    for exoneration in other.exonerations {
        if !finding.exonerations.contains(&exoneration) {
            finding.exonerations.push(exoneration);
        }
    }
    for victim in other.victims {
        if !finding.victims.contains(&victim) {
            finding.victims.push(victim);
        }
    }
}

fn earliest(a: Option<Nanos>, b: Option<Nanos>) -> Option<Nanos> {
    [a, b].into_iter().flatten().min()
}

fn is_victim(victims: &[Victim], group: &Group<'_>) -> bool {
    victims.iter().any(|victim| match victim {
        Victim::Address(ip) => *ip == group.src || *ip == group.dst,
        Victim::Pair { src, dst } => {
            group.is_ping() && [(*src, *dst), (*dst, *src)].contains(&(group.src, group.dst))
        }
    })
}

fn is_near(finding: &Finding, at: Nanos) -> bool {
    let (Some(from), Some(to)) = (finding.from, finding.to) else { return false };
    from.plus(-RELATED_NS_MAX) <= at && at <= to.plus(RELATED_NS_MAX)
}
