//! Whatever a user hands in as one file: a bundle's tar, the old script's tar, a capture; and all that is in it.
#![no_main]

use std::io::Write;

use libfuzzer_sys::fuzz_target;
use netcap_analyze::testing::fuzzed::explain;
use netcap_bundle::input::Input;

// In this thread alone: to hand work to another one takes longer than the work.
fuzz_target!(init: {
    rayon::ThreadPoolBuilder::new().num_threads(1).use_current_thread().build_global().expect("a pool");
}, |bytes: &[u8]| {
    let mut file = tempfile::NamedTempFile::new().expect("a place for a file");
    file.write_all(bytes).expect("a place for a file");
    if let Ok(input) = Input::open(file.path()) {
        assert!(explain(&input).files() == input.segments.len());
    }
});
