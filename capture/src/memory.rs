//! Memory for rings: how much may be asked for, and what is taken when the kernel has less.
//!
//! Ring memory is locked: the kernel cannot take it back, so on a host that is there for its guests a careless number
//! would be paid by them.

use std::io;
use std::path::Path;

use rust_i18n::t;

use crate::error::{Error, Result};
use crate::plan::BLOCKS;
use crate::sys::RingSize;
use crate::units::human_bytes;

/// The part of the available memory that rings may take: one of so many.
const SHARE: u64 = 4;

/// Bytes that can be had without swapping (`MemAvailable`, Documentation/filesystems/proc.rst); `None` before Linux 3.14.
pub fn available(root: &Path) -> Option<u64> {
    let text = std::fs::read_to_string(root.join("proc/meminfo")).ok()?;
    let rest = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = rest.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

/// Refuses a budget that would take the memory of others.
pub fn check(budget: u64, root: &Path) -> Result<()> {
    let Some(available) = available(root) else { return Ok(()) };
    let most = available / SHARE;
    if budget <= most {
        return Ok(());
    }
    let (has, free, most) = (human_bytes(budget), human_bytes(available), human_bytes(most));
    Err(Error::Usage(t!("memory.much", has = has, free = free, most = most).into_owned()))
}

/// Tries with less and less while the kernel is out of memory, down to the smallest ring there is.
pub fn shrinking<T>(wanted: RingSize, open: impl Fn(RingSize) -> io::Result<T>) -> io::Result<T> {
    let least = u32::try_from(*BLOCKS.start()).unwrap_or(1);
    let mut size = wanted;
    loop {
        match open(size) {
            Err(e) if e.raw_os_error() == Some(libc::ENOMEM) && size.blocks > least => {
                size.blocks = (size.blocks / 2).max(least);
            }
            done => return done,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(meminfo: &str) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("proc")).unwrap();
        std::fs::write(root.path().join("proc/meminfo"), meminfo).unwrap();
        root
    }

    #[test]
    fn a_quarter_of_what_is_available_and_no_more() {
        rust_i18n::set_locale("en");
        let root = host("MemTotal:       16000000 kB\nMemFree:  1 kB\nMemAvailable:    4194304 kB\n");
        assert_eq!(available(root.path()), Some(4 << 30));
        assert!(check(1 << 30, root.path()).is_ok());
        let refused = check((1 << 30) + 1, root.path()).unwrap_err();
        assert_eq!(refused.exit_status(), 2);
        for part in ["--buffer", "1.0 GiB", "4.0 GiB"] {
            assert!(refused.to_string().contains(part), "{part}: {refused}");
        }
        assert!(check(u64::MAX, root.path()).is_err());
    }

    #[test]
    fn a_kernel_that_does_not_say_forbids_nothing() {
        for text in ["", "MemAvailable: many kB\n", "MemAvailable: 7\n"] {
            assert!(check(u64::MAX, host(text).path()).is_ok(), "{text}");
        }
        assert_eq!(available(Path::new("/no/such/root")), None);
    }

    #[test]
    fn less_is_tried_only_when_memory_is_short() {
        let wanted = RingSize { block_bytes: 4096, blocks: 100 };
        let has = |most: u32, code: i32| {
            shrinking(wanted, move |size| {
                if size.blocks <= most { Ok(size.blocks) } else { Err(io::Error::from_raw_os_error(code)) }
            })
        };
        assert_eq!(has(100, libc::ENOMEM).unwrap(), 100);
        assert_eq!(has(30, libc::ENOMEM).unwrap(), 25);
        assert_eq!(has(4, libc::ENOMEM).unwrap(), 4);
        assert_eq!(has(3, libc::ENOMEM).unwrap_err().raw_os_error(), Some(libc::ENOMEM));
        assert_eq!(has(30, libc::EPERM).unwrap_err().raw_os_error(), Some(libc::EPERM));
    }
}
