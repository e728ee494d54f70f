//! Two hosts recorded at once, one of them with a clock that is wrong by a known amount.

use std::path::{Path, PathBuf};
use std::process::Command;

use netcap_tests::lab::{Lab, said};
use netcap_tests::shift::shifted;
use netcap_tests::wait_for;
use serde_json::Value;

use super::analyze;
use super::recording::Recording;

/// Records both hosts at once, into a folder of that name, while something happens, and `seconds` at least.
fn two_hosts(lab: &Lab, name: &str, seconds: u64, meanwhile: impl FnOnce()) -> [PathBuf; 2] {
    let recordings = ["host1", "host2"].map(|host| {
        let folder = format!("{name}/{host}");
        Recording::start(lab, host, &folder, &["--vswitch", "vswitch0"])
    });
    let begun = std::time::Instant::now();
    meanwhile();
    std::thread::sleep(std::time::Duration::from_secs(seconds).saturating_sub(begun.elapsed()));
    recordings.map(Recording::end)
}

/// The whole JSON and the text; `found`: something is wrong between the hosts.
fn together(a: &Path, b: &Path, found: bool) -> (Value, String) {
    let run = |json: &[&str]| {
        let out =
            Command::new(analyze()).args(json).arg("--together").args([a, b]).output().expect("it starts");
        assert_eq!(out.status.code(), Some(i32::from(found)), "{}", said(&out));
        String::from_utf8_lossy(&out.stdout).into_owned()
    };
    let json: Value = serde_json::from_str(&run(&["--json", "-"])).expect("JSON");
    (json, run(&["--lang", "en"]))
}

#[test]
fn a_known_offset_between_two_hosts_is_recovered_within_its_bound() {
    let Some(lab) = Lab::up("clocks", &["--hosts", "2", "--vms", "1"]) else { return };
    let [a, b] = two_hosts(&lab, "pings", 10, || {
        let ping = lab.exec("host1", &["ping", "-i", "0.1", "-c", "80", "192.168.12.20"]);
        assert!(ping.status.success(), "{}", said(&ping));
    });
    // One machine, one clock: whatever is found there is zero within its bound.
    let (same, _) = together(&a, &b, false);
    let cases = [(0_i64, 0.0, same)];
    let moved = [(12_345_678_i64, 0.0), (-3_600_000_000_000, 0.0), (250_000_000, 80.0)].map(|(ns, ppm)| {
        let dir = lab.dir().join(format!("moved{ns}"));
        let run = shifted(&b, &dir, ns, ppm);
        let (json, text) = together(&a, &run, false);
        assert!(text.contains("host2's clock is") && text.contains("ahead of host1's"), "{text}");
        (ns, ppm, json)
    });
    for (ns, ppm, json) in cases.iter().chain(&moved) {
        let pair = &json["clocks"][0];
        wires(json, 80);
        let piece = &pair["clocks"]["known"][0];
        let number = |key: &str| piece[key].as_f64().unwrap_or_else(|| panic!("{key} in {pair:#}"));
        let (found, bound) = (number("b_ahead_ns"), number("bound_ns"));
        // The drift began with the first packet, so half of the recording's of it has come to the offset in the middle.
        let slack = ppm * 14_000.0;
        println!("moved by {ns} ns and {ppm} ppm: found {found} ns ± {bound} ns, {piece}");
        assert!((found - *ns as f64).abs() <= bound + slack, "{ns}: {pair:#}");
        assert!(bound < 2_000_000.0, "{ns}: the bound is {bound} ns");
        assert!(number("drift_ppm_least") <= *ppm && *ppm <= number("drift_ppm_most"), "{pair:#}");
        assert!(piece["packets_a_to_b"].as_u64() > Some(20) && piece["packets_b_to_a"].as_u64() > Some(20));
    }
}

/// Both ways over the wire are there, and what is stated of each is longer than its bound, wherever the clocks stand.
fn wires(json: &Value, packets: u64) {
    for (from, to) in [("host1", "host2"), ("host2", "host1")] {
        let hops = json["hops"].as_array().expect("hops");
        let of = |hop: &&Value| hop["from"]["host"] == from && hop["to"]["host"] == to;
        let hop = hops.iter().find(of).unwrap_or_else(|| panic!("{from} to {to} in {json:#}"));
        assert!(hop["n"].as_u64() >= Some(packets) && hop["reordered"] == 0, "{hop:#}");
        let bound = hop["bound_ns"].as_u64().expect("a bound");
        for stated in ["p50", "p99", "max"].iter().filter_map(|name| hop[name].as_u64()) {
            assert!(stated > bound && stated < 1_000_000_000, "{hop:#}");
        }
    }
    assert_eq!(json["findings"], Value::Array(Vec::new()), "{json:#}");
}

