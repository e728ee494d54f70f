use std::fs::File;
use std::io::Write;
use std::path::PathBuf;

use super::*;
use crate::files::{FilesRemark, Lines};
use crate::run::{Role, SCHEMA};

fn pcap(packets: u8) -> Vec<u8> {
    let mut out = Vec::new();
    for v in [0xa1b2_c3d4u32, 0x0004_0002, 0, 0, 65_535, 1] {
        out.extend(v.to_le_bytes());
    }
    for n in 0..packets {
        for v in [100u32, u32::from(n), 20, 20] {
            out.extend(v.to_le_bytes());
        }
        out.extend([n; 20]);
    }
    out
}

fn tar_of(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, data) in members {
        let mut header = tar::Header::new_ustar();
        header.set_size(data.len() as u64);
        header.set_mode(0o600);
        // Written past the library's own check of names: that is what an attacker does.
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        tar.append(&header, *data).unwrap();
    }
    tar.into_inner().unwrap()
}

fn write(dir: &Path, name: &str, data: &[u8]) -> PathBuf {
    let path = dir.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, data).unwrap();
    path
}

#[test]
fn a_bare_capture_compressed_or_not() {
    let dir = tempfile::tempdir().unwrap();
    let plain = write(dir.path(), "a.pcap", &pcap(2));
    let packed = write(dir.path(), "b.pcap.zst", &zstd::encode_all(&pcap(2)[..], 1).unwrap());
    for path in [plain, packed] {
        let input = Input::open(&path).unwrap();
        assert_eq!((input.kind, input.segments.len()), (Kind::Capture, 1));
    }
    let text = write(dir.path(), "notes.txt", b"not a capture at all");
    let err = Input::open(&text).unwrap_err().to_string();
    assert!(err.contains("not a capture") && err.contains("pcapng"), "{err}");
}

#[test]
fn the_old_scripts_directory() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "eth2/eth2.pcap", &pcap(1));
    write(dir.path(), "vnet0/vnet0.pcap", &pcap(3));
    write(dir.path(), "20230607103752-ping.log", b"PING 1.2.3.4 (1.2.3.4) 56(84) bytes of data.\n");
    write(dir.path(), "check_network.log", b"words");
    let listing =
        b"vs-app (vsw)\n   vnet0 feda411d8513 0cda411d8513 3/25 188x 1500 kylin10_219 5908 FW_white\n";
    write(dir.path(), "20230607103752-ovs_dbg_listports", listing);
    let input = Input::open(dir.path()).unwrap();
    let vnet = &input.points[1];
    assert_eq!((vnet.vswitch.as_deref(), vnet.vlan), (Some("vs-app"), Some(188)));
    assert!(matches!(&vnet.role, Role::Vnet { vm: Some(vm), .. } if vm == "kylin10_219"));
    assert_eq!(input.kind, Kind::Legacy);
    let roles: Vec<_> = input.points.iter().map(|p| (p.iface.as_str(), p.role.word())).collect();
    assert_eq!(roles, [("eth2", "uplink"), ("vnet0", "vnet")]);
    assert_eq!(input.pings[0].address, "1.2.3.4");
    let empty = tempfile::tempdir().unwrap();
    assert!(matches!(Input::open(empty.path()), Err(BundleError::Unknown { .. })));
}

#[test]
fn tar_members_that_lead_outside_are_ignored_and_a_cut_tar_is_read_up_to_the_cut() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = tar_of(&[
        ("top/../../etc/passwd", b"x"),
        ("/abs/eth9/a.pcap", &pcap(1)),
        ("top/eth2/a.pcap", &pcap(2)),
        ("top/eth3/a.pcap", &pcap(40)),
    ]);
    let whole = write(dir.path(), "old.tar", &bytes);
    let input = Input::open(&whole).unwrap();
    let names: Vec<_> = input.segments.iter().map(|s| s.name.as_str()).collect();
    assert_eq!(names, ["eth2/a.pcap", "eth3/a.pcap"]);
    assert!(matches!(input.remarks.as_slice(), [Remark::Files(FilesRemark::Refused { .. })]));

    let cut = write(dir.path(), "cut.tar", &bytes[..bytes.len() - 2_500]);
    let input = Input::open(&cut).unwrap();
    let mut stream = input.segments.last().unwrap().open().unwrap();
    let mut got = Vec::new();
    stream.read_to_end(&mut got).unwrap();
    assert!(got.len() < pcap(40).len());
    assert!(input.remarks.contains(&Remark::Files(FilesRemark::CutShort { file: "eth3/a.pcap".into() })));
}

