//! One packet at many points of a real kernel: a host that routes and bridges between a client and a server, with
//! super-segments, captured at four points; and drops, each placed on its hop.

use std::path::Path;
use std::process::Command;

use netcap_tests::lab::Lab;
use netcap_tests::wait_for;
use serde_json::Value;

use super::path4::{POINTS, Path4, SERVER};
use super::{explain, findings, record};

/// Octets of the transfer.
const TRANSFER: &str = "20000000";

/// What tshark calls sent again when all points are merged into one file.
fn tshark_on_all(bundle: &Path, dir: &Path) -> usize {
    let dir = dir.join("untarred");
    std::fs::create_dir_all(&dir).expect("a directory");
    assert!(Command::new("tar").arg("-xf").arg(bundle).arg("-C").arg(&dir).status().expect("tar").success());
    let files = netcap_tests::files_below(&dir, ".pcapng.zst");
    assert!(Command::new("zstd").args(["-qd", "--rm"]).args(&files).status().expect("zstd").success());
    let merged = dir.join("all.pcapng");
    let plain = netcap_tests::files_below(&dir, ".pcapng");
    assert!(
        Command::new("mergecap").arg("-w").arg(&merged).args(&plain).status().expect("mergecap").success()
    );
    let filter = "tcp.analysis.retransmission or tcp.analysis.fast_retransmission or \
                  tcp.analysis.spurious_retransmission or tcp.analysis.duplicate_ack or tcp.analysis.out_of_order";
    let out = Command::new("tshark").arg("-r").arg(&merged).args(["-Y", filter]).output().expect("tshark");
    String::from_utf8_lossy(&out.stdout).lines().count()
}

fn hops(json: &Value) -> Vec<(String, String, u64)> {
    let name = |hop: &Value, end: &str| hop[end]["point"].as_str().expect("a point").to_owned();
    let all = json["hops"].as_array().expect("hops").iter();
    all.map(|h| (name(h, "from"), name(h, "to"), h["n"].as_u64().expect("a count"))).collect()
}

#[test]
fn a_transfer_at_four_points_is_sent_once_and_its_hops_are_measured() {
    let Some(path) = Path4::new("journeys-tcp") else { return };
    let mut server = path.spawn("server", &["socat", "-u", "TCP-LISTEN:8080,reuseaddr", "OPEN:/dev/null"]);
    wait_for("the server", || {
        path.exec("server", &["sh", "-c", "ss -ltnH | grep -q :8080"]).status.success()
    });
    let before = path.sent_again();
    let (bundle, json) = path.record("tcp", &["--snaplen", "160", "tcp or arp"], || {
        let script = format!("head -c {TRANSFER} /dev/zero | socat -u - TCP:{SERVER}:8080");
        path.insist("client", &["sh", "-c", &script]);
    });
    assert!(server.wait().expect("the server ends with the transfer").success());
    assert!(json["remarks"].as_array().expect("remarks").is_empty(), "nothing was lost: {json:#}");
    assert!(json.get("recording").is_none(), "nothing was lost: {json:#}");
    // A kernel that sees its own segments out of order sends some again, and counts segments; of super-segments only
    // their octets tell how many they were.
    let (ours, kernels) = (json["journeys"]["retransmissions"].as_u64(), path.sent_again() - before);
    let ours = ours.expect("a count");
    assert!(ours <= kernels && ours >= kernels * 3 / 4, "{ours} of {kernels}: {json:#}");
    assert_eq!(json["journeys"]["copies"], serde_json::json!([]));
    assert_eq!(findings(&json, "packet-loss").len(), 0, "{json:#}");
    let hops = hops(&json);
    for pair in POINTS.windows(2) {
        for (from, to) in [(pair[0], pair[1]), (pair[1], pair[0])] {
            let n = hops.iter().find(|(a, b, _)| a == from && b == to).map_or(0, |h| h.2);
            assert!(n > 20, "{from} to {to}: {hops:?}");
        }
    }
    // The same segments, cut: more of them, and not one too many on the other hops.
    let n = |from: &str| hops.iter().find(|(a, ..)| a == from).expect("a hop").2;
    assert!(hops.iter().any(|(a, b, count)| a == "m1" && b == "eth7" && *count > 2 * n("vnet7")), "{hops:?}");
    let tshark = tshark_on_all(&bundle, path.dir());
    assert!(tshark > 1_000, "merged, tshark takes {tshark} sightings for faults");
}

