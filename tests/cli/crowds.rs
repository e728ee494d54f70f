//! Too many of everything, each with a remark: names, points, filters, interfaces, values in dumps; and names that steer terminals.

use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;

use netcap_bundle::Role;

use crate::specials::{block, section, with};
use crate::{analyze, text};
use netcap_tests::bundle::{BundleBuilder, pcap};
use netcap_tests::packets::{arp_announce, mac};
use netcap_tests::tars::tar_of;

/// Bytes of a dump: what the longest recipe keeps.
const DUMP_BYTES: usize = 8 << 20;

/// Inputs with a crowd, each with its name.
pub(crate) fn all(bundle: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let braces = format!("[{}0]", r#"{"a":0},"#.repeat(DUMP_BYTES / 8));
    vec![
        ("long names", long_names()),
        ("points that join without end", joining(bundle, 200_000)),
        ("filters without end", filters(bundle, 2_000)),
        ("interfaces with filters", interfaces(5_000, 5_000)),
        ("a dump of braces", with(bundle, "state/links/", |_| braces.clone().into_bytes())),
        ("every dump as long as it may be", with(bundle, "state/", again)),
        ("a listing of one line", listing()),
    ]
}

/// The same text again and again; the index stays as it is.
fn again(text: Vec<u8>) -> Vec<u8> {
    if text.is_empty() || text.starts_with(br#"{"round""#) {
        return text;
    }
    let times = DUMP_BYTES / text.len();
    zstd::encode_all(text.repeat(times).as_slice(), 1).unwrap()
}

fn long_names() -> Vec<u8> {
    let mut out = tar::Builder::new(Vec::new());
    for n in 0..12_000 {
        let mut header = tar::Header::new_gnu();
        header.set_size(0);
        out.append_data(&mut header, format!("top/{n}{}", "x".repeat(4_000)), std::io::empty()).unwrap();
    }
    out.into_inner().unwrap()
}

fn joining(bundle: &[u8], count: u32) -> Vec<u8> {
    let line = |n| {
        format!(
            r#"{{"at":{n},"change":"joined","point":{{"id":"p{n}","iface":"p{n}","role":{{"kind":"other"}}}}}}"#
        )
    };
    let lines: Vec<String> = (0..count).map(line).collect();
    let open = with(bundle, "manifest.json", |_| Vec::new());
    with(&open, "points.jsonl", |_| lines.join("\n").into_bytes())
}

/// A filter of 5 KB that no other is like.
fn filter(n: usize) -> String {
    let hosts: Vec<String> = (0..250).map(|host| format!("host 10.{}.{}.{host}", n / 250, n % 250)).collect();
    hosts.join(" or ")
}

fn filters(bundle: &[u8], count: usize) -> Vec<u8> {
    with(bundle, "manifest.json", |bytes| {
        let mut manifest: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        let point = manifest["points"][0].clone();
        manifest["points"] = (0..count)
            .map(|n| {
                let mut point = point.clone();
                point["id"] = format!("p{n}").into();
                point["filter"] = filter(n).into();
                point
            })
            .collect();
        manifest.to_string().into_bytes()
    })
}

/// Interfaces of one file, each with a packet and one of that many filters.
fn interfaces(count: u32, filters: u32) -> Vec<u8> {
    let mut out = section();
    for n in 0..count {
        let text = [&[0], &filter((n % filters) as usize).as_bytes()[..4_000]].concat();
        let mut body = vec![1, 0, 0, 0, 0, 0, 0, 0, 11, 0];
        body.extend(u16::try_from(text.len()).unwrap().to_le_bytes());
        body.extend(&text);
        body.resize(body.len().next_multiple_of(4), 0);
        out.extend(block(1, &body));
    }
    for n in 0..count {
        let mut body: Vec<u8> = [n, 0, 1, 60, 60].iter().flat_map(|word| word.to_le_bytes()).collect();
        body.extend([0; 60]);
        out.extend(block(6, &body));
    }
    out
}

fn listing() -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let capture = dir.path().join("a.pcap");
    pcap(&capture, &[]);
    let line = format!("vswitch0 (vsw)\nint a {}", "a ".repeat(12 << 20));
    tar_of(&[
        ("old/eth2/a.pcap".into(), fs::read(capture).unwrap()),
        ("old/20230607103752-ovs_dbg_listports".into(), line.into_bytes()),
    ])
}

fn remarks(input: &Path) -> Vec<String> {
    let out = analyze(&["--fail-on", "never", "--json", "-", input.to_str().unwrap()]);
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
    let verdict: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    verdict["remarks"].as_array().unwrap().iter().map(|r| r.as_str().unwrap().to_owned()).collect()
}

