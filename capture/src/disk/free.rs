//! What the file system says of its room.

use std::path::Path;

use nix::sys::statvfs::statvfs;

/// Bytes that may still be written to the disk of that directory; `None` when the system does not say.
pub fn disk_left(dir: &Path) -> Option<u64> {
    let stat = statvfs(dir).ok()?;
    // The types of both differ between platforms.
    #[allow(clippy::useless_conversion)]
    Some(u64::from(stat.blocks_available()).saturating_mul(u64::from(stat.fragment_size())))
}

/// Bytes of the disk of that directory; `None` when the system does not say.
pub(crate) fn disk_size(dir: &Path) -> Option<u64> {
    let stat = statvfs(dir).ok()?;
    #[allow(clippy::useless_conversion)]
    Some(u64::from(stat.blocks()).saturating_mul(u64::from(stat.fragment_size())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_disk_answers() {
        assert!(disk_left(Path::new("/")).is_some_and(|left| left > 0));
        assert_eq!(disk_left(Path::new("/no/such/place")), None);
    }
}
