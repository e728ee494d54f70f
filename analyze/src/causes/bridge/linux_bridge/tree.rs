//! Ports that spanning tree does not let forward.

use netcap_bundle::Role;
use netcap_bundle::sources::network::linux_bridge::LinuxBridge;

use super::CAUSE;
use crate::causes::{Claim, Ruling};
use crate::deaths::{Case, Death};
use crate::finding::{Evidence, Exoneration, Finding};
use crate::host::timeline::HostState;
use crate::host::{file_of, said_at};
use crate::text::Text;

/// The port does not forward, as the host was read.
fn state<'s>(state: &'s HostState, port: &str) -> Option<&'s str> {
    state.topology.by_iface(port).and_then(|(_, port)| port.stp_state.as_deref())
}

/// The deaths during which a port did not forward: by all that the readings around each say.
fn held<'c>(case: &'c Case<'_, '_>, port: &str) -> Vec<&'c Death> {
    let all = |death: &&Death| {
        let mut around = case.view.host.timeline.around(death.at).peekable();
        around.peek().is_some() && around.all(|host| state(host, port).is_some())
    };
    case.rest.iter().filter(all).collect()
}

/// The port where they entered, or the one where they had to leave, did not forward.
pub(super) fn judge(case: &Case<'_, '_>, switch: &str) -> Option<Ruling> {
    let (from, exits) = (case.group.place.from.point, case.group.exits());
    // A spare uplink is blocked on purpose, and what it hears is heard at the other one too.
    let uplink = case.info().is_some_and(|info| matches!(info.role, Role::Uplink { .. }));
    let entry = (!uplink).then_some(from);
    let exit = exits.first().copied().filter(|_| exits.len() == 1);
    let (port, died) = [entry, exit].into_iter().flatten().find_map(|id| {
        let port = case.view.points.name(id);
        let died: Vec<Death> = held(case, port).into_iter().copied().collect();
        (!died.is_empty()).then_some((port, died))
    })?;
    let at = died.first()?.at;
    let host = case.view.host.timeline.at(at)?;
    let word = state(host, port)?;
    let what = Text::new("linux-bridge.evidence.state").with("port", port).with("state", word);
    let said = said_at::<LinuxBridge>(case.view.input, host.at);
    let mut evidence = vec![Evidence::Snapshot {
        file: said.and_then(|round| file_of(&round, "link")).unwrap_or_default(),
        at: Some(host.at),
        line: format!("{port} master {switch} state {word}"),
        what,
    }];
    evidence.extend(case.packets());
    let mut exonerations = vec![Exoneration::RuledOut(Text::new("linux-bridge.not.spare"))];
    exonerations.extend(case.recorded());
    let finding = Finding {
        claim: Text::new("linux-bridge.claim.tree")
            .with_text("port", case.named(port))
            .with("switch", switch)
            .with("state", word),
        evidence,
        exonerations,
        remedy: Text::new("linux-bridge.remedy.tree").with("port", port).with("switch", switch),
        ..case.finding(CAUSE.unit.id, case.confidence(true))
    };
    Some(Claim::of(format!("tree {port}"), &died, finding))
}
