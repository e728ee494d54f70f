//! `lacp-failure`: LACP of a bond has no partner, so the bond carries nothing.
//!
//! Symptom: nothing of the host and of its VMs leaves by the bond, and nothing that arrives there is let in, although the
//! cables are plugged; machines of one host still reach each other.
//!
//! Looked at: the members of Open vSwitch's bonds with LACP over time (`bond/show`, `lacp/show`), and packets that had to
//! leave by such a bond, or came in at one of its members, while none was in use. The word `lacp_status: negotiated` is not
//! believed: a bond says so for its first seconds whether or not anybody answered. What counts is whether members are in use,
//! and how fresh their partner's information is (`current`, `expired`, `defaulted`).
//!
//! Proven: no member is in use although one has a carrier, and LACP is on. It is said whether or not packets died of it.
//! Likely: they died between two readings of which only one says so.
//!
//! Exonerated: a bond that falls back to active-backup without a partner (`lacp-fallback-ab`) carries; a bond of which all
//! cables are unplugged is `bond-down`; what is lost while a member is in use has another cause.
//!
//! Remedy: LACP on the physical switch for these ports, or none on the host.
//!
//! Sources: IEEE 802.1AX; Open vSwitch lib/lacp.c, ofproto/bond.c, vswitchd.conf.db(5).
//!
//! 中文：聚合口的 LACP 没有对端，聚合口不承载流量：网线已插，但主机与虚拟机的报文都发不出去、也收不进来。处理：在物理交换机
//! 对应端口上启用 LACP，或在主机侧关闭 LACP。

mod report;

use netcap_bundle::Nanos;
use netcap_bundle::sources::ovs::bond::{Bond, Lacp, LacpStatus, OvsBond};
use netcap_bundle::state::Round;

use crate::causes::{Cause, Claim, Ruling, Rung};
use crate::deaths::{Case, Deaths, WithoutMember};
use crate::finding::{Confidence, Severity};
use crate::host::said_at;
use crate::host::timeline::HostState;
use crate::unit::Unit;
use crate::view::View;
use netcap_bundle::source::Snapshot;

/// The registry's line.
pub(crate) const CAUSE: Cause = Cause {
    unit: Unit {
        id: "lacp-failure",
        severity: Some((Severity::Info, Severity::Error)),
        most: None,
        needs: &[],
        source: include_str!("mod.rs"),
    },
    rung: Rung::Bond,
    judge,
    reads,
    harms,
};

/// A partner may need this long after a change.
const SETTLE_NS: i64 = 5_000_000_000;

/// A bond with LACP of which no member was in use.
struct Failed<'v> {
    name: &'v str,
    /// The host at that time.
    state: &'v HostState,
    /// What the daemon said.
    round: Round<OvsBond>,
}

impl<'v> Failed<'v> {
    /// The bond in that state, when this is its fault.
    fn of(view: &'v View<'v>, name: &'v str, state: &'v HostState) -> Option<Self> {
        if state.carries(name) != Some(false) || !state.is_plugged(name) {
            return None;
        }
        let round = said_at::<OvsBond>(view.input, state.at)?;
        let failed = Self { name, state, round };
        let on = matches!(failed.bond()?.lacp_status, LacpStatus::Configured | LacpStatus::Negotiated);
        (on || failed.lacp().is_some()).then_some(failed)
    }

    fn bond(&self) -> Option<&Bond> {
        self.round.parsed.value.bond(self.name)
    }

    fn lacp(&self) -> Option<&Lacp> {
        self.round.parsed.value.lacp(self.name)
    }
}

/// What it cannot tell without.
fn reads(case: &Case<'_, '_>) -> &'static [&'static str] {
    if case.is_for_bond() { &[OvsBond::DEF.id] } else { &[] }
}

fn judge(case: &Case<'_, '_>) -> Ruling {
    let Some(bond) = case.bond() else { return Ruling::NotConcerned };
    let Some(WithoutMember { deaths, span, confidence }) = case.without_member(bond) else {
        return Ruling::NotConcerned;
    };
    let mut states = case.view.host.timeline.around(span.0);
    let Some(failed) = states.find_map(|state| Failed::of(case.view, bond, state)) else {
        return Ruling::NotConcerned;
    };
    let finding = report::finding(&failed, span, confidence, Severity::Error);
    Claim::of(bond.to_owned(), &deaths, finding)
}

/// A bond that found no partner for a while harms whoever needs it next.
fn harms(view: &View<'_>, _deaths: &Deaths<'_>) -> Vec<Claim> {
    let mut out = Vec::new();
    for name in view.bonds.bonds.iter().map(|bond| bond.name.as_str()) {
        let Some((state, span)) = longest(view, name) else { continue };
        let Some(failed) = Failed::of(view, name, state) else { continue };
        let finding = report::finding(&failed, span, Confidence::Proven, Severity::Warning);
        out.push(Claim::of_harm(name.to_owned(), finding));
    }
    out
}

/// The longest time in which no member of a bond was in use, with its last state; not one that may only be the time that
/// the partner needed.
fn longest<'v>(view: &'v View<'_>, bond: &str) -> Option<(&'v HostState, (Nanos, Nanos))> {
    let timeline = &view.host.timeline;
    let down = |state: &HostState| state.carries(bond) == Some(false) && state.is_plugged(bond);
    let whole = (view.fidelity.start()?, view.fidelity.end()?);
    let spans = timeline.history(down).into_iter().filter(|era| era.value).map(|era| {
        let from = era.began.map_or(whole.0, |(_, by)| by);
        (from, era.ended.map_or(whole.1, |(after, _)| after))
    });
    let (from, to) = spans.max_by_key(|(from, to)| to.since(*from))?;
    if to.since(from) < SETTLE_NS {
        return None;
    }
    let state = timeline.states().iter().rfind(|state| state.at <= to && down(state))?;
    Some((state, (from, to)))
}

#[cfg(test)]
mod tests;
