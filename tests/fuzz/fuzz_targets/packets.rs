//! pcap, pcapng, segments, and what is compressed: every packet of any bytes, read and decoded.
#![no_main]

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use netcap_bundle::packets::PacketReader;
use netcap_bundle::files::decompress;

fuzz_target!(|bytes: &[u8]| {
    let Ok(stream) = decompress::open_within(Box::new(Cursor::new(bytes.to_vec())), 1 << 20) else { return };
    let Ok(Some(mut reader)) = PacketReader::open(stream) else { return };
    let mut numbers = 0;
    while let Some(packet) = reader.next_packet() {
        numbers += 1;
        assert_eq!(packet.number, numbers);
        netcap_analyze::testing::fuzzed::decode(packet.link, packet.data);
    }
    assert!(reader.tail().is_some());
});
