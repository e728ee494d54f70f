//! What a reader must know before trusting silence.

use std::collections::BTreeSet;

use netcap_bundle::input::{Input, Kind};
use netcap_bundle::packets::Tail;
use netcap_bundle::run::HostSpan;

use super::inputs;
use crate::engine::{CopyOf, FileStats};
use crate::host::copies::mirrors_at;
use crate::measure::opaque::NotUnderstood;
use crate::measure::recording::Recording;
use crate::text::Text;
use crate::view::View;

/// Gaps of one point named one by one.
const GAPS_NAMED_MAX: usize = 8;
/// Damaged files named one by one.
const FILES_NAMED_MAX: usize = 1_000;
/// Kinds of missing files named in the headline.
const MISSING_SHOWN: usize = 6;

/// Lost upcalls that are worth a remark.
const UPCALLS_MIN: u64 = 3;

/// What of the input is gone, in one sentence.
pub(super) fn incomplete(input: &Input) -> Option<Text> {
    let missing = &input.missing;
    if missing.paths.is_empty() {
        return input.files.is_cut().then(|| Text::new("remark.cut-tar"));
    }
    let kinds = missing.kinds();
    let mut shown: Vec<Text> = kinds.iter().take(MISSING_SHOWN).map(Text::verbatim).collect();
    if kinds.len() > MISSING_SHOWN {
        shown.push(Text::verbatim("…"));
    }
    let key = if input.files.is_cut() { "remark.missing-cut" } else { "remark.missing" };
    Some(
        Text::new(key)
            .with("count", missing.paths.len())
            .with("all", missing.listed)
            .with_list("kinds", shown),
    )
}

/// What is strange about a file, though it could be read.
fn manners(file: &FileStats) -> impl Iterator<Item = Text> {
    let version = file.strange.map(|version| Text::new("remark.version").with("version", version));
    let timeless = (file.timeless > 0)
        .then(|| Text::new("remark.timeless").with("count", file.timeless).with("all", file.packets));
    let said = version.into_iter().chain(timeless);
    said.map(|what| Text::new("remark.file").with("file", &file.name).with_text("what", what))
}

/// What the input itself says, damaged files, and what was lost at each point.
pub(super) fn of(view: &View<'_>, recording: &Recording) -> Vec<Text> {
    let mut out: Vec<Text> = incomplete(view.input).into_iter().collect();
    out.extend(view.input.remarks.iter().map(inputs::remark));
    let mut damaged = 0;
    for file in view.files {
        out.extend(manners(file));
        let tail = match (&file.error, &file.tail) {
            (Some(why), _) => Text::new("remark.unreadable").with("why", why),
            (None, Some(Tail::Cut { at })) => Text::new("remark.cut").with("at", at),
            (None, Some(Tail::Damaged { at, why })) => {
                Text::new("remark.damaged").with("at", at).with("why", why)
            }
            _ => continue,
        };
        damaged += 1;
        if damaged <= FILES_NAMED_MAX {
            out.push(Text::new("remark.file").with("file", &file.name).with_text("what", tail));
        }
    }
    if let Some(more) = damaged.checked_sub(FILES_NAMED_MAX).filter(|more| *more > 0) {
        out.push(Text::new("remark.more-files").with("count", more));
    }
    out.extend(super::clocks::remarks(view));
    out.extend(super::changes::remarks(view));
    for (id, info) in view.points.iter() {
        let Some(fidelity) = view.fidelity.point(id) else { continue };
        // What the recording says of its losses, with their times, is not said again.
        let timed = recording.points.iter().any(|p| p.id == id && p.sums.dropped > 0);
        if let Some(dropped) = fidelity.dropped.filter(|d| *d > 0 && !timed) {
            out.push(Text::new("remark.dropped").with("point", &info.name).with("count", dropped));
        }
        let gaps: &[_] = if view.input.kind == Kind::Bundle { &fidelity.gaps } else { &[] };
        for (from, to) in gaps.iter().take(GAPS_NAMED_MAX) {
            let offset = view.input.info.as_ref().map_or(0, |i| i.utc_offset_s);
            out.push(
                Text::new("remark.gap")
                    .with("point", &info.name)
                    .with("from", from.clock(offset))
                    .with("to", to.clock(offset)),
            );
        }
        if let Some(more) = gaps.len().checked_sub(GAPS_NAMED_MAX).filter(|more| *more > 0) {
            out.push(Text::new("remark.more-gaps").with("point", &info.name).with("count", more));
        }
    }
    let minor = NotUnderstood::all(view).into_iter().filter(|not| !not.leads());
    out.extend(minor.map(|not| Text::new("opaque.remark").with_text("what", not.text())));
    out.extend(copies(view));
    out.extend(super::state::remarks(view));
    out.extend(view.host.offloads.then(|| Text::new("remark.offload")));
    out.extend(upcalls(view));
    if view.input.state.defects > 0 {
        out.push(Text::new("remark.state-lines").with("count", view.input.state.defects));
    }
    out
}