#[test]
fn what_did_not_fit_is_told() {
    let bundle = netcap_tests::sample("acl-drop", "fires");
    let dir = tempfile::tempdir().unwrap();
    let crowded = [
        (joining(&bundle, 40_000), "more than 32768 points joined or left"),
        (joining(&bundle, 5_000), "more than 4096 points"),
        (filters(&bundle, 30), "the filters of"),
        (interfaces(4_100, 3), "interfaces of packet files are more than can be told apart"),
        (with(&bundle, "state/", again), "a part of it was not looked at: libvirt, links"),
    ];
    let input = dir.path().join("input");
    for (bytes, remark_part) in crowded {
        fs::write(&input, bytes).unwrap();
        let remarks = remarks(&input);
        assert!(remarks.iter().any(|remark| remark.contains(remark_part)), "{remark_part}: {remarks:?}");
    }
}

#[test]
fn a_detector_that_stops_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let capture = dir.path().join("many.pcap");
    let (a, b) = (mac("0c:da:41:1d:43:79"), mac("40:a8:f0:28:14:d8"));
    let mut frames = Vec::new();
    for n in 0..210u8 {
        let ip = Ipv4Addr::new(10, 0, 0, n);
        for (ms, who) in [(0, a), (1_000, b), (2_000, a)] {
            frames.push((ms + i64::from(n), arp_announce(who, ip)));
        }
    }
    frames.sort_by_key(|(ms, _)| *ms);
    pcap(&capture, &frames);
    let remarks = remarks(&capture);
    assert!(remarks.iter().any(|r| r.contains("ip-conflict stops at 200 findings")), "{remarks:?}");
}

/// Clear the screen, the same with the one-octet CSI, right to left, a title with a bell.
const STEERING: &str = "\u{1b}[2J\u{9b}2J\u{202e}\u{1b}]0;x\u{7}";

#[test]
fn names_do_not_steer_a_terminal() {
    let mut bundle = BundleBuilder::new(10_000);
    let vm = Role::Vnet { vm: Some(format!("vm{STEERING}")), guest_mac: Some(mac("0c:da:41:1d:43:79")) };
    bundle.point("vnet0", vm, &format!("arp {STEERING}")).point("eth2", Role::Uplink { bond: None }, "");
    let (a, b) = (mac("0c:da:41:1d:43:79"), mac("40:a8:f0:28:14:d8"));
    let ip = Ipv4Addr::new(172, 16, 51, 23);
    for (ms, who) in [(0, a), (1_000, b), (2_000, a), (3_000, b)] {
        bundle.frame("vnet0", ms, netcap_bundle::packets::Direction::In, &arp_announce(who, ip));
    }
    let sealed = bundle.seal();
    let manifest = sealed.path.join("manifest.json");
    let evil = serde_json::to_string(STEERING).unwrap();
    let evil = evil.trim_matches('"');
    let steered = fs::read_to_string(&manifest)
        .unwrap()
        .replace("\"iface\": \"vnet0\"", &format!("\"iface\": \"vnet0{evil}\""))
        .replace("\"run\": \"host", &format!("\"run\": \"host{evil}"))
        .replace("\"tool\": \"netcap", &format!("\"tool\": \"netcap{evil}"));
    assert!(steered.matches(evil).count() >= 5, "{steered}");
    fs::write(&manifest, steered).unwrap();
    let path = sealed.path.to_str().unwrap();
    let steers = |c: char| c != '\n' && (c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c));
    for args in [&[path][..], &["--verbose", path], &["--lang", "zh", "--verbose", path]] {
        let out = analyze(args);
        let page = text(&out.stdout);
        assert!(page.contains("vnet0") && !page.contains(steers), "{args:?}: {page:?}");
        assert!(!text(&out.stderr).contains(steers));
    }
    let json = text(&analyze(&["--json", "-", path]).stdout);
    assert!(!json.contains(steers), "{json:?}");
    let verdict: serde_json::Value = serde_json::from_str(&json).unwrap();
    let names = verdict["stats"]["points"].to_string();
    assert!(names.contains('\u{9b}') && names.contains("[2J"), "nothing is lost in JSON: {names}");
    // What cannot be opened is named in a sentence that does not steer either.
    let out = analyze(&[&format!("/nowhere/{STEERING}")]);
    assert_eq!(out.status.code(), Some(2));
    assert!(text(&out.stderr).starts_with("netcap-analyze: ") && !text(&out.stderr).contains(steers));
}
