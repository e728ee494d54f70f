//! The whole analysis over a bundle of which anything was changed: a recorded one, with pieces of its files cut out, put
//! in and swapped; then a report of it.
//!
//! The first octet chooses the bundle and the report. Then, again and again: which file, what to do, where, and with how
//! many octets. The bundles are the samples, cut: a few packets of each segment and the first answer of each source, so
//! that more than a hundred variants are judged in a second.
#![no_main]

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use netcap_analyze::testing::fuzzed::explain;
use netcap_words::Lang;
use netcap_bundle::input::Input;
use netcap_bundle::files::decompress;

/// Name and content, unfolded: a change of a segment must get past its compression.
type Files = Vec<(String, Vec<u8>)>;

/// Files of the old script, for a bundle that has none of netcap's.
const OLD: [(&str, &str); 3] = [
    (
        "old/20230607103752-ovs_dbg_listports",
        "vswitch0 (vsw)\nint vswitch0 346b5b298863 10.1.1.1 65534/2 1500\n",
    ),
    ("old/20230607103752-ping.log", "64 bytes from 10.0.0.1: icmp_seq=1 ttl=64 time=0.1 ms\n"),
    ("old/eth2/a.pcap", "\u{b2}"),
];
/// Files that the samples do not have.
const MORE: [&str; 5] = [
    "points.jsonl",
    "ledger/points/eth2.jsonl",
    "ledger/softnet.jsonl",
    "ping/10.0.0.1.jsonl",
    "packets/x/000001.pcapng.zst",
];
/// Files of the samples that say nothing, or the same as others.
const LESS: [&str; 9] = [
    "/netcap.log",
    "/topology.txt",
    "/state/host/",
    "/state/disk/",
    "/netstat/",
    "/snmp/",
    "/state/sysctl/",
    "/links/text/",
    "/links/route/",
];
/// Octets of a segment: its header, its interface and some packets.
const SEGMENT_BYTES: usize = 1_536;
/// Octets of a file after all changes, and changes.
const FILE_BYTES: usize = 65_536;
const CHANGES: usize = 24;

static BUNDLES: LazyLock<Vec<Files>> = LazyLock::new(|| {
    let samples = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../samples");
    let mut tars = Vec::new();
    let mut todo = vec![samples];
    while let Some(path) = todo.pop() {
        if path.is_dir() {
            todo.extend(
                std::fs::read_dir(&path).expect("the samples").map(|entry| entry.expect("a file").path()),
            );
        } else if path.to_string_lossy().ends_with(".tar.zst") {
            tars.push(path);
        }
    }
    tars.sort();
    let bundles = tars.iter().map(|path| {
        let packed = std::fs::File::open(path).expect("a bundle");
        let mut tar = Vec::new();
        decompress::open(Box::new(packed)).expect("a stream").read_to_end(&mut tar).expect("a bundle");
        (path.to_string_lossy(), tar)
    });
    let bundles: Vec<_> = bundles.collect();
    assert!(!bundles.is_empty(), "no samples");
    // Host state has a target of its own and takes most of the time: those in which it decides have it.
    let decides = bundles.iter().filter(|(path, _)| path.contains("/fires"));
    let with = decides.map(|(_, tar)| unpacked(tar, ""));
    let mut bundles: Vec<Files> =
        with.chain(bundles.iter().map(|(_, tar)| unpacked(tar, "/state/"))).collect();
    bundles.push(OLD.map(|(name, text)| (name.to_owned(), text.as_bytes().to_vec())).to_vec());
    bundles
});

/// The files of a sample without those whose path has that part.
fn unpacked(tar: &[u8], without: &str) -> Files {
    let mut files = Vec::new();
    for entry in tar::Archive::new(tar).entries().expect("a tar") {
        let mut entry = entry.expect("a member");
        let name = entry.path().expect("a name").to_string_lossy().into_owned();
        let later = name.contains("/state/") && name.ends_with(".txt") && !name.ends_with("/000001.txt");
        let unwanted = !without.is_empty() && name.contains(without);
        if later || unwanted || LESS.iter().any(|part| name.contains(part)) {
            continue;
        }
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).expect("its content");
        let mut plain = Vec::new();
        let stream = decompress::open(Box::new(std::io::Cursor::new(bytes))).expect("a stream");
        stream.take(1 << 20).read_to_end(&mut plain).expect("what was recorded");
        if name.ends_with(".pcapng.zst") {
            plain.truncate(blocks(&plain));
        }
        files.push((name, plain));
    }
    let top = files[0].0.split('/').next().expect("a folder").to_owned();
    let kept: BTreeSet<String> = files.iter().map(|(name, _)| name[top.len() + 1..].to_owned()).collect();
    for (name, content) in &mut files {
        match &name[top.len() + 1..] {
            "manifest.json" => *content = promised(content, &kept),
            "state/index.jsonl" => *content = indexed(content, &kept),
            "state/links/link/000001.txt" | "state/links/addr/000001.txt" => *content = uncounted(content),
            _ => {}
        }
    }
    files.extend(MORE.map(|name| (format!("{top}/{name}"), Vec::new())));
    files
}

