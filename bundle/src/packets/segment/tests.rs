use super::*;
use crate::Mac;
use crate::files::decompress;
use crate::packets::Direction;
use crate::packets::{PacketReader, Tail};

fn meta() -> SegmentMeta {
    SegmentMeta {
        point: "eth2".into(),
        iface: "eth2".into(),
        description: "bond member of vswitch0_bond".into(),
        mac: Some(Mac([2, 0, 0, 0, 0, 9])),
        filter: "icmp".into(),
        snaplen: 262_144,
        os: "Linux 6.1".into(),
        tool: "netcap test".into(),
    }
}

fn frame(at: i64, data: &[u8]) -> Frame<'_> {
    Frame {
        at: Nanos(at),
        direction: Direction::Out,
        wire_len: u32::try_from(data.len()).unwrap(),
        vlan: None,
        data,
    }
}

fn read(bytes: Vec<u8>) -> PacketReader {
    let stream = decompress::open(Box::new(io::Cursor::new(bytes))).unwrap();
    PacketReader::open(stream).unwrap().unwrap()
}

#[test]
fn what_is_written_is_read_back() {
    let mut seg = SegmentWriter::new(Vec::new(), &meta(), 1, 1, Nanos(5)).unwrap();
    seg.packet(&frame(1_000_000_001, &[1; 61]), 0).unwrap();
    seg.packet(&Frame { vlan: Some((0x88a8, 0x0064)), ..frame(1_000_000_002, &[7; 60]) }, 3).unwrap();
    seg.count(5, 3);
    let (bytes, info) = seg.finish(Nanos(2_000_000_000)).unwrap();
    assert_eq!((info.packets, info.received, info.dropped, info.file_bytes), (2, 5, 3, bytes.len() as u64));
    assert_eq!(info.blake3, blake3::hash(&bytes).to_hex().to_string());

    let mut reader = read(bytes);
    let one = reader.next_packet().unwrap();
    assert_eq!((one.at, one.direction, one.data), (Nanos(1_000_000_001), Direction::Out, &[1; 61][..]));
    let two = reader.next_packet().unwrap();
    assert_eq!((two.wire_len, two.lost_before, two.data.len()), (64, 3, 64));
    assert_eq!(two.data.get(12..16), Some(&[0x88, 0xa8, 0x00, 0x64][..]));
    assert!(reader.next_packet().is_none());
    assert_eq!(reader.tail(), Some(&Tail::Complete));
    let iface = &reader.interfaces()[0];
    assert_eq!((iface.name.as_str(), iface.filter.as_str(), iface.snaplen), ("eth2", "icmp", 262_144));
    assert_eq!((iface.received, iface.dropped, iface.mac), (Some(5), Some(3), meta().mac));
}

#[test]
fn a_segment_is_one_frame_and_survives_a_cut_after_a_flush() {
    let mut seg = SegmentWriter::new(Vec::new(), &meta(), 1, 1, Nanos(5)).unwrap();
    let mut noise = 12345u32;
    let mut flushed = 0;
    for n in 0..2_000i64 {
        let data: Vec<u8> = (0..200)
            .map(|_| {
                noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                noise.to_be_bytes()[0]
            })
            .collect();
        seg.packet(&frame(n + 1, &data), 0).unwrap();
        if n == 1_499 {
            seg.sync(Nanos(n)).unwrap();
            flushed = usize::try_from(seg.bytes()).unwrap();
        }
    }
    let (bytes, _) = seg.finish(Nanos(9)).unwrap();
    assert_eq!(zstd::zstd_safe::find_frame_compressed_size(&bytes), Ok(bytes.len()), "exactly one frame");
    for cut in [flushed, flushed + 1, flushed + 1000] {
        let mut reader = read(bytes[..cut].to_vec());
        let mut n = 0;
        while reader.next_packet().is_some() {
            n += 1;
        }
        assert!(n >= 1_500, "{n} packets after a cut at {cut}");
        assert!(matches!(reader.tail(), Some(Tail::Cut { .. } | Tail::Complete)), "{:?}", reader.tail());
    }
}
