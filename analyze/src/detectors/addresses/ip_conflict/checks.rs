//! Who asks with sender 0 whether an address is taken, and does not want it.

use super::claimants::Suspect;
use super::context::Context;
use super::proof::{DEFEND_NS, PROBE_WAIT_NS, Proof, Rule, probe_answered, proof};
use crate::tables::claims::{AddressKey, ClaimRuns};
use crate::tables::runs::Run;
use crate::view::View;

/// Rounds of questions at one pace that nobody keeps up who wants the address for itself.
const ROUNDS_MIN: usize = 3;
/// PROBE_NUM, RFC 5227 section 1.1.
const PROBE_NUM: u64 = 3;

/// `a` probes, `b` has the address: `a` goes on asking at its pace though it is answered every time, or lives at another
/// address all the while. Who wants an address gives it up when it is answered (RFC 5227 section 2.1.1).
pub(super) fn only_asks(
    view: &View<'_>,
    context: &Context,
    key: AddressKey,
    a: &Suspect,
    b: &Suspect,
) -> Option<Proof> {
    // A client that declines is offered the address again.
    if a.all.count() > 0 || b.all.count() == 0 || view.tables.claims.is_seeker(a.mac) {
        return None;
    }
    let (first, last) = (a.probe.first()?, a.probe.last()?);
    let elsewhere = || {
        let there = |at| context.other_address(key, a.mac, at);
        probe_answered(a, b).filter(|_| there(first.at).is_some() && there(last.at).is_some())
    };
    if !goes_on(a, b) && elsewhere().is_none() {
        return None;
    }
    let answer = b.all.after(first.at).or_else(|| b.all.last())?;
    Some(proof(Rule::Checked, a, b, vec![(a.mac, first), (b.mac, answer), (a.mac, last)]))
}

/// It asks at one pace, is answered, and asks on.
fn goes_on(a: &Suspect, b: &Suspect) -> bool {
    let rounds = a.probe.runs();
    let answered = |run: &Run| {
        let (_, after) = b.all.around(run.first.at);
        after.is_some_and(|ns| ns <= PROBE_WAIT_NS.max(ClaimRuns::GAP_NS))
    };
    let Some((last, before)) = rounds.split_last() else { return false };
    if before.is_empty() {
        let answer = b.all.after(last.first.at);
        let on = answer.is_some_and(|sight| last.last.at.since(sight.at) >= DEFEND_NS);
        return on && a.probes > PROBE_NUM;
    }
    let pauses = || rounds.iter().zip(rounds.iter().skip(1)).map(|(x, y)| y.first.at.since(x.first.at));
    let (least, most) = (pauses().min().unwrap_or(0), pauses().max().unwrap_or(i64::MAX));
    let one_pace = most.saturating_sub(least) <= least / 4;
    rounds.len() >= ROUNDS_MIN && one_pace && before.iter().all(answered)
}
