//! Requests that enter the switch at a VM's port and leave it nowhere.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use netcap_bundle::Role;
use netcap_bundle::packets::Direction;
use netcap_words::wire::ip_protocol::{ICMP, ICMPV6};
use netcap_words::wire::is_tag;

use crate::engine::{PointId, PointInfo, Tags};
use crate::fidelity::Trust;
use crate::host::exits::Exits;
use crate::tables::journeys::{Event, EventKind, JourneyKey, PairAtPoint, Sample};
use crate::view::View;

/// A frame crosses the switch within this; around it the capture must be sound. As long as a ping waits for its answer, so
/// that this detector and `ping-loss` count the same requests at the end of a capture.
const CROSSING_NS: i64 = 2_000_000_000;
/// Lost requests that make a case; one may be a race with the end of a segment or a table that was just written.
pub(super) const LOST_MIN: usize = 2;

/// Requests of one kind from one VM that went nowhere.
#[derive(Debug)]
pub(super) struct DroppedFlow<'a> {
    pub vnet: PointId,
    pub info: &'a PointInfo,
    pub src: IpAddr,
    pub dst: IpAddr,
    pub protocol: u8,
    pub sample: Cow<'a, Sample>,
    /// Absent where they could leave, while the capture there was sound; in order of time.
    pub absent: Vec<Event>,
    /// Absent, but the capture cannot be trusted there.
    pub doubtful: Vec<Event>,
    /// Requests between the first and the last absent one that did leave.
    pub passed: usize,
    /// Where they could leave and are recorded.
    pub exits: Vec<PointId>,
    /// Every port where they could leave is recorded.
    pub complete: bool,
    /// Packets of any kind, some of which may have left before a rule was written, or by another rule: only a rule or a
    /// flow that is named makes them a case.
    pub by_rule_only: bool,
}

pub(super) fn has_vm_port(view: &View<'_>) -> bool {
    view.points.iter().any(|(_, info)| matches!(info.role, Role::Vnet { .. }))
}

/// The switch of a VM's port is known; without such a port nobody asks.
pub(super) fn has_vm_switch(view: &View<'_>) -> Option<bool> {
    has_vm_port(view).then(|| view.points.iter().any(|(_, info)| is_vm_port(info)))
}

/// Another port of the VM's switch is recorded; which switch that is, is known by the VM's port alone.
pub(super) fn has_other_port(view: &View<'_>) -> Option<bool> {
    let mut vms = view.points.iter().filter(|(_, info)| is_vm_port(info)).peekable();
    vms.peek()?;
    Some(vms.any(|(id, info)| view.switch_points().others(id, info).next().is_some()))
}

fn is_vm_port(info: &PointInfo) -> bool {
    info.vswitch.is_some() && matches!(info.role, Role::Vnet { .. })
}

/// Every kind of request that went nowhere, in order of port and addresses.
pub(super) fn all<'a>(view: &'a View<'_>) -> Vec<DroppedFlow<'a>> {
    let table = &view.tables.journeys;
    let mut cases: BTreeMap<PairAtPoint, Vec<(Event, bool)>> = BTreeMap::new();
    for journey in &table.journeys {
        let requests = table.requests(journey);
        let Some(entry) = requests.iter().find(|e| enters(view, e)) else { continue };
        if journey.key.dst.is_multicast() {
            continue;
        }
        // An answer proves that it left, wherever that was recorded.
        let left = !table.replies(journey).is_empty() || requests.iter().any(|e| e.point != entry.point);
        let key = (entry.point, journey.key.src, journey.key.dst, journey.key.protocol);
        cases.entry(key).or_default().push((*entry, left));
    }
    let sampled = |key: &PairAtPoint| view.tables.journeys.samples.get(key).map(Cow::Borrowed);
    let asked = cases.into_iter().filter_map(|(key, events)| case(view, key, events, sampled(&key)?, false));
    let mut all: Vec<DroppedFlow<'a>> = asked.collect();
    let known: BTreeSet<PairAtPoint> = all.iter().map(|l| (l.vnet, l.src, l.dst, l.protocol)).collect();
    all.extend(others_lost(view).filter(|l| !known.contains(&(l.vnet, l.src, l.dst, l.protocol))));
    all
}

