//! The index of host state.
#![no_main]

use libfuzzer_sys::fuzz_target;
use netcap_bundle::state::StateReader;

fuzz_target!(|bytes: &[u8]| {
    let _ = StateReader::from_index(&String::from_utf8_lossy(bytes)).lines().count();
});
