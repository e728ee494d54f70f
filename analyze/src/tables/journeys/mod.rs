//! Echo requests and connection attempts as journeys: one packet seen at several points, and what came back.

mod key;

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::ops::Range;
use std::sync::Arc;

use netcap_bundle::packets::Direction;
use netcap_bundle::{Nanos, Role};
use rayon::prelude::*;

use super::TableFold;
use crate::engine::points::FoldContext;
use crate::engine::{
    EchoKind, Eth, Facts, Failure, FlowKey, Fold, FrameRef, L4, Net, PacketView, PointId, Tags,
};
use crate::tables::cap::Cap;

pub(crate) use key::JourneyKey;

/// Events kept: 100,000 pings seen at one point with their replies. Each takes 200 bytes until the last detector is done.
const EVENTS_MAX: usize = 200_000;
/// Sample frames kept.
const SAMPLES_MAX: usize = 4_096;
/// Pairs of addresses of which it is kept who said that requests did not arrive.
const REFUSERS_MAX: usize = 4_096;
/// Bytes of a sample frame: all headers a filter or a flow can ask for.
const SAMPLE_BYTES: usize = 160;
/// A packet crosses one host in far less; a repeat of the same number later than this is another packet.
const CROSSING_NS_MAX: i64 = 2_000_000_000;
/// The same packet twice at one point in one direction is a copy below this, another packet above.
const COPY_NS_MAX: i64 = 50_000_000;

/// What a sighting is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum EventKind {
    /// The request on its way.
    Request,
    /// Its answer.
    Reply,
    /// Somebody on the way says that it did not arrive.
    Failed(Failure),
}

/// One sighting of a request or its reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Event {
    pub key: JourneyKey,
    pub kind: EventKind,
    /// When.
    pub at: Nanos,
    pub point: PointId,
    /// Which way.
    pub direction: Direction,
    pub frame: FrameRef,
    /// What kind of packet it is.
    pub facts: Facts,
    /// It is a copy of the packet, not the packet on its way.
    pub copy: bool,
}

impl Event {
    /// Whose packet it is, and where.
    pub(crate) fn flow_at_point(&self) -> FlowAtPoint {
        FlowAtPoint { point: self.point, flow: self.key.flow() }
    }
}

/// A request entering from a VM, kept as an example of its kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RequestExample {
    /// The first bytes of the frame.
    pub bytes: Vec<u8>,
    /// Bytes on the wire.
    pub wire_len: u32,
    /// Addresses.
    pub eth: Eth,
    pub vlan: Tags,
    pub frame: FrameRef,
}

/// A flow that is seen at a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct FlowAtPoint {
    pub point: PointId,
    /// Whose packets.
    pub flow: FlowKey,
}

/// One request and everything seen of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Journey {
    pub key: JourneyKey,
    /// First sighting.
    pub at: Nanos,
    requests: Range<usize>,
    replies: Range<usize>,
}

/// The finished table.
#[derive(Debug, Default)]
pub(crate) struct JourneysTable {
    events: Vec<Event>,
    /// Of `events`, replies to which no request was seen: the first sighting of each.
    strays: Vec<usize>,
    /// In order of key and time.
    pub journeys: Vec<Journey>,
    /// Examples of requests that entered from VMs.
    pub samples: BTreeMap<FlowAtPoint, RequestExample>,
    /// Who said first that requests of a pair cannot arrive; hop limits that ran out aside.
    pub refusers: BTreeMap<(IpAddr, IpAddr), IpAddr>,
    /// Events not kept.
    pub overflow: u64,
    /// Requests from VMs that nobody answered and of which no example is kept, because there are too many pairs.
    pub unsampled: u64,
}

#[derive(Debug)]
pub(crate) struct JourneysFold {
    context: Arc<FoldContext>,
    events: Vec<Event>,
    samples: HashMap<FlowAtPoint, RequestExample>,
    refusers: BTreeMap<(IpAddr, IpAddr), IpAddr>,
    overflow: u64,
    /// An example was not kept.
    full: bool,
}

impl Fold for JourneysFold {
    fn start(context: &Arc<FoldContext>) -> Self {
        Self {
            context: Arc::clone(context),
            events: Vec::new(),
            samples: HashMap::new(),
            refusers: BTreeMap::new(),
            overflow: 0,
            full: false,
        }
    }

