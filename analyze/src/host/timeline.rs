//! The host's network over time: what the recorded state says of any moment, and between which two readings a change
//! happened.
//!
//! Every source is read again and again while a run lasts, each at its own pace. A state holds what all sources said last; a
//! new one begins wherever a source says something new. Each sample is parsed once.

use std::collections::BTreeMap;

use netcap_bundle::Nanos;
use netcap_bundle::input::Input;
use netcap_bundle::source::Snapshot;
use netcap_bundle::sources::network::links::Links;
use netcap_bundle::sources::network::linux_bridge::LinuxBridge;
use netcap_bundle::sources::network::neighbours::Neighbours;
use netcap_bundle::sources::ovs::bond::OvsBond;
use netcap_bundle::sources::ovs::datapath::OvsDatapath;
use netcap_bundle::sources::ovs::fdb::OvsFdb;
use netcap_bundle::sources::ovs::ovsdb::Ovsdb;
use netcap_bundle::sources::vm::libvirt::Libvirt;
use netcap_bundle::topology::{Inputs, Topology};

/// Samples parsed of one input: ten minutes of every source, or months of what rarely changes.
const SAMPLES_MAX: usize = 512;
/// States kept.
const STATES_MAX: usize = 256;
/// Ports and learned addresses of all states together: 256 states of a host with 256 ports.
const ENTRIES_MAX: usize = 65_536;

/// What the sources said, each the last time it was asked.
#[derive(Debug, Default)]
struct Sources {
    ovsdb: Option<Ovsdb>,
    bond: Option<OvsBond>,
    links: Option<Links>,
    linux_bridge: Option<LinuxBridge>,
    libvirt: Option<Libvirt>,
    fdb: Option<OvsFdb>,
    neighbours: Option<Neighbours>,
    datapath: Option<OvsDatapath>,
}

/// The host from one change to the next.
#[derive(Debug, Clone, Default)]
pub(crate) struct HostState {
    /// When a source said so first.
    pub at: Nanos,
    /// Id of the source that said something new; empty for the first state.
    pub source: &'static str,
    /// Switches, ports, mirrors and who sits where.
    pub topology: Topology,
    /// Machines that libvirt names, and whether they run.
    pub machines: BTreeMap<String, bool>,
}

/// The host over time.
#[derive(Debug, Default)]
pub(crate) struct HostTimeline {
    states: Vec<HostState>,
    readings: BTreeMap<&'static str, Vec<Nanos>>,
    /// Samples that were not looked at and states that were not kept, because there are too many.
    pub overflow: u64,
}

/// How long something held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Era<K> {
    /// What held.
    pub value: K,
    /// It began after the first and not later than the second; `None`: it held when the host was first read.
    pub began: Option<(Nanos, Nanos)>,
    /// It ended after the first and not later than the second; `None`: it held when the host was last read.
    pub ended: Option<(Nanos, Nanos)>,
}

impl<K> Era<K> {
    /// It may have held at that time: not only while the readings agree, but also between the two around a change.
    pub(crate) fn may_hold(&self, at: Nanos) -> bool {
        self.began.is_none_or(|(after, _)| after < at) && self.ended.is_none_or(|(_, by)| at < by)
    }

    /// It held at that time, for the readings before and after agree.
    pub(crate) fn holds(&self, at: Nanos) -> bool {
        self.began.is_none_or(|(_, by)| by <= at) && self.ended.is_none_or(|(after, _)| at <= after)
    }
}

/// What was read of the host.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub timeline: HostTimeline,
    /// Switches and ports as every source said last.
    pub end: Topology,
    /// Open vSwitch hands flows to the network card.
    pub offloads: bool,
}

impl Read {
    /// Reads what the input recorded.
    pub(super) fn of(input: &Input) -> Self {
        let mut timeline = HostTimeline::default();
        let mut samples = Samples::of(input);
        timeline.overflow += samples.thin(SAMPLES_MAX);
        timeline.readings = Samples::readings(input);
        let mut sources = Sources::default();
        for (source, number) in samples.first() {
            sources.take(input, source, number);
        }
        // Of a host that was never asked there is no state, not an empty one.
        let Some(begun) = samples.list.first().map(|sample| sample.at) else {
            return Self { timeline, ..Self::default() };
        };
        timeline.push(sources.state(begun, ""));
        for Sample { at, source, number } in samples.later() {
            sources.take(input, source, number);
            timeline.push(sources.state(at, source));
        }
        let offload = sources.ovsdb.as_ref().and_then(|ovsdb| ovsdb.other_config.get("hw-offload"));
        let offloads = offload.is_some_and(|value| value == "true");
        Self { end: sources.topology(), timeline, offloads }
    }
}

