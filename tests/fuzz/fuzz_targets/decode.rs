//! Frames of every link type.
#![no_main]

use libfuzzer_sys::fuzz_target;
use netcap_analyze::testing::fuzzed::decode;
use netcap_bundle::packets::LinkType;

fuzz_target!(|bytes: &[u8]| {
    let [link, frame @ ..] = bytes else { return };
    for link in [1, u16::from(*link), 276] {
        decode(LinkType(link), frame);
    }
});
