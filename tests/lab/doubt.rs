//! Packets die on a hop while the recorder, in the same seconds, loses packets at one of the points beside it: what was
//! not recorded is not evidence, and a drop beside it is no longer charged to the hop.

use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use netcap_tests::lab::{Lab, said};
use nix::sys::signal::Signal;
use serde_json::Value;

use super::path4::{POINTS, Path4};
use super::recording::Recording;
use super::{GATEWAY, explain, findings};

/// Datagrams before and after, of which none is lost.
const CALM: usize = 40;
/// Each of both halves of the burst that is thinned: the host's router drops every fourth, its bridge every third of
/// the rest.
const HALF: usize = 50;
/// Frames of a flood and their octets: three times the smallest ring, and a fifth of the usual one.
const FLOOD: (usize, usize) = (3_000, 1_000);

/// The buffer of a recorder that is starved, and of one that is not.
const BUFFERS: [&str; 2] = ["1MiB", "64MiB"];
const FILTER: &str = "udp or ether proto 0x88b5";

/// The frames of a flood, back to back. For nobody: an ethertype for experiments (IEEE 802, clause 9.2.3), and an address
/// that no bridge forwards (IEEE 802.1Q, table 8-1).
fn frames(dir: &Path) -> PathBuf {
    let header = [0x01, 0x80, 0xc2, 0, 0, 0x0e, 0x02, 0, 0, 0, 0, 0x01, 0x88, 0xb5];
    let mut frame = header.to_vec();
    frame.resize(FLOOD.1, 0);
    let file = dir.join("frames");
    std::fs::write(&file, frame.repeat(FLOOD.0)).expect("a file");
    file
}

/// The command that floods the other end of an interface, and nobody else: what a packet socket sends past the queues
/// (`PACKET_QDISC_BYPASS`, packet(7)) is not shown to those who listen on the sending side.
fn flood(dir: &Path, iface: &str) -> Vec<String> {
    let (from, size) = (format!("OPEN:{},rdonly", frames(dir).display()), FLOOD.1.to_string());
    let to = format!("INTERFACE:{iface},setsockopt-int=263:20:1");
    ["socat", "-u", "-b", &size, &from, &to].map(str::to_owned).to_vec()
}

/// While it goes on, a recorder that is starved gets no processor, and its rings are all there is.
fn burst(recording: &Recording, starved: bool, mut half: impl FnMut(), flood: impl FnOnce()) {
    if starved {
        recording.signal(Signal::SIGSTOP);
    }
    half();
    flood();
    half();
    if starved {
        recording.signal(Signal::SIGCONT);
    }
}

/// Points that lost packets in the recording, by the ledger.
fn lossy(json: &Value) -> Vec<&str> {
    // Of a recording that lost nothing the report has nothing to say.
    let points = json["recording"]["points"].as_array().into_iter().flatten();
    points.filter(|p| p["dropped"].as_u64() > Some(0)).map(|p| p["name"].as_str().expect("a name")).collect()
}

/// A finding that packets were lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Loss<'a> {
    /// Where they were last seen.
    from: &'a str,
    confidence: &'a str,
    /// How many of how many.
    count: &'a str,
}

fn losses(json: &Value) -> Vec<Loss<'_>> {
    let mut all: Vec<_> = findings(json, "packet-loss").into_iter().map(parts).collect();
    all.sort_unstable();
    all
}

fn parts(finding: &Value) -> Loss<'_> {
    let [from, confidence, claim] = [&finding["subject"]["from"], &finding["confidence"], &finding["claim"]]
        .map(|value| value.as_str().expect("a text"));
    Loss { from, confidence, count: claim.split(" packets").next().unwrap_or(claim) }
}

/// Calm, then a burst with a flood at one point in its middle, then calm again. The router drops a quarter of the burst,
/// and the bridge a third of the rest.
fn routed(path: &Path4, point: &str, starved: bool) -> Value {
    let nft = |text: &str| path.insist("host", &["nft", text]);
    let buffer = BUFFERS[usize::from(!starved)];
    let recording = path.start(&format!("{point}{starved}"), &["--buffer", buffer, FILTER]);
    path.datagrams(CALM);
    sleep(Duration::from_millis(400));
    nft("add table ip lost; add chain ip lost forward { type filter hook forward priority 0; }");
    nft("add table netdev lost; add chain netdev lost m1 { type filter hook ingress device m1 priority 0; }");
    nft("add rule ip lost forward iifname vnet7 udp dport 9 numgen inc mod 4 == 0 drop");
    nft("add rule netdev lost m1 udp dport 9 numgen inc mod 3 == 0 drop");
    let (node, peer) = match point {
        "vnet7" => ("client", "c0"),
        "m0" => ("host", "m1"),
        "m1" => ("host", "m0"),
        _ => ("server", "s0"),
    };
    let words = flood(path.dir(), peer);
    let flood = || path.insist(node, &words.iter().map(String::as_str).collect::<Vec<_>>());
    burst(&recording, starved, || path.datagrams(HALF), flood);
    nft("delete table ip lost; delete table netdev lost");
    sleep(Duration::from_millis(400));
    path.datagrams(CALM);
    explain(&recording.end()).1
}

