//! From the order of frames to finding.

use netcap_bundle::sources::ovs::fdb::OvsFdb;
use netcap_bundle::topology::Learned;
use netcap_bundle::{Nanos, Role};

use super::bursts::Bursts;
use crate::deaths::{Case, Death, Group};
use crate::finding::{Confidence, Evidence, Exoneration, Finding, Severity, Subject};
use crate::host::{file_of_arg, said_at};
use crate::tables::runs::Sight;
use crate::text::Text;

/// Bursts shown.
const BURSTS_MAX: usize = 3;

pub(super) fn finding(
    case: &Case<'_, '_>,
    bursts: &Bursts<'_>,
    deaths: &[Death],
    learned: Option<&(Nanos, Learned)>,
    confidence: Confidence,
) -> Finding {
    let uplink = uplink(case, bursts);
    Finding {
        from: deaths.first().map(|death| death.at),
        to: deaths.last().map(|death| death.at),
        claim: Text::new("reflection.claim")
            .with("mac", bursts.mac)
            .with_text("who", case.view.place(bursts.mac, &[]))
            .with("uplink", uplink)
            .with("switch", case.info().and_then(|info| info.vswitch.as_deref()).unwrap_or("?")),
        evidence: evidence(case, bursts, deaths, learned),
        exonerations: vec![
            Exoneration::RuledOut(Text::new("reflection.not.capture")),
            Exoneration::RuledOut(Text::new("reflection.not.moved")),
        ],
        remedy: Text::new("reflection.remedy").with("uplink", uplink).with("mac", bursts.mac),
        ..Finding::new(
            super::CAUSE.unit.id,
            Severity::Error,
            confidence,
            Subject::Ports {
                switch: case.info().and_then(|info| info.vswitch.clone()),
                ports: vec![uplink.to_owned()],
            },
        )
    }
}

/// Where the frames come back.
fn uplink<'v>(case: &Case<'v, '_>, bursts: &Bursts<'v>) -> &'v str {
    bursts.returned.first().map_or("?", |returned| case.view.points.name(returned.stop.point))
}

/// That the switch learned the machine there, then what came back before each burst.
fn evidence(
    case: &Case<'_, '_>,
    bursts: &Bursts<'_>,
    deaths: &[Death],
    learned: Option<&(Nanos, Learned)>,
) -> Vec<Evidence> {
    let view = case.view;
    let mut out: Vec<Evidence> = learned.and_then(|learned| table(case, learned)).into_iter().collect();
    let all = bursts.bursts();
    for (count, (back, at, deaths)) in all.iter().enumerate().take(BURSTS_MAX) {
        let ms = at.since(back.at) / 1_000_000;
        let what = Text::new("reflection.evidence.back")
            .with("port", view.points.name(back.stop.point))
            .with("burst", count + 1)
            .with("bursts", all.len())
            .with("ms", ms)
            .with("count", deaths);
        out.push(view.frame(Sight { at: back.at, frame: back.frame }, back.stop.point, what));
    }
    if let Some(death) = deaths.first() {
        let from = case.group.place.from.point;
        let what = Text::new("reflection.evidence.lost").with("port", view.points.name(from));
        out.push(view.frame(Group::sight(death), from, what));
    }
    if let (Some(first), Some(last)) = (deaths.first(), deaths.last()) {
        for id in case.group.exits() {
            let what = Text::new("reflection.evidence.absence")
                .with("port", view.points.name(*id))
                .with("count", deaths.len());
            out.push(view.absence(*id, first.at, last.at, what));
        }
    }
    out
}

fn table(case: &Case<'_, '_>, (at, learned): &(Nanos, Learned)) -> Option<Evidence> {
    let round = said_at::<OvsFdb>(case.view.input, *at)?;
    let file = file_of_arg(&round, "fdb-show", &learned.switch)?;
    let iface = learned.iface.as_deref().unwrap_or("?");
    // A bond is one port of the switch, whichever member the table is joined to.
    let topology = case.view.host.topology_at(*at);
    let port = match topology.by_iface(iface).map(|(_, port)| &port.role) {
        Some(Role::Uplink { bond: Some(bond) }) => bond,
        _ => iface,
    };
    let number = learned.ofport.map_or_else(|| iface.to_owned(), |ofport| ofport.to_string());
    let line = format!("{number} {} {}", learned.vlan, learned.mac);
    let what = Text::new("reflection.evidence.learned").with("port", port);
    Some(Evidence::Snapshot { file, at: Some(round.at), line, what })
}
