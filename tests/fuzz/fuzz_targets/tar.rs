//! The walk over a tar's headers: every block that is taken for one has a sum that is right.
#![no_main]

use std::io::Write;

use libfuzzer_sys::fuzz_target;
use netcap_bundle::files::Files;

fuzz_target!(|bytes: &[u8]| {
    let mut bytes = bytes.to_vec();
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    for block in bytes.chunks_exact_mut(512).filter(|block| block[0] != 0) {
        block[257..262].copy_from_slice(b"ustar");
        block[148..156].fill(b' ');
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    }
    let mut file = tempfile::NamedTempFile::new().expect("a place for a file");
    file.write_all(&bytes).expect("a place for a file");
    let Ok(Some(files)) = Files::tar(file.path()) else { return };
    for path in files.paths() {
        assert!(!path.split('/').any(|part| part == ".." || part.is_empty()), "{path}");
        let small = files.read_small(path).unwrap_or_default();
        assert!(small.len() <= 32 << 20);
    }
});
