//! The rules: which pair of suspects makes a conflict, and how sure it is.

use netcap_bundle::Mac;

use super::claimants::{ContestedAddress, Suspect};
use super::context::Context;
use super::proof::{DEFEND_NS, Proof, Rule, probe_answered, proof};
use super::{checks, turns};
use crate::tables::runs::{Run, Sight};
use crate::view::View;

/// Two probers of one address are rivals when both probe within PROBE_WAIT + PROBE_NUM × PROBE_MAX + ANNOUNCE_WAIT.
const RIVAL_PROBE_NS: i64 = 9_000_000_000;
/// RATE_LIMIT_INTERVAL, RFC 5227 section 1.1: what happens within it belongs together.
const TOGETHER_NS: i64 = 60_000_000_000;
/// Claims of the host's own address further apart than this are not copies of one.
const AGAIN_NS: i64 = 1_000_000_000;
/// Changes of the owner that make a slow alternation more than one failover and its return.
const RETURNS_MIN: usize = 3;

/// The conflict on one address: the strongest proof, and every MAC that takes part in any.
#[derive(Debug)]
pub(super) struct Conflict {
    pub best: Proof,
    pub macs: Vec<Mac>,
}

pub(super) fn judge(view: &View<'_>, context: &Context, case: &ContestedAddress) -> Option<Conflict> {
    let mut proofs = Vec::new();
    for (at, a) in case.suspects.iter().enumerate() {
        for b in case.suspects.iter().skip(at + 1) {
            proofs.extend(apart(view, context, case, a, b).or_else(|| pair(a, b)));
        }
        proofs.extend(own(case, a));
    }
    let worst = proofs.iter().map(|p| p.rule).max()?;
    let mut macs: Vec<Mac> = proofs
        .iter()
        .filter(|p| p.rule.is_conflict() == worst.is_conflict())
        .flat_map(|p| [p.macs.0, p.macs.1])
        .collect();
    macs.sort_unstable();
    macs.dedup();
    let best = proofs.into_iter().rev().max_by_key(|p| p.rule)?;
    Some(Conflict { best, macs })
}

/// The host's own address in its snapshot, and a claim of somebody who is not the host.
fn own(case: &ContestedAddress, suspect: &Suspect) -> Option<Proof> {
    let own = case.own.as_ref()?;
    if case.host_macs.contains(&suspect.mac) || suspect.mac == own.mac {
        return None;
    }
    let (first, last) = (suspect.all.first()?, suspect.all.last()?);
    // Once may be a misreading of another network; again and again, while the host has the address, is another owner.
    let again = suspect.all.count() >= 2 && last.at.since(first.at) >= AGAIN_NS;
    let rule = if again { Rule::OwnAddressAgain } else { Rule::OwnAddress };
    let mut sights = vec![(suspect.mac, first)];
    sights.extend(again.then_some((suspect.mac, last)));
    Some(Proof { rule, macs: (own.mac, suspect.mac), sights })
}

/// Two that only look like rivals.
fn apart(
    view: &View<'_>,
    context: &Context,
    case: &ContestedAddress,
    a: &Suspect,
    b: &Suspect,
) -> Option<Proof> {
    let flux = context.flux(case.key, a.mac, b.mac).is_some();
    let first = |s: &Suspect| s.all.first().map(|sight| (s.mac, sight));
    if flux {
        return Some(proof(Rule::Flux, a, b, first(a).into_iter().chain(first(b)).collect()));
    }
    turns::elected(view, case.key, a, b).or_else(|| {
        checks::only_asks(view, context, case.key, a, b)
            .or_else(|| checks::only_asks(view, context, case.key, b, a))
    })
}

fn pair(a: &Suspect, b: &Suspect) -> Option<Proof> {
    probe_answered(a, b)
        .or_else(|| probe_answered(b, a))
        .or_else(|| probers(a, b))
        .or_else(|| {
            let rivals = alternation(a, b).or_else(|| alternation(b, a)).or_else(|| announcers(a, b))?;
            turns::returned(a, b).or(Some(rivals))
        })
        .or_else(|| slow(a, b))
        .or_else(|| hand_over(a, b))
        .or_else(|| hand_over(b, a))
}

