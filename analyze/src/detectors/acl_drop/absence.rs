//! Requests that enter the switch at a VM's port and leave it nowhere.

use std::collections::BTreeMap;
use std::net::IpAddr;

use netcap_bundle::Role;
use netcap_bundle::packets::Direction;

use crate::engine::{PointId, PointInfo};
use crate::exits::{exits, others};
use crate::fidelity::Trust;
use crate::tables::journeys::{Event, PairAtPoint, Sample};
use crate::view::View;

/// A frame crosses the switch within this; around it the capture must be sound. As long as a ping waits for its answer, so
/// that this detector and `ping-loss` count the same requests at the end of a capture.
const CROSSING_NS: i64 = 2_000_000_000;
/// Lost requests that make a case; one may be a race with the end of a segment or a table that was just written.
pub(super) const LOST_MIN: usize = 2;

/// Requests of one kind from one VM that went nowhere.
#[derive(Debug)]
pub(super) struct Lost<'a> {
    pub vnet: PointId,
    pub info: &'a PointInfo,
    pub src: IpAddr,
    pub dst: IpAddr,
    pub protocol: u8,
    pub sample: &'a Sample,
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
    Some(vms.any(|(id, info)| others(view, id, info).next().is_some()))
}

fn is_vm_port(info: &PointInfo) -> bool {
    info.vswitch.is_some() && matches!(info.role, Role::Vnet { .. })
}

/// Every kind of request that went nowhere, in order of port and addresses.
pub(super) fn all<'a>(view: &'a View<'_>) -> Vec<Lost<'a>> {
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
    cases.into_iter().filter_map(|(key, events)| case(view, key, events)).collect()
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

fn case<'a>(view: &'a View<'_>, key: PairAtPoint, mut events: Vec<(Event, bool)>) -> Option<Lost<'a>> {
    let (vnet, src, dst, protocol) = key;
    let sample = view.tables.journeys.samples.get(&key)?;
    let info = view.points.get(vnet)?;
    events.sort_by_key(|(e, _)| (e.at, e.frame));
    let first = events.iter().find(|(_, left)| !left)?.0.at;
    let last = events.iter().rev().find(|(_, left)| !left)?.0.at;
    let (exits, complete) = exits(view, vnet, info, sample.eth.dst);
    let shown = exits.iter().all(|id| view.fidelity.shows(*id, &sample.bytes, sample.wire_len));
    let mut lost = Lost {
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
    };
    for (event, _) in events.iter().filter(|(_, left)| !left) {
        let trust = |id: &PointId| view.fidelity.trust(*id, event.at, event.at.plus(CROSSING_NS));
        let sound = !lost.exits.is_empty() && lost.exits.iter().all(|id| trust(id) >= Trust::Unknown);
        if sound && shown && complete { lost.absent.push(*event) } else { lost.doubtful.push(*event) }
    }
    (lost.absent.len() + lost.doubtful.len() >= LOST_MIN).then_some(lost)
}
