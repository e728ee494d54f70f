//! What a crash leaves of a run, as it is read to seal it: `run.json`, who joined and left, the index of segments.
//!
//! An octet that is 0 parts the three.
#![no_main]

use libfuzzer_sys::fuzz_target;
use netcap_bundle::held::Dir;
use netcap_bundle::layout;
use netcap_bundle::seal::{self, index};

fuzz_target!(|bytes: &[u8]| {
    let dir = tempfile::tempdir().expect("a place for a run");
    let mut parts = bytes.splitn(3, |byte| *byte == 0);
    let mut put = |path: &str| {
        let path = dir.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, parts.next().unwrap_or_default()).expect("a file");
    };
    put(&layout::segment_index("eth2"));
    put(layout::CHANGES);
    put(layout::RUN);
    let dir = Dir::open(dir.path()).expect("a directory of our own");
    let _ = index::read(&dir);
    let _ = index::Shorter::of(&dir, "eth2");
    let list = seal::read_changes(&dir).unwrap_or_default();
    if let Ok(mut info) = seal::read_run(&dir) {
        info.add_joined(&list);
    }
});