impl HostTimeline {
    fn push(&mut self, state: HostState) {
        let same = self
            .states
            .last()
            .is_some_and(|last| is_alike(&last.topology, &state.topology) && last.machines == state.machines);
        if same {
            return;
        }
        self.states.push(state);
        if self.states.len() > STATES_MAX || self.entries() > ENTRIES_MAX {
            self.thin();
        }
    }

    fn entries(&self) -> usize {
        let ports = |state: &HostState| {
            let switches = state.topology.switches.iter().map(|switch| switch.ports.len()).sum::<usize>();
            switches + state.topology.others.len() + state.topology.learned.len() + state.machines.len()
        };
        self.states.iter().map(ports).sum()
    }

    /// Leaves out every other state, never the first and the last.
    fn thin(&mut self) {
        let last = self.states.len().saturating_sub(1);
        let before = self.states.len();
        let mut at = 0;
        self.states.retain(|_| {
            let keep = at == 0 || at == last || at % 2 == 0;
            at += 1;
            keep
        });
        self.overflow += (before - self.states.len()) as u64;
    }

    /// Every state, in order of time.
    pub(crate) fn states(&self) -> &[HostState] {
        &self.states
    }

    /// The host as it was read last before that time, or first of all.
    pub(crate) fn at(&self, at: Nanos) -> Option<&HostState> {
        let next = self.states.partition_point(|state| state.at <= at);
        self.states.get(next.saturating_sub(1))
    }

    /// The states that may have held at that time: one, or two where a source was read before and after it and said
    /// something else.
    pub(crate) fn around(&self, at: Nanos) -> impl Iterator<Item = &HostState> {
        let next = self.states.partition_point(|state| state.at <= at);
        let now = next.saturating_sub(1);
        let later =
            self.states.get(next).filter(|state| next > 0 && self.confirmed(state.source, state.at) < at);
        self.states.get(now).into_iter().chain(later)
    }

    /// A source was read.
    pub(crate) fn was_read(&self, source: &str) -> bool {
        self.readings.get(source).is_some_and(|readings| !readings.is_empty())
    }

    /// When a source was read.
    pub(crate) fn readings_of(&self, source: &str) -> &[Nanos] {
        self.readings.get(source).map(Vec::as_slice).unwrap_or_default()
    }

    /// Which source said something new at that time.
    pub(crate) fn source_at(&self, at: Nanos) -> Option<(&'static str, Nanos)> {
        let state = self.states.iter().find(|state| state.at == at)?;
        Some((state.source, state.at))
    }

    /// When a source was read for the last time before that time; the time itself when it never was.
    fn confirmed(&self, source: &str, before: Nanos) -> Nanos {
        let readings = self.readings.get(source).map(Vec::as_slice).unwrap_or_default();
        let index = readings.partition_point(|at| *at < before);
        index.checked_sub(1).and_then(|index| readings.get(index)).copied().unwrap_or(before)
    }

    /// What held when: a value of every state, and between which readings it changed.
    pub(crate) fn history<K: PartialEq>(&self, of: impl Fn(&HostState) -> K) -> Vec<Era<K>> {
        self.history_by(|_, state| of(state))
    }

    /// The same by the number of the state, for what was prepared for each.
    pub(crate) fn history_by<K: PartialEq>(&self, of: impl Fn(usize, &HostState) -> K) -> Vec<Era<K>> {
        let mut eras: Vec<Era<K>> = Vec::new();
        for (number, state) in self.states.iter().enumerate() {
            let value = of(number, state);
            if eras.last().is_some_and(|era| era.value == value) {
                continue;
            }
            let change = (!eras.is_empty()).then(|| (self.confirmed(state.source, state.at), state.at));
            if let Some(era) = eras.last_mut() {
                era.ended = change;
            }
            eras.push(Era { value, began: change, ended: None });
        }
        eras
    }
}

/// The same but for what grows with time.
fn is_alike(a: &Topology, b: &Topology) -> bool {
    let learned = |t: &Topology| -> Vec<_> {
        t.learned.iter().map(|l| (l.mac, l.switch.clone(), l.vlan, l.iface.clone())).collect()
    };
    a.switches == b.switches && a.others == b.others && learned(a) == learned(b)
}

