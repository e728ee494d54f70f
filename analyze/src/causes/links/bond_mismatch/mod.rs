//! `bond-mismatch`: the physical switch sends frames to a member of a bond that takes none: both ends disagree about the bond.
//!
//! Symptom: some machines of the host, or some of those who talk to them, get nothing, and others do; or all lose every second
//! flow. Frames for the host arrive at the backup member of an active-backup bond, which discards what comes in there.
//!
//! Looked at: pings and answers that came in at a member that was not the active one at that time and were not seen at the
//! active one, and whether their receiver speaks by the active member: then the switch knows better where it is, and sends
//! elsewhere all the same, because it takes both ports for one link (a static LAG), or has a static entry.
//!
//! Proven: two of them or more, while their receiver sent by the active member in the minute before. Likely: it was not heard
//! there, so that the switch may still have it at the port where it was before.
//!
//! Exonerated: the seconds around a failover; what came in at both members, which is a flood; LLDP that moves the receiver's
//! MAC to the backup is `lldp-mac-flap`; LACP without a partner is `lacp-failure`.
//!
//! Remedy: make both ends the same: no LAG on the switch for active-backup, or LACP on both ends.
//!
//! Sources: Open vSwitch ofproto/bond.c `bond_check_admissibility`; vswitchd.conf.db(5) `bond_mode`; Linux
//! Documentation/networking/bonding.rst (active-backup); IEEE 802.1AX.
//!
//! 中文：聚合口两端不一致：物理交换机把发往主机的报文送到不接收报文的备用成员，被聚合口丢弃。处理：两端配置一致：主备模式下交换机
//! 不配置聚合组，或两端都启用 LACP；并核对静态 MAC 表项。

use netcap_bundle::packets::Direction;
use netcap_bundle::{Mac, Nanos};

use crate::causes::{Cause, Claim, Ruling, Rung, harms_nobody, reads_nothing};
use crate::deaths::{Case, Death, Group, Way};
use crate::engine::PointId;
use crate::finding::{Confidence, Evidence, Exoneration, Finding, Severity, Subject};
use crate::host::bonds::BondTimeline;
use crate::tables::bonded::{MemberKey, MemberRuns};
use crate::text::Text;
use crate::unit::{Need, Unit};
use crate::view::View;

/// The registry's line.
pub(crate) const CAUSE: Cause = Cause {
    unit: Unit {
        id: "bond-mismatch",
        severity: Some((Severity::Info, Severity::Error)),
        most: None,
        needs: &[Need { key: "need.bond-members", met: members_recorded }],
        source: include_str!("mod.rs"),
    },
    rung: Rung::BondEnds,
    judge,
    reads: reads_nothing,
    harms: harms_nobody,
};

/// Around a change of the active member nobody knows which one took what.
const FAILOVER_NS: i64 = 2_000_000_000;
/// A switch that heard a MAC at a port so recently still has it there (an entry lives five minutes, IEEE 802.1Q 8.8.3).
const HEARD_NS: i64 = 60_000_000_000;
/// Deaths that make it proven.
const LOST_MIN: usize = 2;
/// Frames shown.
const FRAMES_MAX: usize = 3;

/// Two members of a bond are capture points; without a known bond nobody can say.
fn members_recorded(view: &View<'_>) -> Option<bool> {
    let mut bonds = view.bonds.bonds.iter().filter(|bond| bond.is_active_backup()).peekable();
    bonds.peek()?;
    let recorded = |bond: &BondTimeline| {
        bond.members.iter().filter(|name| view.points.by_name(name).is_some()).count() >= 2
    };
    Some(bonds.any(recorded))
}

/// Where a group came in.
struct Arrival<'c> {
    bond: &'c BondTimeline,
    /// The member that was not active.
    backup: &'c str,
    active: &'c str,
    /// The capture point of the active one.
    active_point: PointId,
    /// Who they are for.
    mac: Mac,
}

fn judge(case: &Case<'_, '_>) -> Ruling {
    if case.group.place.way != Way::Backup {
        return Ruling::NotConcerned;
    }
    let Some(arrival) = arrival(case) else { return Ruling::NotConcerned };
    let alone = |death: &&Death| !case.seen_at(death).contains(&arrival.active_point);
    let deaths: Vec<Death> = case.sure().filter(alone).copied().collect();
    if deaths.is_empty() {
        return Ruling::RuledOut(Text::new("bond-mismatch.out.flood").with("member", arrival.backup));
    }
    let heard = deaths.iter().filter(|death| speaks(case, &arrival, death)).count();
    let confidence = if heard >= LOST_MIN { Confidence::Proven } else { Confidence::Likely };
    let fault = format!("{} {}", arrival.bond.name, arrival.backup);
    Claim::of(fault, &deaths, finding(case, &arrival, &deaths, heard, confidence))
}

