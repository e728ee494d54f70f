//! The runbook on a real host: raise it, break it, record it, explain it; and the healthy twin that must stay silent.

mod script;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use netcap_tests::lab::{Lab, said};
use netcap_tests::{Lag, wait_for};
use nix::sys::signal::Signal;
use serde_json::Value;

use recording::Recording;

mod clocks;
mod doubt;
mod follow;
mod harmless;
mod journeys;
mod names;
mod patched;
mod path4;
mod placed;
mod recording;

const NETCAP: &str = env!("CARGO_BIN_EXE_netcap");
const GATEWAY: &str = "192.168.12.254";
const HOST: &str = "192.168.12.19";

fn analyze() -> PathBuf {
    let path = Path::new(NETCAP).with_file_name("netcap-analyze");
    assert!(path.is_file(), "{} is missing: cargo build -p netcap-analyze", path.display());
    path
}

/// Records on host1 with these options while commands run in nodes, and `seconds` at least.
fn record(lab: &Lab, seconds: u64, options: &[&str], meanwhile: &[(&str, &str)]) -> PathBuf {
    let recording = Recording::start(lab, "host1", "out", options);
    let begun = Instant::now();
    let others: Vec<_> = meanwhile
        .iter()
        .map(|(node, words)| lab.spawn(node, &words.split_whitespace().collect::<Vec<_>>()))
        .collect();
    for other in others {
        let _ = other.wait_with_output();
    }
    std::thread::sleep(Duration::from_secs(seconds).saturating_sub(begun.elapsed()));
    recording.end()
}

fn explain(bundle: &Path) -> (Output, Value) {
    let out =
        Command::new(analyze()).args(["--json", "-"]).arg(bundle).output().expect("netcap-analyze starts");
    let json = serde_json::from_slice(&out.stdout).unwrap_or_else(|e| panic!("{e}: {}", said(&out)));
    (out, json)
}

fn findings<'a>(json: &'a Value, detector: &str) -> Vec<&'a Value> {
    let all = json["findings"].as_array().expect("findings");
    all.iter().filter(|f| f["detector"] == detector).collect()
}

/// The only finding of a detector, whose subject, claim and evidence hold every word.
fn one<'a>(json: &'a Value, detector: &str, confidence: &str, words: &[&str]) -> &'a Value {
    let found = findings(json, detector);
    assert_eq!(found.len(), 1, "one {detector}: {json:#}");
    let finding = found[0];
    assert_eq!(finding["confidence"], confidence, "{finding:#}");
    let text = format!("{} {} {}", finding["subject"], finding["claim"], finding["evidence"]);
    for word in words {
        assert!(text.contains(word), "{word} in {finding:#}");
    }
    finding
}

fn mac_of(lab: &Lab, node: &str, iface: &str) -> String {
    let out = lab.exec(node, &["cat", &format!("/sys/class/net/{iface}/address")]);
    String::from_utf8_lossy(&out.stdout).trim().to_owned()
}

#[test]
fn an_address_owned_twice_is_named_with_both_owners() {
    let Some(lab) = Lab::up("ip-conflict", &[]) else { return };
    lab.fault_on("ip-conflict", &[]);
    let bundle =
        record(&lab, 15, &["--vswitch", "vswitch0", "arp or icmp"], &[("gw", "ping -c 5 192.168.12.19")]);
    let (out, json) = explain(&bundle);
    assert_eq!(out.status.code(), Some(1), "{}", said(&out));
    let host = mac_of(&lab, "host1", "vswitch0");
    let text = findings(&json, "ip-conflict").first().map(|f| f["subject"].to_string()).unwrap_or_default();
    let confidence =
        findings(&json, "ip-conflict").first().map_or("", |f| f["confidence"].as_str().unwrap_or(""));
    assert!(["proven", "likely"].contains(&confidence), "{json:#}");
    one(&json, "ip-conflict", confidence, &[HOST, &host, "vswitch0"]);
    let other = lab.exec("pc", &["sh", "-c", "cat /sys/class/net/*/address | grep -v 00:00:00:00:00:00"]);
    let macs = String::from_utf8_lossy(&other.stdout).into_owned();
    assert!(macs.lines().any(|m| text.contains(m.trim())), "one of {macs} in {text}");
}

#[test]
fn lldp_on_the_backup_member_is_named_with_its_consequence() {
    let Some(lab) = Lab::up("lldp-backup", &[]) else { return };
    lab.fault_on("lldp-backup", &["--interval", "2"]);
    // No pings of the host's own: each would bring its MAC back to the active member.
    let options = ["--vswitch", "vswitch0", "icmp or arp or ether proto 0x88cc"];
    let recording = Recording::start(&lab, "host1", "out", &options);
    for _ in 0..2 {
        lab.lab(&["fault", "once", "lldp-backup"]);
    }
    let bundle = recording.end();
    let (out, json) = explain(&bundle);
    assert_eq!(out.status.code(), Some(1), "{}", said(&out));
    let mac = mac_of(&lab, "host1", "vswitch0");
    one(&json, "lldp-mac-flap", "proven", &[&mac, "eth2", "eth3"]);
    assert!(!findings(&json, "ping-loss").is_empty(), "the gateway's pings died: {json:#}");
    assert!(findings(&json, "ip-conflict").is_empty(), "{json:#}");
}

