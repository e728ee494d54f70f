//! Everything a user may hand in: a tar, a run that was killed, a directory of the old script, compressed files.

use std::fs::{self, File};
use std::io::Write;
use std::net::Ipv4Addr;
use std::path::Path;

use netcap_bundle::Role;
use netcap_bundle::packets::Direction::{In, Out};
use serde_json::Value;

use crate::analyze;
use netcap_tests::bundle::{BundleBuilder, pcap};
use netcap_tests::packets::{arp_announce, echo, lldp, mac};

fn verdict(path: &Path) -> Value {
    let out = analyze(&["--json", "-", path.to_str().unwrap()]);
    assert!(!out.stdout.is_empty(), "{}", String::from_utf8_lossy(&out.stderr));
    serde_json::from_slice(&out.stdout).unwrap()
}

fn conflict() -> BundleBuilder {
    let mut bundle = BundleBuilder::new(60_000);
    let ip = Ipv4Addr::new(172, 16, 51, 23);
    bundle.point("vswitch0", Role::Internal, "").point("eth3", Role::Uplink { bond: None }, "");
    for n in 0..3 {
        bundle.frame("vswitch0", n * 2_000, Out, &arp_announce(mac("0c:da:41:1d:43:79"), ip));
        bundle.frame("eth3", n * 2_000 + 1_000, In, &arp_announce(mac("40:a8:f0:28:14:d8"), ip));
        bundle.sync(n * 2_000 + 1_500);
    }
    bundle
}

#[test]
fn a_tar_says_what_its_directory_says() {
    let sealed = conflict().seal();
    let tar = sealed.path.with_extension("tar");
    let dir = netcap_bundle::held::Dir::open(&sealed.path).unwrap();
    netcap_bundle::seal::write_tar(&dir, "host-20261121000000", File::create(&tar).unwrap()).unwrap();
    let (mut a, mut b) = (verdict(&sealed.path), verdict(&tar));
    assert_eq!(a["findings"].as_array().unwrap().len(), 1);
    (a["input"], b["input"]) = (Value::Null, Value::Null);
    assert_eq!(a, b);
}

#[test]
fn a_run_that_was_never_sealed_is_read_and_said_so() {
    let sealed = conflict().seal();
    let manifest: Value =
        serde_json::from_slice(&fs::read(sealed.path.join("manifest.json")).unwrap()).unwrap();
    fs::write(sealed.path.join("run.json"), manifest.to_string()).unwrap();
    fs::remove_file(sealed.path.join("manifest.json")).unwrap();
    // The last segment ends in the middle of a frame.
    let segment = sealed.path.join("packets/eth3/000001.pcapng.zst");
    let bytes = fs::read(&segment).unwrap();
    fs::write(&segment, &bytes[..bytes.len() - 5]).unwrap();
    let verdict = verdict(&sealed.path);
    assert_eq!(verdict["findings"][0]["detector"], "ip-conflict");
    let remarks = verdict["remarks"].to_string();
    assert!(remarks.contains("not sealed") && remarks.contains("cut short"), "{remarks}");
}

#[test]
fn a_directory_of_the_old_script() {
    let dir = tempfile::tempdir().unwrap();
    let (host, gateway) = (mac("fc:15:b4:1c:ad:79"), mac("00:00:0c:00:00:01"));
    let (from, to) = (Ipv4Addr::new(172, 23, 51, 114), Ipv4Addr::new(172, 23, 51, 112));
    let frames: Vec<_> = (1..10u16)
        .flat_map(|n| {
            let ms = i64::from(n) * 1_000;
            let request = (ms, echo(false, host, gateway, from, to, n));
            let reply = (ms + 1, echo(true, gateway, host, to, from, n));
            if n % 3 == 0 { vec![request] } else { vec![request, reply] }
        })
        .collect();
    for iface in ["eth2", "vswitch0"] {
        fs::create_dir(dir.path().join(iface)).unwrap();
        pcap(&dir.path().join(iface).join("20230607103752.pcap"), &frames);
    }
    let log = "PING 172.23.51.112 (172.23.51.112) 56(84) bytes of data.\n\
        64 bytes from 172.23.51.112: icmp_seq=1 ttl=64 time=0.345 ms\n\
        64 bytes from 172.23.51.112: icmp_seq=4 ttl=64 time=0.400 ms\n";
    fs::write(dir.path().join("20230607103752-ping.log"), log).unwrap();
    let verdict = verdict(dir.path());
    let findings = verdict["findings"].as_array().unwrap();
    assert_eq!(findings.len(), 1, "{findings:#?}");
    let claim = findings[0]["claim"].as_str().unwrap();
    // The ninth request is a second from the end: it may still be answered.
    assert!(claim.starts_with("2 of 8 pings from 172.23.51.114"), "{claim}");
    assert!(findings[0]["evidence"].to_string().contains("20230607103752-ping.log"));
    let names: Vec<_> = verdict["stats"]["points"].as_array().unwrap().iter().map(|p| &p["name"]).collect();
    assert_eq!(names, ["eth2", "vswitch0"]);
}

