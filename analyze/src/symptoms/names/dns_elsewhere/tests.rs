use std::net::Ipv4Addr;

use netcap_bundle::Role;
use netcap_bundle::packets::Direction::{In, Out};
use netcap_tests::bundle::BundleBuilder;
use netcap_tests::packets::udp;

use crate::finding::{Confidence, Finding, Severity};
use crate::testing::scenes::{GATEWAY, VM, gateway, vm, vnet};
use crate::testing::{found, only};

const OTHER: Ipv4Addr = Ipv4Addr::new(172, 16, 51, 7);

/// The machine asks the gateway so often, and who answers it.
fn asked(times: u16, answers: &[Ipv4Addr]) -> BundleBuilder {
    let mut bundle = BundleBuilder::new(60_000);
    bundle.point("vnet0", vnet("web"), "").point("eth3", Role::Uplink { bond: None }, "");
    for n in 0..times {
        let us = i64::from(n) * 1_000_000 + 5_000_000;
        let ask = udp(vm(), gateway(), VM, GATEWAY, (40_000 + n, 53), b"who");
        bundle.frame_us("vnet0", us, In, &ask).frame_us("eth3", us + 10, Out, &ask);
        for (after, from) in (0_i64..).zip(answers) {
            let answer = udp(gateway(), vm(), *from, VM, (53, 40_000 + n), b"he");
            let us = us + 500 + 10 * after;
            bundle.frame_us("eth3", us, In, &answer).frame_us("vnet0", us + 5, Out, &answer);
        }
    }
    bundle
}

fn findings(bundle: BundleBuilder) -> Vec<Finding> {
    found(&bundle.seal(), "dns-elsewhere")
}

#[test]
fn answers_of_who_was_not_asked_are_told_once_where_they_were_asked() {
    let findings = findings(asked(4, &[OTHER]));
    assert_eq!(only(&findings), (Severity::Warning, Confidence::Proven));
    let claim = findings[0].claim.english();
    assert!(
        claim.starts_with("4 DNS questions of 172.16.51.20 to 172.16.51.6 were answered by 172.16.51.7"),
        "{claim}"
    );
    assert_eq!(only(&self::findings(asked(1, &[OTHER]))).0, Severity::Info);
}

#[test]
fn answers_of_who_was_asked_are_right_with_and_without_others() {
    for answers in [&[GATEWAY][..], &[OTHER, GATEWAY], &[]] {
        assert!(findings(asked(4, answers)).is_empty(), "{answers:?}");
    }
}

#[test]
fn two_servers_that_were_asked_from_one_port_answer_for_themselves() {
    let mut bundle = asked(0, &[]);
    for server in [GATEWAY, OTHER] {
        bundle.frame("vnet0", 5_000, In, &udp(vm(), gateway(), VM, server, (40_000, 53), b"who"));
    }
    bundle.frame("vnet0", 5_010, Out, &udp(gateway(), vm(), OTHER, VM, (53, 40_000), b"he"));
    assert!(findings(bundle).is_empty());
    // What comes long after is no answer.
    let mut late = asked(0, &[]);
    late.frame("vnet0", 5_000, In, &udp(vm(), gateway(), VM, GATEWAY, (40_000, 53), b"who"));
    late.frame("vnet0", 25_000, Out, &udp(gateway(), vm(), OTHER, VM, (53, 40_000), b"he"));
    assert!(findings(late).is_empty());
}
