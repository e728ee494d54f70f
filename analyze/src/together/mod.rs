//! Several hosts' recordings of one time, looked at together: how far their clocks are apart, and what became of the
//! packets between them.
//!
//! Every host is read apart, and follows the same packets (the choice is made by what they carry). What was seen is then
//! put together on the first host's clock, so that a packet from a machine here to a machine there is one journey.

mod between;
mod owners;
pub(crate) mod pairs;
mod residents;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use netcap_bundle::input::Input;

use crate::clocks::floods::Floods;
use crate::clocks::timeline::{Timeline, timelines};
use crate::engine::follow::Follow;
use crate::engine::points::FoldContext;
use crate::engine::{self, FileStats, Fold, FrameRef, HostId, PointId, Points, Progress, folds};
use crate::fidelity::Fidelity;
use crate::finding::Finding;
use crate::host::{Host, copies, sides};
use crate::tables::TableFold;
use crate::tables::cap::Cap;
use crate::tables::floods::FloodsFold;
use crate::tables::hops::{HopsFold, HopsTable, HostClocks, Stop};
use crate::tables::losses::LossesFold;
use crate::tables::marks::{Mark, MarksFold};
use crate::text::Text;

pub(crate) use between::{HostHop, HostPoint};
use pairs::ClockGuess;
pub(crate) use pairs::HostPair;
use residents::Residents;

/// One host's recording.
#[derive(Debug)]
pub(crate) struct RecordedHost {
    /// Its name: the bundle's, or the input's where the bundle has none of its own.
    pub name: String,
    /// Seconds east of Greenwich there.
    pub utc_offset_s: i32,
    marks: BTreeMap<u64, Mark>,
    floods: Floods,
    points: Points,
    files: Vec<FileStats>,
    fidelity: Fidelity,
    residents: Residents,
    first: First,
    /// What was given up of it.
    given_up: Vec<(Cap, u64)>,
}

/// The numbers of a host's first point and first file among those of all hosts.
#[derive(Debug, Clone, Copy)]
struct First {
    point: u32,
    file: u32,
}

/// What they say together.
#[derive(Debug)]
pub(crate) struct Together {
    /// Every pair of hosts, in the order of the inputs.
    pub pairs: Vec<HostPair>,
    /// Each from a host to another one.
    pub hops: Vec<HostHop>,
    /// Packets lost between hosts.
    pub findings: Vec<Finding>,
    /// Sightings of followed packets.
    pub followed: u64,
    /// One packet in so many was followed.
    pub one_in: u64,
    /// TCP segments sent again, counted where they were first seen.
    pub retransmissions: u64,
    /// Hosts whose packets could be put together: the first one and those whose clock could be compared with its.
    pub joined: usize,
    /// What could not be looked for, and what was given up to keep to the memory there is.
    pub remarks: Vec<Text>,
    /// The zone of the first host.
    pub utc_offset_s: i32,
}

folds! {
    /// What one pass over a host's packets leaves.
    struct Folds {
        marks: MarksFold,
        floods: FloodsFold,
        hops: HopsFold,
        losses: LossesFold,
    }
}

/// All hosts after they were read and put together.
struct Joined<'a> {
    hosts: &'a [RecordedHost],
    context: &'a FoldContext,
    table: &'a HopsTable,
    clocks: &'a HostClocks,
    /// Hosts whose clock is only guessed: no time of theirs is stated beside another host's.
    guessed: &'a BTreeMap<HostId, ClockGuess>,
}

