use super::*;
use proptest::prelude::*;

fn drain(bytes: Vec<u8>) -> Option<(u64, Tail)> {
    let mut reader = PacketReader::open(Box::new(io::Cursor::new(bytes))).unwrap()?;
    while let Some(packet) = reader.next_packet() {
        assert!(packet.data.len() <= PACKET_MAX);
    }
    Some((reader.packets(), reader.tail().cloned().unwrap()))
}

/// A classic pcap with `n` packets of 60 bytes.
pub(super) fn pcap(n: u32, big: bool, magic: u32) -> Vec<u8> {
    let put = |out: &mut Vec<u8>, v: u32| out.extend(if big { v.to_be_bytes() } else { v.to_le_bytes() });
    let mut out = Vec::new();
    put(&mut out, magic);
    // Major and minor, each a half of a word.
    put(&mut out, if big { 0x0002_0004 } else { 0x0004_0002 });
    for v in [0, 0, 65_535, 1] {
        put(&mut out, v);
    }
    for i in 0..n {
        for v in [100 + i, 7, 60, 1_500] {
            put(&mut out, v);
        }
        out.extend([0xaa; 60]);
    }
    out
}

#[test]
fn classic_pcap_in_both_orders_and_resolutions() {
    for (big, magic, nanos) in
        [(false, 0xa1b2_c3d4, 7_000), (true, 0xa1b2_c3d4, 7_000), (true, 0xa1b2_3c4d, 7)]
    {
        let mut reader = PacketReader::open(Box::new(io::Cursor::new(pcap(3, big, magic)))).unwrap().unwrap();
        assert_eq!(reader.interfaces()[0].link, LinkType::ETHERNET);
        let first = reader.next_packet().unwrap();
        assert_eq!((first.number, first.at, first.wire_len), (1, Nanos(100_000_000_000 + nanos), 1_500));
        assert_eq!(drain(pcap(3, big, magic)), Some((3, Tail::Complete)));
    }
}

#[test]
fn a_cut_file_gives_what_it_has() {
    let whole = pcap(3, false, 0xa1b2_c3d4);
    let cut = whole[..whole.len() - 1].to_vec();
    assert!(matches!(drain(cut), Some((2, Tail::Cut { .. }))));
    assert_eq!(drain(whole[..24].to_vec()), Some((0, Tail::Complete)));
    assert_eq!(drain(whole[..20].to_vec()), None);
    assert_eq!(drain(Vec::new()), None);
}

#[test]
fn absurd_lengths_end_the_walk() {
    let mut bytes = pcap(2, false, 0xa1b2_c3d4);
    bytes[24 + 8..24 + 12].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(matches!(drain(bytes), Some((0, Tail::Damaged { .. }))));
}

fn read(bytes: Vec<u8>) -> PacketReader {
    let mut reader = PacketReader::open(Box::new(io::Cursor::new(bytes))).unwrap().unwrap();
    while reader.next_packet().is_some() {}
    reader
}

/// Files that were joined describe their interface once each; one that is described otherwise is another.
#[test]
fn an_interface_that_is_described_again_is_the_same() {
    let mut other = segment(2);
    let at = other.windows(4).position(|bytes| bytes == b"eth2").unwrap();
    other[at + 3] = b'9';
    let joined = [segment(3), segment(4), other, segment(1)].concat();
    let mut reader = PacketReader::open(Box::new(io::Cursor::new(joined))).unwrap().unwrap();
    let mut seen = Vec::new();
    while let Some(packet) = reader.next_packet() {
        seen.push(packet.interface);
    }
    assert_eq!(seen, [0, 0, 0, 0, 0, 0, 0, 2, 2, 0]);
    assert_eq!((0..4).map(|n| reader.alike(n)).collect::<Vec<_>>(), [0, 0, 2, 0]);
    assert_eq!((reader.tail(), reader.strange_version()), (Some(&Tail::Complete), None));
}

#[test]
fn a_version_that_is_not_known_is_said() {
    let mut classic = pcap(1, false, 0xa1b2_c3d4);
    classic[6] = 9;
    assert_eq!(read(classic).strange_version(), Some(Version { major: 2, minor: 9 }));
    let mut section = segment(1);
    section[12] = 3;
    let reader = read(section);
    assert_eq!((reader.strange_version(), reader.packets()), (Some(Version { major: 3, minor: 0 }), 1));
}

#[test]
fn packets_without_a_time_are_counted() {
    let mut bytes = segment(2);
    for n in 0..3u32 {
        for word in [3, 76, 60] {
            bytes.extend(u32::to_le_bytes(word));
        }
        bytes.extend([u8::try_from(n).unwrap(); 60]);
        bytes.extend(76u32.to_le_bytes());
    }
    let reader = read(bytes);
    assert_eq!((reader.packets(), reader.timeless(), reader.tail()), (5, 3, Some(&Tail::Complete)));
}

fn sample() -> Vec<u8> {
    segment(5)
}

/// A segment with `n` tagged packets of 64 bytes, one lost before each.
pub(super) fn segment(n: i64) -> Vec<u8> {
    use super::super::{Frame, SegmentMeta, block};
    let meta = SegmentMeta { iface: "eth2".into(), snaplen: 96, ..SegmentMeta::default() };
    let mut out = Vec::new();
    block::head(&mut out, &meta);
    for n in 0..n {
        let frame = Frame {
            at: Nanos(n),
            direction: Direction::In,
            wire_len: 60,
            vlan: Some((0x8100, 5)),
            data: &[1; 60],
        };
        block::packet(&mut out, &frame, 1);
    }
    block::statistics(&mut out, &block::Statistics::default());
    out
}

proptest! {
    #[test]
    fn stamps_of_any_resolution(stamp: u64, power in 0u32..20, binary: bool, offset_s in -1_000_000i64..1_000_000) {
        let units = if binary { 2u64.pow(power) } else { 10u64.checked_pow(power).unwrap_or(u64::MAX) };
        let interface = Interface { units, offset_s, ..Interface::default() };
        let exact = i128::from(offset_s) * 1_000_000_000 + i128::from(stamp) * 1_000_000_000 / i128::from(units);
        let at = i128::from(interface.time(stamp).0);
        // Beyond the years 1677 to 2262 a stamp is the nearest that there is.
        let nearest = exact.clamp(i64::MIN.into(), i64::MAX.into());
        prop_assert!((at - nearest).abs() <= 1 || nearest.abs() > i128::from(i64::MAX) - 2_000_000_000_000_000, "{at} {nearest}");
    }

    #[test]
    fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = drain(bytes);
    }

    #[test]
    fn any_damage_is_answered(at in 0usize..2000, value: u8, cut in 0usize..2000, classic: bool) {
        let mut bytes = if classic { pcap(5, false, 0xa1b2_c3d4) } else { sample() };
        let len = bytes.len();
        bytes[at % len] = value;
        bytes.truncate(cut % len);
        let _ = drain(bytes);
    }
}
