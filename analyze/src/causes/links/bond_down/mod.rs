//! `bond-down`: no member of a bond is in use, so nothing passes it.
//!
//! Symptom: from one moment on nothing of the host and of its VMs leaves by the bond, and nothing arrives; machines of one
//! host still reach each other.
//!
//! Looked at: the members of bonds over time (in use, carrier, administrative state), and packets that had to leave by such a
//! bond, or came in at one of its members, while none was in use.
//!
//! Proven: two packets or more died while all readings around them say that no member was in use. Likely: they died between
//! two readings of which only the later one says so, and none passed after the first of them.
//!
//! Exonerated: a failover, where another member takes over; a member without carrier beside one that carries; members that
//! wait for a partner of LACP are `lacp-failure`.
//!
//! Remedy: cables, the ports of the physical switch, and the links' administrative state.
//!
//! Sources: Open vSwitch ofproto/bond.c `bond_choose_output_member`, ovs-vswitchd(8) `bond/show`; Linux
//! Documentation/networking/bonding.rst.
//!
//! 中文：聚合口没有可用成员，报文无法通过：从某一时刻起主机与虚拟机对外全部不通，同主机虚拟机互访正常。处理：检查网线、物理
//! 交换机端口及网卡是否启用。

use netcap_bundle::sources::network::links::Links;
use netcap_bundle::sources::ovs::bond::OvsBond;

use crate::causes::{Cause, Claim, Ruling, Rung, harms_nobody};
use crate::deaths::{Case, WithoutMember};
use crate::finding::{Confidence, Evidence, Exoneration, Finding, Severity, Subject};
use crate::host::timeline::HostState;
use crate::host::{file_of, said_at};
use crate::text::Text;
use crate::unit::Unit;
use netcap_bundle::source::Snapshot;
use netcap_bundle::sources::ovs::ovsdb::Ovsdb;

/// The registry's line.
pub(crate) const CAUSE: Cause = Cause {
    unit: Unit {
        id: "bond-down",
        severity: Some((Severity::Info, Severity::Error)),
        most: None,
        needs: &[],
        source: include_str!("mod.rs"),
    },
    rung: Rung::Bond,
    judge,
    reads,
    harms: harms_nobody,
};

/// What it cannot tell without.
fn reads(case: &Case<'_, '_>) -> &'static [&'static str] {
    if case.is_for_bond() { &[Ovsdb::DEF.id, OvsBond::DEF.id] } else { &[] }
}

fn judge(case: &Case<'_, '_>) -> Ruling {
    let Some(bond) = case.bond() else { return Ruling::NotConcerned };
    let Some(WithoutMember { deaths, span, confidence }) = case.without_member(bond) else {
        return Ruling::RuledOut(Text::new("bond-down.out").with("bond", bond));
    };
    let (first, last) = span;
    let timeline = &case.view.host.timeline;
    let state = timeline.around(last).chain(timeline.around(first)).find(|s| s.carries(bond) == Some(false));
    let Some(state) = state else { return Ruling::NotConcerned };
    if waits_for_partner(case, bond, state) {
        return Ruling::NotConcerned;
    }
    let fault = Fault { case, bond, state };
    Claim::of(bond.to_owned(), &deaths, fault.finding(span, confidence))
}

/// Members with a carrier are not in use where LACP is on: they wait for their partner.
fn waits_for_partner(case: &Case<'_, '_>, bond: &str, state: &HostState) -> bool {
    let said = said_at::<OvsBond>(case.view.input, state.at);
    state.is_plugged(bond) && said.is_some_and(|round| round.parsed.value.lacp(bond).is_some())
}

/// A bond of which no member was in use.
struct Fault<'c, 'a> {
    case: &'c Case<'c, 'a>,
    bond: &'c str,
    /// The host as it was then.
    state: &'c HostState,
}

impl Fault<'_, '_> {
    fn finding(
        &self,
        (from, to): (netcap_bundle::Nanos, netcap_bundle::Nanos),
        confidence: Confidence,
    ) -> Finding {
        let members: Vec<String> =
            self.state.members(self.bond).map(|(_, port)| port.iface.clone()).collect();
        let switch = self.state.members(self.bond).find_map(|(switch, _)| switch).map(|switch| &switch.name);
        let names = || members.iter().map(Text::verbatim).collect();
        Finding {
            from: Some(from),
            to: Some(to),
            claim: Text::new("bond-down.claim")
                .with("bond", self.bond)
                .with("switch", switch.map_or("?", String::as_str))
                .with_list("members", names()),
            evidence: self.evidence(),
            exonerations: self.exonerations(),
            remedy: Text::new("bond-down.remedy")
                .with("bond", self.bond)
                .with("member", members.first().map_or("?", String::as_str))
                .with_list("members", names()),
            ..Finding::new(
                CAUSE.unit.id,
                Severity::Error,
                confidence,
                Subject::Bond {
                    bond: self.bond.to_owned(),
                    switch: switch.cloned(),
                    members: members.clone(),
                },
            )
        }
    }

    /// What the daemon says of the members, and what the kernel says of their links.
    fn evidence(&self) -> Vec<Evidence> {
        let mut out = Vec::new();
        let input = self.case.view.input;
        if let Some(round) = said_at::<OvsBond>(input, self.state.at)
            && let (Some(bond), Some(file)) =
                (round.parsed.value.bond(self.bond), file_of(&round, "bond-show"))
        {
            for member in bond.members.iter().filter(|member| !member.enabled) {
                let line = format!("member {}: disabled", member.name);
                let what = Text::new("bond-down.evidence.disabled");
                out.push(Evidence::Snapshot { file: file.clone(), at: Some(round.at), line, what });
            }
        }
        if let Some(round) = said_at::<Links>(input, self.state.at)
            && let Some(file) = file_of(&round, "link").or_else(|| file_of(&round, "text"))
        {
            for (_, port) in self.state.members(self.bond) {
                let (key, word) = match (port.admin_up, port.carrier) {
                    (Some(false), _) => ("bond-down.evidence.off", "DOWN"),
                    (_, Some(false)) => ("bond-down.evidence.no-carrier", "NO-CARRIER"),
                    _ => continue,
                };
                let line = format!("{}: {word}", port.iface);
                out.push(Evidence::Snapshot {
                    file: file.clone(),
                    at: Some(round.at),
                    line,
                    what: Text::new(key),
                });
            }
        }
        out
    }

    fn exonerations(&self) -> Vec<Exoneration> {
        let passed = self.case.group.beside.same.count;
        let mut out = vec![Exoneration::RuledOut(Text::new("bond-down.not.failover"))];
        if passed > 0 {
            out.push(Exoneration::Counted(Text::new("bond-down.not.passed").with("count", passed)));
        }
        out
    }
}

#[cfg(test)]
mod tests;