    fn packet(&mut self, packet: &PacketView<'_>) {
        let Net::Ip(ip) = packet.net else { return };
        let (mut src, mut dst) = (ip.src, ip.dst);
        let (kind, id, seq) = match ip.l4 {
            L4::Echo(echo) if echo.kind == EchoKind::Reply => {
                (src, dst) = (ip.dst, ip.src);
                (EventKind::Reply, u32::from(echo.id), u32::from(echo.seq))
            }
            L4::Echo(echo) => (EventKind::Request, u32::from(echo.id), u32::from(echo.seq)),
            L4::Failed(failed) => {
                let pair = (failed.src, failed.dst);
                let room = self.refusers.len() < REFUSERS_MAX || self.refusers.contains_key(&pair);
                if room && failed.why != Failure::Expired {
                    self.refusers.entry(pair).or_insert(src);
                }
                (src, dst) = pair;
                let request = failed.request;
                (EventKind::Failed(failed.why), u32::from(request.id), u32::from(request.seq))
            }
            L4::Tcp { sport, dport, opens: true, seq, .. } if packet.direction != Direction::Unknown => {
                (EventKind::Request, u32::from(sport) << 16 | u32::from(dport), seq)
            }
            L4::Tcp { sport, dport, accepts, refuses, ack, .. }
                if (accepts || refuses) && packet.direction != Direction::Unknown =>
            {
                (src, dst) = (ip.dst, ip.src);
                (EventKind::Reply, u32::from(dport) << 16 | u32::from(sport), ack.wrapping_sub(1))
            }
            _ => return,
        };
        let key = JourneyKey { src, dst, protocol: ip.protocol, id, seq };
        if self.events.len() >= EVENTS_MAX / self.context.sharers() {
            self.overflow += 1;
            return;
        }
        let (at, point, direction, frame) = (packet.at, packet.point, packet.direction, packet.frame);
        let facts = Facts::of(packet);
        let copy = packet.copy.is_some();
        self.events.push(Event { key, kind, at, point, direction, frame, facts, copy });
        if kind == EventKind::Request
            && direction != Direction::Out
            && matches!(self.context.role(point), Some(Role::Vnet { .. }))
        {
            self.sample(packet, FlowAtPoint { point, flow: key.flow() });
        }
    }

    fn merge(&mut self, later: Self) {
        self.overflow += later.overflow;
        self.full |= later.full;
        let room = EVENTS_MAX.saturating_sub(self.events.len());
        self.overflow += later.events.len().saturating_sub(room) as u64;
        self.events.extend(later.events.into_iter().take(room));
        for (pair, refuser) in later.refusers {
            if self.refusers.len() < REFUSERS_MAX || self.refusers.contains_key(&pair) {
                self.refusers.entry(pair).or_insert(refuser);
            }
        }
        let samples: BTreeMap<_, _> = later.samples.into_iter().collect();
        for (key, sample) in samples {
            if self.samples.len() < SAMPLES_MAX || self.samples.contains_key(&key) {
                self.samples.entry(key).or_insert(sample);
            } else {
                self.full = true;
            }
        }
    }
}

impl TableFold for JourneysFold {
    type Table = JourneysTable;

    fn finish(mut self) -> JourneysTable {
        self.events.par_sort_unstable_by(|a, b| {
            a.key.cmp(&b.key).then_with(|| (a.at, a.kind, a.frame).cmp(&(b.at, b.kind, b.frame)))
        });
        let mut table = JourneysTable {
            samples: self.samples.into_iter().collect(),
            refusers: self.refusers,
            overflow: self.overflow,
            ..JourneysTable::default()
        };
        let mut start = 0;
        for end in 1..=self.events.len() {
            let group = self.events.get(start..end).unwrap_or_default();
            if self.events.get(end).is_some_and(|next| belongs(group, next)) {
                continue;
            }
            if let Some(group) = self.events.get_mut(start..end) {
                table.close(group, start);
            }
            start = end;
        }
        table.events = self.events;
        if self.full {
            table.unsampled = table.unsampled(&self.context);
        }
        table
    }

    fn given_up(table: &JourneysTable) -> Vec<(Cap, u64)> {
        vec![(Cap::Journeys, table.overflow), (Cap::Examples, table.unsampled)]
    }
}

