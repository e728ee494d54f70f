//! From addresses to finding.

use super::{CAUSE, Whose, Wrong};
use crate::deaths::{Case, shown};
use crate::finding::{Confidence, Evidence, Exoneration, Finding};
use crate::text::Text;

pub(super) fn finding(case: &Case<'_, '_>, wrong: &Wrong<'_>, confidence: Confidence) -> Finding {
    let group = case.group;
    let sender = group.eth.map(|eth| eth.src.to_string()).unwrap_or_default();
    let words = |key| {
        Text::new(key)
            .with("src", group.src)
            .with("dst", group.dst)
            .with("mac", wrong.mac)
            .with("sender", &sender)
            .with("owner", wrong.owner.mac)
    };
    let (key, open) = match wrong.whose {
        Whose::Nobody => ("wrong-mac.claim.nobody", "wrong-mac.not.silent"),
        Whose::Other(_) => ("wrong-mac.claim.other", "wrong-mac.not.router"),
    };
    let claim = words(key)
        .with_text("what", shown::what(group))
        .with_text("home", case.view.place(wrong.owner.mac, &wrong.owner.seen));
    let claim = match &wrong.whose {
        Whose::Nobody => claim,
        Whose::Other(place) => claim.with_text("place", place.clone()),
    };
    Finding {
        claim,
        evidence: evidence(case, wrong),
        exonerations: vec![
            Exoneration::RuledOut(words("wrong-mac.not.answered")),
            Exoneration::Open(words(open)),
        ],
        remedy: words("wrong-mac.remedy"),
        ..case.finding(CAUSE.unit.id, confidence)
    }
}

/// Who has the address, then packets with the other MAC.
fn evidence(case: &Case<'_, '_>, wrong: &Wrong<'_>) -> Vec<Evidence> {
    let view = case.view;
    let mut out = Vec::new();
    if let (Some(run), Some((point, _))) = (wrong.owner.runs.runs().last(), wrong.owner.seen.first()) {
        let what =
            Text::new("wrong-mac.evidence.owner").with("owner", wrong.owner.mac).with("dst", case.group.dst);
        out.push(view.frame(run.first, *point, what));
    }
    let from = case.group.place.from.point;
    for death in case.rest.iter().take(FRAMES_MAX) {
        let what = Text::new("wrong-mac.evidence.packet")
            .with("mac", wrong.mac)
            .with("dst", case.group.dst)
            .with("port", view.points.name(from));
        out.push(view.frame(crate::deaths::Group::sight(death), from, what));
    }
    out
}

/// Packets shown.
const FRAMES_MAX: usize = 3;