/// Octets of the whole blocks that fit in [`SEGMENT_BYTES`] (pcapng: type, length, content).
fn blocks(segment: &[u8]) -> usize {
    let mut at = 0;
    while let Some([a, b, c, d]) = segment.get(at + 4..at + 8) {
        let length = u32::from_le_bytes([*a, *b, *c, *d]) as usize;
        if length == 0 || at + length > SEGMENT_BYTES.min(segment.len()) {
            break;
        }
        at += length;
    }
    at
}

/// The manifest without the files that were left out.
fn promised(manifest: &[u8], kept: &BTreeSet<String>) -> Vec<u8> {
    let mut manifest: serde_json::Value = serde_json::from_slice(manifest).expect("a manifest");
    let files = manifest["files"].as_array_mut().expect("files");
    files.retain(|file| file["path"].as_str().is_some_and(|path| kept.contains(path)));
    serde_json::to_vec(&manifest).expect("a manifest")
}

/// The index without the rounds that were left out.
fn indexed(index: &[u8], kept: &BTreeSet<String>) -> Vec<u8> {
    let mut out = Vec::new();
    for line in index.split_inclusive(|byte| *byte == b'\n') {
        let value: serde_json::Value = serde_json::from_slice(line).expect("a line");
        let rounds = if value["source"] == "links" || value["source"] == "ovsdb" { 1 } else { 2 };
        if value["path"].as_str().is_some_and(|path| kept.contains(path))
            && value["round"].as_u64() <= Some(rounds)
        {
            out.extend_from_slice(line);
        }
    }
    out
}

/// Interfaces without their counters and tunables, most of what is said of them.
fn uncounted(links: &[u8]) -> Vec<u8> {
    const SAID: [&str; 11] = [
        "ifindex",
        "ifname",
        "flags",
        "mtu",
        "operstate",
        "master",
        "address",
        "link",
        "link_index",
        "linkinfo",
        "addr_info",
    ];
    let mut links: Vec<serde_json::Map<String, serde_json::Value>> =
        serde_json::from_slice(links).expect("interfaces");
    for link in &mut links {
        link.retain(|key, _| SAID.contains(&key.as_str()));
    }
    serde_json::to_vec(&links).expect("interfaces")
}

fn change(files: &mut Files, mut bytes: &[u8]) {
    for _ in 0..CHANGES {
        let [which, how, at, at_high, length, rest @ ..] = bytes else { return };
        let (which, at) = (usize::from(*which) % files.len(), usize::from(*at) | usize::from(*at_high) << 8);
        let (new, rest) = rest.split_at(usize::from(*length).min(rest.len()));
        let content = &mut files[which].1;
        let at = at % (content.len() + 1);
        let end = (at + new.len()).min(content.len());
        match how % 6 {
            0 => drop(content.splice(at..end, new.iter().copied())),
            1 => drop(content.splice(at..at, new.iter().copied())),
            2 => drop(content.drain(at..end)),
            3 => content.truncate(at),
            4 => *content = new.to_vec(),
            _ => {
                let other = usize::from(*length) % files.len();
                let taken = files[other].1.clone();
                files[which].1 = taken;
            }
        }
        files[which].1.truncate(FILE_BYTES);
        bytes = rest;
    }
}

// In this thread alone: to hand work to another one takes longer than the work.
fuzz_target!(init: {
    rayon::ThreadPoolBuilder::new().num_threads(1).use_current_thread().build_global().expect("a pool");
}, |bytes: &[u8]| {
    let [bundle, changes @ ..] = bytes else { return };
    let mut files = BUNDLES[usize::from(*bundle & 63) % BUNDLES.len()].clone();
    change(&mut files, changes);
    let mut tar = tar::Builder::new(Vec::new());
    for (name, content) in &files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        tar.append_data(&mut header, name, content.as_slice()).expect("a member");
    }
    let mut file = tempfile::NamedTempFile::new().expect("a place for a file");
    file.write_all(&tar.into_inner().expect("a tar")).expect("a place for a file");
    let Ok(input) = Input::open(file.path()) else { return };
    let explained = explain(&input);
    let lang = match bundle >> 6 {
        0 => Lang::En,
        1 => Lang::Zh,
        _ => {
            let _: serde_json::Value = serde_json::from_str(&explained.json()).expect("JSON");
            return;
        }
    };
    let page = explained.report(lang);
    assert!(!page.contains(|c: char| c != '\n' && netcap_words::foreign::is_steering(c)), "control characters reach a terminal: {page:?}");
});