impl JourneysFold {
    fn sample(&mut self, packet: &PacketView<'_>, key: FlowAtPoint) {
        let Some(eth) = packet.eth else { return };
        if self.samples.contains_key(&key) {
            return;
        }
        if self.samples.len() >= SAMPLES_MAX {
            self.full = true;
            return;
        }
        let bytes = packet.bytes.get(..SAMPLE_BYTES.min(packet.bytes.len())).unwrap_or_default().to_vec();
        let sample =
            RequestExample { bytes, wire_len: packet.wire_len, eth, vlan: packet.vlan, frame: packet.frame };
        self.samples.insert(key, sample);
    }
}

/// Whether the next sighting belongs to the journey of `group`.
fn belongs(group: &[Event], next: &Event) -> bool {
    let Some(first) = group.first().filter(|first| first.key == next.key) else { return false };
    if next.kind != EventKind::Request {
        return true;
    }
    let again = group
        .iter()
        .rev()
        .find(|e| e.kind == EventKind::Request && (e.point, e.direction) == (next.point, next.direction));
    next.at.since(first.at) <= CROSSING_NS_MAX
        && again.is_none_or(|before| next.at.since(before.at) <= COPY_NS_MAX)
}

impl JourneysTable {
    fn close(&mut self, group: &mut [Event], offset: usize) {
        let is_request = |e: &Event| e.kind == EventKind::Request;
        group.sort_by_key(|e| (!is_request(e), e.copy, e.kind));
        let requests = group.iter().filter(|e| is_request(e)).count();
        // Copies count only where nothing but copies was seen: of a port that is a mirror's output, recorded alone.
        let seen = |events: Range<usize>| {
            let of_packet = group.get(events.clone()).unwrap_or_default().iter().filter(|e| !e.copy).count();
            if of_packet > 0 { events.start..events.start + of_packet } else { events }
        };
        let moved = |events: Range<usize>| offset + events.start..offset + events.end;
        // A reply without its request: the capture began between the two, or it comes from another address.
        if requests == 0 && group.first().is_some_and(|first| first.kind == EventKind::Reply) {
            self.strays.push(offset);
        }
        if let Some(first) = group.first().filter(|_| requests > 0) {
            self.journeys.push(Journey {
                key: first.key,
                at: first.at,
                requests: moved(seen(0..requests)),
                replies: moved(seen(requests..group.len())),
            });
        }
    }

    fn unsampled(&self, context: &FoldContext) -> u64 {
        let entered = |e: &&Event| {
            e.direction != Direction::Out && matches!(context.role(e.point), Some(Role::Vnet { .. }))
        };
        let known = |e: &Event| self.samples.contains_key(&e.flow_at_point());
        let unanswered = self.journeys.iter().filter(|journey| self.replies(journey).is_empty());
        let entries = unanswered.filter_map(|journey| self.requests(journey).iter().find(entered));
        entries.filter(|entry| !known(entry)).count() as u64
    }

    /// Replies to which no request was seen, each where it was seen first, in order of key.
    pub(crate) fn strays(&self) -> impl Iterator<Item = Event> + '_ {
        self.strays.iter().filter_map(|place| self.events.get(*place).copied())
    }

    /// Where the request was seen, in order of time.
    pub(crate) fn requests(&self, journey: &Journey) -> &[Event] {
        self.events.get(journey.requests.clone()).unwrap_or_default()
    }

    /// What somebody on the way said of a request that did not arrive, first of all.
    pub(crate) fn failed(&self, journey: &Journey) -> Option<(&Event, Failure)> {
        self.answers(journey).iter().find_map(|e| match e.kind {
            EventKind::Failed(why) => Some((e, why)),
            _ => None,
        })
    }

    /// Where the reply was seen, in order of time.
    pub(crate) fn replies(&self, journey: &Journey) -> &[Event] {
        let answers = self.answers(journey);
        let replies = answers.iter().take_while(|e| e.kind == EventKind::Reply).count();
        answers.get(..replies).unwrap_or_default()
    }

    fn answers(&self, journey: &Journey) -> &[Event] {
        self.events.get(journey.replies.clone()).unwrap_or_default()
    }

    /// Journeys of each flow, in order of time: consecutive in `journeys`, but by number, so sorted here.
    pub(crate) fn by_flow(&self) -> BTreeMap<FlowKey, Vec<&Journey>> {
        let mut flows: BTreeMap<FlowKey, Vec<&Journey>> = BTreeMap::new();
        for journey in &self.journeys {
            flows.entry(journey.key.flow()).or_default().push(journey);
        }
        for list in flows.values_mut() {
            list.sort_by_key(|j| (j.at, j.key));
        }
        flows
    }
}
