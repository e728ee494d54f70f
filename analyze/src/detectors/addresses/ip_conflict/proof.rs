//! What happened between two suspects, with the sightings that show it.

use netcap_bundle::Mac;

use super::claimants::Suspect;
use crate::finding::Confidence;
use crate::tables::runs::Sight;

/// DEFEND_INTERVAL, RFC 5227 section 1.1.
pub(super) const DEFEND_NS: i64 = 10_000_000_000;
/// ANNOUNCE_WAIT, RFC 5227 section 1.1: how long after its last probe a prober listens.
pub(super) const PROBE_WAIT_NS: i64 = 2_000_000_000;

/// What happened between two suspects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rule {
    /// Somebody only asks whether the address is taken.
    Checked,
    /// One clean hand-over.
    HandOver,
    /// One host that answers by several cards.
    Flux,
    /// A failover and its return within a minute, each announced.
    ReturnedSoon,
    /// Routers elect who has it, and never two at a time.
    Elected,
    /// A failover and its return, or two of them.
    Returned,
    /// Both announce, further apart than a defence.
    AnnouncedTogether,
    /// In turns over a long time.
    TakingTurns,
    /// The host's own address, claimed by another.
    OwnAddress,
    /// The host's own address, claimed by another again and again.
    OwnAddressAgain,
    /// Both announce, or one defends.
    Announcers,
    /// A, B, A.
    Alternation,
    /// Two probers at once.
    Probers,
    /// A probe answered by another.
    ProbeAnswered,
}

impl Rule {
    pub(super) fn confidence(self) -> Confidence {
        match self {
            Self::HandOver | Self::Elected | Self::Returned => Confidence::Proven,
            _ if self >= Self::OwnAddressAgain => Confidence::Proven,
            _ => Confidence::Likely,
        }
    }

    pub(super) fn is_conflict(self) -> bool {
        self > Self::Returned
    }
}

/// A pair, its rule, and the sightings that show it, in order of time.
#[derive(Debug, Clone)]
pub(super) struct Proof {
    pub rule: Rule,
    pub macs: (Mac, Mac),
    pub sights: Vec<(Mac, Sight)>,
}

pub(super) fn proof(rule: Rule, a: &Suspect, b: &Suspect, mut sights: Vec<(Mac, Sight)>) -> Proof {
    sights.sort_by_key(|(mac, sight)| (sight.at, *mac));
    sights.dedup();
    Proof { rule, macs: (a.mac.min(b.mac), a.mac.max(b.mac)), sights }
}

/// RFC 5227 section 2.1.1: while `a` probes and listens, `b` says that the address is its own.
pub(super) fn probe_answered(a: &Suspect, b: &Suspect) -> Option<Proof> {
    a.probe.runs().iter().find_map(|probe| {
        let answer = b.all.after(probe.first.at).filter(|s| s.at.since(probe.last.at) <= PROBE_WAIT_NS)?;
        Some(proof(Rule::ProbeAnswered, a, b, vec![(a.mac, probe.first), (b.mac, answer)]))
    })
}