fn arrival<'c>(case: &Case<'c, '_>) -> Option<Arrival<'c>> {
    let view = case.view;
    let backup = case.port();
    let mut bonds = view.bonds.bonds.iter().filter(|bond| bond.is_active_backup());
    let bond = bonds.find(|bond| bond.members.contains(backup))?;
    let (first, _) = case.span();
    let active = bond.active_at(first, FAILOVER_NS).filter(|active| *active != backup)?;
    let mac = case.group.eth?.dst;
    Some(Arrival { bond, backup, active, active_point: view.points.by_name(active)?, mac })
}

/// The receiver sent by the active member not long before.
fn speaks(case: &Case<'_, '_>, arrival: &Arrival<'_>, death: &Death) -> bool {
    let key = MemberKey { member: arrival.active_point, mac: arrival.mac, direction: Direction::Out };
    let entry = case.view.tables.bonded.entries.get(&key);
    let sent = |runs: &MemberRuns| runs.around(death.at).0;
    let before = entry.map(|entry| [sent(&entry.other), sent(&entry.announced)]);
    before.into_iter().flatten().flatten().any(|ns| ns <= HEARD_NS)
}

fn finding(
    case: &Case<'_, '_>,
    arrival: &Arrival<'_>,
    deaths: &[Death],
    heard: usize,
    confidence: Confidence,
) -> Finding {
    let view = case.view;
    let switch = case.info().and_then(|info| info.vswitch.clone());
    let kernel = switch.as_deref().is_none_or(|switch| view.is_kernel_bridge(switch));
    let words = |text: Text| {
        text.with("bond", &arrival.bond.name)
            .with("backup", arrival.backup)
            .with("active", arrival.active)
            .with("mac", arrival.mac)
    };
    let key = if heard > 0 { "bond-mismatch.claim" } else { "bond-mismatch.claim.unheard" };
    let mut exonerations = vec![
        Exoneration::RuledOut(words(Text::new("bond-mismatch.not.failover"))),
        Exoneration::RuledOut(words(Text::new("bond-mismatch.not.flood"))),
    ];
    if heard == 0 {
        exonerations.push(Exoneration::Open(words(Text::new("bond-mismatch.not.heard"))));
    }
    let remedy = if kernel { "bond-mismatch.remedy.kernel" } else { "bond-mismatch.remedy" };
    Finding {
        subject: Subject::Bond {
            bond: arrival.bond.name.clone(),
            switch,
            members: arrival.bond.members.iter().cloned().collect(),
        },
        from: deaths.first().map(|death| death.at),
        to: deaths.last().map(|death| death.at),
        claim: words(Text::new(key)),
        evidence: evidence(case, arrival, deaths),
        exonerations,
        remedy: words(Text::new(remedy)),
        ..case.finding(CAUSE.unit.id, confidence)
    }
}

/// Who was active, what came in at the other one, and that it was not seen where it would have been taken.
fn evidence(case: &Case<'_, '_>, arrival: &Arrival<'_>, deaths: &[Death]) -> Vec<Evidence> {
    let view = case.view;
    let from = case.group.place.from.point;
    let mut out = Vec::new();
    if let Some(state) = deaths.first().and_then(|death| arrival.bond.state_at(death.at)) {
        let what = Text::new("bond-mismatch.evidence.active").with("active", arrival.active);
        let at = (state.at > Nanos(i64::MIN)).then_some(state.at);
        out.push(Evidence::Snapshot { file: state.file.clone(), at, line: state.line.clone(), what });
    }
    out.extend(deaths.iter().take(FRAMES_MAX).map(|death| {
        let what = Text::new("bond-mismatch.evidence.frame").with("backup", arrival.backup);
        view.frame(Group::sight(death), from, what)
    }));
    let key = MemberKey { member: arrival.active_point, mac: arrival.mac, direction: Direction::Out };
    let entry = view.tables.bonded.entries.get(&key);
    let sent = entry.and_then(|entry| entry.other.runs().first()).map(|run| run.first);
    if let Some(sight) = sent {
        let what =
            Text::new("bond-mismatch.evidence.sent").with("active", arrival.active).with("mac", arrival.mac);
        out.push(view.frame(sight, arrival.active_point, what));
    }
    if let (Some(first), Some(last)) = (deaths.first(), deaths.last()) {
        let what = Text::new("case.absence").with("port", arrival.active).with("count", deaths.len());
        out.push(view.absence(arrival.active_point, first.at, last.at, what));
    }
    out
}

#[cfg(test)]
mod tests;