impl Joined<'_> {
    fn host(&self, id: HostId) -> Option<&RecordedHost> {
        self.hosts.get(id.0 as usize)
    }

    fn host_of(&self, point: PointId) -> Option<&RecordedHost> {
        self.host(self.context.host(point))
    }

    /// The point as its own host counts it.
    fn own(&self, point: PointId) -> PointId {
        PointId(self.host_of(point).map_or(point.0, |host| point.0.saturating_sub(host.first.point)))
    }

    /// `host1 eth1`.
    fn name(&self, point: PointId) -> String {
        let Some(host) = self.host_of(point) else { return "?".to_owned() };
        format!("{} {}", host.name, host.points.name(self.own(point)))
    }

    /// `host1: packets/eth1/000001.pcapng.zst`.
    fn file(&self, frame: FrameRef) -> String {
        let host = self.hosts.iter().rev().find(|host| host.first.file <= frame.file);
        let named =
            host.and_then(|host| Some((host, host.files.get((frame.file - host.first.file) as usize)?)));
        named.map_or_else(|| "?".to_owned(), |(host, file)| format!("{}: {}", host.name, file.name))
    }
}

/// Reads all inputs one after the other on the current rayon pool, and puts them together.
pub(crate) fn look(inputs: &[Input], progress: &Progress) -> Together {
    let all: Vec<&Input> = inputs.iter().collect();
    let follow = Follow::read(&all);
    let (contexts, residents): (Vec<Arc<FoldContext>>, Vec<Residents>) = inputs
        .iter()
        .map(|input| {
            let state = Host::read(input);
            let context = FoldContext::new(&input.points, &BTreeSet::new());
            let mut context = context.of_files(input.segments.len()).beside(inputs.len());
            context.follow = follow.clone();
            context.copies = copies::read(input, &state);
            context.sides = sides::read(input);
            (Arc::new(context), Residents::new(state.topology().clone()))
        })
        .unzip();
    let (mut context, bases) = FoldContext::joined(&contexts.iter().map(AsRef::as_ref).collect::<Vec<_>>());
    context.follow = follow;
    let context = Arc::new(context);
    let (mut hosts, mut hops, mut files) = (Vec::new(), HopsFold::start(&context), 0);
    for (((input, own), base), residents) in inputs.iter().zip(&contexts).zip(bases).zip(residents) {
        let (mut host, seen) = read(input, own, First { point: base, file: files }, progress);
        host.residents = residents;
        files = files.saturating_add(u32::try_from(host.files.len()).unwrap_or(u32::MAX));
        hops.merge(seen);
        hosts.push(host);
    }
    let pairs = pairs::pairs(&hosts);
    // What the clocks were compared by is not needed for the packets.
    for host in &mut hosts {
        host.marks.clear();
        host.floods.clear();
    }
    join(&hosts, pairs, hops, &context)
}

fn read(
    input: &Input,
    context: &Arc<FoldContext>,
    first: First,
    progress: &Progress,
) -> (RecordedHost, HopsFold) {
    let outcome = engine::run::<Folds>(input, context, progress);
    let Folds { marks, floods, hops, losses } = outcome.fold;
    let losses = losses.finish();
    let fidelity = Fidelity::new(input, &outcome.points, &outcome.files, &losses.points);
    let info = input.info.as_ref();
    let name = info.map(|info| info.host.clone()).filter(|name| !name.is_empty());
    let kept = marks.one_in();
    let mut given_up: Vec<_> = crate::analysis::caps::of_input(input).collect();
    given_up.extend(LossesFold::given_up(&losses));
    given_up.extend([
        (Cap::Crowd, outcome.points.crowd),
        (Cap::Filters, fidelity.unfiltered),
        (Cap::Marks, if kept > 1 { kept } else { 0 }),
    ]);
    let host = RecordedHost {
        name: name.unwrap_or_else(|| input.name.clone()),
        utc_offset_s: info.map_or(0, |info| info.utc_offset_s),
        marks: marks.finish(),
        floods: floods.finish(),
        given_up,
        fidelity,
        residents: Residents::default(),
        points: outcome.points,
        files: outcome.files,
        first,
    };
    (host, hops.moved(first.point, first.file))
}