/// UDP, established TCP and every other protocol: packets that were followed from a VM's port and seen nowhere else.
fn others_lost<'a>(view: &'a View<'_>) -> impl Iterator<Item = DroppedFlow<'a>> {
    let hops = &view.tables.hops;
    hops.pairs.iter().filter_map(move |(key, pair)| {
        let asked_elsewhere = matches!(key.protocol, ICMP | ICMPV6);
        let vm =
            view.points.get(key.from.point).is_some_and(is_vm_port) && key.from.direction == Direction::In;
        if !vm || asked_elsewhere || key.dst.is_multicast() || pair.lost.len() < LOST_MIN {
            return None;
        }
        // One rule drops one flow: the packets of the flow that lost most.
        let mut flows: BTreeMap<u64, usize> = BTreeMap::new();
        for lost in &pair.lost {
            *flows.entry(lost.flow).or_default() += 1;
        }
        let at = |flow: u64| hops.samples.get(&(flow, key.from));
        let (_, flow) = flows.into_iter().filter(|(f, _)| at(*f).is_some()).map(|(f, n)| (n, f)).max()?;
        let example = at(flow)?;
        let first = pair.lost.iter().find(|lost| lost.flow == flow)?;
        let id = u32::from(example.tuple.sport) << 16 | u32::from(example.tuple.dport);
        let events = pair.lost.iter().filter(|lost| lost.flow == flow).map(|lost| {
            let key_of = JourneyKey { src: key.src, dst: key.dst, protocol: key.protocol, id, seq: 0 };
            let event = Event {
                key: key_of,
                kind: EventKind::Request,
                at: lost.at,
                point: key.from.point,
                direction: key.from.direction,
                frame: lost.frame,
            };
            (event, false)
        });
        let sample = Sample {
            bytes: example.bytes.to_vec(),
            wire_len: example.wire_len,
            eth: example.eth,
            vlan: tags(&example.bytes, view.access_vlan(key.from.point)),
            frame: first.frame,
        };
        let pair_at_point = (key.from.point, key.src, key.dst, key.protocol);
        case(view, pair_at_point, events.collect(), Cow::Owned(sample), true)
    })
}

/// The tag of a frame, else the port's own VLAN.
fn tags(frame: &[u8], access: u16) -> Tags {
    let tag = match frame.get(12..16) {
        Some([a, b, high, low]) if is_tag(u16::from_be_bytes([*a, *b])) => {
            u16::from_be_bytes([*high, *low]) & 0xfff
        }
        _ => 0,
    };
    Tags { outer: if tag == 0 { access } else { tag }, inner: 0 }
}

/// The request comes from the VM: received by the tap, or with the guest's MAC where the capture has no direction.
fn enters(view: &View<'_>, event: &Event) -> bool {
    let Some(info) = view.points.get(event.point).filter(|info| is_vm_port(info)) else { return false };
    match (event.direction, &info.role) {
        (Direction::In, _) => true,
        (Direction::Unknown, Role::Vnet { guest_mac: Some(mac), .. }) => {
            let key = (event.point, event.key.src, event.key.dst, event.key.protocol);
            view.tables.journeys.samples.get(&key).is_some_and(|s| s.eth.src == *mac)
        }
        _ => false,
    }
}

fn case<'a>(
    view: &'a View<'_>,
    key: PairAtPoint,
    mut events: Vec<(Event, bool)>,
    sample: Cow<'a, Sample>,
    by_rule_only: bool,
) -> Option<DroppedFlow<'a>> {
    let (vnet, src, dst, protocol) = key;
    let info = view.points.get(vnet)?;
    events.sort_by_key(|(e, _)| (e.at, e.frame));
    let first = events.iter().find(|(_, left)| !left)?.0.at;
    let last = events.iter().rev().find(|(_, left)| !left)?.0.at;
    let Exits { points: exits, complete } = view.switch_points().exits(vnet, info, sample.eth.dst);
    let shown = exits.iter().all(|id| view.fidelity.shows(*id, &sample.bytes, sample.wire_len));
    let mut lost = DroppedFlow {
        vnet,
        info,
        src,
        dst,
        protocol,
        sample,
        absent: Vec::new(),
        doubtful: Vec::new(),
        passed: events.iter().filter(|(e, left)| *left && first <= e.at && e.at <= last).count(),
        exits,
        complete,
        by_rule_only,
    };
    for (event, _) in events.iter().filter(|(_, left)| !left) {
        let trust = |id: &PointId| view.fidelity.trust(*id, event.at, event.at.plus(CROSSING_NS));
        let sound = !lost.exits.is_empty() && lost.exits.iter().all(|id| trust(id) >= Trust::Unknown);
        if sound && shown && complete { lost.absent.push(*event) } else { lost.doubtful.push(*event) }
    }
    (lost.absent.len() + lost.doubtful.len() >= LOST_MIN).then_some(lost)
}