#[test]
fn a_manifest_from_the_future_and_a_broken_one() {
    let dir = tempfile::tempdir().unwrap();
    let mut file = File::create(dir.path().join(layout::MANIFEST)).unwrap();
    file.write_all(b"{\"schema\": 1, \"tool\"").unwrap();
    let err = Input::open(dir.path()).unwrap_err().to_string();
    assert!(err.contains("manifest"), "{err}");
}

#[test]
fn what_an_old_folder_has_too_much_of_is_told() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "eth2/eth2.pcap", &pcap(1));
    let bytes = |seq: u32| format!("64 bytes from 1.2.3.4: icmp_seq={seq} ttl=64 time=0.1 ms\n");
    write(dir.path(), "20230607103752-ping.log", (bytes(1) + &bytes(100_000)).as_bytes());
    let port = "   vnet0 feda411d8513 0cda411d8513 3/25 188x 1500 kylin10_219 5908\n";
    let listing = format!("vs-app (vsw)\n{}", port.repeat(10_001));
    write(dir.path(), "20230607103752-ovs_dbg_listports", listing.as_bytes());
    write(dir.path(), "1/2/3/4/5/6/7/8/9/eth3/a.pcap", &pcap(1));
    for run in 0..1_002 {
        write(dir.path(), &format!("eth2/run{run}/run.json"), b"{}");
    }
    let input = Input::open(dir.path()).unwrap();
    let unread: Vec<_> = input.given_up.into_iter().collect();
    assert_eq!(
        unread,
        [(Unread::Folders, 1), (Unread::Listing, 1), (Unread::PingGaps, 34_462), (Unread::Runs, 2)]
    );
}

#[test]
fn ledgers_beyond_those_that_are_read_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let clock = r#"{"realtime":1,"monotonic_ns":1}"#;
    let run = format!(
        r#"{{"schema":{SCHEMA},"tool":"","run":"r","host":"h","kernel":"","boot_id":"","options":[],"utc_offset_s":0,
            "started":{clock},"points":[],"pings":[],"ovs_rundir":null,"sandbox":null}}"#
    );
    write(dir.path(), "run.json", run.as_bytes());
    for point in 0..4_098 {
        write(dir.path(), &layout::ledger(&format!("p{point}")), b"");
    }
    let input = Input::open(dir.path()).unwrap();
    assert_eq!(input.ledger.points.len(), 4_096);
    assert_eq!(input.given_up.into_iter().collect::<Vec<_>>(), [(Unread::Ledgers, 2)]);
}

#[test]
fn lines_that_nobody_wanted_any_more_are_told() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("a"), "1\n2\n3\n").unwrap();
    let files = Files::directory(dir.path()).unwrap();
    for (wanted, unread) in [(3, Vec::new()), (2, vec!["a".to_owned()])] {
        let mut lines = files.lines("a").unwrap();
        for _ in 0..wanted {
            assert!(lines.next_line().is_some());
        }
        drop(lines);
        assert_eq!(files.unread(), unread, "{wanted} of 3");
    }
}

#[test]
fn names_that_do_not_fit_in_memory_are_told() {
    let names: Vec<String> = (0..9_000).map(|n| format!("top/{n}{}", "x".repeat(4_000))).collect();
    let mut tar = tar::Builder::new(Vec::new());
    for name in &names {
        let mut header = tar::Header::new_gnu();
        header.set_size(0);
        tar.append_data(&mut header, name, std::io::empty()).unwrap();
    }
    let dir = tempfile::tempdir().unwrap();
    let path = write(dir.path(), "names.tar", &tar.into_inner().unwrap());
    let mut files = Files::tar(&path).unwrap().unwrap();
    assert!(files.paths().count() < names.len());
    assert_eq!(files.remarks(), [FilesRemark::NamesTooLong]);
}
