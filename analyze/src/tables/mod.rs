//! What one pass leaves: tables, each grown by its fold and bounded, with honest remarks when a bound was reached.

pub(crate) mod asked;
pub(crate) mod bonded;
pub(crate) mod claims;
pub(crate) mod hops;
pub(crate) mod journeys;
pub(crate) mod losses;
pub(crate) mod marks;
pub(crate) mod runs;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::engine::points::Scene;
use crate::engine::{Fold, PacketView, PointId};

pub(crate) use bonded::BondedTable;
pub(crate) use claims::ClaimsTable;
pub(crate) use hops::HopsTable;
pub(crate) use journeys::JourneysTable;
pub(crate) use losses::Seen;

/// All folds, fed together: a packet is decoded once.
#[derive(Debug)]
pub(crate) struct Folds {
    asked: asked::AskedFold,
    bonded: bonded::BondedFold,
    claims: claims::ClaimsFold,
    hops: hops::HopsFold,
    journeys: journeys::JourneysFold,
    losses: losses::LossesFold,
}

/// All tables.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    /// Addresses that were asked for.
    pub asked: asked::AskedTable,
    /// MACs at members of bonds.
    pub bonded: BondedTable,
    /// Claims of addresses.
    pub claims: ClaimsTable,
    /// Packets from point to point.
    pub hops: HopsTable,
    /// Requests and replies.
    pub journeys: JourneysTable,
    /// What each point saw and lost.
    pub seen: BTreeMap<PointId, Seen>,
    /// Packets at points beyond the size of `seen`.
    pub unseen: u64,
}

impl Fold for Folds {
    fn start(scene: &Arc<Scene>) -> Self {
        Self {
            asked: Fold::start(scene),
            bonded: Fold::start(scene),
            claims: Fold::start(scene),
            hops: Fold::start(scene),
            journeys: Fold::start(scene),
            losses: Fold::start(scene),
        }
    }

    fn packet(&mut self, packet: &PacketView<'_>) {
        self.asked.packet(packet);
        self.bonded.packet(packet);
        self.claims.packet(packet);
        self.hops.packet(packet);
        self.journeys.packet(packet);
        self.losses.packet(packet);
    }

    fn merge(&mut self, later: Self) {
        self.asked.merge(later.asked);
        self.bonded.merge(later.bonded);
        self.claims.merge(later.claims);
        self.hops.merge(later.hops);
        self.journeys.merge(later.journeys);
        self.losses.merge(later.losses);
    }
}

impl Folds {
    /// Finishes every table, the large ones side by side.
    pub(crate) fn finish(self) -> Tables {
        let Self { asked, bonded, claims, hops, journeys, losses } = self;
        let (hops, (journeys, claims)) = rayon::join(
            || hops.finish(&hops::Clocks::default()),
            || rayon::join(|| journeys.finish(), || claims.finish()),
        );
        let (asked, bonded, (seen, unseen)) = (asked.finish(), bonded.finish(), losses.finish());
        Tables { asked, bonded, claims, hops, journeys, seen, unseen }
    }
}

impl Tables {
    /// What was given up to stay within bounds: table and count.
    pub(crate) fn given_up(&self) -> Vec<(&'static str, u64)> {
        let addresses = self.claims.addresses.values().map(|a| a.overflow).sum::<u64>();
        let coarse = |runs: bool| u64::from(runs);
        let claims = self.claims.addresses.values().flat_map(|a| &a.claims);
        let coarse_claims = claims.map(|c| coarse(c.runs.is_coarse())).sum::<u64>();
        let coarse_members = self
            .bonded
            .entries
            .values()
            .map(|e| coarse(e.other.is_coarse() || e.towards.is_coarse() || e.announced.is_coarse()))
            .sum::<u64>();
        let lldp = |entry: &bonded::MacAtMember| entry.lldp_count.saturating_sub(entry.lldp.len() as u64);
        let all = [
            ("addresses", self.claims.overflow),
            ("questions", self.asked.overflow),
            ("claims", addresses),
            ("coarse-claims", coarse_claims),
            ("bond-macs", self.bonded.overflow),
            ("coarse-macs", coarse_members),
            ("places", self.claims.addresses.values().flat_map(|a| &a.claims).map(|c| c.elsewhere).sum()),
            ("journeys", self.journeys.overflow),
            ("examples", self.journeys.unsampled),
            ("unnamed", self.hops.unnamed()),
            ("hops", self.hops.overflow),
            ("thinned", if self.hops.one_in > 1 { self.hops.one_in } else { 0 }),
            ("translations", self.hops.translations),
            ("losses", self.seen.values().map(|seen| seen.joined).sum()),
            ("points", self.unseen),
            ("lldp", self.bonded.entries.values().map(lldp).sum()),
        ];
        all.into_iter().filter(|(_, count)| *count > 0).collect()
    }
}
