//! What the dumped tables of the switch do with the packets of a group: asked once for all groups, of the dumps taken
//! around their deaths.

mod binding;
mod datapath;
mod fields;
mod later;
mod metered;
mod replayed;
mod rule;
mod sent;
mod shown;
mod zones;

use std::collections::BTreeMap;

use netcap_bundle::source::{Outcome, Snapshot};
use netcap_bundle::sources::ovs::datapath::OvsDatapath;
use netcap_bundle::sources::ovs::openflow::OvsOpenflow;
use netcap_bundle::{Nanos, layout};

use super::Group;
use crate::engine::PointInfo;
use crate::tables::hops::Side;
use crate::view::View;

pub(crate) use binding::Binding;
pub(crate) use datapath::{DatapathDrop, DatapathForward};
pub(crate) use fields::packet_fields;
pub(crate) use later::LaterDrop;
pub(crate) use metered::Metered;
pub(crate) use rule::{OtherZone, RuleDrop, TrackedAs};
pub(crate) use sent::{Sent, SentTo};
pub(crate) use shown::confidence;

/// Groups that are looked up in the tables, the largest first.
const GROUPS_MAX: usize = 256;
/// Dumps in which one group is looked up, of each source: the first, the last, and the rest around its deaths.
const DUMPS_MAX: usize = 10;
/// A dump so long after the last death still shows the flow that did it: it idles out ten seconds later
/// (`other_config:max-idle`, vswitchd.conf.db(5)).
const AFTER_NS: i64 = 15_000_000_000;
/// The item of both sources that holds the table.
const DUMP: &str = "dump-flows";

/// What the tables do with a group.
#[derive(Debug, Clone, Default)]
pub(crate) struct Flows {
    /// The datapath's flow that drops them.
    pub drop: Option<DatapathDrop>,
    /// The datapath's flow that sends them on, in a dump of the time in which they died.
    pub forward: Option<DatapathForward>,
    /// The OpenFlow rule that drops them.
    pub rule: Option<RuleDrop>,
    /// Where a rule sends them that says so itself, no rule dropping them.
    pub sent: Option<Sent>,
    /// A meter on their way, no rule dropping them.
    pub meter: Option<Metered>,
    /// The OpenFlow rule that drops later fragments of them, when they are first ones.
    pub later: Option<LaterDrop>,
    /// What silence of the tables is worth.
    pub tables: Tables,
    /// Whether a replay told what the rules do with them.
    pub replayed: Replayed,
}

impl Flows {
    /// Nothing was asked.
    pub(crate) const NOTHING: Self = Self {
        drop: None,
        forward: None,
        rule: None,
        sent: None,
        later: None,
        meter: None,
        tables: Tables::Never,
        replayed: Replayed::Not,
    };
}

/// Whether silence of the flow tables means anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Tables {
    /// Both were recorded and are there, and one was read while the packets died.
    Read,
    /// Both are there, but none was read between these times, in which the packets died: a rule that came and went again
    /// is in no dump.
    Between(Option<Nanos>, Option<Nanos>),
    /// One was recorded, and files of it are gone: a cut bundle.
    Gone,
    /// Reading one failed on the host.
    Failed,
    /// Nobody recorded one, or the packets did not enter an Open vSwitch.
    #[default]
    Never,
}

/// What a replay of such a packet through the dumped rules told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Replayed {
    /// No rule drops it, in one dump at least.
    Decided,
    /// It depends on something that is not known.
    Open,
    /// No packet could be replayed.
    #[default]
    Not,
}

/// A group that entered a switch, with what is asked for each dump.
struct Target<'g, 'a> {
    index: usize,
    group: &'g Group<'a>,
    info: &'g PointInfo,
    /// The switch.
    bridge: &'g str,
    first: Nanos,
    last: Nanos,
}

