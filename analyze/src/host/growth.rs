//! Counters of the host that grew while it was recorded: what queues, policers and meters dropped, and between which readings.

use std::collections::BTreeMap;

use netcap_bundle::Nanos;
use netcap_bundle::input::Input;
use netcap_bundle::source::Snapshot;
use netcap_bundle::sources::network::links::Links;
use netcap_bundle::sources::network::queues::{Qdisc, Queues};
use netcap_bundle::sources::ovs::meters::OvsMeters;
use netcap_bundle::sources::ovs::ovsdb::Ovsdb;
use netcap_bundle::state::Round;

use super::{file_of, file_of_arg};

/// Samples read of one source: more than forty minutes, one every ten seconds.
const SAMPLES_MAX: usize = 256;
/// Growths kept.
const GROWTHS_MAX: usize = 65_536;
/// A counter between two readings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Growth {
    /// The last reading before it grew.
    pub from: Nanos,
    /// The reading that shows it.
    pub to: Nanos,
    pub before: u64,
    pub after: u64,
}

/// Something that drops packets and counts them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Dropper {
    /// As printed, in the last reading.
    pub line: String,
    /// The file of that reading.
    pub file: String,
    /// When it was taken.
    pub at: Nanos,
    /// What kind of queue it is; empty for a meter.
    pub kind: String,
    /// When its counter grew.
    pub growths: Vec<Growth>,
    count: u64,
}

/// The queues that a list of interfaces names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct QueueKinds {
    /// When it was read.
    pub at: Nanos,
    /// From which file.
    pub file: String,
    by_iface: BTreeMap<String, String>,
}

/// What drops packets on this host, by where it sits.
#[derive(Debug, Default)]
pub(crate) struct Growths {
    /// Queues of packets to send, by interface.
    pub queues: BTreeMap<String, Dropper>,
    /// Policers of packets received, by interface.
    pub policers: BTreeMap<String, Dropper>,
    /// Meters, by bridge and number.
    pub meters: BTreeMap<(String, u32), Dropper>,
    /// Open vSwitch's limit of what comes in at an interface, in kbit/s.
    pub policed: BTreeMap<String, u64>,
    /// The kind of queue that the lists of interfaces name, in order of time.
    kinds: Vec<QueueKinds>,
    /// Queues were recorded.
    pub has_queues: bool,
    /// Meters were recorded.
    pub has_meters: bool,
    kept: usize,
}

impl Dropper {
    fn take(&mut self, read: (Nanos, Nanos), count: u64, seen: Self) -> bool {
        let (from, to) = read;
        let known = !self.line.is_empty() && self.kind == seen.kind;
        let grew = known && self.count < count;
        if grew {
            self.growths.push(Growth { from, to, before: self.count, after: count });
        }
        let growths = std::mem::take(&mut self.growths);
        *self = Self { growths, count, ..seen };
        grew
    }
}

impl Growth {
    /// By how much.
    pub(crate) fn by(&self) -> u64 {
        self.after.saturating_sub(self.before)
    }
}

impl Growths {
    /// Reads what the input recorded.
    pub(crate) fn read(input: &Input) -> Self {
        let mut all = Self::default();
        all.has_queues = each::<Queues>(input, |before, round| all.queues(before, round));
        let mut meters = Self::default();
        meters.has_meters = each::<OvsMeters>(input, |before, round| meters.meters(before, round));
        (all.meters, all.has_meters) = (meters.meters, meters.has_meters);
        if let Some(ovsdb) = input.state.last::<Ovsdb>(&input.files) {
            let limits = ovsdb.parsed.value.interfaces();
            let limits = limits.map(|(_, _, iface)| (iface.name.clone(), iface.ingress_policing_rate));
            all.policed = limits.filter(|(_, rate)| *rate > 0).collect();
        }
        each::<Links>(input, |_, round| {
            let kinds = round.parsed.value.links.iter();
            let kinds: BTreeMap<String, String> =
                kinds.filter_map(|link| Some((link.name.clone(), link.queue.clone()?))).collect();
            if all.kinds.last().is_none_or(|had| had.by_iface != kinds) {
                let file = file_of(round, "link").unwrap_or_default();
                all.kinds.push(QueueKinds { at: round.at, file, by_iface: kinds });
            }
        });
        all
    }

    /// The kind of the queue that an interface had at that time, as the interfaces were listed last before, or first.
    pub(crate) fn kind_at(&self, iface: &str, at: Nanos) -> Option<&str> {
        self.kinds_at(at)?.by_iface.get(iface).map(String::as_str)
    }

    /// The list in which that kind is.
    pub(crate) fn kinds_at(&self, at: Nanos) -> Option<&QueueKinds> {
        let next = self.kinds.partition_point(|kinds| kinds.at <= at);
        self.kinds.get(next.saturating_sub(1))
    }

    fn queues(&mut self, before: Nanos, round: &Round<Queues>) {
        let file = file_of(round, "qdisc").unwrap_or_default();
        let mut devices: BTreeMap<(&str, bool), (u64, &Qdisc)> = BTreeMap::new();
        for queue in &round.parsed.value.queues {
            // What is below another queue is counted at the root too; of `mq`, which counts its children, alone as well.
            let is_root = queue.parent.is_none() || queue.is_ingress();
            let place = devices.entry((&queue.dev, queue.is_ingress())).or_insert((queue.dropped, queue));
            if is_root {
                *place = (queue.dropped, queue);
            }
        }
        for ((dev, ingress), (dropped, queue)) in devices {
            let map = if ingress { &mut self.policers } else { &mut self.queues };
            let seen = Dropper {
                line: queue.raw.clone(),
                file: file.clone(),
                at: round.at,
                kind: queue.kind.clone(),
                ..Dropper::default()
            };
            let dropper = map.entry(dev.to_owned()).or_default();
            // Another queue by that name counts from the start again.
            if self.kept < GROWTHS_MAX && dropper.take((before, round.at), dropped, seen) {
                self.kept += 1;
            }
        }
    }

    fn meters(&mut self, before: Nanos, round: &Round<OvsMeters>) {
        for (bridge, meters) in &round.parsed.value.bridges {
            let file = file_of_arg(round, "meter-stats", bridge).unwrap_or_default();
            for meter in meters {
                let seen = Dropper {
                    line: meter.raw.clone(),
                    file: file.clone(),
                    at: round.at,
                    ..Dropper::default()
                };
                let dropper = self.meters.entry((bridge.clone(), meter.id)).or_default();
                if self.kept < GROWTHS_MAX && dropper.take((before, round.at), meter.over, seen) {
                    self.kept += 1;
                }
            }
        }
    }
}

/// Shows the samples of a source in which something changed, in order, each with the time of the reading before it. False
/// when there are none.
fn each<T: Snapshot>(input: &Input, mut show: impl FnMut(Nanos, &Round<T>)) -> bool {
    let (state, id) = (&input.state, T::DEF.id);
    let rounds = state.obtained(id);
    let readings = state.readings(id);
    let step = rounds.len().div_ceil(SAMPLES_MAX).max(1);
    let mut previous = None;
    let last = rounds.len().saturating_sub(1);
    for (place, (number, at)) in rounds.iter().enumerate() {
        if place % step != 0 && place != last {
            continue;
        }
        let Some(round) = state.read::<T>(&input.files, *number) else { continue };
        // Where samples were left out nobody knows in which of them it grew.
        let before = readings.iter().rfind(|reading| *reading < at).copied();
        let before = if step > 1 { previous } else { before };
        show(before.unwrap_or(*at), &round);
        previous = Some(*at);
    }
    !rounds.is_empty()
}
