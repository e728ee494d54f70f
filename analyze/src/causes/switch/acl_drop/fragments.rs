//! Rules that drop later fragments, while first ones pass.

use crate::causes::{Claim, Ruling};
use crate::deaths::flows::{Flows, LaterDrop};
use crate::deaths::{Case, Group, shown};
use crate::finding::{Confidence, Exoneration, Finding, Subject};
use crate::text::Text;

/// First fragments shown.
const FRAMES_MAX: usize = 3;

pub(super) fn judge(case: &Case<'_, '_>, later: &LaterDrop) -> Ruling {
    // That such a rule is there is not enough: it has to have counted them.
    if !later.rule.counted(case.rest.len()) {
        let open = Text::new("acl-drop.open.later")
            .with("rule", &later.rule.rule)
            .with("bridge", &later.rule.bridge);
        return Ruling::CannotTell(vec![open]);
    }
    let (view, group, rule) = (case.view, case.group, &later.rule);
    let entry = view.points.name(later.port);
    let mut finding = case.finding(super::CAUSE.unit.id, Confidence::Likely);
    if let Subject::Drop { port, rule: named, .. } = &mut finding.subject {
        entry.clone_into(port);
        *named = Some(format!("cookie={:#x} {}", rule.cookie, rule.rule));
    }
    let flows = Flows { rule: Some(rule.clone()), ..Flows::NOTHING };
    let mut evidence = flows.evidence(entry);
    let from = group.place.from.point;
    evidence.extend(case.rest.iter().take(FRAMES_MAX).map(|death| {
        let what = Text::new("acl-drop.evidence.first-fragment").with("port", view.points.name(from));
        view.frame(Group::sight(death), from, what)
    }));
    let finding = Finding {
        claim: Text::new("acl-drop.claim.later")
            .with("rule", &rule.rule)
            .with("bridge", &rule.bridge)
            .with_text("what", shown::what(group))
            .with("src", group.src)
            .with("dst", group.dst)
            .with_text("who", case.named(entry))
            .with("last", view.points.name(from)),
        evidence,
        exonerations: vec![Exoneration::Open(Text::new("acl-drop.not.followed"))],
        remedy: Text::new("acl-drop.remedy.later")
            .with("rule", &rule.rule)
            .with("cookie", format!("{:#x}", rule.cookie))
            .with("switch", &rule.bridge),
        ..finding
    };
    Claim::of(format!("{entry} {} {:#x} {}", rule.bridge, rule.cookie, rule.rule), case.rest, finding)
}
