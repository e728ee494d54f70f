//! What comes back to a ping, and what is on its way: the first two octets are the identifier.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let [low, high, bytes @ ..] = bytes else { return };
    netcap::testing::fuzzed::ping(bytes, u16::from_le_bytes([*low, *high]));
});