/// What the old script wrote down of the seed's hosts: eth3 is marked as the active member.
const LISTING: &str = "\
Type   Name       MAC            VMMAC          IP              OFPort    Vlanx  MTU   VMName  VNC  Filter
vswitch0 (vsw)
int    vswitch0   fc15b41cad79                  192.168.12.19   65534/5          1500
       vnet0      feda411d56a7   0cda411d56a7                   11/1             1500  vm1     5900
bond   vswitch0_bond
       eth2       fc15b41cad79                                  1/3       u/u    1500
       eth3       fc15b41cad7a                                  2/2       *u/u   1500
";

/// Frames with their times in microseconds.
type Frames = Vec<(i64, Vec<u8>)>;

/// A directory of the old script with that listing, and these frames at each interface.
fn old_script(points: &[(&str, Frames)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("20261127232127-ovs_dbg_listports"), LISTING).unwrap();
    for (iface, frames) in points {
        fs::create_dir(dir.path().join(iface)).unwrap();
        pcap(&dir.path().join(iface).join(format!("20261127232127-{iface}.pcap")), frames);
    }
    dir
}

fn finding<'a>(verdict: &'a Value, detector: &str) -> Option<&'a Value> {
    verdict["findings"].as_array().unwrap().iter().find(|finding| finding["detector"] == detector)
}

const HOST: Ipv4Addr = Ipv4Addr::new(192, 168, 12, 19);
const GUEST: Ipv4Addr = Ipv4Addr::new(192, 168, 12, 20);
const GATEWAY: Ipv4Addr = Ipv4Addr::new(192, 168, 12, 254);

/// LLDP leaves the backup with the switch's MAC, and the gateway's pings follow it there. `leaves`: so does a reply.
fn flapping(leaves: bool) -> Value {
    verdict(flapping_as(leaves, "cvk19").path())
}

/// The same, by a host that says this of itself.
fn flapping_as(leaves: bool, system: &str) -> tempfile::TempDir {
    let (host, gateway) = (mac("fc:15:b4:1c:ad:79"), mac("00:00:0c:00:00:01"));
    let (mut backup, mut active) = (Vec::new(), Vec::new());
    for n in 0..30u16 {
        let ms = i64::from(n) * 1_000;
        if n % 10 == 5 {
            backup.push((ms - 200, lldp(host, "eth2", system)));
        }
        let request = (ms, echo(false, gateway, host, GATEWAY, HOST, n));
        let reply = (ms + 1, echo(true, host, gateway, HOST, GATEWAY, n));
        match (n % 10, leaves) {
            (5, false) => backup.push(request),
            (5, true) => backup.extend([request, reply]),
            _ => active.extend([request, reply]),
        }
    }
    let own = active.clone();
    old_script(&[("eth2", backup), ("eth3", active), ("vswitch0", own)])
}

/// LLDP is what anybody on the wire may send.
#[test]
fn what_a_system_says_of_itself_steers_no_terminal() {
    let says = "cvk\u{1b}]0;title\u{7}\u{9b}2J\u{202e}esrever\n\r\n  No fault found.\u{85}$(id)";
    let dir = flapping_as(false, says);
    let path = dir.path().to_str().unwrap();
    for words in [&["-v"][..], &["--lang", "zh"], &["--json", "-"]] {
        let out = analyze(&[words, &["--color", "never", path]].concat());
        let text = String::from_utf8(out.stdout).unwrap();
        assert!(text.contains("lldp-mac-flap"), "{text}");
        let steers = |c: &char| *c != '\n' && netcap_words::foreign::is_steering(*c);
        assert_eq!(text.chars().filter(steers).collect::<Vec<_>>(), [], "{text}");
        assert!(!text.lines().any(|line| line.trim() == "No fault found."), "{text}");
    }
    let told = finding(&verdict(dir.path()), "lldp-mac-flap").unwrap().to_string();
    assert!(told.contains("cvk") && told.contains("$(id)"), "{told}");
}

