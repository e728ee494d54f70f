//! The samples' bundles. They are packed: their host state is text that says itself over and over.

use std::io;
use std::path::{Path, PathBuf};

use crate::{files_below, root};

/// The name of a sample's bundle once it is unpacked; it is part of the verdict.
pub const BUNDLE: &str = "bundle.tar";

/// The bundle of a case.
///
/// # Panics
/// When there is none.
pub fn sample(id: &str, case: &str) -> Vec<u8> {
    let dir = root().join("samples").join(id).join(case);
    unpacked(&dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display()))
}

/// The directories of all cases.
pub fn all() -> Vec<PathBuf> {
    let packed = files_below(&root().join("samples"), &format!("/{BUNDLE}.zst"));
    packed.iter().filter_map(|file| file.parent()).map(Path::to_owned).collect()
}

/// Unpacks the bundle of a sample's directory into another directory.
///
/// # Errors
/// When it cannot be read or written.
pub fn unpack(sample: &Path, into: &Path) -> io::Result<PathBuf> {
    let path = into.join(BUNDLE);
    std::fs::write(&path, unpacked(sample)?)?;
    Ok(path)
}

/// The bundle of a sample's directory.
///
/// # Errors
/// When it cannot be read.
pub fn unpacked(sample: &Path) -> io::Result<Vec<u8>> {
    zstd::decode_all(&std::fs::read(sample.join(format!("{BUNDLE}.zst")))?[..])
}
