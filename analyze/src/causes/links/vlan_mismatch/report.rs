//! From VLANs to finding.

use netcap_bundle::Nanos;
use netcap_bundle::sources::ovs::ovsdb::Ovsdb;

use super::heard::Heard;
use super::vlans::{Carrier, Mismatch, Why};
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
    match &mismatch.why {
        Why::Entry => death.is_sure(),
        Why::Apart(_) | Why::Changed(_) => false,
        Why::Exit(exits) | Why::Patch(_, exits) => {
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
    mismatch.exits().iter().filter_map(|exit| case.view.points.by_name(&exit.name)).collect()
}

pub(super) fn finding(
    case: &Case<'_, '_>,
    mismatch: &Mismatch,
    deaths: &[&Death],
    confidence: Confidence,
) -> Finding {
    let carriers = std::iter::once(&mismatch.entry).chain(mismatch.patch()).chain(mismatch.exits());
    let mut ports: Vec<String> = carriers.map(|carrier| carrier.name.clone()).collect();
    ports.extend(mismatch.heard().map(|heard| case.view.points.name(heard.point).to_owned()));
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
    let Mismatch { entry, vlan, why } = mismatch;
    let elsewhere = |key, heard: &Heard| {
        Text::new(key)
            .with("entry", &entry.name)
            .with_text("other", named(heard.vlan))
            .with("src", case.group.src)
            .with("dst", case.group.dst)
            .with("port", case.view.points.name(heard.point))
    };
    let text = match why {
        Why::Entry => Text::new("vlan-mismatch.claim.entry").with_text("port", port(entry)),
        Why::Exit(exits) => Text::new("vlan-mismatch.claim.exit")
            .with("entry", &entry.name)
            .with_list("exits", exits.iter().map(port).collect()),
        Why::Patch(patch, exits) => Text::new("vlan-mismatch.claim.patch")
            .with("entry", &entry.name)
            .with_text("patch", port(patch))
            .with_list("exits", exits.iter().map(|exit| Text::verbatim(&exit.name)).collect()),
        Why::Apart(heard) => elsewhere("vlan-mismatch.claim.apart", heard),
        Why::Changed(heard) => elsewhere("vlan-mismatch.claim.changed", heard),
    };
    text.with_text("vlan", named(*vlan)).with("switch", switch)
}

/// What the ports are set to, then who is heard elsewhere, then the packets.
fn evidence(case: &Case<'_, '_>, mismatch: &Mismatch, deaths: &[&Death]) -> Vec<Evidence> {
    let view = case.view;
    let mut out = Vec::new();
    let Some(first) = deaths.first() else { return out };
    let at = first.at;
    let Mismatch { entry, vlan, why } = mismatch;
    let mut names: Vec<&str> = Vec::new();
    for carrier in std::iter::once(entry).chain(mismatch.patch()).chain(mismatch.exits()) {
        if !names.contains(&carrier.port.as_str()) {
            names.push(&carrier.port);
            out.extend(configured(case, at, carrier));
        }
    }
    if let Why::Apart(heard) | Why::Changed(heard) = why {
        let what = match why {
            Why::Changed(_) => Text::new("vlan-mismatch.evidence.answered"),
            _ => Text::new("vlan-mismatch.evidence.heard").with("dst", case.group.dst),
        };
        let what = what.with_text("vlan", named(heard.vlan)).with("port", view.points.name(heard.point));
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
            .with_text("vlan", named(*vlan));
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
    let open = match &mismatch.why {
        Why::Changed(_) => Some(Text::new("vlan-mismatch.not.other")),
        Why::Apart(_) => Some(Text::new("vlan-mismatch.not.silent").with_text("vlan", named(mismatch.vlan))),
        _ => None,
    };
    if let Some(open) = open {
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
    let Mismatch { entry, vlan, why } = mismatch;
    match why {
        Why::Entry if entry.tag.is_none() => trunk(entry, *vlan),
        // An access port takes no frame that is tagged already, whatever its own VLAN is.
        Why::Entry => Text::new("vlan-mismatch.remedy.tagged")
            .with("port", &entry.port)
            .with("vlan", *vlan)
            .with("tag", entry.tag.unwrap_or(0))
            .with("src", case.group.src),
        Why::Exit(exits) => match exits.first() {
            Some(exit) if exit.tag.is_none() => trunk(exit, *vlan),
            Some(exit) => access(exit, *vlan),
            None => Text::verbatim(""),
        },
        Why::Patch(patch, _) => {
            let key = match patch.tag {
                Some(_) => "vlan-mismatch.remedy.patch-tag",
                None => "vlan-mismatch.remedy.patch",
            };
            Text::new(key)
                .with("port", &patch.port)
                .with("vlan", *vlan)
                .with("tag", patch.tag.unwrap_or(0))
                .with("dst", case.group.dst)
        }
        Why::Apart(heard) => access(entry, heard.vlan),
        Why::Changed(heard) if heard.vlan == 0 => Text::new("vlan-mismatch.remedy.back-untagged")
            .with("port", &entry.port)
            .with("dst", case.group.dst),
        Why::Changed(heard) => Text::new("vlan-mismatch.remedy.back")
            .with("port", &entry.port)
            .with("vlan", heard.vlan)
            .with("dst", case.group.dst),
    }
}
