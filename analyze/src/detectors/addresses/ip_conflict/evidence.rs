//! The frames behind a conflict.

use netcap_bundle::Mac;

use super::claimants::{ContestedAddress, Suspect};
use super::judge::Conflict;
use super::proof::{Proof, Rule};
use crate::finding::Evidence;
use crate::tables::runs::Sight;
use crate::text::Text;
use crate::view::View;

/// Claimants whose counts are given.
const CLAIMANTS_MAX: usize = 6;

/// The host's snapshot, the frames of the proof, then what each claimant did in all.
pub(super) fn evidence(view: &View<'_>, case: &ContestedAddress, conflict: &Conflict) -> Vec<Evidence> {
    let mut out = Vec::new();
    if let Some(own) = &case.own {
        out.push(own.evidence.clone());
    }
    let Proof { sights, .. } = &conflict.best;
    for (mac, sight) in sights {
        let Some(suspect) = suspect(case, *mac) else { continue };
        let elected = conflict.best.rule == Rule::Elected;
        let key = if elected { "ip-conflict.evidence.master" } else { kind_key(suspect, *sight) };
        let what = Text::new(key).with("mac", mac).with("ip", case.key.ip);
        out.push(view.frame(*sight, point_of(suspect), what));
    }
    for mac in conflict.macs.iter().take(CLAIMANTS_MAX) {
        let Some(suspect) = suspect(case, *mac) else { continue };
        let Some(last) = suspect.all.last().or_else(|| suspect.probe.last()) else { continue };
        let shown = |sight| sights.contains(&(*mac, sight));
        if suspect.frames <= 1 && (shown(last) || suspect.all.first().is_some_and(shown)) {
            continue;
        }
        if suspect.frames == 0 {
            // It only asked, and never said that it has it.
            if !suspect.probe.first().is_some_and(shown) {
                let what = Text::new("evidence.probe").with("mac", mac).with("ip", case.key.ip);
                out.push(view.frame(last, point_of(suspect), what));
            }
            continue;
        }
        let one = suspect.frames == 1;
        let key = if one { "evidence.claims-one" } else { "evidence.claims" };
        let what = Text::new(key).with("mac", mac).with("count", suspect.frames);
        out.push(view.frame(last, point_of(suspect), what));
    }
    out
}

pub(super) fn suspect(case: &ContestedAddress, mac: Mac) -> Option<&Suspect> {
    case.suspects.iter().find(|s| s.mac == mac)
}

pub(super) fn point_of(suspect: &Suspect) -> crate::engine::PointId {
    suspect.seen.first().map_or(crate::engine::PointId(u32::MAX), |(point, _)| *point)
}

/// What that frame was.
pub(super) fn kind_key(suspect: &Suspect, sight: Sight) -> &'static str {
    let holds = |runs: &crate::tables::claims::ClaimRuns| {
        runs.runs().iter().any(|r| r.first == sight || r.last == sight)
    };
    if holds(&suspect.probe) {
        "evidence.probe"
    } else if holds(&suspect.announce) {
        "evidence.announce"
    } else if holds(&suspect.opens) {
        "evidence.opens"
    } else {
        "evidence.claim"
    }
}
