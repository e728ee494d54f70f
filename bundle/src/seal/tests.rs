use super::*;
use crate::Nanos;
use crate::input::Input;
use crate::packets::{Direction, Frame, PacketReader, SegmentMeta, SegmentWriter, Tail};
use crate::run::json_line;
use crate::run::{Point, Role};
use std::fs;
use std::fs::File;
use std::path::Path;

fn held(dir: &tempfile::TempDir) -> Dir {
    Dir::open(dir.path()).unwrap()
}

fn info() -> RunInfo {
    RunInfo {
        schema: crate::run::SCHEMA,
        tool: "netcap test".into(),
        run: "host1-20261121000000".into(),
        host: "host1".into(),
        kernel: String::new(),
        boot_id: String::new(),
        options: Vec::new(),
        utc_offset_s: 0,
        started: Clock::default(),
        points: vec![Point { role: Role::Uplink { bond: None }, ..Point::bare("eth2") }],
        pings: Vec::new(),
        ovs_rundir: None,
        sandbox: None,
    }
}

/// A run with one closed segment of 3 packets and one that was cut after 5 flushed packets.
fn crashed(dir: &Path) {
    write_json(&Dir::open(dir).unwrap(), layout::RUN, &info()).unwrap();
    fs::create_dir_all(dir.join(layout::point_dir("eth2"))).unwrap();
    let meta = SegmentMeta { point: "eth2".into(), iface: "eth2".into(), ..SegmentMeta::default() };
    let fill = |number, packets| {
        let mut seg = SegmentWriter::new(Vec::new(), &meta, number, 1, Nanos(1)).unwrap();
        for n in 0..packets {
            let frame = Frame {
                at: Nanos(100 + n),
                direction: Direction::In,
                wire_len: 60,
                vlan: None,
                data: &[9; 60],
            };
            seg.packet(&frame, u64::from(n == 2)).unwrap();
        }
        seg.sync(Nanos(200)).unwrap();
        (seg.bytes(), seg.finish(Nanos(300)).unwrap())
    };
    let (_, (bytes, closed)) = fill(1, 3);
    fs::write(dir.join(layout::segment("eth2", 1)), bytes).unwrap();
    fs::write(dir.join(layout::segment_index("eth2")), json_line(&closed).unwrap()).unwrap();
    let (flushed, (bytes, _)) = fill(2, 5);
    fs::write(dir.join(layout::segment("eth2", 2)), &bytes[..usize::try_from(flushed).unwrap()]).unwrap();
    fs::write(dir.join("packets/eth2/000009.partial"), b"half").unwrap();
}

#[test]
fn a_killed_run_is_closed_and_bundled_and_read() {
    let dir = tempfile::tempdir().unwrap();
    crashed(dir.path());
    let manifest = seal(&held(&dir), info(), None, End::Recovered, Vec::new()).unwrap();
    let packets: Vec<_> = manifest.segments.iter().map(|s| (s.number, s.packets, s.repaired)).collect();
    assert_eq!(packets, [(1, 3, false), (2, 5, true)]);
    assert_eq!(manifest.counts[0].written, 8);
    assert_eq!(manifest.counts[0].dropped, 1, "the loss noted in the packet survives the repair");
    assert!(!dir.path().join("packets/eth2/000009.partial").exists());

    let again = seal(&held(&dir), info(), None, End::Recovered, Vec::new()).unwrap();
    assert_eq!(again.segments.len(), 2);

    let tar = dir.path().with_extension("tar");
    write_tar(&held(&dir), &manifest.info.run, File::create(&tar).unwrap()).unwrap();
    for path in [tar.as_path(), dir.path()] {
        let input = Input::open(path).unwrap();
        assert_eq!(input.points.len(), 1);
        assert_eq!(input.end, Some(End::Recovered));
        let mut total = 0;
        for segment in &input.segments {
            let mut reader = PacketReader::open(segment.open().unwrap()).unwrap().unwrap();
            while reader.next_packet().is_some() {}
            assert_eq!(reader.tail(), Some(&Tail::Complete));
            total += reader.packets();
        }
        assert_eq!(total, 8, "{}", path.display());
    }
    fs::remove_file(tar).unwrap();
}

#[test]
fn an_index_line_that_lies_about_its_file_is_not_believed() {
    let dir = tempfile::tempdir().unwrap();
    crashed(dir.path());
    let path = dir.path().join(layout::segment("eth2", 1));
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 3]).unwrap();
    let manifest = seal(&held(&dir), info(), None, End::Recovered, Vec::new()).unwrap();
    assert!(manifest.segments[0].repaired);
}

#[test]
fn what_was_removed_is_remembered_and_sums_that_disagree_are_told() {
    let dir = tempfile::tempdir().unwrap();
    crashed(dir.path());
    fs::remove_file(dir.path().join(layout::segment("eth2", 1))).unwrap();
    fs::create_dir_all(dir.path().join(layout::LEDGERS)).unwrap();
    let span = crate::run::PointSpan { received: 10, written: 8, dropped: 2, ..Default::default() };
    fs::write(dir.path().join(layout::ledger("eth2")), crate::run::json_line(&span).unwrap()).unwrap();
    let manifest = seal(&held(&dir), info(), Some(Clock::default()), End::Duration, Vec::new()).unwrap();
    let [gone] = &manifest.pruned[..] else { panic!("{:?}", manifest.pruned) };
    assert_eq!((gone.point.as_str(), gone.segments, gone.packets, gone.wire_bytes), ("eth2", 1, 3, 180));
    assert_eq!((gone.from, gone.until), (Nanos(1), Nanos(300)));
    let remarks: Vec<_> = manifest.remarks.iter().filter(|r| r.starts_with("eth2: ")).collect();
    // Segment 1 was written without the kernel's counts: 3 packets too many, and the ledger knows of 10.
    assert!(
        remarks.len() == 2 && remarks[0].contains("unaccounted") && remarks[1].contains("disagree"),
        "{remarks:?}"
    );
    let input = Input::open(dir.path()).unwrap();
    assert_eq!(input.ledger.point("eth2").unwrap().sums().received, 10);
    assert_eq!(input.pruned, manifest.pruned);
}

#[test]
fn what_stayed_cut_for_want_of_room_is_repaired_when_there_is_some() {
    let dir = tempfile::tempdir().unwrap();
    crashed(dir.path());
    let path = dir.path().join(layout::segment("eth2", 2));
    let cut = fs::read(&path).unwrap();
    let mut manifest = seal(&held(&dir), info(), None, End::Recovered, Vec::new()).unwrap();
    let whole = manifest.clone();
    // As it is left behind on a full disk.
    fs::write(&path, &cut).unwrap();
    let (file_bytes, blake3) = hash(&held(&dir), &layout::segment("eth2", 2)).unwrap();
    let segment = &mut manifest.segments[1];
    *segment = SegmentInfo { file_bytes, blake3, cut: true, repaired: false, ..segment.clone() };
    let remarks =
        "packets/eth2/000002.pcapng.zst was not closed, and there was no room to repair it: it can be read";
    for remark in &mut manifest.remarks {
        assert!(remark.contains("000002"), "{remark}");
        remarks.clone_into(remark);
    }
    let mended = repair_cut(&held(&dir), manifest).unwrap();
    assert_eq!(mended, whole);
    let written: Manifest =
        serde_json::from_slice(&fs::read(dir.path().join(layout::MANIFEST)).unwrap()).unwrap();
    assert_eq!(written, whole);
    assert_eq!(repair_cut(&held(&dir), written).unwrap(), whole, "once is enough");
}
