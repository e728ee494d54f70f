//! Inputs that no accident makes: bombs, links, names that lead outside, numbers that cannot be, files that lie.

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use netcap_tests::tars::{header, members, tar_of};

/// Zeros in a bomb, and bytes of lines; less for a program that is not optimised.
fn sizes() -> (u64, usize) {
    if std::env::var_os("NETCAP_ANALYZE").is_some() { (12 << 30, 300_000_000) } else { (1 << 27, 6_000_000) }
}

/// Each with its name.
pub(crate) fn all(dir: &Path) -> Vec<(&'static str, PathBuf)> {
    let bundle = netcap_tests::sample("acl-drop", "fires");
    let mut out = Vec::new();
    let mut put = |name: &'static str, bytes: &[u8]| {
        let path = dir.join(name.replace(' ', "-"));
        fs::write(&path, bytes).unwrap();
        out.push((name, path));
    };
    let (zeros, _) = sizes();
    let zstd = zstd_bomb(b"", zeros);
    let capture = zstd_bomb(&pcap_of_large_packets(), zeros);
    let gzip = gzip_of_zeros(1 << 30);
    put("zeros in zstd", &zstd);
    put("zeros in gzip", &gzip);
    put("empty packets without end in zstd", &zstd_bomb(&pcap_head(), zeros));
    put("a capture of zeros in zstd", &capture);
    put("zstd in zstd", &zstd::encode_all(zstd.as_slice(), 1).unwrap());
    for (name, part) in [
        ("a bomb for a segment", "packets/"),
        ("a bomb for the manifest", "manifest.json"),
        ("a bomb for the state index", "state/index.jsonl"),
        ("a bomb for a ledger", "ledger/"),
        ("a bomb for a ping log", "ping/"),
        ("a bomb for a dump of flows", "ovs-datapath/"),
    ] {
        put(name, &with(&bundle, part, |_| if part == "packets/" { capture.clone() } else { zstd.clone() }));
    }
    put("lines without end for a ledger", &with(&bundle, "ledger/", |_| lines(r#"{"at":1,"ms":1}"#)));
    let ping = r#"{"seq":1,"answer":"error","why":"x"}"#;
    put("lines without end for a ping log", &with(&bundle, "ping/", |_| lines(ping)));
    let index = r#"{"round":1,"source":"links","item":"a","at":1,"status":"ok","bytes":1}"#;
    put("lines without end for the state index", &with(&bundle, "state/index.jsonl", |_| lines(index)));
    put("a manifest of a million values", &with(&bundle, "manifest.json", |_| many_values()));
    put("a manifest that is deep", &with(&bundle, "manifest.json", |_| "[".repeat(4 << 20).into_bytes()));
    put("a manifest that lies", &with(&bundle, "manifest.json", |bytes| lies(&bytes)));
    put("all members empty", &with(&bundle, "", |_| Vec::new()));
    put("links and ways out", &links(&bundle));
    put("a name as long as a file", &long_name());
    put("a member larger than any disk", &huge_member(&bundle));
    for (name, bytes) in
        pcapng().into_iter().chain(crate::crowds::all(&bundle)).chain(netcap_tests::tars::hostile(&bundle))
    {
        put(name, &bytes);
    }
    out
}

/// The bundle with the content of all members whose name contains `part` replaced.
pub(crate) fn with(bundle: &[u8], part: &str, new: impl Fn(Vec<u8>) -> Vec<u8>) -> Vec<u8> {
    let mut members = members(bundle);
    let mut hit = false;
    for (name, content) in &mut members {
        if name.contains(part) {
            *content = new(std::mem::take(content));
            hit = true;
        }
    }
    // A run without it has it now.
    if !hit {
        let top = members[0].0.split('/').next().unwrap().to_owned();
        let file = if part.ends_with('/') {
            format!("{top}/{part}points/eth2.jsonl")
        } else {
            format!("{top}/{part}")
        };
        members.push((file, new(Vec::new())));
    }
    tar_of(&members)
}

/// A frame of raw and repeated blocks (RFC 8878, section 3.1.1.2): `head`, then zeros, in 4 bytes for each 128 KiB.
fn zstd_bomb(head: &[u8], zeros: u64) -> Vec<u8> {
    let mut out = vec![0x28, 0xb5, 0x2f, 0xfd, 0, 7 << 3];
    let mut block = |kind: u32, size: usize, body: &[u8], last: bool| {
        let word = u32::try_from(size).unwrap() << 3 | kind << 1 | u32::from(last);
        out.extend(&word.to_le_bytes()[..3]);
        out.extend(body);
    };
    block(0, head.len(), head, false);
    for _ in 0..zeros >> 17 {
        block(1, 1 << 17, &[0], false);
    }
    block(1, 1, &[0], true);
    out
}

fn gzip_of_zeros(zeros: u64) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::copy(&mut std::io::repeat(0).take(zeros), &mut gzip).unwrap();
    gzip.flush().unwrap();
    gzip.finish().unwrap()
}

fn pcap_head() -> Vec<u8> {
    [0xa1b2_c3d4u32, 0x0004_0002, 0, 0, 0, 1].iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// A header and the first of packets whose headers are zeros too: empty ones without end.
fn pcap_of_large_packets() -> Vec<u8> {
    let mut out = pcap_head();
    for word in [0u32, 0, 60_000, 60_000] {
        out.extend(word.to_le_bytes());
    }
    out
}

/// Many times a line, which compress to next to nothing.
fn lines(line: &str) -> Vec<u8> {
    let text = format!("{line}\n").repeat(10_000);
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 3).unwrap();
    for _ in 0..sizes().1 / text.len() {
        encoder.write_all(text.as_bytes()).unwrap();
    }
    encoder.finish().unwrap()
}

fn many_values() -> Vec<u8> {
    let list = "0,".repeat(15 << 20);
    let text = format!(r#"{{"schema":1,"tool":"x","run":"x","host":"x","x":[{list}0]}}"#);
    zstd::encode_all(text.as_bytes(), 1).unwrap()
}

/// Counts, sizes and hashes of other files, points and segments that are not there, and times that cannot be.
fn lies(bytes: &[u8]) -> Vec<u8> {
    let mut manifest: serde_json::Value = serde_json::from_slice(bytes).unwrap();
    let segment = manifest["segments"][0].clone();
    let list = (0..20_000u32).map(|number| {
        let mut lie = segment.clone();
        lie["number"] = number.into();
        lie["packets"] = u64::MAX.into();
        lie["dropped"] = (u64::MAX - 1).into();
        lie["opened"] = i64::MIN.into();
        lie["closed"] = i64::MAX.into();
        lie["blake3"] = "\u{1b}[2J".into();
        lie
    });
    manifest["segments"] = list.collect();
    let point = manifest["points"][0].clone();
    manifest["points"] = (0..20_000)
        .map(|number| {
            let mut lie = point.clone();
            lie["id"] = format!("{}{number}", point["id"].as_str().unwrap()).into();
            lie["vswitch"] = format!("vs{number}").into();
            lie
        })
        .chain([point.clone()])
        .collect();
    manifest["utc_offset_s"] = i32::MIN.into();
    manifest.to_string().into_bytes()
}

fn links(bundle: &[u8]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    let mut link = |kind, name: &str, target: &str| {
        let mut header = header(name, kind, 0);
        header.set_link_name(target).unwrap();
        header.set_cksum();
        tar.append(&header, std::io::empty()).unwrap();
    };
    link(tar::EntryType::Symlink, "top/manifest.json", "/etc/passwd");
    link(tar::EntryType::Link, "top/run.json", "/etc/shadow");
    link(tar::EntryType::Symlink, "top/packets", "/dev");
    link(tar::EntryType::Char, "top/state", "/dev/zero");
    for (name, content) in members(bundle) {
        for name in [format!("../../{name}"), "/tmp/netcap-escaped".into(), name.clone()] {
            tar.append(&header(&name, tar::EntryType::Regular, content.len() as u64), content.as_slice())
                .unwrap();
        }
    }
    tar.into_inner().unwrap()
}

fn long_name() -> Vec<u8> {
    let mut out = header("././@LongLink", tar::EntryType::GNULongName, 64 << 20).as_bytes().to_vec();
    out.resize(512 + (64 << 20), b'a');
    out.extend(header("x", tar::EntryType::Regular, 0).as_bytes());
    out
}

fn huge_member(bundle: &[u8]) -> Vec<u8> {
    let mut out = header("top/run.json", tar::EntryType::Regular, u64::MAX >> 1).as_bytes().to_vec();
    out.extend(bundle);
    out
}

/// A block of a pcapng file.
pub(crate) fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(12 + body.len().next_multiple_of(4)).unwrap().to_le_bytes();
    let mut out = [kind.to_le_bytes(), length].concat();
    out.extend(body);
    out.resize(out.len().next_multiple_of(4), 0);
    out.extend(length);
    out
}

pub(crate) fn section() -> Vec<u8> {
    block(0x0a0d_0d0a, &[&0x1a2b_3c4du32.to_le_bytes()[..], &[1, 0, 0, 0], &[0xff; 8]].concat())
}

fn pcapng() -> Vec<(&'static str, Vec<u8>)> {
    let interface = |options: &[u8]| block(1, &[&[1, 0, 0, 0, 0, 0, 0, 0], options].concat());
    let packet = |id: u32, stamp: u64, captured: u32| {
        let mut body = Vec::new();
        for word in [
            id,
            u32::try_from(stamp >> 32).unwrap(),
            u32::try_from(stamp & 0xffff_ffff).unwrap(),
            captured,
            60,
        ] {
            body.extend(word.to_le_bytes());
        }
        body.extend([0; 60]);
        block(6, &body)
    };
    let odd_units: Vec<u8> = [0u8, 0x7f, 0x80, 0xff, 19, 20, 0xc0]
        .iter()
        .flat_map(|units| {
            let offset = [14, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0x80];
            [
                section(),
                interface(&[&[9, 0, 1, 0, *units, 0, 0, 0], &offset[..]].concat()),
                packet(0, u64::MAX, 60),
            ]
            .concat()
        })
        .collect();
    let backwards: Vec<u8> =
        (0..20_000u64).flat_map(|n| packet(0, (20_000 - n) * 7_000_000_000, 60)).collect();
    let name: Vec<u8> = [&[2, 0, 0xff, 0xff][..], &vec![b'x'; 65_536]].concat();
    let many: Vec<u8> = (0..300).flat_map(|_| interface(&name)).collect();
    let huge = [&[0x0a, 0, 0, 0], &(200u32 << 20).to_le_bytes()[..]].concat();
    let large = block(0x0bad, &vec![7; 15 << 20]);
    vec![
        ("units and offsets that cannot be", odd_units),
        ("time going backwards", [section(), interface(&[]), backwards].concat()),
        ("interfaces that are not described", [section(), interface(&[]), packet(u32::MAX, 1, 60)].concat()),
        ("interfaces with long names", [section(), many].concat()),
        ("a packet longer than its block", [section(), interface(&[]), packet(0, 1, 250_000)].concat()),
        ("a block longer than the file", [section(), huge].concat()),
        (
            "large blocks of an unknown kind",
            [section(), large.clone(), large, interface(&[]), packet(0, 1, 60)].concat(),
        ),
        ("sections without end", section().repeat(100_000)),
    ]
}
