//! What passed where others died: the contrast tells why. Only large ones die, only tagged ones, only this pair.

use std::collections::{BTreeMap, BTreeSet};

use netcap_bundle::Nanos;

use super::Group;
use crate::tables::hops::{Passed, Stop};
use crate::view::View;

/// What passed so much before the first death and after the last one is looked at too.
const AROUND_NS: i64 = 1_000_000_000;
/// Packets of other pairs looked at for one group.
const LOOKED_MAX: usize = 65_536;

/// Packets that passed the stop in the time in which a group died there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Beside {
    /// Between the same addresses.
    pub same: Passers,
    /// Between the first and the last death only, of the same addresses.
    pub between: u64,
    /// Between others.
    pub others: Passers,
}

/// Packets that passed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Passers {
    /// How many.
    pub count: u64,
    /// Octets of the largest; 0 when none passed.
    pub largest: u32,
    pub vlans: BTreeSet<u16>,
}

impl Passers {
    fn add(&mut self, passed: &Passed) {
        self.count += 1;
        self.largest = self.largest.max(passed.facts.size);
        self.vlans.insert(passed.facts.vlan);
    }
}

/// Looks at what passed beside each group.
pub(super) fn fill<'g, 'a: 'g>(view: &View<'_>, groups: impl Iterator<Item = &'g mut Group<'a>>) {
    let mut by_stop: BTreeMap<Stop, Vec<(Passed, usize)>> = BTreeMap::new();
    let pairs: Vec<_> = view.tables.hops.pairs.iter().filter(|(_, pair)| !pair.through.is_empty()).collect();
    for (index, (key, pair)) in pairs.iter().enumerate() {
        by_stop.entry(key.from).or_default().extend(pair.through.iter().map(|passed| (*passed, index)));
    }
    for all in by_stop.values_mut() {
        all.sort_unstable();
    }
    for group in groups {
        let (Some(first), Some(last)) = (group.deaths.first(), group.deaths.last()) else { continue };
        let within = |at: Nanos| first.at <= at && at <= last.at;
        let (from, to) = (first.at.plus(-AROUND_NS), last.at.plus(AROUND_NS));
        let all = by_stop.get(&group.place.from).map(Vec::as_slice).unwrap_or_default();
        let begin = all.partition_point(|(passed, _)| passed.at < from);
        let mut beside = Beside::default();
        for (passed, index) in
            all.iter().skip(begin).take_while(|(passed, _)| passed.at <= to).take(LOOKED_MAX)
        {
            let Some((key, _)) = pairs.get(*index) else { continue };
            if (key.src, key.dst, key.protocol) == (group.src, group.dst, group.protocol) {
                beside.same.add(passed);
                beside.between += u64::from(within(passed.at) && passed.facts.kind == group.kind);
            } else {
                beside.others.add(passed);
            }
        }
        group.beside = beside;
    }
}