/// Looks all groups up, in their order.
pub(super) fn read(view: &View<'_>, groups: &[Group<'_>]) -> Vec<Flows> {
    let mut all = vec![Flows::default(); groups.len()];
    let targets: Vec<Target<'_, '_>> = groups
        .iter()
        .enumerate()
        .filter_map(|(index, group)| target(view, index, group))
        .take(GROUPS_MAX)
        .collect();
    later::look(view, groups, &mut all);
    if targets.is_empty() {
        return all;
    }
    let sources = [OvsDatapath::DEF.id, OvsOpenflow::DEF.id].map(|source| tables(view, source));
    let known = sources.into_iter().find(|tables| *tables != Tables::Read).unwrap_or(Tables::Read);
    let mut read =
        [OvsDatapath::DEF.id, OvsOpenflow::DEF.id].map(|id| view.input.state.readings(id)).concat();
    read.sort_unstable();
    for target in &targets {
        if let Some(flows) = all.get_mut(target.index) {
            flows.tables = if known == Tables::Read { then(&read, target) } else { known };
        }
    }
    datapath::look(view, &targets, &mut all);
    replayed::look(view, &targets, &mut all);
    all
}

fn target<'g, 'a>(view: &'g View<'_>, index: usize, group: &'g Group<'a>) -> Option<Target<'g, 'a>> {
    let info = view.points.get(group.place.from.point)?;
    let enters = matches!(group.place.from.side(&view.context), Side::Enter(_));
    let (first, last) = (group.deaths.first()?.at, group.deaths.last()?.at);
    let bridge = info.vswitch.as_deref().filter(|_| enters)?;
    Some(Target { index, group, info, bridge, first, last })
}

/// Whether a table was read while they died, of those that were read at these times.
fn then(read: &[Nanos], target: &Target<'_, '_>) -> Tables {
    let before = read.partition_point(|at| *at < target.first);
    let after = read.get(before).copied();
    if after.is_some_and(|at| at <= target.last) {
        return Tables::Read;
    }
    Tables::Between(before.checked_sub(1).and_then(|last| read.get(last)).copied(), after)
}

/// What is known of a source's tables.
fn tables(view: &View<'_>, source: &str) -> Tables {
    let (state, files) = (&view.input.state, &view.input.files);
    let gone = view.input.missing.paths.iter().any(|path| layout::kind(path) == source);
    let mut dumps = state.lines().filter(|line| line.source == source && line.item == DUMP).peekable();
    if gone {
        Tables::Gone
    } else if dumps.peek().is_none() {
        Tables::Never
    } else if dumps.any(|line| line.outcome == Outcome::Ok && files.is_whole(&line.path)) {
        Tables::Read
    } else {
        Tables::Failed
    }
}

/// In which dumps of a source each target is looked up: by number of the dump, targets by their place in the list.
fn dumps(view: &View<'_>, source: &str, targets: &[Target<'_, '_>]) -> BTreeMap<u32, Vec<usize>> {
    let rounds = view.input.state.changed(source);
    let mut out: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for (number, target) in targets.iter().enumerate() {
        for round in chosen(&rounds, target.first, target.last) {
            out.entry(round).or_default().push(number);
        }
    }
    out
}

/// The first dump, the last one, the one before the first death, and those until some time after the last death, evenly
/// chosen when there are many.
fn chosen(rounds: &[(u32, Nanos)], first: Nanos, last: Nanos) -> Vec<u32> {
    let before = rounds.partition_point(|(_, at)| *at < first).saturating_sub(1);
    let behind = rounds.partition_point(|(_, at)| *at <= last.plus(AFTER_NS));
    let around = rounds.get(before..behind.max(before)).unwrap_or_default();
    let step = around.len().div_ceil(DUMPS_MAX - 2).max(1);
    let ends = [rounds.first(), rounds.last()].into_iter().flatten();
    let mut out: Vec<u32> = around.iter().step_by(step).chain(ends).map(|(number, _)| *number).collect();
    out.sort_unstable();
    out.dedup();
    out
}
