//! The rule: a MAC that leaves by the active member and, in LLDP, by the backup.

use netcap_bundle::packets::Direction;
use netcap_bundle::{Mac, Nanos};
use netcap_words::wire::ip_protocol::TCP;

use super::lldp::Sender;
use crate::engine::PointId;
use crate::host::bonds::BondTimeline;
use crate::host::macs::is_virtual_router;
use crate::tables::bonded::{MacAtMember, MemberKey, MemberRuns};
use crate::tables::journeys::Event;
use crate::tables::runs::{Run, Sight};
use crate::view::View;

/// Default ageing time of a bridge, IEEE 802.1Q table 8-6.
const AGEING_NS: i64 = 300_000_000_000;
/// The bond's state is read every ten seconds: who was active in the interval before a change is not known.
const STATE_MARGIN_NS: i64 = 12_000_000_000;
/// LLDP to the nearest bridge, as short as it can be, to ask filters.
const LLDP_FRAME: [u8; 60] = {
    let mut frame = [0u8; 60];
    let head = [0x01, 0x80, 0xc2, 0, 0, 0x0e, 2, 0, 0, 0, 0, 1, 0x88, 0xcc];
    let mut at = 0;
    while at < head.len() {
        frame[at] = head[at];
        at += 1;
    }
    frame
};

/// One MAC that flaps between two members.
#[derive(Debug)]
pub(super) struct Suspicion<'a> {
    pub bond: &'a BondTimeline,
    pub mac: Mac,
    pub active: PointId,
    pub backup: PointId,
    /// The capture tells which way frames went.
    pub directed: bool,
    /// LLDP at the member while it was the backup.
    pub lldp: Vec<Sight>,
    pub sender: Sender,
    /// Something else than LLDP and announcements left the backup too.
    pub other_at_backup: u64,
    /// What the active member sent nearest to the first LLDP frame.
    pub active_frame: Sight,
    /// LLDP frames after which the host's next frame moved the MAC back.
    pub moves: usize,
    /// Frames for the MAC that arrived at the backup.
    pub astray: Vec<Run>,
    /// Pings that arrived at the backup and were never answered.
    pub pings_lost: Vec<Event>,
    /// Pings that arrived at the backup.
    pub pings: usize,
}

/// Points of a bond's members.
fn member_points(view: &View<'_>, bond: &BondTimeline) -> Vec<PointId> {
    bond.members.iter().filter_map(|name| view.points.by_name(name)).collect()
}

/// Both members of a bond are capture points; without a known bond nobody can say.
pub(super) fn members_recorded(view: &View<'_>) -> Option<bool> {
    bonds(view).next()?;
    Some(bonds(view).any(|bond| member_points(view, bond).len() >= 2))
}

/// A member's filter lets LLDP through; without a recorded member nobody can say.
pub(super) fn lldp_would_show(view: &View<'_>) -> Option<bool> {
    let members: Vec<PointId> = bonds(view).flat_map(|bond| member_points(view, bond)).collect();
    let shown = |id: &PointId| view.fidelity.shows(*id, &LLDP_FRAME, 60);
    (!members.is_empty()).then(|| members.iter().any(shown))
}

fn bonds<'a>(view: &'a View<'_>) -> impl Iterator<Item = &'a BondTimeline> {
    view.bonds.bonds.iter().filter(|bond| bond.is_active_backup())
}

/// Every flapping MAC.
pub(super) fn all<'a>(view: &'a View<'_>) -> Vec<Suspicion<'a>> {
    let mut out = Vec::new();
    for bond in bonds(view) {
        let members = member_points(view, bond);
        for (key, entry) in &view.tables.bonded.entries {
            let outward = key.direction != Direction::In;
            if members.contains(&key.member)
                && outward
                && !entry.lldp.is_empty()
                && !is_virtual_router(key.mac)
            {
                out.extend(suspicion(view, bond, *key, entry));
            }
        }
    }
    out
}

