//! Two that have an address one after the other, by agreement.

use netcap_bundle::{Mac, Nanos};

use super::claimants::Suspect;
use super::proof::{Proof, Rule, proof};
use crate::tables::claims::{AddressKey, ClaimRuns};
use crate::tables::elections::{AdvertRuns, ElectionsTable, GroupKey};
use crate::tables::runs::{Run, Sight};
use crate::view::View;

/// A master that was elected advertises again within this (Advertisement_Interval, RFC 9568 section 6.1, at its least of
/// usual); two that never agree take turns with single advertisements.
const TENURE_NS_MIN: i64 = 500_000_000;
/// Who loses the election may speak that long after the other began.
const OVERLAP_NS: i64 = 1_000_000_000;
/// Who defends an address does so at once (RFC 5227 section 2.4); a router that returns waits for its turn.
const DEFENCE_NS: i64 = 3_000_000_000;
/// An announcement belongs to a change of owner when it comes this soon.
const ANNOUNCED_NS: i64 = 1_000_000_000;
/// Changes that are shown.
const SHOWN_MAX: usize = 4;

/// A stretch in which one of the two has the address.
#[derive(Debug, Clone, Copy)]
struct Tenure {
    mac: Mac,
    first: Sight,
    last: Sight,
}

impl Tenure {
    /// Somebody else claims the address well within it.
    fn holds_claim_of(&self, run: &Run) -> bool {
        let within = |at: Nanos| self.first.at.plus(OVERLAP_NS) < at && at < self.last.at;
        // Between two claims of a run there is no longer pause than that.
        let covers = run.first.at < self.first.at && self.last.at < run.last.at;
        let long = self.last.at.since(self.first.at) > OVERLAP_NS + ClaimRuns::GAP_NS;
        within(run.first.at) || within(run.last.at) || (covers && long)
    }
}

/// Their advertisements show which of them is the master, and never both at a time; nor does one claim the address in the
/// other's time.
pub(super) fn elected(view: &View<'_>, key: AddressKey, a: &Suspect, b: &Suspect) -> Option<Proof> {
    let (mine, theirs) = adverts(&view.tables.elections, key, a.mac, b.mac)?;
    let tenures = tenures((a.mac, mine.runs()), (b.mac, theirs.runs()))?;
    let inner = tenures.get(1..tenures.len().saturating_sub(1)).unwrap_or_default();
    let long = inner.iter().all(|t| t.last.at.since(t.first.at) >= TENURE_NS_MIN);
    let usurped = |suspect: &Suspect| {
        let others = || tenures.iter().filter(|t| t.mac != suspect.mac);
        suspect.all.runs().iter().any(|run| others().any(|tenure| tenure.holds_claim_of(run)))
    };
    if tenures.len() < 2 || !long || mine.count() < 2 || theirs.count() < 2 || usurped(a) || usurped(b) {
        return None;
    }
    Some(proof(Rule::Elected, a, b, tenures.iter().take(SHOWN_MAX).map(|t| (t.mac, t.first)).collect()))
}

/// The advertisements of both in the group that they are in.
fn adverts(table: &ElectionsTable, key: AddressKey, a: Mac, b: Mac) -> Option<(&AdvertRuns, &AdvertRuns)> {
    let group = |group| GroupKey { domain: key.domain, vlan: key.vlan, ipv6: key.ip.is_ipv6(), group };
    let mut groups = table.groups.range(group(0)..=group(u8::MAX));
    groups.find_map(|(_, masters)| masters.get(&a).zip(masters.get(&b)))
}

/// There and back: each of the two changes is announced, and the first owner is silent meanwhile.
pub(super) fn returned(a: &Suspect, b: &Suspect) -> Option<Proof> {
    let tenures = tenures((a.mac, a.all.runs()), (b.mac, b.all.runs()))?;
    let [first, there, back] = tenures.as_slice() else { return None };
    let suspect = |tenure: &Tenure| if tenure.mac == a.mac { a } else { b };
    let announced = |tenure: &Tenure| {
        let at: Nanos = tenure.first.at;
        suspect(tenure).announce.after(at).is_some_and(|sight| sight.at.since(at) <= ANNOUNCED_NS)
    };
    // Who only ever announces it may have it all the while.
    let used = suspect(first).using.first().is_some_and(|sight| sight.at < there.first.at);
    let defended = back.first.at.since(there.first.at) < DEFENCE_NS;
    if !used || defended || !announced(there) || !announced(back) {
        return None;
    }
    let sights = vec![(first.mac, first.last), (there.mac, there.first), (back.mac, back.first)];
    Some(proof(Rule::ReturnedSoon, a, b, sights))
}

/// Who had it when; `None` when both had it at a time.
fn tenures(a: (Mac, &[Run]), b: (Mac, &[Run])) -> Option<Vec<Tenure>> {
    let of = |(mac, runs): (Mac, &[Run])| -> Vec<Tenure> {
        runs.iter().map(|run| Tenure { mac, first: run.first, last: run.last }).collect()
    };
    let mut all = [of(a), of(b)].concat();
    all.sort_by_key(|tenure| (tenure.first, tenure.mac));
    let mut out: Vec<Tenure> = Vec::new();
    for tenure in all {
        match out.last_mut() {
            Some(last) if last.mac == tenure.mac => last.last = last.last.max(tenure.last),
            Some(last) if last.last.at >= tenure.first.at => return None,
            _ => out.push(tenure),
        }
    }
    Some(out)
}