#[test]
fn a_drop_between_two_hosts_is_placed_between_them_and_a_stream_has_no_losses() {
    const DROP: &str = "ip daddr 192.168.12.102 icmp type echo-request numgen inc mod 5 == 0 drop";
    let Some(lab) = Lab::up("between", &["--hosts", "2", "--vms", "1"]) else { return };
    let insist = |node: &str, words: &[&str]| {
        let out = lab.exec(node, words);
        assert!(out.status.success(), "{node} {words:?}: {}", said(&out));
        String::from_utf8_lossy(&out.stdout).into_owned()
    };
    // A switch in userspace drops what comes in bursts: the stream is gentle, and the kernel says what it sent again.
    let resent = || {
        let counters = insist("vm1", &["nstat", "-az", "TcpRetransSegs"]);
        let line = counters.lines().find(|line| line.starts_with("TcpRetransSegs")).expect("the counter");
        line.split_whitespace().nth(1).and_then(|n| n.parse::<u64>().ok()).expect("a number")
    };
    let before = resent();
    let [a, b] = two_hosts(&lab, "stream", 0, || {
        let server = lab.spawn("vm2", &["socat", "-u", "TCP-LISTEN:7007,reuseaddr", "OPEN:/dev/null"]);
        wait_for("the server", || {
            lab.exec("vm2", &["sh", "-c", "ss -ltnH | grep -q :7007"]).status.success()
        });
        let sent = "for n in $(seq 100); do head -c 7000 /dev/zero; sleep 0.02; done | socat -u STDIN TCP:192.168.12.102:7007";
        insist("vm1", &["sh", "-c", sent]);
        let server = server.wait_with_output().expect("the server ends");
        assert!(server.status.success(), "{}", said(&server));
        insist("vm1", &["ping", "-q", "-i", "0.05", "-c", "40", "192.168.12.102"]);
    });
    let (json, text) = together(&a, &b, false);
    wires(&json, 40);
    let (stated, really) = (json["journeys"]["retransmissions"].as_u64(), resent() - before);
    assert!(stated <= Some(really) && really < 20, "{stated:?} stated, {really} sent again: {text}");
    assert_eq!(json["journeys"]["one_in"], 1);

    let [a, b] = two_hosts(&lab, "drops", 0, || {
        // The physical switch drops, whichever of the two uplinks is in use.
        for port in ["eth2", "eth3"] {
            let chain = format!(
                "add chain netdev wire {port} {{ type filter hook ingress device host1-{port} priority 0; }}"
            );
            insist(
                "switch",
                &["nft", &format!("add table netdev wire; {chain}; add rule netdev wire {port} {DROP}")],
            );
        }
        let ping = insist_loss(&lab);
        assert!(ping.contains("100 packets transmitted, 80 received"), "{ping}");
        insist("switch", &["nft", "delete", "table", "netdev", "wire"]);
    });
    let (json, text) = together(&a, &b, true);
    let findings = json["findings"].as_array().expect("findings");
    assert_eq!(findings.len(), 1, "{text}");
    let finding = &findings[0];
    assert_eq!((&finding["detector"], &finding["confidence"]), (&"packet-loss".into(), &"likely".into()));
    assert!(text.contains("20 of 100 icmp packets from 192.168.12.101 to 192.168.12.102"), "{text}");
    let (from, to) = (finding["subject"]["from"].as_str(), finding["subject"]["to"][0].as_str());
    assert!(from.is_some_and(|from| from.starts_with("host1 eth")), "{finding:#}");
    assert!(to.is_some_and(|to| to.starts_with("host2 eth")), "{finding:#}");
}

/// Pings of which some are lost: its status says so, and what it printed counts.
fn insist_loss(lab: &Lab) -> String {
    let ping = lab.exec("vm1", &["ping", "-q", "-i", "0.05", "-c", "100", "-W", "1", "192.168.12.102"]);
    String::from_utf8_lossy(&ping.stdout).into_owned()
}
