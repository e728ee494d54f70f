//! Two hosts recorded at once, of the second one not the port of the machine that is pinged: where the pings were lost.

use std::path::{Path, PathBuf};
use std::process::Command;

use netcap_tests::lab::{Lab, said};
use netcap_tests::shift::shifted;
use serde_json::Value;

use super::analyze;
use super::recording::Recording;

const ASKER: &str = "192.168.12.101";
const TARGET: &str = "192.168.12.102";
/// The second host's clock is set wrong by this.
const WRONG_NS: i64 = 3_000_000_000;

/// Records both hosts while 30 pings are sent, all of which are lost or none.
fn recorded(lab: &Lab, name: &str, second: &[&str], lost: bool) -> [PathBuf; 2] {
    let first = ["--vswitch", "vswitch0", "--iface", "vnet0"];
    let recordings = [("host1", &first[..]), ("host2", second)]
        .map(|(host, options)| Recording::start(lab, host, &format!("{name}/{host}"), options));
    // The gateway asks all for addresses that nobody has, at odd times, as in any network: both hosts hear it.
    let murmur = "for n in 61 73 67 71 62 79 64 70 66 78; do arping -q -c 1 -w 1 -I eth0 192.168.12.$n; sleep 0.$n; done";
    let murmur = lab.spawn("gw", &["sh", "-c", murmur]);
    let ping = lab.exec("vm1", &["ping", "-q", "-i", "0.1", "-c", "30", "-W", "1", TARGET]);
    let heard = murmur.wait_with_output().expect("the gateway's shell ends");
    assert!(heard.stderr.is_empty(), "{}", said(&heard));
    let received = if lost { "30 packets transmitted, 0 received" } else { "30 received, 0% packet loss" };
    assert!(said(&ping).contains(received), "{}", said(&ping));
    recordings.map(Recording::end)
}

fn together(a: &Path, b: &Path) -> Value {
    let mut program = Command::new(analyze());
    let out = program.args(["--fail-on", "never", "--json", "-", "--together"]).args([a, b]).output();
    let out = out.expect("it starts");
    assert!(out.status.success(), "{}", said(&out));
    serde_json::from_slice(&out.stdout).expect("JSON")
}

/// What was lost between the hosts: from where, to where, how sure; the remedy.
fn between(json: &Value) -> Vec<(String, Vec<String>, String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let findings = json["findings"].as_array().expect("findings");
    let lost = findings.iter().filter(|finding| finding["detector"] == "packet-loss");
    lost.map(|finding| {
        let to = finding["subject"]["to"].as_array().expect("places").iter().map(text).collect();
        let (from, sure) = (text(&finding["subject"]["from"]), text(&finding["confidence"]));
        assert!(text(&finding["claim"]).starts_with("30 of 30 icmp packets"), "{finding:#}");
        (from, to, sure, text(&finding["remedy"]))
    })
    .collect()
}

fn insist(lab: &Lab, node: &str, words: &[&str]) {
    let out = lab.exec(node, words);
    assert!(out.status.success(), "{node} {words:?}: {}", said(&out));
}

/// The physical switch drops what matches as it comes in from a host, meanwhile.
fn dropping<T>(lab: &Lab, host: &str, rule: &str, meanwhile: impl FnOnce() -> T) -> T {
    for port in ["eth2", "eth3"] {
        let device = format!("{host}-{port}");
        let chain = format!(
            "add chain netdev wire {port} {{ type filter hook ingress device {device} priority 0; }}"
        );
        let rules = format!("add table netdev wire; {chain}; add rule netdev wire {port} {rule} drop");
        insist(lab, "switch", &["nft", &rules]);
    }
    let done = meanwhile();
    insist(lab, "switch", &["nft", "delete", "table", "netdev", "wire"]);
    done
}

#[test]
fn losses_between_two_hosts_are_placed_by_what_the_second_ones_state_says() {
    let Some(lab) = Lab::up("placed", &["--hosts", "2", "--vms", "1"]) else { return };
    let uplinks = ["--vswitch", "vswitch0"];
    insist(&lab, "vm1", &["ping", "-q", "-c", "2", TARGET]);

    let requests = format!("ip daddr {TARGET} icmp type echo-request");
    let [a, b] = dropping(&lab, "host1", &requests, || recorded(&lab, "requests", &uplinks, true));
    // The clocks are the same, and then they are not.
    for second in [b.clone(), shifted(&b, &lab.dir().join("moved"), WRONG_NS, 0.0)] {
        let lost = between(&together(&a, &second));
        let [(from, to, sure, _)] = lost.as_slice() else { panic!("{lost:?}") };
        assert!(from.starts_with("host1 eth") && to.contains(&"host2 eth3".to_owned()), "{lost:?}");
        assert_eq!(sure, "likely", "{lost:?}");
    }

    // One of the ways into the second host is not recorded: nobody can tell, and which one is said.
    let one = ["--iface", "eth3"];
    let [a, b] = dropping(&lab, "host1", &requests, || recorded(&lab, "one", &one, true));
    let lost = between(&together(&a, &b));
    let [(_, _, sure, remedy)] = lost.as_slice() else { panic!("{lost:?}") };
    assert!(sure == "cannot tell" && remedy.contains("host2 eth2"), "{lost:?}");

    let replies = format!("ip saddr {TARGET} ip daddr {ASKER} icmp type echo-reply");
    let [a, b] = dropping(&lab, "host2", &replies, || recorded(&lab, "replies", &uplinks, true));
    let lost = between(&together(&a, &b));
    let [(from, to, ..)] = lost.as_slice() else { panic!("{lost:?}") };
    assert!(from.starts_with("host2 eth") && to.iter().all(|to| to.starts_with("host1 eth")), "{lost:?}");

    let [a, b] = recorded(&lab, "none", &uplinks, false);
    assert_eq!(between(&together(&a, &b)), Vec::new());

    // They come in at the second host's uplink, and its switch drops them: nothing was lost between the two, and where it was
    // lost the second host's own recording says as far as it can.
    let rule = format!("priority=900,icmp,nw_dst={TARGET},icmp_type=8,actions=drop");
    insist(&lab, "host2", &["ovs-ofctl", "add-flow", "vswitch0", &rule]);
    let [a, b] = recorded(&lab, "hidden", &uplinks, true);
    let json = together(&a, &b);
    assert_eq!(between(&json), Vec::new());
    let own = json["inputs"][1]["findings"].to_string();
    assert!(own.contains("vnet0"), "the port to record is named: {own}");
    let both = ["--vswitch", "vswitch0", "--iface", "vnet0"];
    let [a, b] = recorded(&lab, "rule", &both, true);
    let json = together(&a, &b);
    assert_eq!(between(&json), Vec::new());
    let own = json["inputs"][1]["findings"].as_array().expect("findings");
    assert!(own.iter().any(|finding| finding["detector"] == "acl-drop"), "{own:#?}");
}
