//! The whole analysis over a bundle of which anything was changed: a recorded one, with pieces of its files cut out, put
//! in and swapped; then both reports of it.
//!
//! The first octet chooses the bundle. Then, again and again: which file, what to do, where, and with how many octets.
#![no_main]

use std::io::{Read, Write};
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use netcap_analyze::report::text::{Look, render};
use netcap_analyze::report::json::Shape;
use netcap_analyze::{analysis, engine::Progress, text::Lang};
use netcap_bundle::input::Input;
use netcap_bundle::packets::decompress;

/// Name and content, unfolded: a change of a segment must get past its compression.
type Files = Vec<(String, Vec<u8>)>;

/// Files of the old script, for a bundle that has none of netcap's.
const OLD: [(&str, &str); 3] = [
    ("old/20230607103752-ovs_dbg_listports", "vswitch0 (vsw)\nint vswitch0 346b5b298863 10.1.1.1 65534/2 1500\n"),
    ("old/20230607103752-ping.log", "64 bytes from 10.0.0.1: icmp_seq=1 ttl=64 time=0.1 ms\n"),
    ("old/eth2/a.pcap", "\u{b2}"),
];
/// Files that the samples do not have.
const MORE: [&str; 5] =
    ["points.jsonl", "ledger/points/eth2.jsonl", "ledger/softnet.jsonl", "ping/10.0.0.1.jsonl", "packets/x/000001.pcapng.zst"];

static BUNDLES: LazyLock<Vec<Files>> = LazyLock::new(|| {
    let samples = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../samples");
    let mut tars = Vec::new();
    let mut todo = vec![samples];
    while let Some(path) = todo.pop() {
        if path.is_dir() {
            todo.extend(std::fs::read_dir(&path).expect("the samples").map(|entry| entry.expect("a file").path()));
        } else if path.extension().is_some_and(|end| end == "tar") {
            tars.push(path);
        }
    }
    tars.sort();
    let mut bundles: Vec<Files> = tars.iter().map(|path| unpacked(&std::fs::read(path).expect("a bundle"))).collect();
    bundles.push(OLD.map(|(name, text)| (name.to_owned(), text.as_bytes().to_vec())).to_vec());
    bundles
});

fn unpacked(tar: &[u8]) -> Files {
    let mut files = Vec::new();
    for entry in tar::Archive::new(tar).entries().expect("a tar") {
        let mut entry = entry.expect("a member");
        let name = entry.path().expect("a name").to_string_lossy().into_owned();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).expect("its content");
        let mut plain = Vec::new();
        let stream = decompress::open(Box::new(std::io::Cursor::new(bytes))).expect("a stream");
        stream.take(1 << 20).read_to_end(&mut plain).expect("what was recorded");
        files.push((name, plain));
    }
    let top = files[0].0.split('/').next().expect("a folder").to_owned();
    files.extend(MORE.map(|name| (format!("{top}/{name}"), Vec::new())));
    files
}

fn change(files: &mut Files, mut bytes: &[u8]) {
    while let [which, how, at, at_high, length, rest @ ..] = bytes {
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
        bytes = rest;
    }
}

fuzz_target!(|bytes: &[u8]| {
    let [bundle, changes @ ..] = bytes else { return };
    let mut files = BUNDLES[usize::from(*bundle) % BUNDLES.len()].clone();
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
    let verdict = analysis::explain(&input, None, &Progress::default());
    for lang in [Lang::En, Lang::Zh] {
        let page = render(&verdict, Look { lang, color: false, verbose: true });
        assert!(!page.contains(|c: char| c.is_control() && c != '\n'), "control characters reach a terminal: {page:?}");
    }
    let json = Shape::One.verdict(&verdict, true);
    let _: serde_json::Value = serde_json::from_str(&json).expect("JSON");
});
