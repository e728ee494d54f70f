//! From a pair of ports to its finding.

use netcap_bundle::Role;

use super::{CAUSE, Pair};
use crate::finding::{Evidence, Exoneration, Finding, Severity, Subject};
use crate::tables::sources::{SourceKey, Spoken};
use crate::text::Text;
use crate::view::View;

pub(super) fn fault(pair: &Pair<'_>) -> String {
    format!("{} {:?}", pair.mac, pair.ends.map(|(key, _)| key.point))
}

pub(super) fn finding(view: &View<'_>, pair: &Pair<'_>) -> Finding {
    let [(a, mine), (b, other)] = pair.ends;
    let switch = view.points.get(a.point).and_then(|info| info.vswitch.clone());
    let ports = [a, b].map(|key| view.points.name(key.point).to_owned());
    Finding {
        from: Some(mine.first.at.max(other.first.at)),
        to: Some(mine.last.at.min(other.last.at)),
        claim: Text::new("same-mac.claim")
            .with("mac", pair.mac)
            .with_text("one", place(view, a, mine))
            .with_text("other", place(view, b, other)),
        evidence: evidence(view, pair),
        exonerations: vec![
            Exoneration::RuledOut(Text::new("same-mac.not.moved")),
            Exoneration::RuledOut(Text::new("same-mac.not.bond")),
        ],
        remedy: remedy(view, pair),
        ..Finding::new(
            CAUSE.unit.id,
            Severity::Error,
            pair.confidence(),
            Subject::Ports { switch, ports: ports.to_vec() },
        )
    }
}

fn vm<'a>(view: &'a View<'_>, key: &SourceKey) -> Option<&'a str> {
    match view.points.get(key.point).map(|info| &info.role) {
        Some(Role::Vnet { vm, .. }) => vm.as_deref(),
        _ => None,
    }
}

/// A port with its machine and the addresses that it uses.
fn place(view: &View<'_>, key: &SourceKey, spoken: &Spoken) -> Text {
    let words = match vm(view, key) {
        Some(vm) => Text::new("place.vm").with("vm", vm).with("port", view.points.name(key.point)),
        None => Text::new("place.vnet").with("port", view.points.name(key.point)),
    };
    if spoken.ips.is_empty() {
        return words;
    }
    let ips = spoken.ips.iter().map(Text::verbatim).collect();
    Text::new("same-mac.place").with_text("place", words).with_list("ips", ips)
}

/// The frames by which it shows that the two speak in turns.
fn evidence(view: &View<'_>, pair: &Pair<'_>) -> Vec<Evidence> {
    let ends = pair.ends.iter().flat_map(|(key, spoken)| [(key, spoken.first), (key, spoken.last)]);
    ends.map(|(key, sight)| {
        let what = Text::new("same-mac.evidence.frame")
            .with("mac", pair.mac)
            .with("port", view.points.name(key.point));
        view.frame(sight, key.point, what)
    })
    .collect()
}

/// Who was given another address than it uses is the one to change; else nobody can tell which.
fn remedy(view: &View<'_>, pair: &Pair<'_>) -> Text {
    let configured = |key: &SourceKey| match view.points.get(key.point).map(|info| &info.role) {
        Some(Role::Vnet { guest_mac, .. }) => *guest_mac,
        _ => None,
    };
    let strange =
        pair.ends.iter().find_map(|(key, _)| Some((*key, configured(key).filter(|mac| *mac != pair.mac)?)));
    let name = |key: &SourceKey| vm(view, key).unwrap_or_else(|| view.points.name(key.point)).to_owned();
    match strange {
        Some((key, given)) => Text::new("same-mac.remedy.guest")
            .with("vm", name(key))
            .with("given", given)
            .with("mac", pair.mac)
            .with("port", view.points.name(key.point)),
        None => Text::new("same-mac.remedy").with("vm", name(pair.ends[1].0)).with("mac", pair.mac),
    }
}
