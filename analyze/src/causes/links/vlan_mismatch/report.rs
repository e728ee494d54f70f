//! From VLANs to finding.

use netcap_bundle::Nanos;
use netcap_bundle::sources::ovs::ovsdb::Ovsdb;

use super::vlans::{Carrier, Mismatch};
use crate::deaths::{CROSSING_NS, Case, Death, Group, LOST_MIN};
use crate::engine::PointId;
use crate::fidelity::Trust;
use crate::finding::{Confidence, Evidence, Exoneration, Finding, Severity, Subject};
use crate::host::{file_of, said_at};
use crate::text::Text;

/// Packets that died, shown.
const FRAMES_MAX: usize = 2;

/// `None` when one of them was seen where it cannot be.
pub(super) fn confidence(case: &Case<'_, '_>, mismatch: &Mismatch, deaths: &[&Death]) -> Option<Confidence> {
    let points = exits(case, mismatch);
    let passed = |death: &&&Death| case.sightings(death).iter().any(|event| points.contains(&event.point));
    if deaths.iter().any(|death| passed(&death)) {
        return None;
    }
    let sure = deaths.iter().filter(|death| is_sure(case, mismatch, &points, death)).count();
    Some(if sure >= LOST_MIN { Confidence::Proven } else { Confidence::Likely })
}

/// It was looked for where it cannot be, and the capture can be trusted there.
fn is_sure(case: &Case<'_, '_>, mismatch: &Mismatch, points: &[PointId], death: &Death) -> bool {
    match mismatch {
        Mismatch::Entry(..) => death.is_sure(),
        Mismatch::Apart(..) | Mismatch::Changed(..) => false,
        Mismatch::Exit(_, _, exits) => {
            let trust = |point: &PointId| {
                let trust = case.view.fidelity.trust(*point, death.at, death.at.plus(CROSSING_NS));
                matches!(trust, Trust::Sound | Trust::Unknown)
            };
            points.len() == exits.len() && points.iter().all(trust)
        }
    }
}

/// The recorded ones of the ports where they could leave.
fn exits(case: &Case<'_, '_>, mismatch: &Mismatch) -> Vec<PointId> {
    mismatch.exits().filter_map(|exit| case.view.points.by_name(&exit.name)).collect()
}

pub(super) fn finding(
    case: &Case<'_, '_>,
    mismatch: &Mismatch,
    deaths: &[&Death],
    confidence: Confidence,
) -> Finding {
    let (entry, exits) = match mismatch {
        Mismatch::Entry(entry, _) | Mismatch::Apart(entry, ..) | Mismatch::Changed(entry, ..) => {
            (entry, &[] as &[Carrier])
        }
        Mismatch::Exit(entry, _, exits) => (entry, exits.as_slice()),
    };
    let mut ports: Vec<String> = std::iter::once(entry).chain(exits).map(|c| c.name.clone()).collect();
    if let Mismatch::Apart(_, _, heard) | Mismatch::Changed(_, _, heard) = mismatch {
        ports.push(case.view.points.name(heard.point).to_owned());
    }
    Finding {
        from: deaths.first().map(|death| death.at),
        to: deaths.last().map(|death| death.at),
        claim: claim(case, mismatch),
        evidence: evidence(case, mismatch, deaths),
        exonerations: exonerations(mismatch, confidence),
        remedy: remedy(case, mismatch),
        ..Finding::new(
            super::CAUSE.unit.id,
            Severity::Error,
            confidence,
            Subject::Ports { switch: case.info().and_then(|info| info.vswitch.clone()), ports },
        )
    }
}

/// What a port carries.
fn carries(carrier: &Carrier) -> Text {
    match carrier.tag {
        Some(tag) => Text::new("vlan-mismatch.carries.tag").with("vlan", tag),
        None if carrier.trunks.is_empty() => Text::new("vlan-mismatch.carries.all"),
        None => {
            let vlans = carrier.trunks.iter().map(Text::verbatim).collect();
            Text::new("vlan-mismatch.carries.trunks").with_list("vlans", vlans)
        }
    }
}

fn port(carrier: &Carrier) -> Text {
    Text::new("vlan-mismatch.port").with("port", &carrier.name).with_text("carries", carries(carrier))
}

/// A VLAN, or none.
fn named(vlan: u16) -> Text {
    match vlan {
        0 => Text::new("vlan-mismatch.untagged"),
        vlan => Text::new("vlan-mismatch.vlan").with("vlan", vlan),
    }
}

fn claim(case: &Case<'_, '_>, mismatch: &Mismatch) -> Text {
    let switch = case.info().and_then(|info| info.vswitch.as_deref()).unwrap_or("?");
    match mismatch {
        Mismatch::Entry(entry, vlan) => Text::new("vlan-mismatch.claim.entry")
            .with_text("port", port(entry))
            .with_text("vlan", named(*vlan))
            .with("switch", switch),
        Mismatch::Exit(entry, vlan, exits) => Text::new("vlan-mismatch.claim.exit")
            .with("entry", &entry.name)
            .with_text("vlan", named(*vlan))
            .with_list("exits", exits.iter().map(port).collect())
            .with("switch", switch),
        Mismatch::Apart(entry, vlan, heard) => Text::new("vlan-mismatch.claim.apart")
            .with("entry", &entry.name)
            .with_text("vlan", named(*vlan))
            .with_text("other", named(heard.vlan))
            .with("src", case.group.src)
            .with("dst", case.group.dst)
            .with("port", case.view.points.name(heard.point)),
        Mismatch::Changed(entry, vlan, heard) => Text::new("vlan-mismatch.claim.changed")
            .with("entry", &entry.name)
            .with_text("vlan", named(*vlan))
            .with_text("other", named(heard.vlan))
            .with("src", case.group.src)
            .with("dst", case.group.dst)
            .with("port", case.view.points.name(heard.point)),
    }
}

