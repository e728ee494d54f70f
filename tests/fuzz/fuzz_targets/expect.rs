//! A stored verdict that a new one is compared with.
#![no_main]

use libfuzzer_sys::fuzz_target;
use netcap_analyze::testing::fuzzed::compare;

fuzz_target!(|bytes: &[u8]| {
    let Ok(expected) = serde_json::from_slice::<serde_json::Value>(bytes) else { return };
    compare(&expected);
});
