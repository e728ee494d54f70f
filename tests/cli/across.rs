//! Several inputs: what only their comparison shows is in the text, the JSON, the exit code and `--expect`, with and
//! without `--together`, and every input keeps its own findings.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use netcap_bundle::Role;
use netcap_bundle::packets::Direction::{In, Out};
use netcap_tests::bundle::{BundleBuilder, SealedBundle, pcap};
use netcap_tests::packets::{arp_announce, arp_reply, arp_request, echo, mac};
use serde_json::Value;

use crate::{analyze, code, name, text};

const IP: Ipv4Addr = Ipv4Addr::new(172, 16, 51, 23);
const PC: Ipv4Addr = Ipv4Addr::new(172, 16, 204, 111);
const ROUTER: Ipv4Addr = Ipv4Addr::new(172, 16, 0, 1);

/// A host whose address a stranger has as well, with pings of its own that nobody answers; the PC that hears the stranger.
fn inputs(dir: &Path, answers: &str) -> (SealedBundle, PathBuf) {
    let (host, router, pc) = (mac("0c:da:41:1d:43:79"), mac("00:1b:21:00:00:99"), mac("40:a8:f0:28:14:d8"));
    let mut bundle = BundleBuilder::new(60_000);
    bundle.named("cvknode5123");
    bundle.point("vswitch0", Role::Internal, "").point("eth3", Role::Uplink { bond: None }, "");
    let addr = format!(
        r#"[{{"ifindex":5,"ifname":"vswitch0","flags":["UP"],"mtu":1500,"link_type":"ether","address":"{host}",
        "addr_info":[{{"family":"inet","local":"{IP}","prefixlen":16,"scope":"global"}}]}}]"#
    );
    bundle.state(0, &[("links", "addr", "", &addr)]).state(50_000, &[("links", "addr", "", &addr)]);
    for n in 0..20u16 {
        let ms = i64::from(n) * 2_000;
        bundle.frame("eth3", ms + 1, In, &arp_reply(router, ROUTER, host, IP));
        let ping = echo(false, host, router, IP, ROUTER, n);
        bundle.frame("vswitch0", ms + 5, Out, &ping).frame("eth3", ms + 6, Out, &ping);
    }
    let path = dir.join("pc.pcap");
    let frames = (0..20).flat_map(|n| {
        let asked = (n * 1_000, arp_request(pc, PC, IP));
        let stranger = (n * 1_000 + 1, arp_reply(mac(answers), IP, pc, PC));
        [asked, stranger, (n * 1_000 + 2, arp_reply(router, ROUTER, pc, PC))]
    });
    pcap(&path, &frames.collect::<Vec<_>>());
    (bundle.seal(), path)
}

fn json(args: &[&str]) -> Value {
    let out = analyze(&[&["--json", "-"], args].concat());
    serde_json::from_slice(&out.stdout).unwrap_or_else(|_| panic!("{}", text(&out.stderr)))
}

fn ids(findings: &Value) -> Vec<&str> {
    findings.as_array().unwrap().iter().map(|finding| finding["detector"].as_str().unwrap()).collect()
}

#[test]
fn a_conflict_that_no_input_shows_alone_is_found_by_giving_both() {
    let dir = tempfile::tempdir().unwrap();
    let (bundle, pc) = inputs(dir.path(), "0c:da:41:1d:10:2e");
    let both = [name(&bundle.path), name(&pc)];
    assert_eq!(code(&analyze(&["--only", "ip-conflict", both[0]])), 0, "alone nothing is to be seen");
    assert_eq!(code(&analyze(&["--only", "ip-conflict", both[1]])), 0);
    for together in [&[] as &[&str], &["--together"]] {
        let args = |more: &[&'static str]| [together, more, &both].concat();
        assert_eq!(code(&analyze(&args(&["--only", "ip-conflict"]))), 1, "{together:?}");
        assert_eq!(code(&analyze(&args(&["--only", "dns"]))), 2, "{together:?}");
        assert_eq!(code(&analyze(&args(&["--only", "acl-drop"]))), 0, "{together:?}");
        let said = text(&analyze(&args(&["--lang", "en"])).stdout);
        assert!(said.contains("ERROR [ip-conflict] likely"), "{said}");
        assert!(said.contains("ping-loss"), "the host's own finding is kept: {said}");
        let said = text(&analyze(&args(&["--lang", "zh-CN"])).stdout);
        assert!(said.contains("两份录制各只见到一方"), "{said}");
        let all = json(&args(&[]));
        assert!(ids(&all["inputs"][0]["findings"]).contains(&"ping-loss"), "{together:?}: {all:#}");
        let across = if together.is_empty() { &all["together"]["findings"] } else { &all["findings"] };
        assert!(ids(across).contains(&"ip-conflict"), "{together:?}: {across:#}");
    }
}

#[test]
fn what_was_found_between_inputs_is_compared_with_a_stored_verdict() {
    let dir = tempfile::tempdir().unwrap();
    let (bundle, pc) = inputs(dir.path(), "0c:da:41:1d:10:2e");
    let healthy = dir.path().join("healthy");
    fs::create_dir(&healthy).unwrap();
    let (_, fine) = inputs(&healthy, "0c:da:41:1d:43:79");
    for together in [&[] as &[&str], &["--together"]] {
        let stored = dir.path().join("stored.json");
        let written =
            analyze(&[together, &["--json", name(&stored), name(&bundle.path), name(&pc)]].concat());
        assert_eq!(code(&written), 1, "{}", text(&written.stderr));
        let compare = |capture: &Path| {
            analyze(&[together, &["--expect", name(&stored), name(&bundle.path), name(capture)]].concat())
        };
        let same = compare(&pc);
        assert_eq!(code(&same), 0, "{}", text(&same.stderr));
        let differs = compare(&fine);
        let said = text(&differs.stderr);
        assert_eq!(code(&differs), 1, "{said}");
        assert!(said.contains("- ip-conflict error likely"), "{said}");
    }
}

/// Clocks that cannot be compared are said; what each host found is not lost with them.
#[test]
fn a_host_keeps_its_findings_where_clocks_cannot_be_compared() {
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = (dir.path().join("a.pcap"), dir.path().join("b.pcap"));
    let [one, two] = ["0c:da:41:1d:43:79", "40:a8:f0:28:14:d8"].map(mac);
    pcap(&a, &[(0, arp_announce(one, IP)), (1_000, arp_announce(two, IP)), (2_000, arp_announce(one, IP))]);
    pcap(&b, &[(0, arp_request(one, PC, ROUTER))]);
    let out = analyze(&["--together", name(&a), name(&b)]);
    let said = text(&out.stdout);
    assert_eq!(code(&out), 1, "{said}");
    assert!(said.contains("[ip-conflict] proven") && said.contains("cannot be compared"), "{said}");
    assert_eq!(code(&analyze(&["--together", name(&b), name(&a), "--fail-on", "never"])), 0);
    assert_eq!(code(&analyze(&["--together", name(&a), "missing.tar", name(&b)])), 2);
}
