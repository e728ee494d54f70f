//! What one pass leaves: tables, each grown by its fold and bounded, with honest remarks when a bound was reached.

pub(crate) mod asked;
pub(crate) mod bonded;
pub(crate) mod cap;
pub(crate) mod claims;
pub(crate) mod elections;
pub(crate) mod floods;
pub(crate) mod hops;
pub(crate) mod journeys;
pub(crate) mod lookups;
pub(crate) mod losses;
pub(crate) mod marks;
pub(crate) mod opaque;
pub(crate) mod questions;
pub(crate) mod runs;
pub(crate) mod sources;
pub(crate) mod steps;

use crate::engine::Fold;
use crate::tables::cap::Cap;

pub(crate) use losses::PointTraffic;

/// A fold that leaves a table.
pub(crate) trait TableFold: Fold {
    /// What it leaves.
    type Table: Default + Send;

    /// Once all segments are merged.
    fn finish(self) -> Self::Table;

    /// What was given up to stay within bounds; nothing was where the count is 0.
    fn given_up(table: &Self::Table) -> Vec<(Cap, u64)>;
}

macro_rules! tables {
    ($($(#[$doc:meta])* $name:ident: $fold:ty,)*) => {
        crate::engine::folds! {
            /// All folds, fed together: a packet is decoded once.
            pub(crate) struct Folds { $($name: $fold,)* }
        }

        /// All tables.
        #[derive(Debug, Default)]
        pub(crate) struct Tables {
            $($(#[$doc])* pub $name: <$fold as TableFold>::Table,)*
        }

        impl Folds {
            /// Finishes all tables, side by side.
            pub(crate) fn finish(self) -> Tables {
                let mut tables = Tables::default();
                rayon::scope(|scope| {
                    $(scope.spawn(|_| tables.$name = self.$name.finish());)*
                });
                tables
            }
        }

        impl Tables {
            /// What was given up to stay within bounds, in the order of the report.
            pub(crate) fn given_up(&self) -> Vec<(Cap, u64)> {
                let mut all = [$(<$fold>::given_up(&self.$name)),*].concat();
                all.retain(|(_, count)| *count > 0);
                all.sort_by_key(|(cap, _)| *cap);
                all
            }
        }
    };
}

// The registry: one line each, alphabetical.
tables! {
    /// Addresses that were asked for.
    asked: asked::AskedFold,
    /// MACs at members of bonds.
    bonded: bonded::BondedFold,
    /// Claims of addresses.
    claims: claims::ClaimsFold,
    /// Who says that it is the master of a group of routers.
    elections: elections::ElectionsFold,
    /// Packets from point to point.
    hops: hops::HopsFold,
    /// Requests and replies.
    journeys: journeys::JourneysFold,
    /// Questions of names, with their answers.
    lookups: lookups::LookupsFold,
    /// What each point saw and lost.
    losses: losses::LossesFold,
    /// Frames that were not understood.
    opaque: opaque::OpaqueFold,
    /// ARP requests with their replies.
    questions: questions::QuestionsFold,
    /// From which machines' ports addresses speak.
    sources: sources::SourcesFold,
    /// Where clocks were set.
    steps: steps::StepsFold,
}