fn join(hosts: &[RecordedHost], pairs: Vec<HostPair>, hops: HopsFold, context: &FoldContext) -> Together {
    let compared: Vec<_> = pairs.iter().map(|pair| (pair.numbers.0, pair.numbers.1, &pair.clocks)).collect();
    let mut clocks = HostClocks::default();
    let mut timed: BTreeSet<HostId> = BTreeSet::new();
    for (host, timeline) in (0u32..).zip(timelines(hosts.len(), &compared)) {
        if let Some(timeline) = timeline {
            clocks.set(HostId(host), timeline);
            timed.insert(HostId(host));
        }
    }
    let guessed = guessed(&pairs, &timed);
    for (host, guess) in &guessed {
        clocks.set(*host, Timeline::guessed(guess.ahead_ns));
    }
    // A host of whose clock not even a guess is worth anything has no place in the order of events.
    let placed = |host: HostId| timed.contains(&host) || guessed.contains_key(&host);
    let hops = hops.without(|stop: Stop| !placed(context.host(stop.point)));
    let table = hops.finish_on(&clocks);
    let joined = Joined { hosts, context, table: &table, clocks: &clocks, guessed: &guessed };
    let (hops, findings) = (between::hops(&joined), between::findings(&joined));
    let mut remarks = remarks(&joined, findings.len());
    let named = |wanted: &dyn Fn(HostId) -> bool| -> Vec<Text> {
        let hosts = (0u32..).zip(hosts).filter(|(id, _)| wanted(HostId(*id)));
        hosts.map(|(_, host)| Text::verbatim(&host.name)).collect()
    };
    let apart = [
        ("together.apart", named(&|id| !placed(id))),
        ("together.untimed", named(&|id| guessed.contains_key(&id))),
    ];
    if let Some(first) = hosts.first() {
        for (key, names) in apart.into_iter().filter(|(_, names)| !names.is_empty()) {
            remarks.insert(0, Text::new(key).with("first", &first.name).with_list("hosts", names));
        }
    }
    Together {
        joined: timed.len(),
        remarks,
        hops,
        findings,
        followed: table.followed,
        one_in: table.one_in,
        retransmissions: table.counts.retransmissions,
        utc_offset_s: hosts.first().map_or(0, |host| host.utc_offset_s),
        pairs,
    }
}

/// The hosts whose clock could not be compared with the first one's, though both were recorded at one time.
fn guessed(pairs: &[HostPair], timed: &BTreeSet<HostId>) -> BTreeMap<HostId, ClockGuess> {
    let of_first = pairs.iter().filter(|pair| pair.numbers.0 == 0);
    let host = |number: usize| u32::try_from(number).ok().map(HostId);
    let guesses = of_first.filter_map(|pair| Some((host(pair.numbers.1)?, pair.guess?)));
    guesses.filter(|(host, _)| !timed.contains(host)).collect()
}

fn remarks(joined: &Joined<'_>, findings: usize) -> Vec<Text> {
    let table = joined.table;
    let of_all = [
        (Cap::Hops, table.overflow),
        (Cap::Thinned, if table.one_in > 1 { table.one_in } else { 0 }),
        (Cap::Translations, table.translations),
        (Cap::Owners, table.unsampled),
    ];
    let of_hosts = joined.hosts.iter().flat_map(|host| host.given_up.iter().copied());
    let mut sums: BTreeMap<&str, u64> = BTreeMap::new();
    for (cap, count) in of_all.into_iter().chain(of_hosts).filter(|(_, count)| *count > 0) {
        let sum = sums.entry(cap.phrase()).or_default();
        *sum = if cap == Cap::Marks { count.max(*sum) } else { sum.saturating_add(count) };
    }
    let given_up =
        |(key, count)| Text::new("remark.given-up").with_text("what", Text::new(key).with("count", count));
    let mut out: Vec<Text> = sums.into_iter().map(given_up).collect();
    if findings >= between::FINDINGS_MAX {
        let id = crate::symptoms::loss::packet_loss::SYMPTOM.unit.id;
        out.push(Text::new("remark.findings").with("detector", id).with("count", findings));
    }
    out
}

#[cfg(test)]
mod tests;