/// Points at which copies were seen, which count neither as arrival nor as departure. What is flooded is nothing unusual.
fn copies(view: &View<'_>) -> Vec<Text> {
    let mut out = Vec::new();
    for (id, info) in view.points.iter() {
        let Some(seen) = view.tables.losses.points.get(&id) else { continue };
        let switch = info.vswitch.as_deref().unwrap_or("?");
        for (of, count) in &seen.copies {
            let key = match of {
                CopyOf::MirrorPort => "remark.copies.mirror-port",
                CopyOf::MirrorVlan => "remark.copies.mirror-vlan",
                CopyOf::OwnPort => "remark.copies.own-port",
                CopyOf::Flood => continue,
            };
            let states = view.host.timeline.states().iter();
            let named = states.filter_map(|state| state.topology.switch(switch));
            let mirrors: BTreeSet<String> = match of {
                CopyOf::MirrorPort => named.flat_map(|switch| mirrors_at(switch, &info.name)).collect(),
                CopyOf::MirrorVlan => {
                    let mirrors = named.flat_map(|switch| &switch.mirrors);
                    mirrors.filter(|m| m.output_vlan.is_some()).map(|m| m.name.clone()).collect()
                }
                _ => BTreeSet::new(),
            };
            out.push(
                Text::new(key)
                    .with("point", &info.name)
                    .with("switch", switch)
                    .with("count", count)
                    .with_list("mirrors", mirrors.iter().map(Text::verbatim).collect()),
            );
        }
    }
    out
}

/// Most packets that the datapath of Open vSwitch asked its daemon about were lost on the way: it looks as if nobody answered.
fn upcalls(view: &View<'_>) -> Option<Text> {
    let most = |span: &&HostSpan| {
        let asked = span.upcalls.unwrap_or(0);
        span.upcalls_lost > 0 && span.upcalls_lost.saturating_mul(2) >= asked
    };
    let spans: Vec<&HostSpan> = view.input.ledger.host.iter().filter(most).collect();
    let sum = |of: fn(&HostSpan) -> u64| spans.iter().map(|span| of(span)).fold(0, u64::saturating_add);
    let (first, last) = (spans.first()?, spans.last()?);
    let (lost, asked) =
        (sum(|span| span.upcalls_lost), sum(|span| span.upcalls.unwrap_or(span.upcalls_lost)));
    let begin = first.at.plus(i64::try_from(first.ms).unwrap_or(i64::MAX).saturating_mul(-1_000_000));
    let offset = view.input.info.as_ref().map_or(0, |info| info.utc_offset_s);
    (lost >= UPCALLS_MIN).then(|| {
        Text::new("remark.upcalls")
            .with("lost", lost)
            .with("asked", asked.max(lost))
            .with("from", begin.clock(offset))
            .with("to", last.at.clock(offset))
    })
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use netcap_bundle::Role;
    use netcap_bundle::layout::SOFTNET;
    use netcap_bundle::packets::Direction::In;
    use netcap_tests::bundle::{BundleBuilder, at};
    use netcap_tests::packets::{echo, mac};

    use crate::analysis::Verdict;
    use crate::testing::explain_path;

    const VM: Ipv4Addr = Ipv4Addr::new(172, 16, 51, 20);
    const GATEWAY: Ipv4Addr = Ipv4Addr::new(172, 16, 51, 6);

    /// Ten pings enter at vnet0 and are seen nowhere else.
    fn verdict(offload: &str, ledger: &str) -> Verdict {
        let (vm, router) = (mac("0c:da:41:1d:56:a7"), mac("a0:36:9f:97:76:b8"));
        let mut bundle = BundleBuilder::new(60_000);
        bundle.point("vnet0", Role::Vnet { vm: Some("web".into()), guest_mac: Some(vm) }, "");
        bundle.point("eth3", Role::Uplink { bond: None }, "");
        for n in 10..20_u16 {
            bundle.frame("vnet0", i64::from(n) * 1_000, In, &echo(false, vm, router, VM, GATEWAY, n));
        }
        let database = format!(
            r#"{{"caption":"Open_vSwitch table","headings":["_uuid","other_config"],"data":[[["uuid","o"],["map",[["hw-offload","{offload}"]]]]]}}"#
        );
        bundle.state(0, &[("ovsdb", "dump", "", &database)]);
        bundle.write(SOFTNET, ledger);
        explain_path(&bundle.seal().path, 1)
    }

    fn says(verdict: &Verdict, words: &str) -> bool {
        verdict.remarks.iter().any(|remark| remark.english().contains(words))
    }

    #[test]
    fn what_a_card_forwards_is_not_missing() {
        let host = verdict("false", "");
        assert!(!says(&host, "hw-offload"));
        assert!(host.findings.iter().any(|finding| finding.detector == "packet-loss"));
        let card = verdict("true", "");
        assert!(says(&card, "hw-offload"));
        let lost = |id: &str| card.findings.iter().any(|finding| finding.detector == id);
        assert!(!lost("packet-loss") && !lost("ping-loss"), "{:#?}", card.findings);
    }

    #[test]
    fn most_upcalls_lost_are_said_and_a_few_are_not() {
        let line = |asked: u64, lost: u64| {
            format!(
                "{{\"at\":{},\"ms\":1000,\"processed\":9,\"upcalls\":{asked},\"upcalls_lost\":{lost}}}\n",
                at(11_000).0
            )
        };
        let all = verdict("false", &line(27, 27));
        assert!(says(&all, "lost 27 of 27 packets"));
        assert!(!says(&verdict("false", &line(270, 27)), "lost 27"));
        assert!(!says(&verdict("false", &line(1, 1)), "lost 1"));
    }
}