impl Sources {
    fn take(&mut self, input: &Input, source: &str, number: u32) {
        /// What was said before is let go first: two large databases at a time are one too many.
        fn read<T: Snapshot>(input: &Input, number: u32, into: &mut Option<T>) {
            if input.state.is_obtained(T::DEF.id, number) {
                *into = None;
                *into = input.state.read::<T>(&input.files, number).map(|round| round.parsed.value);
            }
        }
        match source {
            _ if source == Ovsdb::DEF.id => read(input, number, &mut self.ovsdb),
            _ if source == OvsBond::DEF.id => read(input, number, &mut self.bond),
            _ if source == Links::DEF.id => read(input, number, &mut self.links),
            _ if source == LinuxBridge::DEF.id => read(input, number, &mut self.linux_bridge),
            _ if source == Libvirt::DEF.id => read(input, number, &mut self.libvirt),
            _ if source == OvsFdb::DEF.id => read(input, number, &mut self.fdb),
            _ if source == Neighbours::DEF.id => read(input, number, &mut self.neighbours),
            _ => read(input, number, &mut self.datapath),
        }
    }

    fn topology(&self) -> Topology {
        Topology::build(&Inputs {
            ovsdb: self.ovsdb.as_ref(),
            bond: self.bond.as_ref(),
            datapath: self.datapath.as_ref(),
            fdb: self.fdb.as_ref(),
            links: self.links.as_ref(),
            linux_bridge: self.linux_bridge.as_ref(),
            libvirt: self.libvirt.as_ref(),
            neighbours: self.neighbours.as_ref(),
        })
    }

    fn state(&self, at: Nanos, source: &'static str) -> HostState {
        let topology = self.topology();
        let domains = self.libvirt.iter().flat_map(|libvirt| &libvirt.domains);
        let machines = domains.map(|domain| (domain.name.clone(), domain.running)).collect();
        HostState { at, source, topology, machines }
    }
}

/// One sample of a source.
#[derive(Debug, Clone, Copy)]
struct Sample {
    at: Nanos,
    source: &'static str,
    number: u32,
}

/// The samples of all sources in order of time.
struct Samples {
    list: Vec<Sample>,
}

impl Samples {
    const SOURCES: [&'static str; 8] = [
        Ovsdb::DEF.id,
        OvsBond::DEF.id,
        Links::DEF.id,
        LinuxBridge::DEF.id,
        Libvirt::DEF.id,
        OvsFdb::DEF.id,
        Neighbours::DEF.id,
        OvsDatapath::DEF.id,
    ];

    fn of(input: &Input) -> Self {
        let of_source = |source: &'static str| {
            let samples = input.state.changed(source).into_iter();
            samples.map(move |(number, at)| Sample { at, source, number })
        };
        let mut list: Vec<Sample> = Self::SOURCES.into_iter().flat_map(of_source).collect();
        // Of the datapath only the numbers of ports are asked here, and its flows make it large.
        let datapath = |sample: &Sample| sample.source == OvsDatapath::DEF.id;
        let first = list.iter().find(|sample| datapath(sample)).map(|sample| sample.number);
        let last = list.iter().rfind(|sample| datapath(sample)).map(|sample| sample.number);
        list.retain(|sample| !datapath(sample) || [first, last].contains(&Some(sample.number)));
        list.sort_by_key(|sample| (sample.at, sample.source));
        Self { list }
    }

    /// Leaves out every other sample of a source, never its first and its last, until there are no more than that.
    fn thin(&mut self, most: usize) -> u64 {
        let before = self.list.len();
        while self.list.len() > most {
            let count = |source: &str| self.list.iter().filter(|sample| sample.source == source).count();
            let Some(source) = Self::SOURCES.into_iter().max_by_key(|source| count(source)) else { break };
            let last = count(source).saturating_sub(1);
            if last < 2 {
                break;
            }
            let mut at = 0;
            self.list.retain(|sample| {
                let mine = sample.source == source;
                let keep = !mine || at == 0 || at == last || at % 2 == 0;
                at += usize::from(mine);
                keep
            });
        }
        (before - self.list.len()) as u64
    }

    fn readings(input: &Input) -> BTreeMap<&'static str, Vec<Nanos>> {
        Self::SOURCES.into_iter().map(|source| (source, input.state.readings(source))).collect()
    }

    /// The first sample of each source: together they are the host as it was found.
    fn first(&self) -> Vec<(&'static str, u32)> {
        let first = |source: &'static str| self.list.iter().find(|sample| sample.source == source);
        Self::SOURCES.into_iter().filter_map(first).map(|sample| (sample.source, sample.number)).collect()
    }

    fn later(&self) -> impl Iterator<Item = Sample> {
        let first = self.first();
        self.list.iter().copied().filter(move |sample| !first.contains(&(sample.source, sample.number)))
    }
}