#[test]
fn the_old_scripts_listing_says_who_is_active_and_whose_macs_are_whose() {
    let verdict = flapping(false);
    let flap = finding(&verdict, "lldp-mac-flap").unwrap_or_else(|| panic!("{verdict:#}"));
    assert_eq!((&flap["confidence"], &flap["severity"]), (&"likely".into(), &"error".into()));
    assert_eq!((&flap["subject"]["active"], &flap["subject"]["backup"]), (&"eth3".into(), &"eth2".into()));
    let evidence = flap["evidence"].to_string();
    assert!(
        evidence.contains("eth3 fc15b41cad7a 2/2 *u/u 1500") && evidence.contains("\"at\":null"),
        "{evidence}"
    );
    assert!(flap["exonerations"].to_string().contains("names no mode"), "{flap:#}");
    // Members that both send balance; what the listing marks is not the only one in use.
    assert_eq!(finding(&flapping(true), "lldp-mac-flap"), None);
}

/// The VM's requests are at its port and never at the uplink; which rule dropped them was not recorded.
#[test]
fn a_packet_that_dies_inside_the_switch_is_found_in_what_the_old_script_left() {
    let (guest, gateway) = (mac("0c:da:41:1d:56:a7"), mac("00:00:0c:00:00:01"));
    let (mut vnet, mut uplink) = (Vec::new(), Vec::new());
    // What a backup hears of a quiet network.
    let flood = arp_announce(gateway, GATEWAY);
    let backup = vec![(0, flood.clone()), (30_000, flood)];
    let other = Ipv4Addr::new(192, 168, 12, 50);
    for n in 0..30u16 {
        let ms = i64::from(n) * 1_000;
        vnet.push((ms, echo(false, guest, gateway, GUEST, GATEWAY, n)));
        let passes = [
            (ms + 100, echo(false, guest, gateway, GUEST, other, n)),
            (ms + 101, echo(true, gateway, guest, other, GUEST, n)),
        ];
        vnet.extend(passes.clone());
        uplink.extend(passes);
    }
    let verdict = verdict(old_script(&[("eth2", backup), ("eth3", uplink), ("vnet0", vnet)]).path());
    let loss = finding(&verdict, "packet-loss").unwrap_or_else(|| panic!("{verdict:#}"));
    assert_ne!(loss["confidence"], "proven", "{loss:#}");
    let hop = &loss["subject"];
    assert_eq!(
        (&hop["from"], &hop["to"]),
        (&"vnet0".into(), &serde_json::json!(["eth2", "eth3"])),
        "{loss:#}"
    );
    assert!(finding(&verdict, "acl-drop").is_none(), "{verdict:#}");
}

/// Pings of the host's own address leave by the switch's port, which the listing names and nobody recorded: that they are
/// not at the uplinks is no loss.
#[test]
fn what_goes_to_a_port_that_was_not_recorded_is_not_missed_elsewhere() {
    let [guest, host, gateway] = ["0c:da:41:1d:56:a7", "fc:15:b4:1c:ad:79", "00:00:0c:00:00:01"].map(mac);
    let (mut vnet, mut uplink) = (Vec::new(), Vec::new());
    for n in 0..30u16 {
        let ms = i64::from(n) * 1_000;
        vnet.push((ms, echo(false, guest, host, GUEST, HOST, n)));
        let passes = [
            (ms + 100, echo(false, guest, gateway, GUEST, GATEWAY, n)),
            (ms + 101, echo(true, gateway, guest, GATEWAY, GUEST, n)),
        ];
        vnet.extend(passes.clone());
        uplink.extend(passes);
    }
    let verdict = verdict(old_script(&[("eth2", Vec::new()), ("eth3", uplink), ("vnet0", vnet)]).path());
    assert!(finding(&verdict, "packet-loss").is_none(), "{verdict:#}");
    let pings = finding(&verdict, "ping-loss").unwrap_or_else(|| panic!("{verdict:#}"));
    assert_eq!(
        (&pings["severity"], &pings["confidence"]),
        (&"info".into(), &"cannot tell".into()),
        "{pings:#}"
    );
}

