//! Rules of the kernel's packet filter at which packets of a group end, with what they counted.

use netcap_bundle::sources::network::bridge_filter::{BridgeFilter, FilterEnd};
use netcap_bundle::state::Round;

use super::Case;
use crate::finding::Evidence;
use crate::text::Text;

/// A counter counted the deaths when it grew by at least this part of them, in percent.
const COUNTED_PERCENT_MIN: u64 = 50;

/// The rule of a round at which a packet that leaves at a port ends.
pub(crate) type Ending<'e> = dyn for<'r> Fn(&'r Round<BridgeFilter>, &str) -> Option<FilterEnd<'r>> + 'e;

/// A rule that ends packets.
#[derive(Debug, Clone)]
pub(crate) struct Filtered<'r> {
    pub round: &'r Round<BridgeFilter>,
    pub end: FilterEnd<'r>,
    /// How its counter grew.
    pub counter: Option<Evidence>,
    /// It grew by as many as died, or most of them.
    pub counted: bool,
}

/// What rules do with the packets of a group.
#[derive(Debug, Clone)]
pub(crate) enum Filtering<'r> {
    /// This one ends them, wherever they could leave.
    Ends(Filtered<'r>),
    /// None does, as they were read then.
    Passes(&'r Round<BridgeFilter>),
    /// Nobody read any.
    Unread,
}

impl<'c> Case<'c, '_> {
    /// The rules as they were when the last one died, or as they were read first.
    pub(crate) fn filtering(&self, ending: &Ending<'_>) -> Filtering<'c> {
        let rounds = self.deaths.bridge_filters(self.view);
        let (_, last) = self.span();
        let Some(round) = rounds.iter().rfind(|round| round.at <= last).or_else(|| rounds.first()) else {
            return Filtering::Unread;
        };
        let exits = self.group.exits().iter().map(|id| self.view.points.name(*id));
        let ends: Vec<Option<FilterEnd<'c>>> = exits.map(|exit| ending(round, exit)).collect();
        let first = ends.iter().flatten().next().copied();
        match first.filter(|_| ends.iter().all(Option::is_some)) {
            Some(end) => {
                let counter = self.filter_counter(&end, ending);
                let counted = matches!(&counter, Some(Evidence::Counter { before, after, .. })
                    if (after - before) * 100 >= self.rest.len() as u64 * COUNTED_PERCENT_MIN);
                Filtering::Ends(Filtered { round, end, counter, counted })
            }
            None => Filtering::Passes(round),
        }
    }

    /// The counter of the rule where it was read first and last.
    fn filter_counter(&self, end: &FilterEnd<'_>, ending: &Ending<'_>) -> Option<Evidence> {
        let rounds = self.deaths.bridge_filters(self.view);
        let exit = self.group.exits().first().map(|id| self.view.points.name(*id)).unwrap_or_default();
        let read = |round: &Round<BridgeFilter>| {
            let now = ending(round, exit)?;
            let same = now.chain.table == end.chain.table
                && now.chain.name == end.chain.name
                && short(&now) == short(end);
            Some((round.at, now.rule?.packets.filter(|_| same)?))
        };
        let (from, before) = rounds.iter().find_map(read)?;
        let (to, after) = rounds.iter().rev().find_map(read)?;
        (before < after).then(|| Evidence::Counter {
            name: "packets".to_owned(),
            before,
            after,
            from,
            to,
            what: Text::new("case.filter-grew"),
        })
    }
}

/// The rule as it was printed.
pub(crate) fn line(end: &FilterEnd<'_>) -> String {
    end.rule.map_or_else(|| "policy drop".to_owned(), |rule| rule.raw.clone())
}

/// The rule without its counter, which is what stays the same.
pub(crate) fn short(end: &FilterEnd<'_>) -> String {
    let rule = end.rule.map_or_else(|| "policy".to_owned(), |rule| rule.matches.join(" "));
    format!("{rule} drop")
}