#[test]
fn a_drop_beside_a_loss_of_the_capture_is_not_charged() {
    let Some(path) = Path4::new("doubt-routed") else { return };
    path.datagrams(CALM); // addresses are known from here on
    let router = Loss { from: "vnet7", confidence: "likely", count: "25 of 180 udp" };
    let bridge = Loss { from: "m1", confidence: "likely", count: "25 of 155 udp" };
    let sound = routed(&path, "eth7", false);
    assert_eq!((lossy(&sound), losses(&sound)), (vec![], vec![bridge, router]), "{sound:#}");
    for point in POINTS {
        let json = routed(&path, point, true);
        assert_eq!(lossy(&json), [point], "the flood is at one point: {json:#}");
        let doubted = if ["vnet7", "m0"].contains(&point) { "vnet7" } else { "m1" };
        let stays = if doubted == "m1" { router } else { bridge };
        let (charged, open): (Vec<Loss<'_>>, Vec<Loss<'_>>) =
            losses(&json).into_iter().partition(|loss| loss.confidence != "cannot tell");
        assert_eq!(charged, [stays], "{point}: {json:#}");
        assert!(open.iter().any(|loss| loss.from == doubted), "{point}: {json:#}");
        for finding in findings(&json, "packet-loss").iter().filter(|f| f["confidence"] == "cannot tell") {
            let reason = format!("not ruled out: the capture lost packets at {point} in that time");
            assert_eq!(finding["exonerations"][0], reason.as_str(), "{finding:#}");
        }
    }
}

/// The same in Open vSwitch, whose flow drops all of the burst.
fn switched(lab: &Lab, (name, node, peer): (&str, &str, &str), starved: bool) -> Value {
    let shell = |node: &str, script: &str| {
        let out = lab.exec(node, &["sh", "-c", script]);
        assert!(out.status.success(), "{script}: {}", said(&out));
    };
    let zeros = lab.dir().join("zeros");
    std::fs::write(&zeros, vec![0; HALF * 500]).expect("a file");
    let send =
        || shell("vm1", &format!("socat -u -b 500 OPEN:{},rdonly UDP-SENDTO:{GATEWAY}:9", zeros.display()));
    let words =
        ["--vswitch", "vswitch0", "--iface", "vnet0", "--buffer", BUFFERS[usize::from(!starved)], FILTER];
    let recording = Recording::start(lab, "host1", &format!("{name}{starved}"), &words);
    send();
    sleep(Duration::from_millis(400));
    shell("host1", &format!("ovs-ofctl add-flow vswitch0 priority=40000,udp,nw_dst={GATEWAY},actions=drop"));
    let flood = flood(lab.dir(), peer).join(" ");
    burst(&recording, starved, send, || shell(node, &flood));
    shell("host1", &format!("ovs-ofctl --strict del-flows vswitch0 priority=40000,udp,nw_dst={GATEWAY}"));
    sleep(Duration::from_millis(400));
    send();
    explain(&recording.end()).1
}

#[test]
fn nor_is_one_in_open_vswitch() {
    let Some(lab) = Lab::up("doubt-switched", &["--vms", "1"]) else { return };
    let uplink = ("eth3", "switch", "host1-eth3");
    let sound = switched(&lab, uplink, false);
    assert_eq!(
        (lossy(&sound), losses(&sound)),
        (vec![], vec![Loss { from: "vnet0", confidence: "proven", count: "100 of 200 udp" }]),
        "{sound:#}"
    );
    for at in [uplink, ("vnet0", "vm1", "eth0")] {
        let json = switched(&lab, at, true);
        assert_eq!(lossy(&json), [at.0], "the flood is at one point: {json:#}");
        assert!(
            losses(&json).iter().any(|loss| (loss.from, loss.confidence) == ("vnet0", "cannot tell")),
            "{json:#}"
        );
        assert!(losses(&json).iter().all(|loss| loss.confidence == "cannot tell"), "{json:#}");
    }
}
