//! What was given up to keep to the memory and the time there is: one remark for each cap that was reached.
//!
//! A cap that only shortens what is printed says so where it is printed; those here may change what a reader concludes.

use netcap_bundle::input::Input;

use super::look::Diagnosis;
use crate::analysis::registry;
use crate::finding::Finding;
use crate::tables::cap::Cap;
use crate::text::Text;
use crate::view::View;

/// Remarks on every cap that was reached.
pub(super) fn remarks(view: &View<'_>, diagnosis: &Diagnosis) -> Vec<Text> {
    let mut out = Vec::new();
    if view.input.files.is_exhausted() {
        out.push(Text::new("remark.exhausted"));
    }
    let partial = view.input.state.partial();
    if !partial.is_empty() {
        let sources = partial.into_iter().map(Text::verbatim).collect();
        out.push(Text::new("remark.partial-state").with_list("sources", sources));
    }
    let others = [
        (Cap::Crowd, view.points.crowd),
        (Cap::Filters, view.fidelity.unfiltered),
        (Cap::BondStates, view.bonds.overflow),
        (Cap::Times, diagnosis.measured.latency.unmeasured as u64),
        (Cap::Deaths, diagnosis.unasked),
        (Cap::States, view.host.timeline.overflow),
    ];
    let all = of_input(view.input).chain(view.tables.given_up()).chain(others);
    for (cap, count) in all.filter(|(_, count)| *count > 0) {
        let what = Text::new(cap.phrase()).with("count", count);
        out.push(Text::new("remark.given-up").with_text("what", what));
    }
    out.extend(stopped(&diagnosis.findings));
    out
}

/// What of an input was not read.
pub(crate) fn of_input(input: &Input) -> impl Iterator<Item = (Cap, u64)> {
    input.given_up.iter().map(|(what, count)| (Cap::from(*what), *count))
}

/// Detectors that made as many findings as they may.
fn stopped(findings: &[Finding]) -> impl Iterator<Item = Text> {
    registry::units().into_iter().filter_map(|unit| {
        let most = unit.most?;
        let made = findings.iter().filter(|finding| finding.detector == unit.id).count();
        (made >= most).then(|| Text::new("remark.findings").with("detector", unit.id).with("count", most))
    })
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use netcap_bundle::Role;
    use netcap_bundle::packets::Direction;
    use netcap_tests::bundle::BundleBuilder;
    use netcap_tests::packets::{arp_announce, echo, mac};

    use super::*;
    use crate::testing::explain_path;

    const VM: Ipv4Addr = Ipv4Addr::new(172, 16, 51, 20);

    fn vm() -> Role {
        Role::Vnet { vm: None, guest_mac: None }
    }

    fn given_up(bundle: BundleBuilder) -> Vec<String> {
        let verdict = explain_path(&bundle.seal().path, 2);
        let remarks = verdict.remarks.iter().map(Text::english);
        remarks
            .filter_map(|r| r.strip_prefix("precision given up to stay within memory: ").map(Into::into))
            .collect()
    }

    /// A VM pings so many addresses twice; the first ping of the last ten leaves by the uplink.
    fn pings(addresses: u16) -> BundleBuilder {
        let mut bundle = BundleBuilder::new(30_000);
        bundle.point("vnet0", vm(), "").point("eth3", Role::Uplink { bond: None }, "");
        let (a, b) = (mac("0c:da:41:1d:56:a7"), mac("a0:36:9f:97:76:b8"));
        for seq in [1, 2] {
            for n in 0..addresses {
                let [high, low] = n.to_be_bytes();
                let frame = echo(false, a, b, VM, Ipv4Addr::new(10, 1, high, low), seq);
                let us = i64::from(seq) * 8_000_000 + i64::from(n) * 1_000;
                bundle.frame_us("vnet0", us, Direction::In, &frame);
                if seq == 1 && n + 10 >= addresses {
                    bundle.frame_us("eth3", us + 30, Direction::Out, &frame);
                }
            }
        }
        bundle
    }

    #[test]
    fn packets_of_more_pairs_than_examples_are_told() {
        assert_eq!(given_up(pings(4_096)), Vec::<String>::new());
        assert_eq!(
            given_up(pings(4_100)),
            [
                "8 unanswered requests of VMs are of further pairs of addresses; whether they left was not judged",
                "4 packets of further flows were not seen at the next point; whether they were lost was not judged",
            ]
        );
    }

    #[test]
    fn further_places_of_a_claim_are_told() {
        let claims = |places: usize| {
            let mut bundle = BundleBuilder::new(30_000);
            for place in 0..places {
                let point = format!("vnet{place}");
                let ms = 5_000 + i64::try_from(place).unwrap();
                let frame = arp_announce(mac("0c:da:41:1d:56:a7"), VM);
                bundle.point(&point, vm(), "").frame(&point, ms, Direction::Out, &frame);
            }
            given_up(bundle)
        };
        assert_eq!(claims(8), Vec::<String>::new());
        let remarks = claims(10);
        assert_eq!(
            remarks,
            ["2 claims of addresses were seen at further places, which are not named with them"]
        );
    }
}