/// What the ports are set to, then who is heard elsewhere, then the packets.
fn evidence(case: &Case<'_, '_>, mismatch: &Mismatch, deaths: &[&Death]) -> Vec<Evidence> {
    let view = case.view;
    let mut out = Vec::new();
    let Some(first) = deaths.first() else { return out };
    let at = first.at;
    let (entry, vlan) = match mismatch {
        Mismatch::Entry(entry, vlan)
        | Mismatch::Exit(entry, vlan, _)
        | Mismatch::Apart(entry, vlan, _)
        | Mismatch::Changed(entry, vlan, _) => (entry, *vlan),
    };
    let mut names: Vec<&str> = Vec::new();
    for carrier in std::iter::once(entry).chain(mismatch.exits()) {
        if !names.contains(&carrier.port.as_str()) {
            names.push(&carrier.port);
            out.extend(configured(case, at, carrier));
        }
    }
    if let Mismatch::Changed(_, _, heard) = mismatch {
        let what = Text::new("vlan-mismatch.evidence.answered")
            .with_text("vlan", named(heard.vlan))
            .with("port", view.points.name(heard.point));
        out.push(view.frame(heard.sight, heard.point, what));
    }
    if let Mismatch::Apart(_, _, heard) = mismatch {
        let what = Text::new("vlan-mismatch.evidence.heard")
            .with("dst", case.group.dst)
            .with_text("vlan", named(heard.vlan))
            .with("port", view.points.name(heard.point));
        out.push(view.frame(heard.sight, heard.point, what));
    }
    for death in deaths.iter().take(FRAMES_MAX) {
        let Some(entered) = case.entered(death) else { continue };
        let seen = case.sightings(death).iter().find(|event| event.point == entered.point);
        let sight = seen.map_or_else(
            || Group::sight(death),
            |event| crate::tables::runs::Sight { at: event.at, frame: event.frame },
        );
        let what = Text::new("vlan-mismatch.evidence.packet")
            .with("port", &entry.name)
            .with_text("vlan", named(vlan));
        out.push(view.frame(sight, entered.point, what));
    }
    let last = deaths.last().map_or(at, |death| death.at);
    for exit in exits(case, mismatch) {
        let what = Text::new("vlan-mismatch.evidence.absence")
            .with("port", view.points.name(exit))
            .with("count", deaths.len());
        out.push(view.absence(exit, at, last, what));
    }
    out
}

/// What the database says of a port.
fn configured(case: &Case<'_, '_>, at: Nanos, carrier: &Carrier) -> Option<Evidence> {
    let round = said_at::<Ovsdb>(case.view.input, at)?;
    let file = file_of(&round, "dump")?;
    let tag = carrier.tag.map_or_else(|| "[]".to_owned(), |tag| tag.to_string());
    let line = format!("Port {}: tag {tag}, trunks {:?}", carrier.port, carrier.trunks);
    let what = Text::new("vlan-mismatch.evidence.port").with_text("carries", carries(carrier));
    Some(Evidence::Snapshot { file, at: Some(round.at), line, what })
}

fn exonerations(mismatch: &Mismatch, confidence: Confidence) -> Vec<Exoneration> {
    if let Mismatch::Changed(..) = mismatch {
        return vec![Exoneration::Open(Text::new("vlan-mismatch.not.other"))];
    }
    if let Mismatch::Apart(_, vlan, _) = mismatch {
        let open = Text::new("vlan-mismatch.not.silent").with_text("vlan", named(*vlan));
        return vec![Exoneration::Open(open)];
    }
    if confidence == Confidence::Proven {
        return ["vlan-mismatch.not.capture", "vlan-mismatch.not.rule"]
            .map(|key| Exoneration::RuledOut(Text::new(key)))
            .to_vec();
    }
    vec![Exoneration::Open(Text::new("vlan-mismatch.not.unrecorded"))]
}

fn remedy(case: &Case<'_, '_>, mismatch: &Mismatch) -> Text {
    let trunk = |carrier: &Carrier, vlan: u16| {
        Text::new("vlan-mismatch.remedy.trunk").with("port", &carrier.port).with("vlan", vlan)
    };
    let access = |carrier: &Carrier, other: u16| {
        let key = if other == 0 { "vlan-mismatch.remedy.untagged" } else { "vlan-mismatch.remedy.tag" };
        Text::new(key).with("port", &carrier.port).with("vlan", other).with("dst", case.group.dst)
    };
    match mismatch {
        Mismatch::Entry(entry, vlan) if entry.tag.is_none() => trunk(entry, *vlan),
        // An access port takes no frame that is tagged already, whatever its own VLAN is.
        Mismatch::Entry(entry, vlan) => Text::new("vlan-mismatch.remedy.tagged")
            .with("port", &entry.port)
            .with("vlan", *vlan)
            .with("tag", entry.tag.unwrap_or(0))
            .with("src", case.group.src),
        Mismatch::Exit(_, vlan, exits) => match exits.first() {
            Some(exit) if exit.tag.is_none() => trunk(exit, *vlan),
            Some(exit) => access(exit, *vlan),
            None => Text::verbatim(""),
        },
        Mismatch::Apart(entry, _, heard) | Mismatch::Changed(entry, _, heard) => access(entry, heard.vlan),
    }
}
