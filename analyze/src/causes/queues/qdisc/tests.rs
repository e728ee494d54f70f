use netcap_bundle::Role;
use netcap_bundle::packets::Direction::{In, Out};
use netcap_tests::bundle::{BundleBuilder, SealedBundle};
use netcap_tests::packets::{echo, mac};

use crate::finding::{Confidence, Severity};
use crate::testing::scenes::{GATEWAY, VM, every_other_ping};
use crate::testing::{found, only, ruled};
use crate::text::Text;

const LINKS: &str =
    r#"[{"ifindex":5,"ifname":"eth3","flags":["UP"],"mtu":1500,"qdisc":"tbf","operstate":"UP"}]"#;

fn queues(kind: &str, dropped: u64) -> String {
    format!(
        "qdisc {kind} 8001: dev eth3 root refcnt 2 rate 400Kbit burst 4Kb lat 0us\n Sent 90 bytes 9 pkt (dropped {dropped}, \
         overlimits 9 requeues 0)\n backlog 0b 0p requeues 0\n"
    )
}

fn bundle(samples: &[(i64, Option<String>)]) -> SealedBundle {
    let mut bundle = every_other_ping();
    for (ms, queue) in samples {
        // The shaper is taken away before the last reading.
        let links = if *ms < 50_000 { LINKS.to_owned() } else { LINKS.replace("tbf", "noqueue") };
        let mut state = vec![("links", "link", "", links.as_str())];
        state.extend(queue.as_deref().map(|text| ("queues", "qdisc", "", text)));
        bundle.state(*ms, &state);
    }
    bundle.seal()
}

fn of(counts: [u64; 3], kind: &str) -> SealedBundle {
    let [a, b, c] = counts.map(|dropped| Some(queues(kind, dropped)));
    bundle(&[(0, a), (32_000, b), (58_000, c)])
}

#[test]
fn a_queue_whose_counter_grew_with_them_killed_them() {
    let sealed = of([3, 13, 13], "tbf");
    let findings = found(&sealed, "qdisc");
    assert_eq!(only(&findings), (Severity::Error, Confidence::Proven));
    assert!(findings[0].claim.english().starts_with("The queue of eth3 (tbf) limits its rate"));
    let died: Vec<String> = findings[0].consequences.iter().map(Text::english).collect();
    assert_eq!(died, [format!("10 pings from {VM} to {GATEWAY} were lost")]);
    assert!(format!("{:?}", findings[0].evidence).contains("before: 3, after: 13"));
    let full = found(&of([3, 13, 13], "pfifo_fast"), "qdisc");
    assert!(full[0].claim.english().contains("is given more than the interface sends"));
}

/// Some of what a queue drops as one was several packets before.
#[test]
fn fewer_drops_than_deaths_are_likely_and_few_are_none() {
    assert_eq!(only(&found(&of([3, 9, 9], "tbf"), "qdisc")), (Severity::Error, Confidence::Likely));
    let few = of([3, 5, 5], "tbf");
    assert!(found(&few, "qdisc").is_empty());
    let said = ruled(&few);
    assert!(said.iter().any(|text| text.starts_with("a full queue: what the queue of eth3")), "{said:?}");
}

#[test]
fn drops_of_another_time_killed_nobody() {
    let sealed = bundle(&[
        (0, Some(queues("tbf", 3))),
        (32_000, Some(queues("tbf", 3))),
        (58_000, Some(queues("tbf", 90))),
    ]);
    assert!(found(&sealed, "qdisc").is_empty());
}

/// Counters that were not recorded are named where the interface has a shaper.
#[test]
fn without_counters_nobody_can_tell() {
    let sealed = bundle(&[(0, None), (58_000, None)]);
    assert!(found(&sealed, "qdisc").is_empty());
    let said = ruled(&sealed);
    assert!(
        said.iter().any(|text| text.contains("the queue of eth3 (tbf, which limits its rate)")),
        "{said:?}"
    );
}

/// Forty pings enter at vnet0, every fourth is lost, the others stand that many milliseconds in the queue of eth3, whose
/// counters nobody recorded; the answers pass in one.
fn standing(wait_ms: i64) -> SealedBundle {
    let (vm, router) = (mac("0c:da:41:1d:56:a7"), mac("a0:36:9f:97:76:b8"));
    let mut bundle = BundleBuilder::new(30_000);
    bundle.point("vnet0", Role::Vnet { vm: Some("web".into()), guest_mac: Some(vm) }, "");
    bundle.point("eth3", Role::Uplink { bond: None }, "");
    bundle.state(0, &[("links", "link", "", LINKS)]).state(28_000, &[("links", "link", "", LINKS)]);
    for n in 0..40_u16 {
        let ms = 2_000 + i64::from(n) * 500;
        let request = echo(false, vm, router, VM, GATEWAY, n);
        bundle.frame("vnet0", ms, In, &request);
        if n % 4 != 0 {
            let reply = echo(true, router, vm, GATEWAY, VM, n);
            bundle.frame("eth3", ms + wait_ms, Out, &request).frame("eth3", ms + wait_ms + 1, In, &reply);
            bundle.frame("vnet0", ms + wait_ms + 2, Out, &reply);
        }
    }
    bundle.seal()
}

#[test]
fn without_counters_the_wait_of_what_passed_makes_it_likely() {
    let findings = found(&standing(50), "qdisc");
    assert_eq!(only(&findings), (Severity::Error, Confidence::Likely));
    let claim = findings[0].claim.english();
    assert!(
        claim.contains("stood in it for 50.") && claim.contains("(median; the other way takes 1.0"),
        "{claim}"
    );
    let open: Vec<String> = findings[0].exonerations.iter().map(|e| e.sentence().english()).collect();
    assert!(
        open.iter().any(|text| text.contains("'tc -s qdisc show dev eth3' was not recorded")),
        "{open:?}"
    );
    // Nothing stood there: whether the queue dropped them cannot be told.
    assert!(found(&standing(2), "qdisc").is_empty());
}