#[test]
fn a_drop_is_traced_to_port_flow_rule_and_nwfilter() {
    let Some(lab) = Lab::up("acl-drop", &["--libvirt"]) else { return };
    lab.fault_on("acl-drop", &[]);
    let bundle = record(
        &lab,
        25,
        &["--vswitch", "vswitch0", "--iface", "vnet0,vnet1"],
        &[("vm1", "ping -c 18 192.168.12.254"), ("vm2", "ping -c 18 192.168.12.254")],
    );
    let (out, json) = explain(&bundle);
    assert_eq!(out.status.code(), Some(1), "{}", said(&out));
    one(&json, "acl-drop", "proven", &["vnet0", GATEWAY, "drop", "acl-test", "cookie"]);
}

#[test]
fn a_healthy_minute_with_traffic_gives_no_finding() {
    let Some(lab) = Lab::up("healthy", &[]) else { return };
    lab.lab(&["traffic", "start"]);
    let bundle = record(
        &lab,
        60,
        &["--vswitch", "vswitch0", "--iface", "vnet0,vnet1", "--ping", GATEWAY, "--rotate-time", "20s"],
        &[],
    );
    let (out, json) = explain(&bundle);
    assert_eq!(json["findings"], serde_json::json!([]), "{json:#}");
    assert_eq!(out.status.code(), Some(0), "{}", said(&out));
    stock_tools_open_what_was_recorded(&lab, &bundle);
}

fn stock_tools_open_what_was_recorded(lab: &Lab, bundle: &Path) {
    let dir = lab.dir().join("untarred");
    std::fs::create_dir_all(&dir).expect("a directory");
    let tar = Command::new("tar").arg("-xf").arg(bundle).arg("-C").arg(&dir).status().expect("tar starts");
    assert!(tar.success());
    let segment = netcap_tests::files_below(&dir, "eth3/000001.pcapng.zst").pop().expect("a segment of eth3");
    let fields = ["frame.interface_name", "frame.packet_flags_direction"];
    let out = Command::new("tshark")
        .args(["-r", &segment.to_string_lossy(), "-T", "fields", "-e", fields[0], "-e", fields[1]])
        .output()
        .expect("tshark starts");
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    let count =
        |direction: &str| text.lines().filter(|l| l.starts_with("eth3\t") && l.contains(direction)).count();
    // 0x01 inbound, 0x02 outbound: both occur on the active member of a host with traffic.
    assert!(count("0x00000001") > 10 && count("0x00000002") > 10, "{}", said(&out));
    let out = Command::new("capinfos").arg(&segment).output().expect("capinfos starts");
    let info = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(info.contains("Name = eth3") && info.contains("Number of stat entries = 1"), "{info}");
}

#[test]
fn what_was_recorded_before_a_kill_is_sealed_and_explained() {
    let Some(lab) = Lab::up("kill", &[]) else { return };
    let recording = Recording::start(&lab, "host1", "out", &["--vswitch", "vswitch0", "icmp"]);
    let (run, out) = (recording.dir(), lab.dir().join("out"));
    let mut pings = lab.spawn("gw", &["ping", "-i", "0.1", HOST]);
    let segment = run.join(netcap_bundle::layout::segment("eth3", 1));
    let bytes = || std::fs::metadata(&segment).map_or(0, |m| m.len());
    // Pings come in, and have been written for some seconds.
    let before = bytes();
    wait_for("packets in the segment", || bytes() > before);
    let lag = Lag::watch();
    std::thread::sleep(Duration::from_secs(4));
    recording.signal(Signal::SIGKILL);
    let killed_at = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let late = lag.longest();
    recording.ended();
    let _ = (pings.kill(), pings.wait());

    let sealed = Command::new(NETCAP).arg("seal").arg(&run).output().unwrap();
    assert!(sealed.status.success(), "{}", said(&sealed));
    let (_, json) = explain(&Lab::bundle(&out));
    let last = last_packet_ns(&lab, &Lab::bundle(&out));
    let lost = killed_at.as_secs_f64() - last;
    // Flushed each second; a thread that had to wait for a processor flushes later by that.
    let most = 1.5 + 2.0 * late.as_secs_f64();
    assert!(lost < most, "the last {lost:.2} s are missing, of which {late:?} may be the machine's");
    assert!(findings(&json, "ping-loss").is_empty(), "a kill is not a loss: {json:#}");
}

/// Stamp of the last packet of eth3, in seconds, as tshark reads it.
fn last_packet_ns(lab: &Lab, bundle: &Path) -> f64 {
    let dir = lab.dir().join("killed");
    std::fs::create_dir_all(&dir).expect("a directory");
    assert!(
        Command::new("tar")
            .arg("-xf")
            .arg(bundle)
            .arg("-C")
            .arg(&dir)
            .status()
            .expect("tar starts")
            .success()
    );
    let segment = netcap_tests::files_below(&dir, "eth3/000001.pcapng.zst").pop().expect("a segment of eth3");
    let out = Command::new("tshark")
        .args(["-r", &segment.to_string_lossy(), "-T", "fields", "-e", "frame.time_epoch"])
        .output()
        .expect("tshark starts");
    assert!(out.status.success(), "{}", said(&out));
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    text.lines().last().expect("packets").trim().parse().expect("a stamp")
}