/// RFC 5227 section 2.1.1: two hosts probe one address at once; both must back off, and nothing else is ever seen.
fn probers(a: &Suspect, b: &Suspect) -> Option<Proof> {
    // A DHCP server checks with a single probe what its client probes next and then uses.
    let checked = |server: &Suspect, client: &Suspect| {
        server.probe.count() == 1 && server.all.count() == 0 && client.all.count() > 0
    };
    if checked(a, b) || checked(b, a) {
        return None;
    }
    let (x, y) = nearest(a.probe.runs(), b.probe.runs(), RIVAL_PROBE_NS)?;
    Some(proof(Rule::Probers, a, b, vec![(a.mac, x), (b.mac, y)]))
}

/// `b` speaks between two claims of `a` that are close to it on both sides: two owners at one time.
fn alternation(a: &Suspect, b: &Suspect) -> Option<Proof> {
    b.all.runs().iter().flat_map(|run| [run.first, run.last]).find_map(|sight| {
        let (before, after) = a.all.around(sight.at);
        if before? > TOGETHER_NS || after? > TOGETHER_NS {
            return None;
        }
        let sights = vec![(a.mac, a.all.before(sight.at)?), (b.mac, sight), (a.mac, a.all.after(sight.at)?)];
        Some(proof(Rule::Alternation, a, b, sights))
    })
}

/// RFC 5227 section 2.4: each says unasked that the address is its own. A takeover looks like this only when the one who
/// lost it had been using it and falls silent.
fn announcers(a: &Suspect, b: &Suspect) -> Option<Proof> {
    if handed_over(a, b) || handed_over(b, a) {
        return None;
    }
    let (x, y) = nearest(a.announce.runs(), b.announce.runs(), TOGETHER_NS)?;
    let apart = x.at.since(y.at).saturating_abs();
    let rule = if apart <= DEFEND_NS { Rule::Announcers } else { Rule::AnnouncedTogether };
    Some(proof(rule, a, b, vec![(a.mac, x), (b.mac, y)]))
}

/// In turns, but never close together: many turns are a conflict of quiet devices, few are failovers.
fn slow(a: &Suspect, b: &Suspect) -> Option<Proof> {
    let mut turns: Vec<(Sight, Mac)> =
        [a, b].into_iter().flat_map(|s| s.all.runs().iter().map(|r| (r.first, s.mac))).collect();
    turns.sort_unstable();
    turns.dedup_by_key(|(_, mac)| *mac);
    let changes = turns.len().saturating_sub(1);
    if changes < 2 {
        return None;
    }
    let rule = if changes >= RETURNS_MIN { Rule::TakingTurns } else { Rule::Returned };
    Some(proof(rule, a, b, turns.into_iter().take(4).map(|(s, mac)| (mac, s)).collect()))
}

fn hand_over(a: &Suspect, b: &Suspect) -> Option<Proof> {
    let (last, first) = (a.all.last()?, b.all.first()?);
    (last.at < first.at).then(|| proof(Rule::HandOver, a, b, vec![(a.mac, last), (b.mac, first)]))
}

/// `a` had been using the address, and is silent since `b` speaks.
fn handed_over(a: &Suspect, b: &Suspect) -> bool {
    match (a.all.last(), b.all.first()) {
        (Some(last), Some(first)) => last.at < first.at && a.using.count() > 0,
        _ => false,
    }
}

/// The two sightings of two lists of runs that are closest, if they are within `ns`.
fn nearest(a: &[Run], b: &[Run], ns: i64) -> Option<(Sight, Sight)> {
    let ends = |run: &Run| [run.first, run.last];
    let mut best: Option<(i64, Sight, Sight)> = None;
    for x in a.iter().flat_map(ends) {
        // Runs are in order of time: only the neighbours of `x` can be nearest.
        let at = b.partition_point(|run| run.first.at < x.at);
        let near = b.get(at.saturating_sub(1)..b.len().min(at + 1)).unwrap_or_default();
        for y in near.iter().flat_map(ends) {
            let apart = x.at.since(y.at).saturating_abs();
            if apart <= ns && best.is_none_or(|(d, ..)| apart < d) {
                best = Some((apart, x, y));
            }
        }
    }
    best.map(|(_, x, y)| (x, y))
}