fn suspicion<'a>(
    view: &'a View<'_>,
    bond: &'a BondTimeline,
    key: MemberKey,
    entry: &MacAtMember,
) -> Option<Suspicion<'a>> {
    let MemberKey { member: backup, mac, direction } = key;
    let backup_name = view.points.name(backup);
    let active_at = |at: Nanos| bond.active_at(at, STATE_MARGIN_NS);
    let is_backup = |at: Nanos| active_at(at).is_some_and(|name| name != backup_name);
    let lldp: Vec<Sight> = entry.lldp.iter().copied().filter(|s| is_backup(s.at)).collect();
    let first = lldp.first()?;
    let active = view.points.by_name(active_at(first.at)?)?;
    let there = view.tables.bonded.entries.get(&MemberKey { member: active, ..key })?;
    let near = |sight: &Sight| {
        let (before, after) = there.other.around(sight.at);
        before.into_iter().chain(after).any(|ns| ns <= AGEING_NS)
    };
    let flapping = lldp.iter().find(|s| near(s))?;
    let active_frame = nearest(&there.other, flapping.at)?;
    let arrived = view.tables.bonded.entries.get(&MemberKey { direction: Direction::In, ..key });
    let arrived = arrived.map(|e| e.towards.runs()).unwrap_or_default();
    let astray =
        arrived.iter().copied().filter(|r| r.first.at >= first.at && is_backup(r.first.at)).collect();
    let other_at_backup = entry.other.runs().iter().filter(|r| is_backup(r.first.at)).map(|r| r.count).sum();
    if bond.listed && other_at_backup > 0 {
        // A listing names no mode: members that all send balance, and their switches know of the bond.
        return None;
    }
    let (pings, pings_lost) = pings(view, backup, first.at, is_backup);
    Some(Suspicion {
        bond,
        mac,
        active,
        backup,
        directed: direction == Direction::Out,
        sender: Sender::of_frame(&entry.lldp_sample),
        other_at_backup,
        active_frame,
        moves: moves(&lldp, &there.other),
        lldp,
        astray,
        pings_lost,
        pings,
    })
}

fn nearest(runs: &MemberRuns, at: Nanos) -> Option<Sight> {
    let both = [runs.before(at), runs.after(at)];
    both.into_iter().flatten().min_by_key(|s| s.at.since(at).saturating_abs())
}

/// LLDP frames followed, before the next one, by something else of the MAC at the active member: each moved the MAC to
/// the backup, and the next frame moved it back.
fn moves(lldp: &[Sight], other: &MemberRuns) -> usize {
    let next = lldp.iter().skip(1).map(|s| s.at).chain([Nanos(i64::MAX)]);
    let back = |from: Nanos, until: Nanos| {
        other
            .runs()
            .iter()
            .any(|r| r.last.at > from && r.first.at < until && r.first.at.since(from) <= AGEING_NS)
    };
    lldp.iter().zip(next).filter(|(s, until)| back(s.at, *until)).count()
}

/// Echo requests that arrived at the backup, and those of them that nobody answered.
fn pings(
    view: &View<'_>,
    backup: PointId,
    from: Nanos,
    is_backup: impl Fn(Nanos) -> bool,
) -> (usize, Vec<Event>) {
    let table = &view.tables.journeys;
    let (mut arrived, mut lost) = (0, Vec::new());
    for journey in table.journeys.iter().filter(|j| j.key.protocol != TCP && j.at >= from) {
        if journey.key.dst.is_multicast() {
            continue;
        }
        let here = |e: &&Event| e.point == backup && e.direction == Direction::In && is_backup(e.at);
        let Some(event) = table.requests(journey).iter().find(here) else { continue };
        arrived += 1;
        if table.replies(journey).is_empty() {
            lost.push(*event);
        }
    }
    lost.sort_by_key(|e| e.at);
    (arrived, lost)
}

impl Suspicion<'_> {
    /// Something went astray.
    pub(super) fn has_consequence(&self) -> bool {
        !self.astray.is_empty() || !self.pings_lost.is_empty()
    }

    /// Median distance of two LLDP frames, in nanoseconds.
    pub(super) fn interval_ns(&self) -> Option<i64> {
        let mut gaps: Vec<i64> =
            self.lldp.iter().zip(self.lldp.iter().skip(1)).map(|(a, b)| b.at.since(a.at)).collect();
        gaps.sort_unstable();
        gaps.get(gaps.len() / 2).copied()
    }
}
