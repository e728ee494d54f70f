//! From suspicion to finding.

use netcap_bundle::run::human_ns;

use super::suspicion::Suspicion;
use crate::finding::{Confidence, Evidence, Exoneration, Finding, Severity, Subject, Victim};
use crate::tables::runs::Sight;
use crate::text::Text;
use crate::view::View;

/// LLDP frames and lost pings shown.
const SHOWN: usize = 3;

pub(super) fn finding(view: &View<'_>, suspicion: &Suspicion<'_>) -> Finding {
    let consequence = suspicion.has_consequence();
    let complete =
        consequence && suspicion.directed && suspicion.other_at_backup == 0 && !suspicion.bond.listed;
    let (active, backup) = (view.points.name(suspicion.active), view.points.name(suspicion.backup));
    let last = suspicion.lldp.last().map(|s| s.at);
    let astray_last = suspicion.astray.last().map(|r| r.last.at);
    Finding {
        from: suspicion.lldp.first().map(|s| s.at),
        to: last.max(astray_last),
        claim: claim(view, suspicion),
        evidence: evidence(view, suspicion),
        exonerations: exonerations(suspicion),
        remedy: Text::new("lldp-mac-flap.remedy").with("port", backup),
        victims: victims(suspicion),
        ..Finding::new(
            super::CAUSE.unit.id,
            if consequence { Severity::Error } else { Severity::Warning },
            if complete { Confidence::Proven } else { Confidence::Likely },
            Subject::BondMac {
                mac: suspicion.mac,
                bond: suspicion.bond.name.clone(),
                active: active.to_owned(),
                backup: backup.to_owned(),
                sender: sender(suspicion, backup),
                interval_ms: suspicion.interval_ns().map(|ns| ns / 1_000_000),
            },
        )
    }
}

/// Pairs whose pings went astray.
fn victims(suspicion: &Suspicion<'_>) -> Vec<Victim> {
    let pairs = suspicion.pings_lost.iter().map(|e| Victim::Pair { src: e.key.src, dst: e.key.dst });
    pairs.collect::<std::collections::BTreeSet<_>>().into_iter().collect()
}

/// The backup's name, and what the LLDP frame says of who made it.
fn sender(suspicion: &Suspicion<'_>, backup: &str) -> String {
    let sender = &suspicion.sender;
    let names: Vec<&str> =
        [&sender.system, &sender.description].into_iter().flatten().map(String::as_str).collect();
    let port = sender.port.as_deref().filter(|p| *p != backup);
    let names: Vec<&str> = port.into_iter().chain(names).collect();
    if names.is_empty() { backup.to_owned() } else { format!("{backup} ({})", names.join(", ")) }
}

fn claim(view: &View<'_>, suspicion: &Suspicion<'_>) -> Text {
    let interval = match suspicion.interval_ns() {
        Some(ns) => Text::new("lldp-mac-flap.every").with("interval", human_ns(ns)),
        None => Text::new("lldp-mac-flap.once"),
    };
    let astray: u64 = suspicion.astray.iter().map(|r| r.count).sum();
    let effect = match (suspicion.pings_lost.len(), astray) {
        (0, 0) => Text::new("lldp-mac-flap.effect.none"),
        (0, frames) => Text::new("lldp-mac-flap.effect.frames").with("frames", frames),
        (pings, frames) => Text::new("lldp-mac-flap.effect.pings")
            .with("pings", pings)
            .with("all", suspicion.pings)
            .with("frames", frames.max(pings as u64)),
    };
    // Without a frame of the host in between the switch keeps the MAC at the backup's port: worse, and no move back.
    let moves = match suspicion.moves {
        0 => Text::new("lldp-mac-flap.stays"),
        count => Text::new("lldp-mac-flap.moves").with("count", count),
    };
    Text::new("lldp-mac-flap.claim")
        .with("backup", view.points.name(suspicion.backup))
        .with("active", view.points.name(suspicion.active))
        .with("bond", &suspicion.bond.name)
        .with("mac", suspicion.mac)
        .with_text("moves", moves)
        .with_text("interval", interval)
        .with_text("effect", effect)
}

fn evidence(view: &View<'_>, suspicion: &Suspicion<'_>) -> Vec<Evidence> {
    let mut out = Vec::new();
    let (active, backup) = (view.points.name(suspicion.active), view.points.name(suspicion.backup));
    if let Some(state) = suspicion.lldp.first().and_then(|s| suspicion.bond.state_at(s.at)) {
        out.push(Evidence::Snapshot {
            file: state.file.clone(),
            at: (!suspicion.bond.listed).then_some(state.at),
            line: state.line.clone(),
            what: Text::new("lldp-mac-flap.evidence.state")
                .with("bond", &suspicion.bond.name)
                .with("active", active)
                .with("backup", backup),
        });
    }
    let what = Text::new("lldp-mac-flap.evidence.active").with("port", active).with("mac", suspicion.mac);
    out.push(view.frame(suspicion.active_frame, suspicion.active, what));
    for sight in suspicion.lldp.iter().take(SHOWN) {
        let what = Text::new("lldp-mac-flap.evidence.lldp").with("port", backup).with("mac", suspicion.mac);
        out.push(view.frame(*sight, suspicion.backup, what));
    }
    if let Some(run) = suspicion.astray.first() {
        let what = Text::new("lldp-mac-flap.evidence.astray").with("port", backup).with("mac", suspicion.mac);
        out.push(view.frame(run.first, suspicion.backup, what));
    }
    for event in suspicion.pings_lost.iter().take(SHOWN) {
        let what = Text::new("lldp-mac-flap.evidence.ping")
            .with("port", backup)
            .with("src", event.key.src)
            .with("dst", event.key.dst)
            .with("seq", event.key.seq);
        out.push(view.frame(Sight { at: event.at, frame: event.frame }, suspicion.backup, what));
    }
    out
}

fn exonerations(suspicion: &Suspicion<'_>) -> Vec<Exoneration> {
    let bond = |key| Text::new(key).with("bond", &suspicion.bond.name);
    let own = Exoneration::RuledOut(Text::new("lldp-mac-flap.not.own-mac").with("mac", suspicion.mac));
    let mut out = if suspicion.bond.listed {
        vec![
            Exoneration::Open(bond("lldp-mac-flap.not.mode-listed")),
            own,
            Exoneration::Open(bond("lldp-mac-flap.not.failover-listed")),
        ]
    } else {
        vec![
            Exoneration::RuledOut(bond("lldp-mac-flap.not.mode")),
            own,
            Exoneration::RuledOut(Text::new("lldp-mac-flap.not.failover")),
        ]
    };
    out.push(if suspicion.other_at_backup == 0 {
        Exoneration::RuledOut(Text::new("lldp-mac-flap.not.announcement"))
    } else {
        Exoneration::Open(Text::new("lldp-mac-flap.not.only-lldp").with("count", suspicion.other_at_backup))
    });
    if !suspicion.directed {
        out.push(Exoneration::Open(Text::new("lldp-mac-flap.not.directed")));
    }
    if !suspicion.has_consequence() {
        out.push(Exoneration::Open(Text::new("lldp-mac-flap.not.consequence")));
    }
    out
}