#[test]
fn compressed_files_are_read_as_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let plain = dir.path().join("a.pcap");
    let ip = Ipv4Addr::new(10, 0, 0, 1);
    pcap(
        &plain,
        &[(0, arp_announce(mac("00:00:01:00:00:01"), ip)), (9, arp_announce(mac("00:00:01:00:00:02"), ip))],
    );
    let zipped = dir.path().join("a.pcap.gz");
    let mut gzip = flate2::write::GzEncoder::new(File::create(&zipped).unwrap(), flate2::Compression::fast());
    gzip.write_all(&fs::read(&plain).unwrap()).unwrap();
    gzip.finish().unwrap();
    assert_eq!(verdict(&plain)["findings"][0]["claim"], verdict(&zipped)["findings"][0]["claim"]);
    assert_eq!(verdict(&zipped)["stats"]["packets"], 2);
}

/// What nobody looked at is said before anything else, and a file of which nothing was understood is not called healthy.
#[test]
fn what_was_not_understood_is_said_first() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a.pcap");
    let ip = Ipv4Addr::new(10, 0, 0, 1);
    let known = arp_announce(mac("00:00:01:00:00:01"), ip);
    let mut unknown = known.clone();
    unknown[12..14].copy_from_slice(&[0x12, 0x34]);
    let said = |words: &[&str]| {
        let out = analyze(&[words, &[file.to_str().unwrap()]].concat());
        let text = String::from_utf8(out.stdout).unwrap();
        (out.status.code(), text.split_whitespace().collect::<Vec<_>>().join(" "))
    };
    pcap(&file, &[(0, known.clone()), (9, unknown.clone())]);
    let (status, text) = said(&[]);
    assert_eq!(status, Some(0), "{text}");
    assert!(text.contains("No fault found in what was understood."), "{text}");
    assert!(
        text.contains("Not understood: 1 of 2 frames: Ethernet type 0x1234, which is not read."),
        "{text}"
    );
    assert_eq!(verdict(&file)["not_understood"][0]["frames"], 1);
    // One of many is a remark.
    let many: Vec<_> = (0..40).map(|n| (n, if n == 7 { unknown.clone() } else { known.clone() })).collect();
    pcap(&file, &many);
    let (status, text) = said(&["--lang", "zh"]);
    assert!(status == Some(0) && !text.contains("这些帧的内容未被检查"), "{text}");
    assert!(text.contains("未能解析：40 帧中有 1 帧：以太网类型 0x1234"), "{text}");
    // A link type that is not read, in the file's header.
    let mut bytes = fs::read(&file).unwrap();
    bytes[20..24].copy_from_slice(&147u32.to_le_bytes());
    fs::write(&file, bytes).unwrap();
    let (status, text) = said(&[]);
    assert!(status == Some(2) && text.contains("Nothing was understood"), "{status:?} {text}");
    assert!(text.contains("40 of 40 frames: link type 147"), "{text}");
    let out = analyze(&["--each", dir.path().to_str().unwrap()]);
    let text = String::from_utf8(out.stdout).unwrap();
    assert!(out.status.code() == Some(2) && text.contains("nothing understood of 1"), "{text}");
}

/// A tar cut inside its host state says so first, and does not take the silence of lost files for an answer.
#[test]
fn a_cut_tar_says_what_is_gone() {
    let bytes = netcap_tests::sample("acl-drop", "fires");
    let names = tar_members(&bytes);
    let first_flow = names.iter().find(|(name, _)| name.contains("state/ovs-datapath/")).unwrap().1;
    let dir = tempfile::tempdir().unwrap();
    let cut = dir.path().join("cut.tar");
    fs::write(&cut, &bytes[..first_flow + 512]).unwrap();
    let out = analyze(&[cut.to_str().unwrap()]);
    let text = String::from_utf8(out.stdout).unwrap();
    let second = text.lines().nth(1).unwrap();
    assert!(second.starts_with("The tar is cut:") && text.contains("ovs-datapath"), "{text}");
    assert!(!text.contains("no recorded rule explains it"), "{text}");
    assert!(verdict(&cut)["remarks"][0].as_str().unwrap().starts_with("The tar is cut"));
}

/// Name and offset of each member's header (POSIX ustar: name at 0, octal size at 124).
fn tar_members(tar: &[u8]) -> Vec<(String, usize)> {
    let (mut out, mut at) = (Vec::new(), 0);
    while let Some(header) = tar.get(at..at + 512).filter(|h| h[0] != 0) {
        let field = |range: std::ops::Range<usize>| {
            String::from_utf8_lossy(&header[range]).trim_end_matches(['\0', ' ']).to_owned()
        };
        let size = usize::from_str_radix(&field(124..136), 8).unwrap();
        out.push((field(0..100), at));
        at += 512 + size.div_ceil(512) * 512;
    }
    out
}
