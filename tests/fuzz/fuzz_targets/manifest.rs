//! A manifest, as it is and with what is made of it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use netcap_bundle::{Manifest, RunInfo};

fuzz_target!(|bytes: &[u8]| {
    let _ = serde_json::from_slice::<RunInfo>(bytes);
    if let Ok(mut manifest) = serde_json::from_slice::<Manifest>(bytes) {
        manifest.sum_counts();
        let again = serde_json::to_vec(&manifest).expect("what was read can be written");
        let _ = serde_json::from_slice::<Manifest>(&again).expect("and read again");
    }
});