#[test]
fn a_drop_is_placed_on_its_hop() {
    let Some(path) = Path4::new("journeys-drop") else { return };
    let nft = |text: &str| path.insist("host", &["nft", text]);
    let send = || path.datagrams(200);
    send(); // addresses are known from here on
    let (_, json) = path.record("whole", &["udp or icmp"], send);
    assert_eq!(findings(&json, "packet-loss").len(), 0, "{json:#}");

    // Of what is routed only: where the bridge calls iptables, what it forwards comes by this hook again.
    nft("add table ip lost; add chain ip lost forward { type filter hook forward priority 0; }");
    nft("add rule ip lost forward iifname vnet7 udp dport 9 numgen inc mod 4 == 0 drop");
    let (_, json) = path.record("routed", &["udp"], send);
    one_hop(&json, "vnet7", "m0", "50 of 200 udp packets from 10.66.1.2 to 10.66.2.2");
    nft("delete table ip lost");

    nft("add table netdev lost; add chain netdev lost m1 { type filter hook ingress device m1 priority 0; }");
    nft("add rule netdev lost m1 udp dport 9 numgen inc mod 4 == 0 drop");
    let (_, json) = path.record("bridged", &["udp"], send);
    one_hop(&json, "m1", "eth7", "50 of 200 udp packets");
    nft("delete table netdev lost");

    // Behind the last point nothing is charged to the host; nor is a packet lost that leaves with another address.
    path.insist(
        "server",
        &[
            "nft",
            "add table netdev lost; add chain netdev lost s0 { type filter hook ingress \
        device s0 priority 0; }; add rule netdev lost s0 udp dport 9 drop",
        ],
    );
    nft("add table ip masq; add chain ip masq out { type nat hook postrouting priority 100; }");
    nft("add rule ip masq out oifname m0 masquerade");
    let (_, json) = path.record("behind", &["udp"], send);
    assert_eq!(findings(&json, "packet-loss").len(), 0, "{json:#}");
}

fn one_hop(json: &Value, from: &str, to: &str, claim: &str) {
    let found = findings(json, "packet-loss");
    assert_eq!(found.len(), 1, "{json:#}");
    let finding = found[0];
    assert_eq!(
        (&finding["subject"]["from"], &finding["subject"]["to"][0]),
        (&from.into(), &to.into()),
        "{finding:#}"
    );
    assert!(finding["claim"].as_str().unwrap_or("").starts_with(claim), "{finding:#}");
    assert_ne!(finding["confidence"], "cannot tell", "{finding:#}");
}

/// Tagged at the uplink and not at the VM's port; from VM to VM; and a flow of the switch that drops.
#[test]
fn a_flow_that_drops_is_told_from_a_tag_and_from_a_neighbour() {
    let Some(lab) = Lab::up("journeys-vlan", &["--vlan", "188"]) else { return };
    let zeros = lab.dir().join("zeros");
    std::fs::write(&zeros, vec![0; 15_000]).expect("a file");
    let send = |to: &str| format!("socat -u -b 500 OPEN:{},rdonly UDP-SENDTO:{to}:9", zeros.display());
    let both = format!("{}; {}", send("10.0.188.254"), send("10.0.188.102"));
    let script = lab.dir().join("both.sh");
    std::fs::write(&script, both).expect("a script");
    let run = format!("sh {}", script.display());
    let points = ["--vswitch", "vswitch0", "--iface", "vnet0,vnet1", "udp"];
    let bundle = record(&lab, 6, &points, &[("vm1", &run)]);
    let (_, json) = explain(&bundle);
    assert_eq!(findings(&json, "packet-loss").len(), 0, "{json:#}");
    let hops = hops(&json);
    assert!(hops.contains(&("vnet0".into(), "vnet1".into(), 30)), "{hops:?}");
    assert!(hops.iter().any(|(a, b, n)| a == "vnet0" && b.starts_with("eth") && *n == 30), "{hops:?}");

    std::fs::remove_dir_all(lab.dir().join("out")).expect("the first bundle goes");
    let flow = "priority=40000,udp,nw_dst=10.0.188.254,actions=drop";
    assert!(lab.exec("host1", &["ovs-ofctl", "add-flow", "vswitch0", flow]).status.success());
    let (_, json) = explain(&record(&lab, 6, &points, &[("vm1", &run)]));
    one_hop(&json, "vnet0", "eth2", "30 of 30 udp packets from 10.0.188.101 to 10.0.188.254");
    assert_eq!(findings(&json, "packet-loss")[0]["confidence"], "proven", "{json:#}");

    // Translated by the switch: the connection tracking table says what each packet was.
    std::fs::remove_dir_all(lab.dir().join("out")).expect("the second bundle goes");
    for flow in [
        "priority=50000,udp,nw_src=10.0.188.101,nw_dst=10.0.188.254,\
         actions=ct(commit,zone=7,nat(src=10.0.188.150),table=9)",
        "table=9,priority=0,actions=NORMAL",
    ] {
        assert!(lab.exec("host1", &["ovs-ofctl", "add-flow", "vswitch0", flow]).status.success());
    }
    let (_, json) = explain(&record(&lab, 6, &points, &[("vm1", &run)]));
    assert_eq!(findings(&json, "packet-loss").len(), 0, "{json:#}");
    let all = self::hops(&json);
    assert!(all.iter().any(|(a, b, n)| a == "vnet0" && b.starts_with("eth") && *n == 30), "{all:?}");
}
