use proptest::prelude::*;

use netcap_tests::packets::{arp_request, datagram, echo, mac, segment, tagged};

use super::*;

const A: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const B: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);

fn of(frame: &[u8]) -> Option<Identity> {
    of_frame(frame, u32::try_from(frame.len()).unwrap(), usize::MAX, |_| true)
}

fn frames() -> Vec<Vec<u8>> {
    let way = (mac("0c:da:41:1d:56:a7"), mac("a0:36:9f:97:76:b8"));
    vec![
        segment(way, (A, B), 7, 100, 9),
        segment(way, (A, B), 7, 0, 9),
        datagram(way, (A, B), b"question", 9),
        echo(false, way.0, way.1, A, B, 3),
        arp_request(way.0, A, B),
    ]
}

#[test]
fn what_changes_on_the_way_is_no_part_of_it() {
    for frame in frames() {
        let first = of(&frame).unwrap();
        assert_eq!(of(&tagged(188, &frame)), Some(first));
        assert_eq!(of(&tagged(7, &tagged(188, &frame))), Some(first));
        let mut other = frame.clone();
        other[..12].copy_from_slice(&[2; 12]);
        // Padding to the least length of a frame.
        other.resize(frame.len() + 6, 0);
        assert_eq!(of(&other), Some(first));
        if first.tuple.protocol != PROTOCOL_ARP {
            other[22] -= 1;
            other[24..26].copy_from_slice(&[1, 2]);
            let checksum = match first.tuple.protocol {
                TCP => 34 + 16,
                UDP => 34 + 6,
                _ => 34 + 2,
            };
            other[checksum] ^= 0x55;
            assert_eq!(of(&other), Some(first));
        }
    }
}

#[test]
fn what_is_another_packet_has_another_identity() {
    let mut all: Vec<_> = frames().iter().map(|f| of(f).unwrap()).collect();
    let way = (mac("0c:da:41:1d:56:a7"), mac("a0:36:9f:97:76:b8"));
    all.extend([
        of(&segment(way, (A, B), 107, 100, 9)).unwrap(),
        of(&datagram(way, (A, B), b"question", 10)).unwrap(),
        of(&datagram(way, (A, B), b"questiom", 9)).unwrap(),
        of(&datagram(way, (B, A), b"question", 9)).unwrap(),
        of(&echo(false, way.0, way.1, A, B, 4)).unwrap(),
        of(&echo(true, way.0, way.1, A, B, 3)).unwrap(),
    ]);
    for (n, one) in all.iter().enumerate() {
        assert!(all[n + 1..].iter().all(|other| other != one), "{one:?}");
    }
}

#[test]
fn points_that_keep_fewer_octets_see_the_same() {
    let way = (mac("0c:da:41:1d:56:a7"), mac("a0:36:9f:97:76:b8"));
    let frame = datagram(way, (A, B), &[3; 200], 9);
    let reach = 96 - 22;
    let length = u32::try_from(frame.len()).unwrap();
    assert_eq!(of_frame(&frame[..96], length, reach, |_| true), of_frame(&frame, length, reach, |_| true));
    assert_eq!(
        of_frame(&tagged(5, &frame)[..96], length + 4, reach, |_| true),
        of_frame(&frame, length, reach, |_| true)
    );
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), wire in any::<u32>(), reach in 0usize..300) {
        let _ = of_frame(&bytes, wire, reach, |_| true);
    }

    #[test]
    fn no_damage_makes_it_panic(which in 0usize..5, at in 0usize..60, value in any::<u8>(), cut in 0usize..160) {
        let mut frame = frames()[which].clone();
        if let Some(byte) = frame.get_mut(at) {
            *byte = value;
        }
        let wire = u32::try_from(frame.len()).unwrap();
        frame.truncate(cut);
        let _ = of_frame(&frame, wire, usize::MAX, |_| true);
    }
}
